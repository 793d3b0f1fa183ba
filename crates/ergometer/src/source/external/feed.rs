//! Where the lines come from: a file that grows, a FIFO, a sensor of the kernel, or the output of a command.
//!
//! Nothing here waits for whoever writes: files are read as far as they go, a FIFO is opened so that reading it returns
//! at once, and the output of a command is read on a thread of its own.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::Origin;
use super::command::Running;
use crate::clock;
use crate::source::sysfs::OpenFile;

/// The most that is read at once, bytes; the rest waits for the next read. Of a file, as much is read of what is
/// there at the start.
const AT_ONCE: u64 = 64 * 1024;
/// No line of a meter is longer, bytes.
const LONGEST: usize = 4096;

/// A source of lines.
#[derive(Debug)]
pub(super) struct Feed {
    tap: Tap,
    /// The first line of a file whose beginning is not read: it may name the columns.
    head: Option<String>,
    /// The beginning of a line whose end is not there yet.
    rest: Vec<u8>,
    /// Whether the line that is being read is too long, or began before the first byte that is read.
    skips: bool,
    /// How many lines were too long.
    pub(super) too_long: u64,
}

#[derive(Debug)]
enum Tap {
    File {
        path: PathBuf,
        file: File,
        position: u64,
    },
    /// A FIFO or a device.
    Stream(File),
    /// A number in millionths: each read is a line.
    Sensor(OpenFile),
    Command(Running),
}

impl Feed {
    /// # Errors
    ///
    /// The file cannot be opened, or the command cannot be started.
    pub(super) fn open(origin: &Origin) -> io::Result<Self> {
        let sensor = match origin {
            Origin::File(path) => sensor(path),
            Origin::Command(_) => None,
        };
        let mut feed = Self {
            tap: match origin {
                Origin::File(path) if sensor.is_some() => Tap::Sensor(OpenFile::new(path.clone())),
                Origin::File(path) if fs::metadata(path)?.is_file() => {
                    Tap::File { path: path.clone(), file: File::open(path)?, position: 0 }
                }
                Origin::File(path) if path.is_dir() => {
                    return Err(io::Error::other("it is a folder"));
                }
                Origin::File(path) => Tap::Stream(open_stream(path)?),
                Origin::Command(text) => Tap::Command(Running::start(text)?),
            },
            head: sensor.map(|column| format!("time,{column}")),
            rest: Vec::new(),
            skips: false,
            too_long: 0,
        };
        feed.skip_history()?;
        Ok(feed)
    }

    /// Of a long file only the first line and the end are read.
    fn skip_history(&mut self) -> io::Result<()> {
        let Tap::File { file, position, .. } = &mut self.tap else { return Ok(()) };
        let length = file.metadata()?.len();
        if length <= AT_ONCE {
            return Ok(());
        }
        let mut first = Vec::new();
        file.take(LONGEST as u64).read_to_end(&mut first)?;
        let line = first.split(|byte| *byte == b'\n').next().unwrap_or_default();
        self.head = Some(String::from_utf8_lossy(line).into_owned());
        *position = file.seek(SeekFrom::Start(length - AT_ONCE))?;
        self.skips = true;
        Ok(())
    }

    /// Calls `each` with every line that has come, without waiting for one. The error is the reason why there will be no
    /// other.
    pub(super) fn lines(&mut self, mut each: impl FnMut(&str)) -> Result<(), String> {
        if let Some(head) = self.head.take() {
            each(&head);
        }
        let mut bytes = std::mem::take(&mut self.rest);
        if self.tap.begins_again().map_err(|error| error.to_string())? {
            bytes.clear();
            self.skips = false;
        }
        let read = self.tap.read(&mut bytes);
        let mut begin = 0;
        while let Some(length) = bytes[begin..].iter().position(|byte| *byte == b'\n') {
            if !std::mem::take(&mut self.skips) {
                each(&String::from_utf8_lossy(&bytes[begin..begin + length]));
            }
            begin += length + 1;
        }
        bytes.drain(..begin);
        if bytes.len() > LONGEST {
            self.too_long += u64::from(!self.skips);
            bytes.clear();
            self.skips = true;
        }
        self.rest = bytes;
        read
    }
}

impl Tap {
    /// Whether the file was cut off or replaced, and is read from its beginning from now on.
    fn begins_again(&mut self) -> io::Result<bool> {
        let Self::File { path, file, position } = self else { return Ok(false) };
        let open = file.metadata()?;
        // Where another takes its place, there may be none for a moment.
        let replaced = fs::metadata(&*path).is_ok_and(|there| !is_same(&open, &there));
        if replaced {
            *file = File::open(path)?;
        } else if open.len() < *position {
            file.rewind()?;
        } else {
            return Ok(false);
        }
        *position = 0;
        Ok(true)
    }

    /// Appends what has come to `bytes`.
    fn read(&mut self, bytes: &mut Vec<u8>) -> Result<(), String> {
        let before = bytes.len();
        let read = match self {
            Self::Command(running) => return running.read(bytes),
            Self::Sensor(file) => {
                let millionths: i64 = file.number().map_err(|error| error.to_string())?;
                let date = clock::date().as_microsecond() as f64 * 1e-6;
                bytes.extend(format!("{date:.6},{}\n", millionths as f64 * 1e-6).bytes());
                return Ok(());
            }
            Self::File { file, .. } | Self::Stream(file) => file.take(AT_ONCE).read_to_end(bytes),
        };
        if let Self::File { position, .. } = self {
            *position += (bytes.len() - before) as u64;
        }
        match read {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error.to_string()),
            _ => Ok(()),
        }
    }
}

/// What a sensor of the kernel's hwmon shows in a file of this name: `watts` or `joules`; `None` if it is not such a file.
fn sensor(path: &Path) -> Option<&'static str> {
    let name = path.file_name()?.to_str()?;
    let after = |word: &str| {
        let rest = name.strip_prefix(word)?;
        Some(rest.trim_start_matches(|letter: char| letter.is_ascii_digit()))
    };
    match (after("power"), after("energy")) {
        (Some("_average" | "_input"), _) => Some("watts"),
        (_, Some("_input")) => Some("joules"),
        _ => None,
    }
}

/// Whether both describe one file.
#[cfg(unix)]
fn is_same(a: &fs::Metadata, b: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

/// A file that is open cannot be replaced there.
#[cfg(not(unix))]
const fn is_same(_: &fs::Metadata, _: &fs::Metadata) -> bool {
    true
}

/// Opens a FIFO or a device so that neither this nor a read waits for whoever writes to it.
#[cfg(unix)]
fn open_stream(path: &Path) -> io::Result<File> {
    // With a writer of its own it opens at once and never ends. Who may only read waits for a writer here, which has a
    // limit.
    let both = fs::OpenOptions::new().read(true).write(true).open(path);
    let stream = both.or_else(|_| File::open(path))?;
    rustix::io::ioctl_fionbio(&stream, true)?;
    Ok(stream)
}

#[cfg(not(unix))]
fn open_stream(path: &Path) -> io::Result<File> {
    File::open(path)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn lines(feed: &mut Feed) -> Vec<String> {
        let mut lines = Vec::new();
        feed.lines(|line| lines.push(line.to_owned())).unwrap();
        lines
    }

    fn append(path: &Path, text: &str) {
        let file = fs::OpenOptions::new().append(true).create(true).open(path);
        file.unwrap().write_all(text.as_bytes()).unwrap();
    }

    #[test]
    fn a_file_is_followed_while_it_grows_is_cut_off_and_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wall.csv");
        append(&path, "one\ntw");
        let mut feed = Feed::open(&Origin::File(path.clone())).unwrap();
        assert_eq!(lines(&mut feed), ["one"]);
        assert_eq!(lines(&mut feed), Vec::<String>::new());
        append(&path, "o\nthree\nfo");
        assert_eq!(lines(&mut feed), ["two", "three"]);
        // The beginning of a line that was cut off belongs to none.
        fs::write(&path, "new\n").unwrap();
        assert_eq!(lines(&mut feed), ["new"]);
        if cfg!(unix) {
            append(&path, "left");
            assert_eq!(lines(&mut feed), Vec::<String>::new());
            let other = folder.path().join("other.csv");
            append(&other, "other\nmore");
            fs::rename(&other, &path).unwrap();
            assert_eq!(lines(&mut feed), ["other"]);
        }
    }

    #[test]
    fn of_a_long_file_the_first_line_and_the_end_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wall.csv");
        let rows: Vec<String> = (0..20_000).map(|row| format!("row {row}")).collect();
        append(&path, &format!("time,watts\n{}\n", rows.join("\n")));
        let mut feed = Feed::open(&Origin::File(path.clone())).unwrap();
        let found = lines(&mut feed);
        assert_eq!((&*found[0], &*found[found.len() - 1]), ("time,watts", "row 19999"));
        // 64 KiB of rows of 10 bytes, without the one that they begin in.
        assert!((6500..6600).contains(&found.len()), "{}", found.len());
        assert!(found[1].starts_with("row 13") && found[1].len() == 9, "{}", found[1]);
        append(&path, "row 20000\n");
        assert_eq!(lines(&mut feed), ["row 20000"]);
    }

    #[test]
    fn a_line_without_end_takes_no_memory_and_the_next_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wall.csv");
        append(&path, "");
        let mut feed = Feed::open(&Origin::File(path.clone())).unwrap();
        for _ in 0..5 {
            append(&path, &"x".repeat(40_000));
            assert_eq!(lines(&mut feed), Vec::<String>::new());
            assert!(feed.rest.is_empty());
        }
        append(&path, "x\nnext\n");
        assert_eq!(lines(&mut feed), ["next"]);
        assert_eq!(feed.too_long, 1);
    }

    /// By the only program that is needed for it; where there is none, nothing is tried.
    #[cfg(unix)]
    fn fifo(folder: &Path) -> Option<PathBuf> {
        let path = folder.join("fifo");
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        made.is_ok_and(|status| status.success()).then_some(path)
    }

    #[cfg(unix)]
    #[test]
    fn a_fifo_without_a_writer_is_not_waited_for_and_one_that_comes_back_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let Some(path) = fifo(folder.path()) else { return };
        let mut feed = Feed::open(&Origin::File(path.clone())).unwrap();
        assert_eq!(lines(&mut feed), Vec::<String>::new());
        for writer in ["first", "second"] {
            append(&path, &format!("{writer}\nand "));
            let found = lines(&mut feed);
            assert!(found[0].ends_with(writer), "{found:?}");
            assert_eq!(lines(&mut feed), Vec::<String>::new(), "the writer is gone");
        }
    }

    #[test]
    fn a_sensor_of_the_kernel_is_a_line_at_each_read() {
        let folder = tempfile::tempdir().unwrap();
        for (name, header) in [("power1_average", "time,watts"), ("energy12_input", "time,joules")]
        {
            let path = folder.path().join(name);
            fs::write(&path, "231500000\n").unwrap();
            let mut feed = Feed::open(&Origin::File(path.clone())).unwrap();
            let first = lines(&mut feed);
            assert!(first[0] == header && first[1].ends_with(",231.5"), "{first:?}");
            fs::write(&path, "240000000\n").unwrap();
            let [line] = &lines(&mut feed)[..] else { panic!() };
            assert!(line.ends_with(",240"), "{line}");
            fs::remove_file(&path).unwrap();
            assert!(feed.lines(|line| panic!("{line}")).is_err());
        }
        for other in ["power1_cap", "power.csv", "energy.csv", "in1_input"] {
            assert_eq!(sensor(Path::new(other)), None, "{other}");
        }
    }

    #[test]
    fn what_is_not_there_is_an_error_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let missing = Feed::open(&Origin::File(folder.path().join("wall.csv")));
        assert_eq!(missing.unwrap_err().kind(), io::ErrorKind::NotFound);
        let folder = Feed::open(&Origin::File(folder.path().to_owned()));
        assert!(folder.is_err(), "{folder:?}");
    }
}

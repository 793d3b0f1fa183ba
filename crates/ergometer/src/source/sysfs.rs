//! Small files of the kernel, with a number or a word in each.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::{fs, io};

/// Reads a number without allocating.
pub(super) fn number<T: FromStr>(file: &Path) -> io::Result<T> {
    parsed(&File::open(file)?)
}

/// The start of a file, and how long it is: a number, with room to see that it ends.
type Start = ([u8; 32], usize);

/// A file whose number is read repeatedly. It stays open, because opening takes several times as long as
/// reading.
#[derive(Debug)]
pub(super) struct OpenFile {
    pub path: PathBuf,
    open: Option<File>,
    last: Start,
}

impl OpenFile {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self { path, open: None, last: ([0; 32], 0) }
    }

    /// Reads the number. If the file is gone or cannot be read, it is opened again: devices come and go
    /// (hotplug, driver reload).
    pub(super) fn number<T: FromStr>(&mut self) -> io::Result<T> {
        if let Some(file) = self.open.take()
            && let Ok(text) = start(&file)
            // A file that was removed does not change any more. To look whether it was takes longer than to read it.
            && (text != self.last || is_still_at(&file, &self.path))
            && let Ok(number) = parse(&text)
        {
            (self.open, self.last) = (Some(file), text);
            return Ok(number);
        }
        let file = File::open(&self.path)?;
        let text = start(&file)?;
        let number = parse(&text)?;
        (self.open, self.last) = (Some(file), text);
        Ok(number)
    }
}

fn parsed<T: FromStr>(file: &File) -> io::Result<T> {
    parse(&start(file)?)
}

fn start(file: &File) -> io::Result<Start> {
    let mut text = [0; 32];
    let length = read_start(file, &mut text)?;
    Ok((text, length))
}

fn parse<T: FromStr>((text, length): &Start) -> io::Result<T> {
    // A text that fills the buffer may be longer, and a truncated number would be wrong.
    let whole = text.get(..*length).filter(|whole| whole.len() < text.len());
    whole
        .and_then(|text| std::str::from_utf8(text).ok())
        .and_then(|text| text.trim().parse().ok())
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it holds no number"))
}

/// Reads the beginning of `file`, wherever it was read before.
#[cfg(unix)]
pub(super) fn read_start(file: &File, text: &mut [u8]) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, text, 0)
}

/// The same, for copies of the kernel's files.
#[cfg(not(unix))]
pub(super) fn read_start(mut file: &File, text: &mut [u8]) -> io::Result<usize> {
    io::Seek::rewind(&mut file)?;
    io::Read::read(&mut file, text)
}

/// Whether the open `file` has not been removed since it was opened at this path.
#[cfg(unix)]
fn is_still_at(file: &File, _: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    file.metadata().is_ok_and(|metadata| metadata.nlink() > 0)
}

#[cfg(not(unix))]
fn is_still_at(_: &File, path: &Path) -> bool {
    path.exists()
}

/// A file's text without the white space around it; `None` if that is empty.
pub(super) fn word(file: &Path) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// The command that makes `files` readable.
pub(super) fn permit(files: &[PathBuf]) -> String {
    let paths: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
    format!(
        "run `sudo chmod a+r {}` (until the next boot; a udev or tmpfiles.d rule makes it last), \
         or run as root",
        paths.join(" ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_replaced_is_opened_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("energy_uj");
        fs::write(&path, "5\n").unwrap();
        let mut file = OpenFile::new(path.clone());
        assert_eq!(file.number::<u64>().unwrap(), 5);
        assert_eq!(file.number::<u64>().unwrap(), 5, "it stands still");
        fs::remove_file(&path).unwrap();
        assert!(file.number::<u64>().is_err(), "it is gone");
        fs::write(&path, "5\n").unwrap();
        assert_eq!(file.number::<u64>().unwrap(), 5);
        fs::remove_file(&path).unwrap();
        fs::write(&path, "7\n").unwrap();
        assert_eq!(file.number::<u64>().unwrap(), 7);
    }

    #[test]
    fn what_is_no_number_or_too_long_for_one_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("energy_uj");
        for text in ["", "\n", "5x", "1\0\n", "12345678901234567890123456789012", "-"] {
            fs::write(&path, text).unwrap();
            assert!(number::<u64>(&path).is_err(), "{text:?}");
        }
        fs::write(&path, " 12345678901234567890\n").unwrap();
        assert_eq!(number::<u64>(&path).unwrap(), 12_345_678_901_234_567_890);
    }
}

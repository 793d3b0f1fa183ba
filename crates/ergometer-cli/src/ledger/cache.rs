//! Digests of files that were read before, in the user's folder for caches.
//!
//! A digest is used only if the file has the path, the size and the time of its last change that it had then. Each
//! line has a checksum: one that is damaged is as if it was not there. The folder of records itself is only read.
//!
//! ```text
//! ergometer-ledger-cache/3 0.1.0 /home/me/runs
//! 7f1c0a3e {"path":"/home/me/runs/a.json","stamp":{"size":18233,"changed_ns":…},"read":{"Ok":{…}}}
//! ```

use std::collections::HashMap;
use std::env;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::digest::Digest;

const SCHEMA: &str = "ergometer-ledger-cache/3";
/// A file that changed this shortly before it was read may change again without a new time.
const SETTLED: Duration = Duration::from_secs(2);

/// What was read of a file: its record in short, or why it is none.
pub type Read = Result<Digest, String>;

/// The size of a file and the time of its last change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    size: u64,
    changed_ns: u64,
}

#[derive(Deserialize)]
struct Line {
    path: PathBuf,
    stamp: Stamp,
    read: Read,
}

/// A line as it is written.
#[derive(Serialize)]
struct LineRef<'a> {
    path: &'a Path,
    stamp: Stamp,
    read: &'a Read,
}

/// The cache for one folder.
pub struct Cache {
    file: PathBuf,
    folder: PathBuf,
    lines: HashMap<PathBuf, Line>,
    /// A line of it is damaged.
    is_damaged: bool,
}

/// A file and what was read of it.
pub struct Found {
    pub path: PathBuf,
    /// `None` where the file may change without a trace in size and time.
    pub stamp: Option<Stamp>,
    /// It was read now, and not in the cache.
    pub is_new: bool,
    pub read: Read,
}

impl Stamp {
    /// Of a file as it is now; `None` where it cannot be determined.
    pub fn of(path: &Path) -> Option<Self> {
        let metadata = path.metadata().ok()?;
        let changed = metadata.modified().ok()?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        Some(Self { size: metadata.len(), changed_ns: u64::try_from(changed.as_nanos()).ok()? })
    }

    /// Whether a change from now on has another time.
    fn is_settled(self) -> bool {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        now.saturating_sub(Duration::from_nanos(self.changed_ns)) > SETTLED
    }
}

impl Cache {
    /// What is known of `folder`; nothing where there is no folder for caches, or none that can be read.
    pub fn open(folder: &Path) -> Option<Self> {
        let folder = folder.canonicalize().ok()?;
        let name = crc32c::crc32c(folder.as_os_str().as_encoded_bytes());
        let file = caches()?.join("ergometer").join(format!("ledger-{name:08x}"));
        let text = fs::read_to_string(&file).unwrap_or_default();
        let mut cache = Self { file, folder, lines: HashMap::new(), is_damaged: false };
        let mut lines = text.lines();
        if lines.next() == Some(&cache.head()) {
            for line in lines {
                match parse(line) {
                    Some(line) => drop(cache.lines.insert(line.path.clone(), line)),
                    None => cache.is_damaged = true,
                }
            }
        }
        Some(cache)
    }

    /// Takes what was read of `path` when it was as it is now.
    pub fn take(&mut self, path: &Path, stamp: Stamp) -> Option<Read> {
        self.lines.get(path).filter(|line| line.stamp == stamp)?;
        self.lines.remove(path).map(|line| line.read)
    }

    /// Keeps what was read of these files, and forgets all others.
    pub fn keep(&self, files: &[Found]) {
        let settled = |file: &&Found| file.stamp.is_some_and(Stamp::is_settled);
        let is_stale = files.iter().any(|file| file.is_new && settled(&file));
        if is_stale || self.is_damaged || !self.lines.is_empty() {
            // Without it the next reading takes longer, and is as right.
            let _ = self.write(files.iter().filter(settled));
        }
    }

    fn head(&self) -> String {
        format!("{SCHEMA} {} {}", env!("CARGO_PKG_VERSION"), self.folder.display())
    }

    fn write<'a>(&self, files: impl Iterator<Item = &'a Found>) -> io::Result<()> {
        let Some(folder) = self.file.parent() else { return Ok(()) };
        fs::create_dir_all(folder)?;
        let mut text = self.head() + "\n";
        for Found { path, stamp, read, .. } in files {
            let Some(stamp) = *stamp else { continue };
            let json = serde_json::to_string(&LineRef { path, stamp, read })?;
            let _ = writeln!(text, "{:08x} {json}", crc32c::crc32c(json.as_bytes()));
        }
        // Another ledger may be reading or writing it.
        let beside = self.file.with_extension(format!("{}.part", std::process::id()));
        let mut file = private(&beside)?;
        file.write_all(text.as_bytes())?;
        fs::rename(&beside, &self.file)
    }
}

fn parse(line: &str) -> Option<Line> {
    let (sum, json) = line.split_once(' ')?;
    let sum = u32::from_str_radix(sum, 16).ok()?;
    (sum == crc32c::crc32c(json.as_bytes())).then(|| serde_json::from_str(json).ok())?
}

/// A file that only its user can read: it has labels and names of machines.
fn private(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.write(true).create(true).truncate(true).open(path)
}

/// The user's folder for caches.
fn caches() -> Option<PathBuf> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let at_home = |folder: &str| set("HOME").map(|home| home.join(folder));
    if cfg!(windows) {
        set("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        at_home("Library/Caches")
    } else {
        set("XDG_CACHE_HOME").filter(|folder| folder.is_absolute()).or_else(|| at_home(".cache"))
    }
}

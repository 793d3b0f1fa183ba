//! Small files of the kernel, with a number or a word in each.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::{fs, io};

/// Reads a number without allocating.
pub(super) fn number<T: FromStr>(file: &Path) -> io::Result<T> {
    parsed(&File::open(file)?)
}

/// A file whose number is read repeatedly. It stays open, because opening takes several times as long as
/// reading.
#[derive(Debug)]
pub(super) struct OpenFile {
    pub path: PathBuf,
    open: Option<File>,
}

impl OpenFile {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self { path, open: None }
    }

    /// Reads the number. If the file is gone or cannot be read, it is opened again: devices come and go
    /// (hotplug, driver reload).
    pub(super) fn number<T: FromStr>(&mut self) -> io::Result<T> {
        if let Some(file) = self.open.take()
            && is_still_at(&file, &self.path)
            && let Ok(number) = parsed(&file)
        {
            self.open = Some(file);
            return Ok(number);
        }
        let file = File::open(&self.path)?;
        let number = parsed(&file)?;
        self.open = Some(file);
        Ok(number)
    }
}

fn parsed<T: FromStr>(file: &File) -> io::Result<T> {
    let mut text = [0; 32];
    let length = read_start(file, &mut text)?;
    // A text that fills the buffer may be longer, and a truncated number would be wrong.
    let whole = text.get(..length).filter(|whole| whole.len() < text.len());
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

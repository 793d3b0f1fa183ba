//! Small files of the kernel: a number or a word in each.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::{fs, io};

/// Reads a number without allocating. The file is opened anew each time: that costs a microsecond
/// and survives a device that goes and comes back (hotplug, driver reload).
pub(super) fn number<T: FromStr>(file: &Path) -> io::Result<T> {
    let mut text = [0; 32];
    let length = File::open(file)?.read_at(&mut text, 0)?;
    // What fills it may go on, and half a number is another number.
    let whole = text.get(..length).filter(|whole| whole.len() < text.len());
    whole
        .and_then(|text| std::str::from_utf8(text).ok())
        .and_then(|text| text.trim().parse().ok())
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it holds no number"))
}

/// What a file says, without the white space around it; `None` if that is nothing.
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

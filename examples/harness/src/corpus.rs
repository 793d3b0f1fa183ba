//! Text files, one sentence a line, plain or gzip.

use std::fs;
use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;

use crate::Failure;

/// The first bytes of every gzip file (RFC 1952, section 2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The lines of the file at `path`, without their ends. Gzip is told by its first bytes, so that
/// the name does not matter.
///
/// # Errors
/// [`Failure::Usage`] when the file cannot be read, is empty or is not UTF-8; the message names
/// the file and, for bad text, the line.
pub fn read_lines(path: &Path) -> Result<Vec<String>, Failure> {
    let shown = path.display();
    let mut bytes =
        fs::read(path).map_err(|error| Failure::usage(format!("cannot read {shown}: {error}")))?;
    if bytes.starts_with(&GZIP) {
        let mut plain = Vec::new();
        MultiGzDecoder::new(&bytes[..])
            .read_to_end(&mut plain)
            .map_err(|error| Failure::usage(format!("{shown} is not whole gzip: {error}")))?;
        bytes = plain;
    }
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(Failure::usage(format!("{shown} is empty")));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let read = String::from_utf8_lossy(&error.as_bytes()[..valid]);
        let line = read.matches('\n').count() + 1;
        Failure::usage(format!("{shown} is not UTF-8: line {line}"))
    })?;
    Ok(text.lines().map(|line| line.trim_start_matches('\u{feff}').to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn plain_and_gzip_give_the_same_lines() {
        let text = "one\r\ntwo\n\ndrei ß\n".as_bytes();
        let plain = read_lines(file(text).path()).unwrap();
        assert_eq!(plain, ["one", "two", "", "drei ß"]);
        assert_eq!(read_lines(file(&gzip(text)).path()).unwrap(), plain);
    }

    #[test]
    fn bad_text_is_named_by_its_line() {
        let failure = read_lines(file(b"fine\nbad \xff\n").path()).unwrap_err();
        assert!(failure.to_string().ends_with("is not UTF-8: line 2"), "{failure}");
    }

    #[test]
    fn nothing_to_read_is_said() {
        assert!(read_lines(file(b" \n").path()).unwrap_err().to_string().ends_with("is empty"));
        let missing = read_lines(Path::new("no/such/file")).unwrap_err();
        assert!(missing.to_string().starts_with("cannot read no/such/file"), "{missing}");
        let whole = gzip(b"a long enough text to be cut");
        let cut = read_lines(file(&whole[..whole.len() - 6]).path()).unwrap_err();
        assert!(cut.to_string().contains("is not whole gzip"), "{cut}");
    }
}

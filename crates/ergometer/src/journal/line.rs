//! A line: checksum, space, JSON.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Digits of the checksum.
const DIGITS: usize = 8;

/// Appends `row` to `out` as a line. A row that JSON cannot express is left out.
pub(super) fn append(out: &mut Vec<u8>, row: &impl Serialize) {
    let Ok(json) = serde_json::to_vec(row) else { return };
    out.extend_from_slice(format!("{:08x} ", crc32fast::hash(&json)).as_bytes());
    out.extend_from_slice(&json);
    out.push(b'\n');
}

/// The JSON of a line, given without its newline, if its checksum is right.
pub(super) fn checked(line: &[u8]) -> Option<&[u8]> {
    let (sum, rest) = line.split_at_checked(DIGITS)?;
    let json = rest.strip_prefix(b" ")?;
    let digits = std::str::from_utf8(sum).ok()?;
    let sum = u32::from_str_radix(digits, 16).ok()?;
    (sum == crc32fast::hash(json)).then_some(json)
}

/// The row of a line, if it is complete and of a known type.
pub(super) fn parse<T: DeserializeOwned>(line: &[u8]) -> Option<T> {
    serde_json::from_slice(checked(line)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_its_checksum_and_its_json() {
        let mut out = Vec::new();
        append(&mut out, &"123456789");
        // CRC-32/ISO-HDLC's check value, cbf43926, is for the digits alone; the line below includes quotes.
        assert_eq!(crc32fast::hash(b"123456789"), 0xcbf4_3926);
        assert_eq!(
            out,
            format!("{:08x} \"123456789\"\n", crc32fast::hash(b"\"123456789\"")).as_bytes()
        );
        let line = &out[..out.len() - 1];
        assert_eq!(parse::<String>(line).as_deref(), Some("123456789"));
    }

    #[test]
    fn every_flipped_bit_is_seen() {
        let mut line = Vec::new();
        append(&mut line, &["loss", "accuracy"]);
        line.pop();
        for bit in 0..line.len() * 8 {
            let mut damaged = line.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            // A digit of the checksum that changes case keeps its value.
            let same = damaged.eq_ignore_ascii_case(&line) && bit / 8 < DIGITS;
            assert!(same || checked(&damaged).is_none(), "bit {bit}");
        }
    }
}

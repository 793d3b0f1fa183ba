//! Fingerprints of data, configurations and losses: what has to agree for two runs to be the same.

use sha2::{Digest as _, Sha256};

/// SHA-256 over values in order, each with its length, so that `ab, c` is not `a, bc`.
#[derive(Clone, Debug, Default)]
pub struct Fingerprint(Sha256);

impl Fingerprint {
    /// Adds a text.
    pub fn text(&mut self, text: &str) {
        self.0.update((text.len() as u64).to_le_bytes());
        self.0.update(text);
    }

    /// Adds a number, bit for bit.
    pub fn number(&mut self, number: f64) {
        self.0.update(number.to_bits().to_le_bytes());
    }

    /// The fingerprint of texts.
    pub fn of<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
        let mut fingerprint = Self::default();
        texts.into_iter().for_each(|text| fingerprint.text(text));
        fingerprint.hex()
    }

    /// The first 128 bits in hexadecimal digits.
    #[must_use]
    pub fn hex(&self) -> String {
        let bytes = self.0.clone().finalize();
        let bits = bytes.iter().take(16).fold(0, |bits, byte| bits << 8 | u128::from(*byte));
        format!("{bits:032x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bit_and_every_boundary_count() {
        let of = |numbers: &[f64]| {
            let mut fingerprint = Fingerprint::default();
            for number in numbers {
                fingerprint.number(*number);
            }
            fingerprint.hex()
        };
        assert_eq!(of(&[1.5, 2.5]), of(&[1.5, 2.5]));
        assert_ne!(of(&[1.5, 2.5]), of(&[1.5, f64::from_bits(2.5_f64.to_bits() + 1)]));
        assert_ne!(of(&[1.5, 2.5]), of(&[2.5, 1.5]));
        assert_ne!(Fingerprint::of(["ab", "c"]), Fingerprint::of(["a", "bc"]));
        // SHA-256 of nothing begins so.
        assert_eq!(Fingerprint::default().hex(), "e3b0c44298fc1c149afbf4c8996fb924");
    }
}

//! Valid text, damaged as external text may be, for property tests of parsers.

use std::fs;
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// Texts that have confused parsers.
const HOSTILE: &[&[u8]] = &[
    b"",
    b"\0",
    b"\xff\xfe",
    b"\r\n",
    b"\n",
    b" ",
    b"-1",
    b"0",
    b"00000000000000000000000000000000000001",
    b"65535",
    b"9223372036854775807",
    b"18446744073709551615",
    b"99999999999999999999999999",
    b"1e308",
    b"1e-320",
    b"-inf",
    b"NaN",
    b",",
    b":",
    b"\"",
    "é".as_bytes(),
];

#[derive(Clone, Debug)]
enum Damage {
    Flip(Index, u8),
    Truncate(Index),
    Remove(Index, usize),
    Insert(Index, &'static [u8]),
    /// The number at this position is replaced.
    Number(Index, &'static [u8]),
    /// Everything from this position is repeated.
    Again(Index),
    /// Newlines as on other systems.
    CarriageReturns,
}

impl Damage {
    fn apply(&self, text: &mut Vec<u8>) {
        let place = |index: &Index| if text.is_empty() { 0 } else { index.index(text.len()) };
        match self {
            Self::Flip(index, bit) => {
                let place = place(index);
                if let Some(byte) = text.get_mut(place) {
                    *byte ^= 1 << bit;
                }
            }
            Self::Truncate(index) => text.truncate(place(index)),
            Self::Remove(index, length) => {
                let from = place(index);
                drop(text.drain(from..text.len().min(from + length)));
            }
            Self::Insert(index, what) => {
                let place = place(index);
                drop(text.splice(place..place, what.iter().copied()));
            }
            Self::Number(index, what) => {
                let digit = |byte: &u8| byte.is_ascii_digit();
                let after = place(index);
                let Some(from) = text[after..].iter().position(digit) else { return };
                let from = after + from;
                let length = text[from..].iter().take_while(|byte| digit(byte)).count();
                drop(text.splice(from..from + length, what.iter().copied()));
            }
            Self::Again(index) => text.extend_from_within(place(index)..),
            Self::CarriageReturns => {
                *text = String::from_utf8_lossy(text).replace('\n', "\r\n").into_bytes();
            }
        }
    }
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        2 => (any::<Index>(), 0_u8..8).prop_map(|(index, bit)| Damage::Flip(index, bit)),
        1 => any::<Index>().prop_map(Damage::Truncate),
        1 => (any::<Index>(), 1_usize..20).prop_map(|(index, length)| Damage::Remove(index, length)),
        3 => (any::<Index>(), select(HOSTILE)).prop_map(|(index, what)| Damage::Insert(index, what)),
        4 => (any::<Index>(), select(HOSTILE)).prop_map(|(index, what)| Damage::Number(index, what)),
        1 => any::<Index>().prop_map(Damage::Again),
        1 => Just(Damage::CarriageReturns),
    ]
}

/// `valid` unchanged, damaged in up to three ways, or arbitrary bytes.
pub(crate) fn damaged(valid: &[u8]) -> impl Strategy<Value = Vec<u8>> + use<> {
    let valid = valid.to_vec();
    let apply = move |damages: Vec<Damage>| {
        let mut text = valid.clone();
        for damage in &damages {
            damage.apply(&mut text);
        }
        text
    };
    prop_oneof![
        9 => vec(damage(), 0..4).prop_map(apply),
        1 => vec(any::<u8>(), 0..300),
    ]
}

/// Paths below a root with the files' contents; `None` if the file does not exist.
pub(crate) type Files = Vec<(&'static str, Option<Vec<u8>>)>;

/// A tree of files, some of them damaged or missing.
pub(crate) fn damaged_tree(
    files: &'static [(&'static str, &'static str)],
) -> impl Strategy<Value = Files> {
    let one = |&(path, text): &(&'static str, &'static str)| {
        let text = text.as_bytes();
        prop_oneof![
            6 => Just(Some(text.to_vec())),
            3 => damaged(text).prop_map(Some),
            1 => Just(None),
        ]
        .prop_map(move |text| (path, text))
    };
    files.iter().map(one).collect::<Vec<_>>()
}

/// Writes the files of a tree below `root`, replacing existing ones.
pub(crate) fn write(root: &Path, files: &Files) {
    for (path, text) in files {
        let path = root.join(path);
        match text {
            Some(text) => {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            None => drop(fs::remove_file(path)),
        }
    }
}

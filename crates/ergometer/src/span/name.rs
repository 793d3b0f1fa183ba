//! Names that are made at run time.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use super::Label;

/// Names made at run time that are kept.
const MOST_NAMES: usize = 4096;
/// Bytes of all of them.
const MOST_BYTES: usize = 1 << 20;

/// Names made at run time.
struct Names {
    known: BTreeSet<&'static str>,
    bytes: usize,
}

/// Slots for names; a power of two.
const NAMES: usize = 16;

thread_local! {
    /// The last name of each slot: a thread makes the same few again and again.
    static KNOWN: RefCell<[&'static str; NAMES]> = const { RefCell::new([""; NAMES]) };
}

impl Label {
    /// The text as one that lives as long as the program; `None` of one too many.
    pub(super) fn known(text: &str) -> Option<&'static str> {
        static NAMES: Mutex<Names> = Mutex::new(Names { known: BTreeSet::new(), bytes: 0 });
        let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(name) = names.known.get(text) {
            return Some(name);
        }
        if names.known.len() >= MOST_NAMES || names.bytes + text.len() > MOST_BYTES {
            return None;
        }
        let name: &'static str = Box::leak(text.to_owned().into_boxed_str());
        names.known.insert(name);
        names.bytes += name.len();
        Some(name)
    }

    /// As [`Label::intern`], without a lock for the names that this thread made last.
    pub(crate) fn remembered(text: &str) -> &'static str {
        // `epoch 1` and `epoch 2` differ at their end.
        let last = text.as_bytes().last().copied().unwrap_or(0);
        let slot = (usize::from(last) + text.len()) % NAMES;
        let known = KNOWN.try_with(|known| known.borrow()[slot]).unwrap_or("");
        if known == text {
            return known;
        }
        let name = Self::intern(text);
        let _ = KNOWN.try_with(|known| known.borrow_mut()[slot] = name);
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_one_name_also_when_slots_are_shared() {
        for round in 0..3 {
            for number in 0..100 {
                let text = format!("remembered {number}");
                let name = Label::remembered(&text);
                assert_eq!(name, text, "round {round}");
                assert!(std::ptr::eq(name, Label::intern(&text)));
            }
        }
        assert_eq!(Label::remembered(""), "");
    }
}

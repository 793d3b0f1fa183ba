//! Text for people: external text (labels, names, paths) made safe for a terminal, and numbers of things.

use std::borrow::Cow;

/// One line without control characters, so that it cannot move a terminal's cursor, colour it or reverse
/// its text.
pub(crate) fn line(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_control) {
        return Cow::Borrowed(text);
    }
    let replaced = |character: char| match character {
        _ if !is_control(character) => character,
        _ if character.is_whitespace() => ' ',
        _ => char::REPLACEMENT_CHARACTER,
    };
    Cow::Owned(text.chars().map(replaced).collect())
}

/// `1 epoch`, `3 epochs`.
pub(crate) fn counted(count: u64, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

/// The verb after such a number.
pub(crate) const fn were(count: u64) -> &'static str {
    if count == 1 { "was" } else { "were" }
}

/// Control characters, line separators, and characters that change the direction of text.
fn is_control(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_is_singular() {
        let text = |count| format!("{} {}", counted(count, "epoch"), were(count));
        assert_eq!([text(0), text(1), text(2)], ["0 epochs were", "1 epoch was", "2 epochs were"]);
    }

    #[test]
    fn no_control_character_reaches_a_terminal() {
        assert_eq!(line("plain ± text"), "plain ± text");
        assert_eq!(
            line("a\tb\nc\u{1b}[2Jd\u{9b}e\u{202e}f\u{2028}g"),
            "a b c\u{fffd}[2Jd\u{fffd}e\u{fffd}f g"
        );
    }
}

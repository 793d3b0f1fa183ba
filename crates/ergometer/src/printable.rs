//! Makes external text (labels, names, paths) safe for a terminal.

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
    fn no_control_character_reaches_a_terminal() {
        assert_eq!(line("plain ± text"), "plain ± text");
        assert_eq!(
            line("a\tb\nc\u{1b}[2Jd\u{9b}e\u{202e}f\u{2028}g"),
            "a b c\u{fffd}[2Jd\u{fffd}e\u{fffd}f g"
        );
    }
}

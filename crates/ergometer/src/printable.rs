//! Text from outside (labels, names, paths) on a terminal.

use std::borrow::Cow;

/// One line without control characters: none moves a terminal's cursor, colours it or reverses its text.
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

/// Control characters, line separators, and those that change the direction of the text around them.
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

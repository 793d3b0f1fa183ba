//! Escapes external text (labels, names, warnings) in reports, so that it cannot become markup or a
//! formula. ([`printable`](crate::printable) keeps it from becoming a terminal command.)

use std::borrow::Cow;

use crate::printable::line;

/// One line of Markdown that shows `text` literally: it cannot begin or end a table cell, code, a link,
/// emphasis or HTML.
pub(super) fn markdown(text: &str) -> String {
    let text = line(text);
    let mut escaped = String::with_capacity(text.len());
    let mut before = ' ';
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '&' => escaped.push_str("&amp;"),
            '\\' | '|' | '`' | '*' | '[' | ']' | '~' => escaped.extend(['\\', character]),
            // Between letters it is part of a name and does not emphasise.
            '_' => {
                let next = rest.peek().copied().unwrap_or(' ');
                if !(before.is_alphanumeric() && next.is_alphanumeric()) {
                    escaped.push('\\');
                }
                escaped.push('_');
            }
            _ => escaped.push(character),
        }
        before = character;
    }
    escaped
}

/// A text cell of CSV that no spreadsheet takes for a formula.
///
/// <https://owasp.org/www-community/attacks/CSV_Injection>
pub(super) fn csv(text: &str) -> Cow<'_, str> {
    match text.chars().next() {
        Some('=' | '+' | '-' | '@' | '\t' | '\r' | '\n') => Cow::Owned(format!("'{text}")),
        _ => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text_in_markdown() {
        for (text, escaped) in [
            ("a | b", r"a \| b"),
            (r"a \| b", r"a \\\| b"),
            ("a\n# b\r\n- c", "a # b  - c"),
            ("`rm`", r"\`rm\`"),
            ("<script>x && y</script>", "&lt;script>x &amp;&amp; y&lt;/script>"),
            ("[x](https://a.b) ![y](z)", r"\[x\](https://a.b) !\[y\](z)"),
            ("*a* _b_ ~c~ my_run __x__", r"\*a\* \_b\_ \~c\~ my_run \_\_x\_\_"),
            ("12.3 ± 0.4 J", "12.3 ± 0.4 J"),
        ] {
            assert_eq!(markdown(text), escaped, "{text}");
        }
    }

    #[test]
    fn no_cell_is_a_formula() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"] {
            assert_eq!(csv(formula), format!("'{formula}"));
        }
        assert_eq!(csv("step:train/phase:x=1"), "step:train/phase:x=1");
    }
}

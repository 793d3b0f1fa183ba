//! Finds and removes the attribute at token level.
//!
//! Nothing here is parsed, so half-typed bodies are unharmed, and `syn` is not needed.

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};

pub(crate) const NAME: &str = "track_energy";

/// Whether the attribute occurs anywhere in the body, so that the body has to be parsed.
#[cfg(feature = "expand")]
pub(crate) fn is_in(body: TokenStream) -> bool {
    let mut tokens = body.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '#' => {
                if let Some(TokenTree::Group(group)) = tokens.peek()
                    && is_ours(group)
                {
                    return true;
                }
            }
            TokenTree::Group(group) if is_in(group.stream()) => return true,
            _ => {}
        }
    }
    false
}

/// Whether the brackets of an attribute contain ours.
#[cfg(feature = "expand")]
pub(crate) fn is_ours(brackets: &Group) -> bool {
    !matches!(what(brackets), Attribute::Other)
}

/// The tokens without the attribute.
pub(crate) fn strip(tokens: TokenStream) -> TokenStream {
    let mut stripped = TokenStream::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '#' => {
                let attribute = match tokens.peek() {
                    Some(TokenTree::Group(group)) => what(group),
                    _ => Attribute::Other,
                };
                if matches!(attribute, Attribute::Other) {
                    stripped.extend([TokenTree::Punct(punct)]);
                    continue;
                }
                tokens.next();
                if let Attribute::Conditional(Some(others)) = attribute {
                    stripped.extend([TokenTree::Punct(punct), TokenTree::Group(others)]);
                }
            }
            TokenTree::Group(group) => {
                stripped.extend([TokenTree::Group(with_stream(&group, strip(group.stream())))]);
            }
            token => stripped.extend([token]),
        }
    }
    stripped
}

/// The content of an attribute's brackets.
enum Attribute {
    /// `path::track_energy`, with or without options.
    Ours,
    /// `cfg_attr` with ours in it; the brackets without ours, if anything else remains.
    Conditional(Option<Group>),
    Other,
}

fn what(brackets: &Group) -> Attribute {
    if brackets.delimiter() != Delimiter::Bracket {
        return Attribute::Other;
    }
    let content: Vec<TokenTree> = brackets.stream().into_iter().collect();
    match (last_of_path(&content), content.as_slice()) {
        (Some(last), _) if last == NAME => Attribute::Ours,
        (Some(name), [word, TokenTree::Group(entries)]) if name == "cfg_attr" => {
            match others(entries) {
                None => Attribute::Other,
                Some(others) if others.is_empty() => Attribute::Conditional(None),
                Some(others) => {
                    let others = with_stream(entries, others.into_iter().collect());
                    let content = [word.clone(), TokenTree::Group(others)];
                    let others = with_stream(brackets, content.into_iter().collect());
                    Attribute::Conditional(Some(others))
                }
            }
        }
        _ => Attribute::Other,
    }
}

/// The other attributes in a `cfg_attr`: empty if only the predicate remains, `None` if ours is not in it.
fn others(list: &Group) -> Option<Vec<TokenTree>> {
    let tokens: Vec<TokenTree> = list.stream().into_iter().collect();
    let is_comma =
        |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',');
    let entries: Vec<&[TokenTree]> = tokens.split(is_comma).collect();
    let (predicate, attributes) = entries.split_first()?;
    let kept: Vec<&[TokenTree]> = attributes
        .iter()
        .copied()
        .filter(|entry| !entry.is_empty() && last_of_path(entry).is_none_or(|last| last != NAME))
        .collect();
    if kept.len() == attributes.iter().filter(|entry| !entry.is_empty()).count() {
        return None;
    }
    let comma = tokens.iter().find(|token| is_comma(token))?;
    if kept.is_empty() {
        return Some(Vec::new());
    }
    Some(kept.iter().fold(predicate.to_vec(), |mut joined, entry| {
        joined.push(comma.clone());
        joined.extend_from_slice(entry);
        joined
    }))
}

/// The last word of the path that an attribute begins with.
fn last_of_path(attribute: &[TokenTree]) -> Option<&Ident> {
    let mut last = None;
    for token in attribute {
        match token {
            TokenTree::Ident(ident) => last = Some(ident),
            TokenTree::Punct(punct) if punct.as_char() == ':' => {}
            // A path that a `macro_rules!` passed on is a single token tree.
            TokenTree::Group(_) => break,
            // `track_energy = ..`, a mistake to be reported.
            TokenTree::Punct(punct) if punct.as_char() == '=' => break,
            _ => return None,
        }
    }
    last
}

fn with_stream(group: &Group, stream: TokenStream) -> Group {
    let mut other = Group::new(group.delimiter(), stream);
    other.set_span(group.span());
    other
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(written: &str, left: &str) {
        let tokens = |text: &str| text.parse::<TokenStream>().unwrap();
        assert_eq!(strip(tokens(written)).to_string(), tokens(left).to_string());
    }

    #[test]
    fn every_spelling_goes() {
        check("#[track_energy] for x in y {}", "for x in y {}");
        check("#[ergometer::track_energy(step, items = x.len())] for x in y {}", "for x in y {}");
        check("#[::ergometer::track_energy(phase = \"p\")] { f() }", "{ f() }");
        check("#[cfg_attr(feature = \"m\", track_energy(step))] loop {}", "loop {}");
        check("#[track_energy = 1] loop {}", "loop {}");
        check(
            "#[track_energy(epoch, index = i, name = self.name, sync = || d.wait(), meter = &m, report)] \
             for i in x {}",
            "for i in x {}",
        );
    }

    #[test]
    fn it_goes_at_any_depth() {
        check(
            "fn f() { g(|| { #[track_energy(step)] for x in [#[track_energy(name = \"a\")] { 1 }] {} }) }",
            "fn f() { g(|| { for x in [{ 1 }] {} }) }",
        );
    }

    #[test]
    fn other_attributes_stay() {
        check(
            "#[allow(unused)] #[track_energy(step)] #[cfg(test)] x();",
            "#[allow(unused)] #[cfg(test)] x();",
        );
        check(
            "#[track(track_energy)] #![allow(track_energy)] x",
            "#[track(track_energy)] #![allow(track_energy)] x",
        );
        check("#[my_track_energy] x # [1]", "#[my_track_energy] x # [1]");
    }

    #[test]
    fn other_attributes_under_a_condition_stay() {
        check(
            "#[cfg_attr(all(a, b), track_energy(step), allow(x, y), ergometer::track_energy)] loop {}",
            "#[cfg_attr(all(a, b), allow(x, y))] loop {}",
        );
        check("#[cfg_attr(track_energy, allow(x))] x", "#[cfg_attr(track_energy, allow(x))] x");
    }
}

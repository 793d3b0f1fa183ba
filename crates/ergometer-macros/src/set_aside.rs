//! Sets aside the statements of a body that need no rewriting, so that parsing takes time only for those
//! that do.
//!
//! In a block a `;` ends a statement, so the tokens between two of them are whole statements. If they do
//! not contain the attribute, they are set aside, and a macro call replaces them while the block is parsed.

use std::mem;

use proc_macro2::{Delimiter, Group, Ident, Literal, Span, TokenStream, TokenTree};
use quote::quote;
use syn::{Macro, Stmt, StmtMacro};

use crate::strip;

/// The macro that replaces them; no program has one of this name.
const STAND_IN: &str = "__ergometer_set_aside";

/// Keywords of items, whose braces follow other rules or contain separately expanded attributes.
const ITEMS: [&str; 7] = ["fn", "impl", "trait", "mod", "extern", "macro_rules", "macro"];

/// Statements that were set aside.
#[derive(Default)]
pub(crate) struct Aside {
    statements: Vec<TokenStream>,
    taken: usize,
}

/// The statements being collected.
#[derive(Default)]
struct Reading {
    written: Vec<TokenTree>,
    /// Blocks among them that were outlined, with their positions.
    outlined: Vec<(usize, Group)>,
    /// Whether they contain the attribute, or begin with an inner attribute of the enclosing block.
    needed: bool,
    /// Whether they contain an item.
    item: bool,
}

impl Reading {
    /// The statements with their blocks outlined.
    fn outline(mut self) -> Vec<TokenTree> {
        for (place, block) in self.outlined {
            self.written[place] = block.into();
        }
        self.written
    }
}

impl Aside {
    /// The tokens of a block or of parentheses, with replacements for statements that need no rewriting;
    /// `None` if there are no others.
    pub(crate) fn outline(&mut self, tokens: TokenStream) -> Option<TokenStream> {
        let known = self.statements.len();
        let (mut outline, mut aside) = (TokenStream::new(), Vec::new());
        let mut found = false;
        let mut reading = Reading::default();
        for token in tokens {
            let ends = is(Some(&token), ';');
            self.read(token, &mut reading);
            if !ends {
                continue;
            }
            let read = mem::take(&mut reading);
            if read.needed {
                found = true;
                self.set_aside(&mut aside, &mut outline);
                outline.extend(read.outline());
            } else {
                aside.extend(read.written);
            }
        }
        if !found && !reading.needed {
            self.statements.truncate(known);
            return None;
        }
        self.set_aside(&mut aside, &mut outline);
        outline.extend(reading.outline());
        Some(outline)
    }

    fn read(&mut self, token: TokenTree, reading: &mut Reading) {
        let Reading { written, outlined, needed, item } = reading;
        match &token {
            TokenTree::Group(group) => {
                let last = written.last();
                let is_attribute = is(last, '#') && strip::is_ours(group);
                // Possible arguments of a macro are left as they are.
                let opaque = *item || is(last, '!') || is(last, '#');
                if is_attribute {
                    *needed = true;
                } else if opaque || group.delimiter() == Delimiter::Bracket {
                    *needed |= strip::is_in(group.stream());
                } else if let Some(inside) = self.outline(group.stream()) {
                    *needed = true;
                    let mut outline = Group::new(group.delimiter(), inside);
                    outline.set_span(group.span());
                    outlined.push((written.len(), outline));
                }
            }
            TokenTree::Ident(word) => *item |= ITEMS.iter().any(|name| word == name),
            TokenTree::Punct(sign) => {
                *needed |= sign.as_char() == '!' && written.len() == 1 && is(written.first(), '#');
            }
            TokenTree::Literal(_) => {}
        }
        written.push(token);
    }

    fn set_aside(&mut self, statements: &mut Vec<TokenTree>, outline: &mut TokenStream) {
        if !statements.is_empty() {
            let name = Ident::new(STAND_IN, Span::mixed_site());
            let number = Literal::usize_unsuffixed(self.statements.len());
            self.statements.push(statements.drain(..).collect());
            outline.extend(quote!(#name!(#number);));
        }
    }

    /// The tokens that `statement` replaces, if it is a replacement.
    pub(crate) fn take(&mut self, statement: &Stmt) -> Option<TokenStream> {
        let Stmt::Macro(StmtMacro { mac: Macro { path, tokens, .. }, .. }) = statement else {
            return None;
        };
        if !path.is_ident(STAND_IN) {
            return None;
        }
        let statements = self.statements.get_mut(tokens.to_string().parse::<usize>().ok()?)?;
        self.taken += 1;
        Some(mem::take(statements))
    }

    /// Whether everything that was set aside was taken back.
    pub(crate) fn is_empty(&self) -> bool {
        self.taken == self.statements.len()
    }
}

/// Removes the invisible groups around annotated blocks and `let`s that a `macro_rules!` passed on
/// (`$body:block`), as they would not be parsed as statements inside them.
pub(crate) fn ungrouped(tokens: TokenStream) -> TokenStream {
    let mut out: Vec<TokenTree> = Vec::new();
    for token in tokens {
        let TokenTree::Group(group) = &token else {
            out.push(token);
            continue;
        };
        let stream = ungrouped(group.stream());
        let annotated = matches!(out.as_slice(), [.., sign, TokenTree::Group(brackets)]
            if is(Some(sign), '#') && brackets.delimiter() == Delimiter::Bracket);
        if annotated && group.delimiter() == Delimiter::None && is_statement(&stream) {
            out.extend(stream);
        } else {
            let mut same = Group::new(group.delimiter(), stream);
            same.set_span(group.span());
            out.push(same.into());
        }
    }
    out.into_iter().collect()
}

/// Whether the tokens are a single block, or a `let`.
fn is_statement(tokens: &TokenStream) -> bool {
    let mut tokens = tokens.clone().into_iter();
    match (tokens.next(), tokens.next()) {
        (Some(TokenTree::Group(group)), None) => group.delimiter() == Delimiter::Brace,
        (Some(TokenTree::Ident(word)), Some(_)) => word == "let",
        _ => false,
    }
}

fn is(token: Option<&TokenTree>, sign: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == sign)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &str, outline: Option<&str>) {
        let tokens = |text: &str| text.parse::<TokenStream>().unwrap();
        let outlined = Aside::default().outline(tokens(body));
        let outline = outline.map(|text| tokens(&text.replace('§', STAND_IN)).to_string());
        assert_eq!(outlined.map(|outlined| outlined.to_string()), outline);
    }

    #[test]
    fn statements_without_the_attribute_are_set_aside() {
        check("let a = 1; if a { b(); } c", None);
        check(
            "let a = 1; b(); #[track_energy(step)] for x in y { d(); { e; } f(); } g(); h",
            Some("§!(0); #[track_energy(step)] for x in y { d(); { e; } f(); } g(); h"),
        );
        check(
            "a(); for x in y { b; #[track_energy(step)] c(); d; e(|| { f; #[m::track_energy] g })} h; i;",
            Some(
                "§!(3); for x in y { §!(0); #[track_energy(step)] c(); §!(2); \
                 e(|| { §!(1); #[m::track_energy] g }) } h; §!(4);",
            ),
        );
    }

    #[test]
    fn what_belongs_to_the_block_or_is_an_item_is_read() {
        check(
            "#![allow(x)] a; b; #[track_energy] c",
            Some("#![allow(x)] a; §!(0); #[track_energy] c"),
        );
        let item = "impl X { const A: u32 = 1; fn f() { a; #[track_energy(step)] loop {} } }";
        check(item, Some(item));
        let function = "#[track_energy] fn f() { a; b; #[track_energy(step)] loop {} }";
        check(function, Some(function));
        let call = "select! { a; #[track_energy] b }";
        check(call, Some(call));
    }
}

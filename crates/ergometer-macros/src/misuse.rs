//! Attributes that would compile but count the wrong thing, or be ignored.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::{Error, Expr, Macro};

use crate::find::Mark;
use crate::options::Kind;
use crate::strip;

/// `epoch` and `step` on one loop: each iteration would be both.
pub(crate) fn iteration_twice(marks: &[Mark]) -> Option<Error> {
    let (first, rest) = marks.split_first()?;
    // With different conditions they may exclude each other.
    let conditions = |mark: &Mark| mark.conditions.to_string();
    let second = rest.iter().find(|mark| conditions(mark) == conditions(first))?;
    let word = |mark: &Mark| mark.args.kind.map_or("", Kind::word);
    let (first, other) = (word(first), word(second));
    let message = if first == other {
        format!("two `{first}`s on one loop count each iteration twice; keep one")
    } else {
        format!(
            "`{first}` and `{other}` on one loop make each iteration both an epoch and a step; put `epoch` on \
             the loop over epochs and `step` on the loop over batches inside it"
        )
    };
    Some(Error::new(second.span, message))
}

/// `step` on `xs.iter().for_each(..)`, which is a loop that the macro does not see.
pub(crate) fn hidden_loop(expr: &Expr, marks: &[Mark]) -> Option<Error> {
    let mark = marks.iter().find(|mark| mark.args.kind.is_some_and(Kind::is_iteration))?;
    let method = consumer(expr)?;
    let word = mark.args.kind.map_or("", Kind::word);
    Some(Error::new(
        mark.span,
        format!(
            "`{word}` on a call of `{method}` makes all its iterations one {word}; put it on a block in the \
             closure: `|x| #[track_energy({word})] {{ .. }}`; if one {word} is meant, put the call in a block: \
             `#[track_energy({word})] {{ .. }}`"
        ),
    ))
}

/// The iterator-consuming method that the expression ends with, if any.
fn consumer(expr: &Expr) -> Option<String> {
    match expr {
        Expr::MethodCall(call) => {
            let method = call.method.to_string();
            if method.starts_with("for_each") || method.starts_with("try_for_each") {
                return Some(method);
            }
            // `.try_for_each(..).unwrap()`
            match method.as_str() {
                "unwrap" | "expect" | "map_err" | "ok" | "context" | "with_context" => {
                    consumer(&call.receiver)
                }
                _ => None,
            }
        }
        Expr::Try(tried) => consumer(&tried.expr),
        Expr::Await(awaited) => consumer(&awaited.base),
        Expr::Paren(inner) => consumer(&inner.expr),
        Expr::Group(inner) => consumer(&inner.expr),
        _ => None,
    }
}

/// Attributes in the arguments of a macro, which only that macro reads.
///
/// Arguments that contain an annotated function may be items, whose attributes are expanded after the macro
/// has emitted them.
pub(crate) fn inside_a_macro(call: &Macro) -> Vec<Error> {
    let mut found = Found::default();
    found.search(call.tokens.clone());
    if found.function {
        return Vec::new();
    }
    let name = call.path.to_token_stream().to_string().replace(' ', "");
    let error = |span: &Span| {
        Error::new(
            *span,
            format!(
                "`#[track_energy]` does not work inside the arguments of `{name}!`; put it on the whole statement, \
                 or on a `let`, a block or a function outside of them"
            ),
        )
    };
    found.spans.iter().map(error).collect()
}

/// Occurrences of the attribute among tokens.
#[derive(Default)]
struct Found {
    spans: Vec<Span>,
    /// Whether one of them is on a function.
    function: bool,
}

impl Found {
    fn search(&mut self, tokens: TokenStream) {
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Punct(punct) if punct.as_char() == '#' => {
                    if let Some(TokenTree::Group(group)) = tokens.peek()
                        && strip::is_ours(group)
                    {
                        self.spans.push(group.span());
                        tokens.next();
                        self.function |= tokens.peek().is_some_and(begins_function);
                    }
                }
                TokenTree::Group(group) => self.search(group.stream()),
                _ => {}
            }
        }
    }
}

fn begins_function(token: &TokenTree) -> bool {
    const WORDS: [&str; 7] = ["pub", "fn", "const", "async", "unsafe", "extern", "default"];
    match token {
        TokenTree::Ident(word) => WORDS.iter().any(|first| word == first),
        // Other attributes may precede it.
        TokenTree::Punct(punct) => punct.as_char() == '#',
        _ => false,
    }
}

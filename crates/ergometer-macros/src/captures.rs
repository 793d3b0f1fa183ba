//! Moves the arguments of an `async fn` into the block that its body becomes.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::quote_spanned;
use syn::visit::{self, Visit};
use syn::{FnArg, Ident, PatIdent, Signature};

/// Statements that move the arguments into the body before anything else, so that they are dropped as
/// without the attribute: after the body's variables, the last one first.
///
/// `code` contains the options and the body. Arguments that occur in neither are left out: using them here
/// would hide the compiler's warnings about unused arguments. They are dropped after the others.
pub(crate) fn captured(signature: &Signature, code: [TokenStream; 2]) -> TokenStream {
    let mut names = Names(Vec::new());
    for argument in &signature.inputs {
        match argument {
            FnArg::Receiver(receiver) => {
                names.0.push(Ident::new("self", receiver.self_token.span));
            }
            FnArg::Typed(argument) => names.visit_pat(&argument.pat),
        }
    }
    let mut names = names.0;
    if names.len() < 2 {
        return TokenStream::new();
    }
    let mut words = Words::default();
    for tokens in code {
        words.read(tokens);
    }
    names.retain(|name| words.mention(name));
    names.reverse();
    let site = Span::mixed_site();
    quote_spanned!(site=> #(let _ = &#names;)*)
}

/// The variables of patterns.
struct Names(Vec<Ident>);

impl<'ast> Visit<'ast> for Names {
    fn visit_pat_ident(&mut self, pattern: &'ast PatIdent) {
        // An upper-case identifier may be a constant in a pattern.
        if !pattern.ident.to_string().starts_with(char::is_uppercase) {
            self.0.push(pattern.ident.clone());
        }
        visit::visit_pat_ident(self, pattern);
    }
}

/// The identifiers and texts in a body.
#[derive(Default)]
struct Words {
    names: std::collections::HashSet<String>,
    /// `format!("{name}")` uses a name too.
    texts: Vec<String>,
}

impl Words {
    fn read(&mut self, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Ident(name) => drop(self.names.insert(name.to_string())),
                TokenTree::Group(group) => self.read(group.stream()),
                TokenTree::Literal(literal) => {
                    let text = literal.to_string();
                    if text.contains('{') {
                        self.texts.push(text);
                    }
                }
                TokenTree::Punct(_) => {}
            }
        }
    }

    fn mention(&self, name: &Ident) -> bool {
        let name = name.to_string();
        let in_braces = format!("{{{name}");
        self.names.contains(&name) || self.texts.iter().any(|text| text.contains(&in_braces))
    }
}

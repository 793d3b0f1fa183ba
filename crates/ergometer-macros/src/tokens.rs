//! Tokens that are put into parsed code, and words that are found in unparsed code.

use std::mem;

use proc_macro2::{TokenStream, TokenTree};
use syn::{Block, Expr, ExprBlock, Stmt};

/// Inserts statements at the beginning of a block.
///
/// If the block declares items, its content becomes a nested block: a lint forbids items after statements.
pub(crate) fn prepend(first: Vec<Stmt>, block: &mut Block) {
    let user = mem::take(&mut block.stmts);
    block.stmts = first;
    let declares = |statement: &Stmt| match statement {
        Stmt::Item(_) => true,
        Stmt::Expr(Expr::Verbatim(tokens), None) => declares_items(tokens.clone()),
        _ => false,
    };
    if user.iter().any(declares) {
        let user = Block { brace_token: block.brace_token, stmts: user };
        let user = ExprBlock { attrs: Vec::new(), label: None, block: user };
        block.stmts.push(Stmt::Expr(Expr::Block(user), None));
    } else {
        block.stmts.extend(user);
    }
}

pub(crate) fn verbatim(tokens: TokenStream) -> Stmt {
    Stmt::Expr(Expr::Verbatim(tokens), None)
}

/// Whether a keyword that begins an item occurs at the top level of the unparsed body.
pub(crate) fn declares_items(body: TokenStream) -> bool {
    const KEYWORDS: [&str; 10] =
        ["use", "fn", "struct", "enum", "static", "type", "trait", "impl", "mod", "macro_rules"];
    let mut tokens = body.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let TokenTree::Ident(word) = token else { continue };
        let is_const = word == "const" && matches!(tokens.peek(), Some(TokenTree::Ident(_)));
        if is_const || KEYWORDS.iter().any(|keyword| word == keyword) {
            return true;
        }
    }
    false
}

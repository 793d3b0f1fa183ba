//! Finds `#[track_energy(..)]` inside a function's body.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::parse::Parser as _;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned as _;
use syn::{AttrStyle, Attribute, Meta, Path, Result, Token};

use crate::options::Options;
use crate::strip::NAME;

/// One `#[track_energy(..)]` on a statement.
pub(crate) struct Mark {
    pub(crate) args: Options,
    pub(crate) span: Span,
    /// `#[cfg(..)]` attributes that apply to its generated statements.
    pub(crate) conditions: TokenStream,
}

fn is_our_path(path: &Path) -> bool {
    path.segments.last().is_some_and(|last| last.ident == NAME)
}

/// Whether an item inside the body has the attribute itself, and so is expanded separately.
pub(crate) fn is_on(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        is_our_path(attribute.path())
            || conditional(attribute)
                .is_some_and(|(_, metas)| metas.iter().any(|meta| is_our_path(meta.path())))
    })
}

/// Removes the attribute from a statement; mistakes in it are added to `report`.
///
/// Conditions of the statement (`#[cfg(..)]`) also apply to the mark, so that a statement which is
/// configured out leaves no span.
pub(crate) fn take(
    attributes: &mut Vec<Attribute>,
    report: &mut impl FnMut(syn::Error),
) -> Vec<Mark> {
    if !is_on(attributes) {
        return Vec::new();
    }
    let statement_conditions: TokenStream = attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("cfg"))
        .map(ToTokens::to_token_stream)
        .collect();
    let mut marks = Vec::new();
    let mut mark = |meta: &Meta, condition: Option<TokenStream>| match args_of(meta) {
        Ok(args) => {
            let mut conditions = statement_conditions.clone();
            conditions.extend(condition);
            marks.push(Mark { args, span: meta.path().span(), conditions });
        }
        Err(error) => report(error),
    };
    let mut kept = Vec::new();
    for attribute in attributes.drain(..) {
        if matches!(attribute.style, AttrStyle::Inner(_)) {
            kept.push(attribute);
        } else if is_our_path(attribute.path()) {
            mark(&attribute.meta, None);
        } else if let Some((predicate, metas)) = conditional(&attribute) {
            let span = attribute.span();
            let (ours, others): (Vec<Meta>, Vec<Meta>) =
                metas.into_iter().partition(|meta| is_our_path(meta.path()));
            for meta in ours {
                mark(&meta, Some(quote_spanned!(span=> #[cfg(#predicate)])));
            }
            if !others.is_empty() {
                kept.push(syn::parse_quote_spanned!(span=> #[cfg_attr(#predicate, #(#others),*)]));
            }
        } else {
            kept.push(attribute);
        }
    }
    *attributes = kept;
    marks
}

fn args_of(meta: &Meta) -> Result<Options> {
    let span = meta.path().span();
    match meta {
        Meta::Path(_) => Options::parse_statement(TokenStream::new(), span),
        Meta::List(list) => Options::parse_statement(list.tokens.clone(), span),
        Meta::NameValue(pair) => Err(syn::Error::new(
            pair.eq_token.span,
            "options of `#[track_energy]` go in parentheses: \
             write `#[track_energy(name = \"..\")]`",
        )),
    }
}

/// The predicate and the attributes of a `cfg_attr`.
fn conditional(attribute: &Attribute) -> Option<(Meta, Punctuated<Meta, Token![,]>)> {
    if !attribute.path().is_ident("cfg_attr") {
        return None;
    }
    let Meta::List(list) = &attribute.meta else { return None };
    let parser = |input: syn::parse::ParseStream| {
        let predicate: Meta = input.parse()?;
        input.parse::<Token![,]>()?;
        Ok((predicate, Punctuated::parse_terminated(input)?))
    };
    parser.parse2(list.tokens.clone()).ok()
}

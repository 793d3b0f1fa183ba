//! `async fn`s: a span that stays open while another future runs on the thread has to move with its future.
//!
//! If the body never waits, its guard is a local variable as in any function. If it waits, something has to
//! observe each poll: [`scoped`](../ergometer/span/future/fn.scoped.html) around the body. An `async fn`
//! around that would be a second future of the same size, and one more level of nesting for the compiler in
//! a chain of them. So the function is rewritten as the compiler would do it, as one that returns
//! `impl Future`.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{format_ident, quote, quote_spanned};
use syn::{Attribute, FnArg, Pat, PatType, Path, Receiver, ReceiverKind, ReturnType, Type};

use crate::item::Function;

/// Whether the code may wait: it contains `.await` outside futures and closures of its own, or a macro that
/// may contain it.
pub(crate) fn may(code: TokenStream) -> bool {
    let mut tokens = code.into_iter().peekable();
    // In `async move { .. }` and `async || { .. }` it is the inner future that waits.
    let mut is_async = false;
    let mut before: Option<Ident> = None;
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(word) => {
                if word == "await" {
                    return true;
                }
                is_async |= word == "async";
                before = Some(word);
                continue;
            }
            TokenTree::Punct(sign) if sign.as_char() == '!' => {
                let is_macro = matches!(tokens.peek(), Some(TokenTree::Group(_)));
                if is_macro && before.take().is_some_and(|name| !is_known(&name)) {
                    return true;
                }
            }
            TokenTree::Group(group) => {
                let is_body = group.delimiter() == Delimiter::Brace;
                if !(is_async && is_body) && may(group.stream()) {
                    return true;
                }
                is_async &= !is_body;
            }
            TokenTree::Punct(sign) => is_async &= sign.as_char() != ';',
            TokenTree::Literal(_) => {}
        }
        before = None;
    }
    false
}

/// Macros of the standard library, whose arguments show whether they wait.
fn is_known(name: &Ident) -> bool {
    const KNOWN: [&str; 20] = [
        "assert",
        "assert_eq",
        "assert_ne",
        "concat",
        "dbg",
        "debug_assert",
        "debug_assert_eq",
        "eprint",
        "eprintln",
        "format",
        "format_args",
        "matches",
        "panic",
        "print",
        "println",
        "todo",
        "unreachable",
        "vec",
        "write",
        "writeln",
    ];
    KNOWN.iter().any(|known| name == known)
}

/// Replaces an `async fn` by a function that returns its body's future. `None` if that would not be
/// equivalent: another attribute may look for `async`, and `impl Future<Output = !>` cannot be written.
///
/// `body` is that of the future, without the statements that move the arguments into it.
pub(crate) fn desugared(
    function: &Function,
    library: &Path,
    body: impl FnOnce(TokenStream) -> Group,
    inner_attributes: &TokenStream,
) -> Option<TokenStream> {
    if function.never_returns() || !function.before.attributes.iter().all(is_inert) {
        return None;
    }
    let site = Span::mixed_site();
    let mut signature = function.signature.clone();
    signature.asyncness = None;
    let output = match &signature.output {
        ReturnType::Default => quote_spanned!(site=> ()),
        ReturnType::Type(_, output) => quote!(#output),
    };
    let bound = quote_spanned!(site=> impl #library::private::Future<Output = #output>);
    signature.output = ReturnType::Type(syn::token::RArrow(site), Box::new(Type::Verbatim(bound)));
    let mut taken = TokenStream::new();
    for (place, argument) in signature.inputs.iter_mut().enumerate() {
        match argument {
            // A reference need not be dropped, so it is not moved in if it is not used.
            FnArg::Receiver(Receiver { kind: ReceiverKind::Reference(..), .. }) => {}
            // `mut self` cannot be bound again under its name.
            FnArg::Receiver(receiver) if receiver.mutability.is_none() => {
                let word = &receiver.self_token;
                taken.extend(quote_spanned!(site=> let _ = &#word;));
            }
            FnArg::Typed(argument) if argument.attrs.is_empty() => {
                taken.extend(bring(argument, place));
            }
            _ => return None,
        }
    }
    let body = body(taken);
    let (attributes, visibility) = (&function.before.attributes, &function.before.visibility);
    let word = &function.before.word;
    let mut braced = Group::new(
        Delimiter::Brace,
        quote_spanned!(site=> #inner_attributes return #library::private::scoped(async move #body);),
    );
    braced.set_span(function.body.span());
    Some(quote!(#(#attributes)* #visibility #word #signature #braced))
}

/// Statements that move an argument into the future, as the compiler does: the whole argument, used or not,
/// so that it is dropped with the future and in the right order.
fn bring(argument: &mut PatType, place: usize) -> TokenStream {
    let site = Span::mixed_site();
    if let Pat::Ident(name) = &mut *argument.pat
        && name.by_ref.is_none()
        && name.subpat.is_none()
        && name.attrs.is_empty()
        // Moving `_name` in by name would count as a use, which triggers a lint.
        && !name.ident.to_string().starts_with('_')
    {
        let mutable = name.mutability.take();
        let name = &name.ident;
        return quote_spanned!(site=> let #mutable #name = #name;);
    }
    let whole = format_ident!("_energy_argument_{place}", span = site);
    let name = syn::parse_quote!(#whole);
    let pattern = std::mem::replace(&mut *argument.pat, name);
    let parts =
        (!matches!(pattern, Pat::Wild(_))).then(|| quote_spanned!(site=> let #pattern = #whole;));
    quote_spanned!(site=> let #whole = #whole; #parts)
}

/// Whether an attribute is built in, and means the same on a function that returns a future.
///
/// `expect` is not included: an expected lint of `async fn`s would no longer occur.
fn is_inert(attribute: &Attribute) -> bool {
    const INERT: [&str; 12] = [
        "doc",
        "allow",
        "warn",
        "deny",
        "forbid",
        "cfg",
        "inline",
        "cold",
        "must_use",
        "deprecated",
        "track_caller",
        "target_feature",
    ];
    let path = attribute.path();
    INERT.iter().any(|name| path.is_ident(name))
        || path
            .segments
            .first()
            .is_some_and(|first| first.ident == "rustfmt" || first.ident == "clippy")
}

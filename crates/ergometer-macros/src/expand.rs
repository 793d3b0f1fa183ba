//! Assembles the expanded function.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::parse::Parser as _;
use syn::spanned::Spanned as _;
use syn::visit_mut::VisitMut as _;
use syn::{Block, Error, Result, Type, parse_quote};

use crate::body::Rewriter;
use crate::captures;
use crate::future::Returns;
use crate::guard::{Around, Lasts, Opening, What};
use crate::item::{Form, Function, is_expression};
use crate::options::{EVERY_OF_A_LOOP, Options};
use crate::set_aside::{self, Aside};
use crate::strip;
use crate::suspend;
use crate::tokens::declares_items;

/// The annotated item with its measurement, or the unchanged item with an error.
pub(crate) fn expand(args: TokenStream, item: TokenStream) -> TokenStream {
    match measured(args, &item) {
        Ok(expansion) => expansion,
        Err(error) => {
            let error = error.into_compile_error();
            let is_expression = is_expression(&item);
            let item = strip::strip(item);
            if is_expression { quote!({ #error #item }) } else { quote!(#item #error) }
        }
    }
}

fn measured(args: TokenStream, item: &TokenStream) -> Result<TokenStream> {
    let function = Function::parse(item)?;
    let options = args.clone();
    let args = Options::parse(args)?;
    let form = function.form();
    if let Some(device) = args.sync.as_ref().filter(|_| form.is_made()) {
        return Err(Error::new(device.span(), NO_SYNC));
    }
    if let Some(every) = &args.every {
        return Err(Error::new(every.option, EVERY_OF_A_LOOP));
    }
    let library = args.library.clone().unwrap_or_else(|| parse_quote!(::ergometer));
    let what = What::Function(&function.signature.ident);
    let around = Around { library: library.clone(), meter: None };
    // The statements inside use the same meter.
    let meter = args.meter.as_ref().and_then(|_| around.meter(&args, what, false));
    let inside = Around { meter: meter.map(|(variable, _)| variable), ..around.clone() };
    let (inner_attributes, mut body) = split_inner_attributes(&function.body);

    let (rewritten, error) = rewritten(&body, &inside)?;
    body = rewritten.unwrap_or(body);
    let error = error.map(Error::into_compile_error);

    let span = Span::mixed_site();
    let body = match form {
        Form::Sync => {
            let guard = around.guard(&args, what, &TokenStream::new(), Lasts::Block).open;
            let statements = after_statements(&body);
            quote_spanned!(span=> #inner_attributes #guard #statements)
        }
        Form::Async if !suspend::may(options.clone()) && !suspend::may(body.stream()) => {
            let guard = around.guard(&args, what, &TokenStream::new(), Lasts::Block).open;
            let statements = after_statements(&body);
            quote_spanned!(span=> #inner_attributes #guard #statements)
        }
        Form::Async => {
            let edge = return_edge(function.output(&form).as_ref());
            let guard = around.guard(&args, what, &TokenStream::new(), Lasts::Block).open;
            let statements = after_statements(&body);
            let block = |arguments: TokenStream| {
                regroup(&body, quote!(#edge #arguments #guard #statements))
            };
            if let Some(item) = suspend::desugared(&function, &library, block, &inner_attributes) {
                return Ok(quote!(#item #error));
            }
            let arguments = captures::captured(&function.signature, [options, body.stream()]);
            let block = block(arguments);
            let run = quote_spanned!(span=> #library::private::scoped(async move #block).await);
            // If the function never returns, a `return` would be unreachable.
            let run =
                if function.never_returns() { run } else { quote_spanned!(span=> return #run;) };
            quote_spanned!(span=> #inner_attributes #run)
        }
        Form::Future | Form::BoxedFuture => {
            let opening = Opening::new(&around, &args, what);
            let statements = made_future(&function, &form, &body, &opening)?;
            quote_spanned!(span=> #inner_attributes #statements)
        }
    };
    let braced = regroup(&function.body, body);
    let head = &function.head;
    Ok(quote!(#head #braced #error))
}

/// The statements of a function that makes the future which is measured.
fn made_future(
    function: &Function,
    form: &Form,
    body: &Group,
    opening: &Opening,
) -> Result<TokenStream> {
    let mut returns = Returns {
        opening,
        return_edge: return_edge(function.output(form).as_ref()),
        boxed: matches!(form, Form::BoxedFuture),
    };
    let mut block = parse(body)?;
    returns.rewrite(&mut block);
    let prepare = &opening.prepare;
    if prepare.is_empty() {
        let statements = &block.stmts;
        return Ok(quote!(#(#statements)*));
    }
    let body = regroup(body, block.stmts.iter().map(ToTokens::to_token_stream).collect());
    let statements = after_statements(&body);
    Ok(quote!(#prepare #statements))
}

/// The body with its inner attributes rewritten, if it has any, and the errors in them.
fn rewritten(body: &Group, around: &Around) -> Result<(Option<Group>, Option<Error>)> {
    if !strip::is_in(body.stream()) {
        return Ok((None, None));
    }
    let body = &regroup(body, set_aside::ungrouped(body.stream()));
    let mut aside = Aside::default();
    let Some(outline) = aside.outline(body.stream()) else { return Ok((None, None)) };
    if let Ok(mut block) = parse(&regroup(body, outline)) {
        let mut rewriter = Rewriter::new(around.clone(), aside);
        rewriter.visit_block_mut(&mut block);
        if rewriter.is_complete() {
            return Ok((Some(braced(body, &block)), rewriter.finish()));
        }
    }
    // If the body has unknown syntax or is half-typed, this is an error of the whole body.
    let mut block = parse(body)?;
    let mut rewriter = Rewriter::new(around.clone(), Aside::default());
    rewriter.visit_block_mut(&mut block);
    Ok((Some(braced(body, &block)), rewriter.finish()))
}

fn braced(body: &Group, block: &Block) -> Group {
    regroup(body, block.stmts.iter().map(ToTokens::to_token_stream).collect())
}

/// Such functions have no place to wait in.
const NO_SYNC: &str = "option 'sync' of `#[track_energy]` is not allowed on a function that returns a \
     future; make it an `async fn`, or put it on a block inside";

/// A `return` that never runs, at the beginning of an async body. It tells the compiler the body's type
/// early, as in an `async fn`, so that inference works and messages point at the type.
fn return_edge(output: Option<&Type>) -> TokenStream {
    let Some(output) = output else { return TokenStream::new() };
    // Located where the user wrote the type, but marked as generated, so that no lint applies.
    let span = Span::mixed_site().located_at(output.span());
    quote_spanned! {span=>
        if false {
            return (|| -> #output { loop {} })();
        }
    }
}

fn parse(body: &Group) -> Result<Block> {
    syn::parse2(TokenTree::Group(body.clone()).into())
}

/// Replaces the tokens between the same braces.
fn regroup(braces: &Group, tokens: TokenStream) -> Group {
    let mut group = Group::new(Delimiter::Brace, tokens);
    group.set_span(braces.span());
    group
}

/// The body's statements, to be placed after generated ones.
///
/// A body that declares items stays a block, because a lint forbids items after statements.
fn after_statements(body: &Group) -> TokenStream {
    if declares_items(body.stream()) { body.to_token_stream() } else { body.stream() }
}

/// Splits off `#![..]` at the beginning of the body, which must stay first because it belongs to the
/// function.
fn split_inner_attributes(body: &Group) -> (TokenStream, Group) {
    let mut first = body.stream().into_iter();
    let is = |token: Option<TokenTree>, sign| matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == sign);
    // Rare, and parsing takes most of the time of an expansion.
    if !is(first.next(), '#') || !is(first.next(), '!') {
        return (TokenStream::new(), body.clone());
    }
    let parser = |input: syn::parse::ParseStream| {
        let attributes = input.call(syn::Attribute::parse_inner)?;
        Ok((attributes, input.parse::<TokenStream>()?))
    };
    match parser.parse2(body.stream()) {
        Ok((attributes, rest)) if !attributes.is_empty() => {
            (quote!(#(#attributes)*), regroup(body, rest))
        }
        _ => (TokenStream::new(), body.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(args: &str, item: &str) -> String {
        expand(args.parse().unwrap(), item.parse().unwrap()).to_string()
    }

    fn tokens(text: &str) -> String {
        text.parse::<TokenStream>().unwrap().to_string()
    }

    #[test]
    fn a_half_typed_body_is_kept_as_it_is() {
        let body = "let loss = model. ; for in 0.. { if batch == }";
        let expansion = expanded("step", &format!("fn train(model: &Model) {{ {body} }}"));
        assert!(expansion.contains(&tokens(body)), "{expansion}");
        assert!(!expansion.contains("compile_error"), "{expansion}");
    }

    #[test]
    fn a_half_typed_body_loses_its_inner_attributes_and_nothing_else() {
        let item = "pub fn train() { #[track_energy(step)] for batch in { loss. } }";
        let expansion = expanded("run", item);
        let kept = tokens("pub fn train() { for batch in { loss. } }");
        assert!(expansion.starts_with(&kept), "{expansion}");
        assert!(expansion.contains("compile_error"), "{expansion}");
    }

    #[test]
    fn a_mistake_leaves_the_item_and_one_message() {
        let item = "#[inline] fn train() -> u32 { #[track_energy(spet)] { 1 } }";
        let expansion = expanded("rnu", item);
        let kept = tokens("#[inline] fn train() -> u32 { { 1 } }");
        assert!(expansion.starts_with(&kept), "{expansion}");
        assert_eq!(expansion.matches("compile_error").count(), 1, "{expansion}");
        assert!(expansion.contains("did you mean 'run'?"), "{expansion}");
    }

    #[test]
    fn generated_code_names_the_library_only() {
        let expansion = expanded(
            "run, items = 1, crate = ::renamed",
            "fn train() { #[track_energy(step)] for _ in 0..1 {} }",
        );
        assert!(!expansion.contains(&tokens("::ergometer")), "{expansion}");
        assert!(!expansion.contains(&tokens("::core")), "{expansion}");
        assert!(!expansion.contains(&tokens("::std")), "{expansion}");
        assert_eq!(expansion.matches(&tokens("::renamed::private::enter")).count(), 2);
    }
}

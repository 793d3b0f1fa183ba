//! The annotated function, parsed only as far as needed. The signature is parsed and all tokens are kept,
//! so everything but the body is re-emitted as the user wrote it.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use syn::parse::{Parse, ParseStream, Parser as _};
use syn::visit_mut::{self, VisitMut};
use syn::{
    Attribute, Error, GenericArgument, PathArguments, Result, ReturnType, Signature, Token, Type,
    TypeParamBound, Visibility, parse_quote,
};

/// A function with a body.
pub(crate) struct Function {
    /// Everything before the body, as written.
    pub(crate) head: TokenStream,
    pub(crate) signature: Signature,
    /// The attributes and qualifiers before the signature.
    pub(crate) before: Before,
    /// The body with its braces.
    pub(crate) body: Group,
}

/// The attributes and qualifiers before a signature.
pub(crate) struct Before {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    /// `default`, `safe`.
    pub(crate) word: Option<syn::Ident>,
}

/// How a call of the function runs, which determines what its span covers.
pub(crate) enum Form {
    /// From call to return.
    Sync,
    /// `async fn`.
    Async,
    /// `-> impl Future`.
    Future,
    /// `-> Pin<Box<dyn Future>>` and its aliases.
    BoxedFuture,
}

impl Form {
    /// Whether the call creates a future and returns it.
    pub(crate) fn is_made(&self) -> bool {
        matches!(self, Self::Future | Self::BoxedFuture)
    }
}

impl Function {
    pub(crate) fn parse(item: &TokenStream) -> Result<Self> {
        let mut head: Vec<TokenTree> = item.clone().into_iter().collect();
        // The body is not parsed with the signature, as that would take most of the time.
        let body = head.last().cloned().and_then(braces);
        if let Some(body) = &body {
            head.pop();
            if head.is_empty() {
                return Err(Error::new(body.span(), misplaced("{")));
            }
        }
        let head: TokenStream = head.into_iter().collect();
        let start = function_start.parse2(head.clone())?;
        let (before, signature) = match start {
            Start::Function(before, signature) => (before, signature),
            Start::Other(word, span) => return Err(Error::new(span, misplaced(&word))),
        };
        if let Some(constness) = &signature.constness {
            return Err(Error::new(
                constness.span,
                "`#[track_energy]` is not allowed on a `const fn`, which cannot read a clock; \
                 remove `const`, or annotate the function that calls it",
            ));
        }
        match body {
            Some(body) => Ok(Self { head, signature: *signature, before, body }),
            None => Err(Error::new(
                signature.ident.span(),
                "`#[track_energy]` needs a function with a body; annotate the implementation",
            )),
        }
    }

    pub(crate) fn form(&self) -> Form {
        let ReturnType::Type(_, output) = &self.signature.output else {
            return if self.signature.asyncness.is_some() { Form::Async } else { Form::Sync };
        };
        if self.signature.asyncness.is_some() {
            Form::Async
        } else if is_impl_future(output) {
            Form::Future
        } else if is_boxed_future(output) {
            Form::BoxedFuture
        } else {
            Form::Sync
        }
    }

    /// Whether its type is `!`.
    pub(crate) fn never_returns(&self) -> bool {
        matches!(&self.signature.output, ReturnType::Type(_, output) if matches!(**output, Type::Never(_)))
    }

    /// The type of the body's value, or of the future's output, if it can be written in a `let`.
    pub(crate) fn output(&self, form: &Form) -> Option<Type> {
        let ReturnType::Type(_, output) = &self.signature.output else {
            return matches!(form, Form::Sync | Form::Async).then(|| parse_quote!(()));
        };
        let mut output = match form {
            Form::Sync | Form::Async => (**output).clone(),
            Form::Future | Form::BoxedFuture => future_output(output)?,
        };
        Erase.visit_type_mut(&mut output);
        (!matches!(output, Type::Never(_) | Type::Infer(_))).then_some(output)
    }
}

/// The token if it is a block; a `macro_rules!` passes blocks on in an invisible group.
fn braces(token: TokenTree) -> Option<Group> {
    let TokenTree::Group(group) = token else { return None };
    match group.delimiter() {
        Delimiter::Brace => Some(group),
        Delimiter::None => group.stream().into_iter().next().and_then(braces),
        _ => None,
    }
}

enum Start {
    Function(Before, Box<Signature>),
    Other(String, Span),
}

fn function_start(input: ParseStream) -> Result<Start> {
    let attributes = input.call(Attribute::parse_outer)?;
    let visibility = input.parse::<Visibility>()?;
    let follows = |input: ParseStream| input.peek2(Token![fn]) || input.peek2(Token![async]);
    let has_word = input.peek(syn::Ident) && follows(input);
    let word = if has_word { Some(input.parse::<syn::Ident>()?) } else { None };
    if !is_function(input) {
        let span = input.span();
        let word = match input.parse::<Option<TokenTree>>()? {
            Some(TokenTree::Group(_)) => "{".to_owned(),
            token => token.map_or_else(String::new, |token| token.to_string()),
        };
        input.parse::<TokenStream>()?;
        return Ok(Start::Other(word, span));
    }
    let signature = Signature::parse(input)?;
    input.parse::<TokenStream>()?;
    Ok(Start::Function(Before { attributes, visibility, word }, Box::new(signature)))
}

/// Whether `fn` follows after a function's qualifiers only.
fn is_function(input: ParseStream) -> bool {
    let ahead = input.fork();
    loop {
        if ahead.peek(Token![fn]) {
            return true;
        }
        let qualifier = if ahead.peek(Token![const]) {
            ahead.parse::<Token![const]>().is_ok()
        } else if ahead.peek(Token![async]) {
            ahead.parse::<Token![async]>().is_ok()
        } else if ahead.peek(Token![unsafe]) {
            ahead.parse::<Token![unsafe]>().is_ok()
        } else if ahead.peek(Token![extern]) {
            ahead.parse::<syn::Abi>().is_ok()
        } else {
            false
        };
        if !qualifier {
            return false;
        }
    }
}

/// Whether the attribute is on an expression, which then has to expand to an expression.
pub(crate) fn is_expression(item: &TokenStream) -> bool {
    item.clone().into_iter().next().is_some_and(|first| {
        matches!(first.to_string().as_str(), "for" | "while" | "loop" | "match" | "if" | "'")
            || matches!(first, TokenTree::Group(_))
    })
}

fn misplaced(word: &str) -> String {
    let what = match word {
        "for" | "while" | "loop" | "let" | "match" | "if" => format!("`{word}`"),
        "{" => "a block".to_owned(),
        "'" => "a labelled loop".to_owned(),
        "impl" | "trait" => {
            return format!(
                "`#[track_energy]` goes on functions, not on `{word}`; \
                 annotate its methods one by one"
            );
        }
        _ => {
            return format!(
                "`#[track_energy]` goes on functions, and inside an annotated function on loops, \
                 `let`, blocks, `match` and `if`; not on `{word}`"
            );
        }
    };
    format!(
        "`#[track_energy]` on {what} works only inside a function that is itself annotated \
         with `#[track_energy]`, and not in the expansion of a macro; annotate the function, or \
         put it where the macro is called"
    )
}

/// `impl Future<..> + ..`.
fn is_impl_future(output: &Type) -> bool {
    matches!(output, Type::ImplTrait(implemented) if implemented.bounds.iter().any(is_future))
}

fn is_future(bound: &TypeParamBound) -> bool {
    matches!(bound, TypeParamBound::Trait(bound)
        if bound.path.segments.last().is_some_and(|last| last.ident == "Future"))
}

/// The only type argument of the path's last segment, if that segment is `name`.
fn argument_of<'a>(path: &'a Type, name: &str) -> Option<&'a Type> {
    let Type::Path(path) = path else { return None };
    let last = path.path.segments.last().filter(|last| last.ident == name)?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(argument) => Some(argument),
        _ => None,
    })
}

fn aliased_output(output: &Type) -> Option<&Type> {
    argument_of(output, "BoxFuture").or_else(|| argument_of(output, "LocalBoxFuture"))
}

/// `dyn Future` of `Pin<Box<dyn Future>>`.
fn boxed_bounds(output: &Type) -> Option<impl Iterator<Item = &TypeParamBound>> {
    let Type::TraitObject(object) = argument_of(argument_of(output, "Pin")?, "Box")? else {
        return None;
    };
    Some(object.bounds.iter())
}

fn is_boxed_future(output: &Type) -> bool {
    aliased_output(output).is_some()
        || boxed_bounds(output).is_some_and(|mut bounds| bounds.any(is_future))
}

/// `T` of `Future<Output = T>`.
fn future_output(output: &Type) -> Option<Type> {
    if let Some(output) = aliased_output(output) {
        return Some(output.clone());
    }
    let bound = match output {
        Type::ImplTrait(implemented) => implemented.bounds.iter().find(|bound| is_future(bound)),
        boxed => boxed_bounds(boxed)?.find(|bound| is_future(bound)),
    };
    let Some(TypeParamBound::Trait(bound)) = bound else { return None };
    let PathArguments::AngleBracketed(arguments) = &bound.path.segments.last()?.arguments else {
        return None;
    };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::AssocType(output) if output.ident == "Output" => Some(output.ty.clone()),
        _ => None,
    })
}

/// Replaces `impl Trait`, which a `let` cannot express, by `_`.
struct Erase;

impl VisitMut for Erase {
    fn visit_type_mut(&mut self, node: &mut Type) {
        if let Type::ImplTrait(implemented) = node {
            let span = implemented.impl_token.span;
            *node = Type::Infer(syn::TypeInfer {
                attrs: Vec::new(),
                underscore_token: Token![_](span),
            });
        } else {
            visit_mut::visit_type_mut(self, node);
        }
    }
}

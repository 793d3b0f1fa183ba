//! Parses the value of an option: `name = "train"`.

use syn::parse::ParseStream;
use syn::{Error, Expr, ExprLit, Ident, Lit, Path, Result, Token};

/// The name of a span.
pub(crate) enum Name {
    /// Known at compile time: a string literal, a constant, or a macro such as `concat!`.
    Constant(Expr),
    /// Computed each time that the span opens.
    Made(Expr),
}

/// Macros that produce a text at compile time.
const TEXTS: [&str; 6] = ["concat", "stringify", "env", "include_str", "module_path", "file"];

/// The `=` before a value.
pub(crate) fn equals(option: &Ident, example: &str, input: ParseStream) -> Result<()> {
    let equals: Option<Token![=]> = input.parse()?;
    if equals.is_some() && !input.is_empty() && !input.peek(Token![,]) {
        return Ok(());
    }
    Err(Error::new(
        option.span(),
        format!(
            "option '{option}' of `#[track_energy]` needs a value: write `{option} = {example}`"
        ),
    ))
}

pub(crate) fn value(option: &Ident, example: &str, input: ParseStream) -> Result<Expr> {
    equals(option, example, input)?;
    input.parse()
}

/// A positive number, as far as the macro can check.
pub(crate) fn count(option: &Ident, example: &str, input: ParseStream) -> Result<Expr> {
    let value = bare(option, example, input)?;
    if let Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) = &value
        && number.base10_digits() == "0"
    {
        return Err(Error::new(
            number.span(),
            format!(
                "option '{option}' of `#[track_energy]` is at least 1: write `{option} = {example}`"
            ),
        ));
    }
    Ok(value)
}

/// A budget: a text, checked at compile time by the library's grammar, or any other expression.
pub(crate) fn budget(option: &Ident, example: &str, input: ParseStream) -> Result<Expr> {
    let value = bare(option, example, input)?;
    match &value {
        Expr::Lit(literal) => text(option, example, literal).map(|()| value),
        _ => Ok(value),
    }
}

/// The value, without the invisible group in which a `macro_rules!` passes fragments on.
fn bare(option: &Ident, example: &str, input: ParseStream) -> Result<Expr> {
    let mut value = value(option, example, input)?;
    while let Expr::Group(group) = value {
        value = *group.expr;
    }
    Ok(value)
}

/// A name: any expression whose value is a text.
pub(crate) fn name(option: &Ident, example: &str, input: ParseStream) -> Result<Name> {
    let value = bare(option, example, input)?;
    match &value {
        Expr::Lit(literal) => text(option, example, literal).map(|()| Name::Constant(value)),
        Expr::Macro(call) if TEXTS.iter().any(|name| is_last(&call.mac.path, name)) => {
            Ok(Name::Constant(value))
        }
        Expr::Path(path) if is_constant(&path.path) => Ok(Name::Constant(value)),
        _ => Ok(Name::Made(value)),
    }
}

/// A text known at compile time.
pub(crate) fn constant(option: &Ident, example: &str, input: ParseStream) -> Result<Expr> {
    let value = bare(option, example, input)?;
    match &value {
        Expr::Lit(literal) => text(option, example, literal)?,
        Expr::Macro(_) => {}
        Expr::Path(path) if is_constant(&path.path) => {}
        _ => return Err(no_text(option, example, &value)),
    }
    Ok(value)
}

fn text(option: &Ident, example: &str, literal: &ExprLit) -> Result<()> {
    let Lit::Str(text) = &literal.lit else { return Err(no_text(option, example, literal)) };
    if !text.value().trim().is_empty() {
        return Ok(());
    }
    let message = format!("option '{option}' of `#[track_energy]` must not be empty");
    Err(Error::new(text.span(), message))
}

fn no_text(option: &Ident, example: &str, value: &impl syn::spanned::Spanned) -> Error {
    let what = match option.to_string().as_str() {
        "unit" => "a string literal or a constant",
        _ => "a text",
    };
    Error::new(
        value.span(),
        format!(
            "option '{option}' of `#[track_energy]` takes {what}: write `{option} = {example}`"
        ),
    )
}

fn is_last(path: &Path, name: &str) -> bool {
    path.segments.last().is_some_and(|last| last.ident == name)
}

/// Constants are distinguished from variables by the upper case that rustc expects.
fn is_constant(path: &Path) -> bool {
    path.segments.last().is_some_and(|last| !last.ident.to_string().contains(char::is_lowercase))
}

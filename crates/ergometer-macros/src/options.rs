//! The options in the parentheses: `#[track_energy(step, items = batch.len())]`.

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser as _};
use syn::spanned::Spanned as _;
use syn::{Error, Expr, Ident, Path, Result, Token};

use crate::value::{Name, budget, constant, count, equals, name, value};

/// Every option, in the order in which messages list them.
const OPTIONS: [&str; 14] = [
    "run", "epoch", "step", "phase", "name", "items", "unit", "index", "every", "sync", "meter",
    "report", "budget", "crate",
];

/// `every` counts the steps of a loop, so it needs a loop.
pub(crate) const EVERY_OF_A_LOOP: &str = "option 'every' of `#[track_energy]` counts the steps of a \
     loop: write `step, every = 10` on the loop";

/// The kind of span that an attribute selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Run,
    Epoch,
    Step,
    Phase,
}

impl Kind {
    /// The option's word, which also names a span that has no other name.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Epoch => "epoch",
            Self::Step => "step",
            Self::Phase => "phase",
        }
    }

    /// Whether the attribute on a loop makes each iteration a span, rather than the whole loop.
    pub(crate) fn is_iteration(self) -> bool {
        matches!(self, Self::Epoch | Self::Step)
    }
}

/// An option with a value.
pub(crate) struct Given {
    /// The position of its word.
    pub(crate) option: Span,
    pub(crate) value: Expr,
}

/// The options of one attribute; each occurs at most once, and none contradicts another.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) kind: Option<Kind>,
    pub(crate) name: Option<Name>,
    pub(crate) items: Option<Expr>,
    pub(crate) unit: Option<Expr>,
    /// The number of an epoch.
    pub(crate) index: Option<Expr>,
    /// Which of a loop's steps are recorded alone.
    pub(crate) every: Option<Given>,
    /// The device to wait for at both edges.
    pub(crate) sync: Option<Expr>,
    /// The meter, if not the installed one.
    pub(crate) meter: Option<Expr>,
    /// Whether the energy of the span is printed.
    pub(crate) report: bool,
    /// The budget of the span.
    pub(crate) budget: Option<Given>,
    pub(crate) library: Option<Path>,
}

impl Options {
    /// Parses the options of an attribute on a function; the error lists every mistake in them.
    pub(crate) fn parse(tokens: TokenStream) -> Result<Self> {
        read.parse2(tokens)
    }

    /// Parses the options of an attribute on a statement, which has no name to use for the span.
    pub(crate) fn parse_statement(tokens: TokenStream, attribute: Span) -> Result<Self> {
        let args = Self::parse(tokens)?;
        if args.kind.is_none() && args.name.is_none() {
            return Err(Error::new(
                attribute,
                "`#[track_energy]` on a statement needs a kind or a name; expected one of \
                 run, epoch, step, phase = \"..\", name = \"..\"",
            ));
        }
        Ok(args)
    }
}

/// The options parsed so far, their positions and their errors.
#[derive(Default)]
struct Reading {
    args: Options,
    seen: Vec<String>,
    kind: Option<Kind>,
    /// The position of `index`.
    index: Option<Span>,
    error: Option<Error>,
}

fn read(input: ParseStream) -> Result<Options> {
    let mut reading = Reading::default();
    while !input.is_empty() {
        if let Err(error) = reading.option(input) {
            reading.report(error);
            skip_option(input)?;
        }
        if !input.is_empty() {
            input.parse::<Token![,]>()?;
        }
    }
    reading.finish()
}

/// Skips to the next comma, so that one bad option does not hide the next.
fn skip_option(input: ParseStream) -> Result<()> {
    while !input.is_empty() && !input.peek(Token![,]) {
        input.parse::<TokenTree>()?;
    }
    Ok(())
}

impl Reading {
    fn report(&mut self, error: Error) {
        match &mut self.error {
            Some(first) => first.combine(error),
            None => self.error = Some(error),
        }
    }

    fn option(&mut self, input: ParseStream) -> Result<()> {
        if !input.peek(Ident::peek_any) {
            return Err(input.error(format!(
                "expected an option of `#[track_energy]`: one of {}",
                OPTIONS.join(", ")
            )));
        }
        let option = Ident::parse_any(input)?;
        let word = option.to_string();
        if !OPTIONS.contains(&word.as_str()) {
            return Err(Error::new(option.span(), unknown(&word)));
        }
        if self.seen.contains(&word) {
            return Err(Error::new(
                option.span(),
                format!("option '{word}' of `#[track_energy]` is given twice; keep one"),
            ));
        }
        self.seen.push(word.clone());
        match word.as_str() {
            "run" => self.kind(Kind::Run, &option, input),
            "epoch" => self.kind(Kind::Epoch, &option, input),
            "step" => self.kind(Kind::Step, &option, input),
            "phase" => {
                let name = name(&option, "\"forward\"", input)?;
                self.set_kind(Kind::Phase, &option)?;
                self.set_name(name, &option)
            }
            "name" => {
                let name = name(&option, "\"train\"", input)?;
                self.set_name(name, &option)
            }
            "items" => set(&mut self.args.items, value(&option, "batch.len()", input)),
            "unit" => set(&mut self.args.unit, constant(&option, "\"tokens\"", input)),
            "index" => {
                self.index = Some(option.span());
                set(&mut self.args.index, value(&option, "epoch", input))
            }
            "every" => {
                let value = count(&option, "10", input)?;
                self.args.every = Some(Given { option: option.span(), value });
                Ok(())
            }
            "sync" => set(&mut self.args.sync, value(&option, "|| device.wait()", input)),
            "meter" => set(&mut self.args.meter, value(&option, "&meter", input)),
            "budget" => {
                let value = budget(&option, "\"2 kWh\"", input)?;
                self.args.budget = Some(Given { option: option.span(), value });
                Ok(())
            }
            "report" => self.report_word(&option, input),
            _ => {
                equals(&option, "::renamed", input)?;
                let path = input.call(Path::parse_mod_style).map_err(|error| {
                    Error::new(
                        error.span(),
                        "option 'crate' of `#[track_energy]` takes a path without quotes: write \
                         `crate = ::renamed`",
                    )
                })?;
                self.args.library = Some(path);
                Ok(())
            }
        }?;
        if input.is_empty() || input.peek(Token![,]) {
            return Ok(());
        }
        Err(input.error(format!("expected `,` after option '{word}' of `#[track_energy]`")))
    }

    /// Parses a kind that is a bare word.
    fn kind(&mut self, kind: Kind, option: &Ident, input: ParseStream) -> Result<()> {
        if input.peek(Token![=]) || input.peek(syn::token::Paren) {
            return Err(Error::new(
                option.span(),
                format!(
                    "option '{option}' of `#[track_energy]` takes no value; \
                     to name the span write `{option}, name = \"..\"`"
                ),
            ));
        }
        self.set_kind(kind, option)
    }

    fn report_word(&mut self, option: &Ident, input: ParseStream) -> Result<()> {
        if input.peek(Token![=]) || input.peek(syn::token::Paren) {
            return Err(Error::new(
                option.span(),
                "option 'report' of `#[track_energy]` takes no value: write `report`",
            ));
        }
        self.args.report = true;
        Ok(())
    }

    fn set_kind(&mut self, kind: Kind, option: &Ident) -> Result<()> {
        if let Some(first) = self.kind.replace(kind) {
            return Err(Error::new(
                option.span(),
                format!(
                    "options '{}' and '{option}' of `#[track_energy]` contradict each other: \
                     a span has one kind of run, epoch, step, phase",
                    first.word()
                ),
            ));
        }
        self.args.kind = Some(kind);
        Ok(())
    }

    fn set_name(&mut self, name: Name, option: &Ident) -> Result<()> {
        if self.args.name.is_some() {
            return Err(Error::new(
                option.span(),
                "options 'phase' and 'name' of `#[track_energy]` contradict each other: \
                 each names the span; keep one",
            ));
        }
        self.args.name = Some(name);
        Ok(())
    }

    fn finish(mut self) -> Result<Options> {
        if let Some(unit) = &self.args.unit
            && !self.seen.iter().any(|word| word == "items")
        {
            self.report(Error::new(
                unit.span(),
                "option 'unit' of `#[track_energy]` needs 'items': write \
                 `items = <count>, unit = \"..\"`",
            ));
        }
        if let Some(index) = self.index
            && self.kind != Some(Kind::Epoch)
        {
            self.report(Error::new(
                index,
                "option 'index' of `#[track_energy]` is the number of an epoch: write \
                 `epoch, index = ..`",
            ));
        }
        if let Some(every) = &self.args.every
            && self.kind != Some(Kind::Step)
        {
            self.report(Error::new(every.option, EVERY_OF_A_LOOP));
        }
        if let Some(budget) = &self.args.budget
            && self.kind == Some(Kind::Step)
        {
            self.report(Error::new(
                budget.option,
                "option 'budget' of `#[track_energy]` is not allowed on a step, which is too short to watch; \
                 write `run, budget = ..` around the steps",
            ));
        }
        match self.error {
            Some(error) => Err(error),
            None => Ok(self.args),
        }
    }
}

fn set(option: &mut Option<Expr>, value: Result<Expr>) -> Result<()> {
    *option = Some(value?);
    Ok(())
}

fn unknown(word: &str) -> String {
    let expected = OPTIONS.join(", ");
    let message = format!("unknown option '{word}'; expected one of {expected}");
    let nearest = OPTIONS
        .into_iter()
        .map(|option| (strsim::osa_distance(word, option), option))
        .min_by_key(|&(distance, _)| distance)
        .filter(|&(distance, option)| distance <= 2 && distance < option.len().min(word.len()));
    match nearest {
        Some((_, option)) => format!("{message} (did you mean '{option}'?)"),
        None => message,
    }
}

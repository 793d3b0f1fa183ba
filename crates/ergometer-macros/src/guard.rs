//! The generated code that opens and closes spans.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote_spanned};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::{Expr, Ident, Path};

use crate::options::{Kind, Options};
use crate::value::Name;

/// Name of the variable that counts a loop's steps, for `every`.
const EVERY: &str = "energy_every";

/// Name of the variable that waits for the device when it is dropped, and so holds what `sync` borrows. The
/// compiler mentions this name in borrow errors, so it says what to do.
const WAITING: &str = "sync_borrows_until_the_span_ends_so_give_it_a_clone";
/// The same for a variable that is not used again.
const WAITING_UNUSED: &str = "_sync_borrows_until_the_span_ends_so_give_it_a_clone";

/// The context of a span's generated code.
#[derive(Clone)]
pub(crate) struct Around {
    pub(crate) library: Path,
    /// The variable with the meter of the annotated function, if it is not the installed one.
    pub(crate) meter: Option<Ident>,
}

/// The thing that is measured.
#[derive(Clone, Copy)]
pub(crate) enum What<'a> {
    /// A function, by name.
    Function(&'a Ident),
    /// The n-th statement of a function.
    Statement(usize),
}

/// How long a span lasts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lasts {
    /// To the end of the block that it opens in.
    Block,
    /// Until the statements that close it.
    ByHand,
    /// An iteration; its loop has [`Around::every`] before it.
    Iteration,
}

/// The statements that open a span, and those that close it before the end of their block.
pub(crate) struct Guard {
    pub(crate) open: TokenStream,
    pub(crate) close: TokenStream,
}

impl Around {
    pub(crate) fn library<'a>(&'a self, args: &'a Options) -> &'a Path {
        args.library.as_ref().unwrap_or(&self.library)
    }

    /// A span in a local variable.
    ///
    /// `conditions` are `#[cfg(..)]` attributes that apply to all statements.
    pub(crate) fn guard(
        &self,
        args: &Options,
        what: What<'_>,
        conditions: &TokenStream,
        lasts: Lasts,
    ) -> Guard {
        let library = self.library(args);
        let site = Span::mixed_site();
        let by_hand = lasts == Lasts::ByHand;
        let each = (lasts == Lasts::Iteration).then(|| what.variable(EVERY));
        let asked = args.items.is_some() || args.index.is_some() || args.budget.is_some();
        let used = by_hand || asked || args.report;
        let name = what.variable(if used { "energy_span" } else { "_energy_span" });
        let mut open = TokenStream::new();
        let mut close = quote_spanned!(site=> #conditions { let _closed = #name; });

        let needs_meter =
            args.sync.is_some() || each.is_some() || matches!(args.name, Some(Name::Made(_)));
        let meter = self.meter(args, what, needs_meter);
        if let Some((variable, value)) = &meter
            && let Some(value) = value
        {
            open.extend(quote_spanned!(site=> #conditions let #variable = #value;));
        }
        let meter = meter.map(|(variable, _)| variable);
        let is_on =
            meter.as_ref().map(|meter| quote_spanned!(site=> #library::private::is_on(#meter)));

        let waits = args.sync.as_ref().map(|device| {
            let (device_name, waits) =
                (what.variable("energy_sync"), what.variable("energy_waits"));
            open.extend(quote_spanned! {site=>
                #conditions
                let #device_name = if #is_on {
                    #library::private::Some(&(#device))
                } else {
                    #library::private::None
                };
                #conditions
                let #waits = #library::private::waits(#device_name);
            });
            waits
        });

        let label = self.label(args, what, is_on.as_ref());
        let enter = match (each, meter) {
            (Some(every), meter) => {
                quote_spanned!(site=> #library::private::each(&mut #every, #meter, #label))
            }
            (None, Some(meter)) => {
                quote_spanned!(site=> #library::private::enter_under(#meter, #label))
            }
            (None, None) if args.kind == Some(Kind::Run) => {
                quote_spanned!(site=> #library::private::enter_run(#label))
            }
            (None, None) => quote_spanned!(site=> #library::private::enter(#label)),
        };
        open.extend(quote_spanned!(site=> #conditions let #name = #enter;));
        if let Some(waits) = waits {
            // Declared after the span, so that it waits before the span closes.
            let last = what.variable(if by_hand { WAITING } else { WAITING_UNUSED });
            open.extend(quote_spanned!(site=> #conditions let #last = #waits;));
            close = quote_spanned!(site=> #conditions { let _closed = #last; } #close);
        }
        open.extend(self.told(args, &name, conditions));
        Guard { open, close }
    }

    /// The statements that apply the options to an open span.
    fn told(&self, args: &Options, name: &Ident, conditions: &TokenStream) -> TokenStream {
        let library = self.library(args);
        let site = Span::mixed_site();
        let items = args
            .items
            .as_ref()
            .map(|count| quote_spanned!(site=> #library::private::items(&#name, #count)));
        let index = args
            .index
            .as_ref()
            .map(|number| quote_spanned!(site=> #library::private::index(&#name, #number)));
        let budget = self
            .budget(args)
            .map(|budget| quote_spanned!(site=> #library::private::budget(&#name, #budget)));
        let mut told = TokenStream::new();
        for call in [items, index, budget].into_iter().flatten() {
            told.extend(quote_spanned! {site=>
                #conditions
                if #library::private::is_open(&#name) {
                    #call;
                }
            });
        }
        if args.report {
            told.extend(quote_spanned!(site=> #conditions #library::private::report(&#name);));
        }
        told
    }

    /// A reference to the budget. A literal's text is checked at compile time.
    fn budget(&self, args: &Options) -> Option<TokenStream> {
        let value = &args.budget.as_ref()?.value;
        let library = self.library(args);
        let site = Span::mixed_site().located_at(value.span());
        let mut budget = quote_spanned!(site=> &(#value));
        if matches!(value, Expr::Lit(_)) {
            // The compiler reports the location of the whole call.
            let library = located(library, value.span());
            budget = quote_spanned! {site=> {
                const _: () = #library::private::check_budget(#value);
                #value
            }};
        }
        Some(budget)
    }

    /// The statement before a loop that counts its steps, if `every` is set.
    ///
    /// The meter of the loop's own options exists only inside the loop.
    pub(crate) fn every(
        &self,
        args: &Options,
        what: What<'_>,
        conditions: &TokenStream,
    ) -> Option<TokenStream> {
        let interval = &args.every.as_ref()?.value;
        let library = self.library(args);
        let site = Span::mixed_site();
        let every = what.variable(EVERY);
        let mut counted = quote_spanned!(site=> #library::private::every(#interval));
        if args.meter.is_none() {
            let installed = || quote_spanned!(site=> #library::private::installed());
            let meter = self.meter.as_ref().map_or_else(installed, ToTokens::to_token_stream);
            counted = quote_spanned! {site=>
                if #library::private::is_on(#meter) {
                    #counted
                } else {
                    #library::private::every(1)
                }
            };
        }
        Some(quote_spanned!(site=> #conditions let mut #every = #counted;))
    }

    /// The variable that holds the meter of a span, and its initial value if it is a new one; `None` if the
    /// installed meter is used directly.
    pub(crate) fn meter(
        &self,
        args: &Options,
        what: What<'_>,
        needed: bool,
    ) -> Option<(Ident, Option<TokenStream>)> {
        let library = self.library(args);
        let site = Span::mixed_site();
        if let Some(meter) = &args.meter {
            let at = site.located_at(meter.span());
            let meter = quote_spanned!(at=> #library::private::meter(&(#meter)));
            return Some((what.variable("energy_meter"), Some(meter)));
        }
        if let Some(meter) = &self.meter {
            return Some((meter.clone(), None));
        }
        let installed = quote_spanned!(site=> #library::private::installed());
        needed.then(|| (what.variable("energy_meter"), Some(installed)))
    }

    /// The expression for the span's label; `is_on` is needed for names made at run time.
    pub(crate) fn label(
        &self,
        args: &Options,
        what: What<'_>,
        is_on: Option<&TokenStream>,
    ) -> TokenStream {
        let library = self.library(args);
        let site = Span::mixed_site();
        let name = match &args.name {
            None => what.default_name(args.kind).into_token_stream(),
            Some(Name::Constant(name)) => name.into_token_stream(),
            Some(Name::Made(name)) => quote_spanned! {site.located_at(name.span())=>
                if #is_on { #library::private::name(&(#name)) } else { "" }
            },
        };
        let kind = match (args.kind, what) {
            (Some(Kind::Run), _) => "Run",
            (Some(Kind::Epoch), _) => "Epoch",
            (Some(Kind::Step), _) => "Step",
            (Some(Kind::Phase), _) | (None, What::Statement(_)) => "Phase",
            (None, What::Function(_)) => "Function",
        };
        let kind = Ident::new(kind, site);
        let unit = args.unit.as_ref().map(|unit| quote_spanned!(site=> .with_unit(#unit)));
        quote_spanned! {site=>
            #library::private::Label::new(#library::private::Kind::#kind, #name) #unit
        }
    }
}

/// The path as if it were written at `span`.
fn located(path: &Path, span: Span) -> TokenStream {
    let tokens = path.to_token_stream().into_iter();
    let move_there = |mut token: TokenTree| {
        token.set_span(token.span().located_at(span));
        token
    };
    tokens.map(move_there).collect()
}

impl What<'_> {
    fn variable(self, stem: &str) -> Ident {
        let site = Span::mixed_site();
        match self {
            Self::Function(_) => Ident::new(stem, site),
            Self::Statement(number) => format_ident!("{stem}_{number}", span = site),
        }
    }

    fn default_name(self, kind: Option<Kind>) -> String {
        match (kind, self) {
            (None | Some(Kind::Run), Self::Function(name)) => name.unraw().to_string(),
            (kind, _) => kind.unwrap_or(Kind::Phase).word().to_owned(),
        }
    }
}

/// A span that a future carries, for a function that returns the future.
pub(crate) struct Opening {
    /// Statements at the beginning of the function.
    pub(crate) prepare: TokenStream,
    library: Path,
    /// The function that takes the span, and its argument.
    taker: Ident,
    argument: TokenStream,
}

impl Opening {
    /// Supports all options except `sync`, for which futures have no place.
    pub(crate) fn new(around: &Around, args: &Options, what: What<'_>) -> Self {
        let library = around.library(args).clone();
        let site = Span::mixed_site();
        let made = matches!(args.name, Some(Name::Made(_)));
        let plain = !made
            && !args.report
            && args.items.is_none()
            && args.index.is_none()
            && args.budget.is_none()
            && args.meter.is_none();
        if plain {
            let argument = around.label(args, what, None);
            let taker = Ident::new("metered", site);
            return Self { prepare: TokenStream::new(), library, taker, argument };
        }
        let Some((meter, value)) = around.meter(args, what, true) else {
            unreachable!("a meter is there when it is needed");
        };
        let value = value.map(|value| quote_spanned!(site=> let #meter = #value;));
        let is_on = quote_spanned!(site=> true);
        let label = around.label(args, what, Some(&is_on));
        let items = args.items.as_ref().map(|count| quote_spanned!(site=> .items(#count)));
        let index = args.index.as_ref().map(|number| quote_spanned!(site=> .index(#number)));
        let budget = around.budget(args).map(|budget| quote_spanned!(site=> .budget(#budget)));
        let report = args.report.then(|| quote_spanned!(site=> .report()));
        let unnamed = Options { kind: args.kind, ..Options::default() };
        let unmeasured =
            Around { library: library.clone(), meter: None }.label(&unnamed, what, None);
        let opening = what.variable("energy_opening");
        let prepare = quote_spanned! {site=>
            #value
            let #opening = if #library::private::is_on(#meter) {
                #library::private::Opening::new(#label).under(#meter) #items #index #budget #report
            } else {
                #library::private::Opening::new(#unmeasured)
            };
            let _ = #opening;
        };
        let argument = opening.into_token_stream();
        Self { prepare, library, taker: Ident::new("opened", site), argument }
    }

    /// `metered(label, future)`
    pub(crate) fn metered(&self, future: &Expr) -> Expr {
        let Self { library, taker, argument, .. } = self;
        let site = Span::mixed_site();
        Expr::Verbatim(quote_spanned!(site=> #library::private::#taker(#argument, #future)))
    }
}

//! Energy for the spans of `tracing`, behind the feature `tracing`.
//!
//! A program that already has `#[tracing::instrument]` and `tracing::info_span!` gets the energy of
//! those spans from [`EnergyLayer`], a layer of `tracing-subscriber`:
//!
//! ```
//! use ergometer::EnergyLayer;
//! use tracing_subscriber::prelude::*;
//!
//! tracing_subscriber::registry().with(EnergyLayer::new()).init();
//!
//! #[tracing::instrument(skip_all, fields(energy.kind = "step", energy.items = batch.len()))]
//! fn step(batch: &[u32]) -> u32 {
//!     batch.iter().sum()
//! }
//!
//! # use ergometer::{Meter, source::DomainKind, units::Watts};
//! let meter = Meter::builder()
//!     // …
//! #   .without_probe().fixed(DomainKind::Node, Watts::new(50.0))
//!     .install()?;
//! assert_eq!(step(&[1, 2]), 3);
//! let record = meter.finish()?;
//! assert_eq!(record.steps["run"].count, 1);
//! # Ok::<(), ergometer::Error>(())
//! ```
//!
//! | field | |
//! |---|---|
//! | `energy.kind` | `run`, `epoch`, `step`, `phase`, `function`; without it `function`, as with any other text, which is a warning in the record |
//! | `energy.name` | its name; without it, the span's |
//! | `energy.items` | how many items it processes; what is recorded later is added |
//! | `energy.unit` | what the items are |
//! | `energy.index` | the number of an epoch |
//!
//! A span with any of these fields, even an empty one, is measured, and so are those of the
//! [targets](EnergyLayer::with_target) that are asked for. Others are left alone.
//!
//! A measured span lasts **from its first enter to its close**, as the span of a future does: what passes
//! between two polls is inside. So a span that is held without being entered goes on. Its parent is the
//! innermost open span of the thread it is first entered on, be it of `tracing` or of this library; if
//! the one around it is not entered there, as where a `parent:` is given, the nearest measured one around.
//! While it is entered, spans of this library open inside it. One that is never entered is not there. Spans that
//! live longer than their work, as those of candle's layers, are measured
//! [at each enter](EnergyLayer::with_each_enter_of).
//!
//! Of several layers in one registry each measures for its own meter; of those with the same meter the first
//! that a span meets.
//!
//! Kinds, names and units are fixed at the first enter. To save the cost of spans that nobody wants, give
//! the layer a [filter](tracing_subscriber::layer::Layer::with_filter).

use std::fmt::{self, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tracing_core::field::{Field, Visit};
use tracing_core::span::{Attributes, Id, Record};
use tracing_core::{Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use crate::meter::Meter;
use crate::span::scopes::OpenSpan;
use crate::span::tally::Tally;
use crate::span::{Kind, Label, Span, Under, thread};

/// What the names of the fields begin with.
const PREFIX: &str = "energy.";

/// A module whose spans are measured.
#[derive(Clone, Debug)]
struct Target {
    module: String,
    kind: Kind,
    /// Each enter is a span.
    each: bool,
}

/// Measures spans of `tracing`; see the [module](self).
///
/// ```
/// # use ergometer::{EnergyLayer, Meter, source::DomainKind, units::Watts};
/// let meter = Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(50.0)).start()?;
/// use tracing_subscriber::prelude::*;
///
/// let layer = EnergyLayer::new().with_meter(&meter);
/// tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
///     tracing::info_span!("batch", energy.kind = "step").in_scope(|| { /* … */ });
/// });
/// assert_eq!(meter.finish()?.steps["run"].count, 1);
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct EnergyLayer {
    id: LayerId,
    targets: Vec<Target>,
    /// `None` for the meter that is installed when a span opens.
    under: Option<Under>,
}

impl EnergyLayer {
    /// Measures the spans that have one of the fields, with the installed meter.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Also measures every span of the module `target` and those in it as `kind`, unless its fields
    /// give another; of several targets the longest that fits counts.
    ///
    /// ```
    /// use ergometer::{EnergyLayer, Kind};
    /// let layer = EnergyLayer::new()
    ///     .with_target("my_model", Kind::Function)
    ///     .with_target("my_model::layers", Kind::Phase);
    /// ```
    #[must_use]
    pub fn with_target(mut self, target: impl Into<String>, kind: Kind) -> Self {
        self.targets.push(Target { module: target.into(), kind, each: false });
        self
    }

    /// The same for spans that live longer than the work: each enter is measured as a span of its own, to its exit.
    ///
    /// The layers of candle are such: each holds a span from the beginning and enters it in `forward`. Where several
    /// threads are in the same span at once, that is one span from the first enter to the last exit.
    ///
    /// ```
    /// use ergometer::{EnergyLayer, Kind};
    /// let layer = EnergyLayer::new().with_each_enter_of("candle_transformers", Kind::Phase);
    /// ```
    #[must_use]
    pub fn with_each_enter_of(mut self, target: impl Into<String>, kind: Kind) -> Self {
        self.targets.push(Target { module: target.into(), kind, each: true });
        self
    }

    /// Measures with this meter rather than the installed one; does not keep it from being dropped.
    #[must_use]
    pub fn with_meter(mut self, meter: &Meter) -> Self {
        self.under = Some(Under::from(meter));
        self
    }

    /// The target that a span is in.
    fn target_of(&self, metadata: &Metadata<'_>) -> Option<&Target> {
        let is_in = |target: &str| {
            let rest = metadata.target().strip_prefix(target);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        };
        let fitting = self.targets.iter().filter(|target| is_in(&target.module));
        fitting.max_by_key(|target| target.module.len())
    }
}

/// Which layer this is: a clone is another, as both may stand in one registry.
#[derive(Debug, PartialEq, Eq)]
struct LayerId(u64);

impl Default for LayerId {
    fn default() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl Clone for LayerId {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// What is known of a measured span of `tracing`.
#[derive(Debug)]
struct Energy {
    /// The layer that measures it.
    layer: u64,
    /// That layer's meter.
    under: Option<Under>,
    kind: Kind,
    /// What `energy.kind` was, if it is not a kind.
    unknown: Option<String>,
    name: &'static str,
    unit: &'static str,
    items: Tally,
    index: Option<u64>,
    /// From the first enter on.
    open: Option<(Span, OpenSpan)>,
    /// Whether it ends at its last exit, and how often it is entered then.
    each: bool,
    entered: u32,
}

/// One for each meter. Behind a lock, as spans are entered on several threads; nobody holds two of them.
type Shared = Mutex<Vec<Energy>>;

impl Energy {
    fn open(&mut self, under: Under, around: Option<OpenSpan>) {
        let label = Label::new(self.kind, self.name).with_unit(self.unit);
        let Some((span, scope)) = thread::open_inside(around, || under.enter(label)) else {
            return;
        };
        if let Some(word) = self.unknown.take() {
            span.warn(format!(
                "energy.kind = \"{word}\" of the span '{}' is not a kind of span: it is measured as a function; \
                 the kinds are run, epoch, step, phase and function",
                self.name
            ));
        }
        if self.items != Tally::NONE {
            span.add_items(self.items);
        }
        if let Some(number) = self.index {
            span.index(number);
        }
        self.open = Some((span, scope));
    }
}

impl Visit for Energy {
    fn record_f64(&mut self, field: &Field, value: f64) {
        if field.name() == "energy.items" {
            match &self.open {
                Some((span, _)) => span.items(value),
                None => self.items.add(value),
            }
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "energy.index" {
            match &self.open {
                Some((span, _)) => span.index(value),
                None => self.index = Some(value),
            }
        }
        self.record_f64(field, value as f64);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        match u64::try_from(value) {
            Ok(value) => self.record_u64(field, value),
            Err(_) => self.record_f64(field, value as f64),
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "energy.kind" => {
                let known = kind(value);
                self.kind = known.unwrap_or(Kind::Function);
                // An empty field is there to have the span measured.
                self.unknown =
                    known.is_none().then(|| value.to_owned()).filter(|word| !word.is_empty());
            }
            "energy.name" if !value.is_empty() => self.name = Label::remembered(value),
            "energy.unit" => self.unit = Label::remembered(value),
            _ => {}
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name().starts_with(PREFIX) {
            let mut text = String::new();
            let _ = write!(text, "{value:?}");
            self.record_str(field, &text);
        }
    }
}

fn kind(word: &str) -> Option<Kind> {
    let kinds = [Kind::Run, Kind::Epoch, Kind::Step, Kind::Phase, Kind::Function];
    kinds.into_iter().find(|kind| kind.as_str() == word)
}

fn lock(energies: &Shared) -> MutexGuard<'_, Vec<Energy>> {
    energies.lock().unwrap_or_else(PoisonError::into_inner)
}

impl EnergyLayer {
    /// What this layer knows of a span.
    fn own<'a>(&self, energies: &'a mut [Energy]) -> Option<&'a mut Energy> {
        energies.iter_mut().find(|energy| energy.layer == self.id.0)
    }
}

impl<S> Layer<S> for EnergyLayer
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let metadata = attributes.metadata();
        let has_field = || metadata.fields().iter().any(|field| field.name().starts_with(PREFIX));
        let target = self.target_of(metadata);
        if target.is_none() && !has_field() {
            return;
        }
        let kind = target.map_or(Kind::Function, |target| target.kind);
        let mut energy = Energy {
            layer: self.id.0,
            under: self.under,
            kind,
            unknown: None,
            name: metadata.name(),
            unit: "",
            items: Tally::NONE,
            index: None,
            open: None,
            each: target.is_some_and(|target| target.each),
            entered: 0,
        };
        attributes.record(&mut energy);
        let Some(span) = context.span(id) else { return };
        let mut extensions = span.extensions_mut();
        match extensions.get_mut::<Shared>() {
            None => extensions.insert(Mutex::new(vec![energy])),
            Some(energies) => {
                let energies = energies.get_mut().unwrap_or_else(PoisonError::into_inner);
                if energies.iter().all(|other| other.under != self.under) {
                    energies.push(energy);
                }
            }
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(energies) = span.extensions().get::<Shared>()
            && let Some(energy) = self.own(&mut lock(energies))
        {
            values.record(energy);
        }
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let around = span.scope().skip(1).find_map(|around| {
            let extensions = around.extensions();
            let mut energies = lock(extensions.get::<Shared>()?);
            self.own(&mut energies)?.open.as_ref().map(|(_, scope)| *scope)
        });
        let extensions = span.extensions();
        let Some(energies) = extensions.get::<Shared>() else { return };
        let mut energies = lock(energies);
        let Some(energy) = self.own(&mut energies) else { return };
        if energy.open.is_none() {
            let under = self.under.unwrap_or_else(Under::installed);
            energy.open(under, around);
        }
        energy.entered += 1;
        if let Some((_, scope)) = energy.open {
            thread::enter(scope);
        }
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let extensions = span.extensions();
        let Some(energies) = extensions.get::<Shared>() else { return };
        let mut energies = lock(energies);
        let Some(energy) = self.own(&mut energies) else { return };
        energy.entered = energy.entered.saturating_sub(1);
        if let Some((span, scope)) = &mut energy.open
            && let Some(items) = thread::exit(scope)
        {
            span.add_items(items);
        }
        let ended = if energy.each && energy.entered == 0 { energy.open.take() } else { None };
        drop(energies);
        drop(extensions);
        close(ended);
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let mut extensions = span.extensions_mut();
        let Some(energies) = extensions.get_mut::<Shared>() else { return };
        let energies = energies.get_mut().unwrap_or_else(PoisonError::into_inner);
        let Some(own) = energies.iter().position(|energy| energy.layer == self.id.0) else {
            return;
        };
        let energy = energies.swap_remove(own);
        // What it says when it closes is for others to hear.
        drop(extensions);
        close(energy.open);
    }
}

/// Ends a span, as the innermost: all that was entered has been left.
fn close(open: Option<(Span, OpenSpan)>) {
    if let Some((span, scope)) = open {
        thread::enter(scope);
        drop(span);
    }
}

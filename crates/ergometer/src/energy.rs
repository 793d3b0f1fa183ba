//! Energies, how they were obtained and how far off they can be.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::units::{Joules, Watts};

/// How an energy was obtained, from the most to the least trustworthy.
///
/// ```
/// use ergometer::energy::Method;
/// assert!(Method::Integrated.is_measured() && !Method::Modelled.is_measured());
/// assert_eq!(Method::Counter.max(Method::Assumed), Method::Assumed); // the method of their sum
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Method {
    /// A hardware energy counter.
    Counter,
    /// Power samples, integrated over time.
    Integrated,
    /// Worked out from utilisation by a model; no sensor was read.
    Modelled,
    /// A constant that the user stated.
    Assumed,
    /// A method that this version does not know, from a record of a later one.
    #[serde(other)]
    Unknown,
}

impl Method {
    /// The word used in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Integrated => "integrated",
            Self::Modelled => "modelled",
            Self::Assumed => "assumed",
            Self::Unknown => "unknown",
        }
    }

    /// Whether a sensor was read.
    #[must_use]
    pub const fn is_measured(self) -> bool {
        matches!(self, Self::Counter | Self::Integrated)
    }
}

/// An energy: joules with standard uncertainty, method and coverage.
///
/// ```
/// # use ergometer::{Meter, energy::Method, source::DomainKind, units::Watts};
/// let meter = Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(50.0)).start()?;
/// let record = meter.finish()?;
/// let energy = record.total.energy.unwrap();
/// assert!((energy.joules.get() - 50.0 * record.run.seconds).abs() < 1e-6);
/// assert_eq!(energy.method, Method::Assumed);
/// assert_eq!(energy.standard_uncertainty, energy.parts.standard());
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Energy {
    /// The best estimate.
    pub joules: Joules,
    /// Combined standard uncertainty (one standard deviation), joules.
    pub standard_uncertainty: Joules,
    /// The parts of the uncertainty.
    pub parts: Uncertainty,
    /// How it was obtained; for a sum, the least trustworthy method of its terms.
    pub method: Method,
    /// Fraction of the time in which the domain was observed, 0 to 1.
    pub coverage: f64,
}

impl Energy {
    /// The sum over domains, whose uncertainties are independent; `None` of no energy.
    pub(crate) fn across<'a>(energies: impl Iterator<Item = &'a Self>) -> Option<Self> {
        energies.copied().reduce(|a, b| Self {
            coverage: a.coverage.min(b.coverage),
            ..a.with(&b, a.parts.across(&b.parts))
        })
    }

    /// The sum with what the same domains drew in another time; of both times, this share was observed.
    pub(crate) fn plus(&self, other: &Self, coverage: f64) -> Self {
        Self { coverage, ..self.with(other, self.parts.plus(&other.parts)) }
    }

    fn with(&self, other: &Self, parts: Uncertainty) -> Self {
        Self {
            joules: self.joules + other.joules,
            standard_uncertainty: parts.standard(),
            parts,
            method: self.method.max(other.method),
            coverage: self.coverage,
        }
    }
}

/// Energy of an interval, per domain and in total.
///
/// ```
/// # use ergometer::{Meter, source::DomainKind, units::Watts};
/// let meter = Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(50.0)).start()?;
/// let usage = meter.finish()?.total;
/// assert_eq!(usage.by_domain.len(), 1);
/// assert_eq!(usage.by_domain[0], usage.energy);
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Duration, seconds.
    pub seconds: f64,
    /// The sum over domains; `None` if no domain has an energy.
    pub energy: Option<Energy>,
    /// Joules per domain, in the order of [`Record::domains`](crate::Record::domains). A domain without readings has `None`, so 0
    /// means that 0 was read.
    pub by_domain: Vec<Option<Energy>>,
}

/// Number, time, energy and items of some steps.
///
/// ```
/// use ergometer::energy::StepTotals;
/// use ergometer::units::{Joules, Watts};
///
/// let before = StepTotals { count: 2, seconds: 1.0, joules: Joules::new(10.0), ..StepTotals::default() };
/// let now = StepTotals { count: 6, seconds: 3.0, joules: Joules::new(30.0), ..StepTotals::default() };
/// let four = now.since(&before).unwrap();
/// assert_eq!((four.per_step(), four.power()), (Some(Joules::new(5.0)), Some(Watts::new(10.0))));
/// assert_eq!(four.per_item(), None, "they have no items");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StepTotals {
    /// How many.
    pub count: u64,
    /// Their time, seconds.
    pub seconds: f64,
    /// Their energy over all domains.
    pub joules: Joules,
    /// Their items, in `unit`.
    pub items: f64,
    /// Unit of the items; empty where there is none.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub unit: Cow<'static, str>,
}

impl StepTotals {
    /// Adds other steps; the unit is that of the first that have one.
    pub(crate) fn add(&mut self, other: &Self) {
        self.count = self.count.saturating_add(other.count);
        self.seconds += other.seconds;
        self.joules += other.joules;
        self.items += other.items;
        if self.unit.is_empty() {
            self.unit.clone_from(&other.unit);
        }
    }

    /// The steps that came after `before` was true; `None` if there were more then.
    #[must_use]
    pub fn since(&self, before: &Self) -> Option<Self> {
        Some(Self {
            count: self.count.checked_sub(before.count)?,
            seconds: self.seconds - before.seconds,
            joules: self.joules - before.joules,
            items: self.items - before.items,
            unit: self.unit.clone(),
        })
    }

    /// Mean energy of a step; `None` without steps.
    #[must_use]
    pub fn per_step(&self) -> Option<Joules> {
        (self.count > 0).then(|| self.joules / self.count as f64)
    }

    /// Mean energy of an item; `None` without items.
    #[must_use]
    pub fn per_item(&self) -> Option<Joules> {
        (self.items > 0.0).then(|| self.joules / self.items)
    }

    /// Mean power during the steps; `None` without time.
    #[must_use]
    pub fn power(&self) -> Option<Watts> {
        (self.seconds > 0.0).then(|| Watts::new(self.joules.get() / self.seconds))
    }
}

/// The named parts of a standard uncertainty, each in joules (one standard deviation).
///
/// *Systematic* parts keep their sign from one span to the next and add linearly when spans of one
/// domain are summed; *random* parts are independent between spans and add in quadrature.
///
/// ```
/// use ergometer::{energy::Uncertainty, units::Joules};
///
/// let span =
///     Uncertainty { gain: Joules::new(3.0), edges: Joules::new(4.0), ..Uncertainty::default() };
/// assert_eq!(span.standard().get(), 5.0);
/// let two = span.plus(&span);
/// assert_eq!(two.gain.get(), 6.0);
/// assert!((two.edges.get() - 32_f64.sqrt()).abs() < 1e-12);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Uncertainty {
    /// Systematic: the sensor's gain error.
    pub gain: Joules,
    /// Systematic: the error of the model, for modelled and assumed domains.
    pub model: Joules,
    /// Systematic: time in which the domain could not be observed.
    pub gaps: Joules,
    /// Random: where in time the span's edges fall between two readings. It does not average out over spans of one
    /// label that are shorter than a sensor's period: sums of those in a record state it for the sum.
    pub edges: Joules,
    /// Random: the counter's resolution.
    pub quantum: Joules,
}

impl Uncertainty {
    /// The combined standard uncertainty: the parts in quadrature (GUM 5.1.2).
    #[must_use]
    pub fn standard(&self) -> Joules {
        let parts = [self.gain, self.model, self.gaps, self.edges, self.quantum];
        Joules::new(parts.iter().map(|part| part.get().powi(2)).sum::<f64>().sqrt())
    }

    /// The uncertainty of the sum of two spans of the same domain.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            gain: self.gain + other.gain,
            model: self.model + other.model,
            gaps: self.gaps + other.gaps,
            edges: quadrature(self.edges, other.edges),
            quantum: quadrature(self.quantum, other.quantum),
        }
    }

    /// The uncertainty of a share of the energy.
    pub(crate) fn scaled(&self, share: f64) -> Self {
        let of = |part: Joules| Joules::new(part.get() * share);
        Self {
            gain: of(self.gain),
            model: of(self.model),
            gaps: of(self.gaps),
            edges: of(self.edges),
            quantum: of(self.quantum),
        }
    }

    /// The uncertainty of the sum over two different domains: every part is independent.
    #[must_use]
    pub fn across(&self, other: &Self) -> Self {
        Self {
            gain: quadrature(self.gain, other.gain),
            model: quadrature(self.model, other.model),
            gaps: quadrature(self.gaps, other.gaps),
            edges: quadrature(self.edges, other.edges),
            quantum: quadrature(self.quantum, other.quantum),
        }
    }

    /// The uncertainty of the sum over different domains.
    pub(crate) fn across_all(parts: impl Iterator<Item = Self>) -> Self {
        parts.fold(Self::default(), |sum, parts| sum.across(&parts))
    }
}

fn quadrature(a: Joules, b: Joules) -> Joules {
    Joules::new(a.get().hypot(b.get()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systematic_parts_add_and_random_parts_shrink() {
        let one = Uncertainty {
            gain: Joules::new(5.0),
            edges: Joules::new(3.0),
            ..Uncertainty::default()
        };
        let hundred = (1..100).fold(one, |sum, _| sum.plus(&one));
        assert!((hundred.gain.get() - 500.0).abs() < 1e-9);
        assert!((hundred.edges.get() - 30.0).abs() < 1e-9);
    }
}

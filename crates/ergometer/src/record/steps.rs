//! Statistics of steps.

use serde::{Deserialize, Serialize};

use crate::units::Joules;

/// Statistics of steps.
///
/// ```
/// # use ergometer::{Kind, Meter, source::DomainKind, units::Watts};
/// let meter = Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(50.0)).start()?;
/// {
///     let _epoch = meter.span(Kind::Epoch);
///     for _ in 0..3 {
///         let step = meter.span(Kind::Step);
///         step.items(16);
///     }
/// }
/// let record = meter.finish()?;
/// let steps = &record.steps["epoch"]; // by the name of their epochs
/// assert_eq!(steps.count, 3);
/// assert!((steps.joules.mean * 3.0 - steps.by_domain[0].get()).abs() < 1e-9);
/// let items = steps.items.as_ref().unwrap();
/// assert_eq!(items.count, 48.0);
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Steps {
    /// Their number.
    pub count: u64,
    /// Total seconds; over ranks, which step together, those of the longest rank.
    pub seconds: f64,
    /// Total joules per domain, in the order of [`Record::domains`](super::Record::domains).
    pub by_domain: Vec<Joules>,
    /// Joules per step, summed over domains. Extremes and quantiles are of the machine's whole energy in
    /// each step's time. The mean is that of `by_domain`, in which steps at the same time share the energy;
    /// over ranks, it is the mean share of a rank's step.
    pub joules: Distribution,
    /// Seconds per step.
    pub duration_s: Distribution,
    /// Items processed (tokens, sentences) and their unit; absent if the program counted none.
    pub items: Option<Items>,
    /// How many of `count` were recorded together with others, either by `every = n` of
    /// [`#[track_energy]`](crate::track_energy) or because they came too fast. They are in every sum and
    /// mean, but not in the extremes and quantiles.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub folded: u64,
}

/// Steps of one name.
///
/// ```
/// # use ergometer::{Kind, Meter, source::DomainKind, span::Label, units::Watts};
/// let meter = Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(50.0)).start()?;
/// {
///     let _epoch = meter.span(Kind::Epoch);
///     let _step = meter.span(Kind::Step);
///     drop(meter.span(Label::new(Kind::Step, "sample")));
/// }
/// let record = meter.finish()?;
/// let steps = &record.epochs[0].steps_by_name;
/// assert_eq!((steps[0].name.as_str(), steps[0].inside_steps), ("step", false));
/// assert_eq!((steps[1].name.as_str(), steps[1].inside_steps), ("sample", true));
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NamedSteps {
    /// The name of their spans.
    pub name: String,
    /// Whether they are inside other steps, whose figures then include theirs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub inside_steps: bool,
    /// Their statistics.
    pub steps: Steps,
}

/// Items that a program processed.
///
/// ```
/// # use ergometer::{Kind, Meter, source::DomainKind, units::Watts};
/// let meter = Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(50.0)).start()?;
/// {
///     let step = meter.span(Kind::Step);
///     step.items(512);
///     std::thread::sleep(std::time::Duration::from_millis(20));
/// }
/// let steps = meter.finish()?.steps["run"].clone();
/// let items = steps.items.unwrap();
/// assert_eq!(items.count, 512.0);
/// assert!((items.joules_per_item.get() * 512.0 / steps.by_domain[0].get() - 1.0).abs() < 1e-9);
/// assert!((items.per_second * steps.seconds - 512.0).abs() < 1e-6);
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Items {
    /// Their number.
    pub count: f64,
    /// Their unit: `tokens`.
    pub unit: String,
    /// Joules per item, over all domains.
    pub joules_per_item: Joules,
    /// Items per second.
    pub per_second: f64,
}

/// A distribution, from running statistics and a quantile sketch with 1 % relative error.
///
/// The mean covers all steps, the other figures those that were recorded alone ([`Steps::folded`]).
///
/// A figure that cannot be computed from the statistics of several ranks is `None`: quantiles over all
/// their steps do not follow from those of each.
///
/// ```
/// # use ergometer::{Kind, Meter, source::DomainKind, units::Watts};
/// let meter = Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(50.0)).start()?;
/// for _ in 0..3 {
///     drop(meter.span(Kind::Step));
/// }
/// let seconds = meter.finish()?.steps["run"].duration_s;
/// let (min, max) = (seconds.min.unwrap(), seconds.max.unwrap());
/// assert!(min <= seconds.mean && seconds.mean <= max);
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Distribution {
    /// Arithmetic mean.
    pub mean: f64,
    /// Smallest.
    pub min: Option<f64>,
    /// Largest.
    pub max: Option<f64>,
    /// Median.
    pub p50: Option<f64>,
    /// 95th percentile.
    pub p95: Option<f64>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
pub(super) fn is_zero(count: &u64) -> bool {
    *count == 0
}

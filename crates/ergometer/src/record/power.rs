//! Power over time in the record: for each domain a bounded number of intervals with their mean power.
//!
//! ```text
//!  timelines ──► log ──► knots: E at some moments ──► PowerHistory ──► record
//!                           └─► journal ──► the same knots ──┘
//! ```
//!
//! Moments lie on a grid, whose interval doubles whenever there are too many of them, and at the edges of the
//! epochs and other spans that are long compared with it. What is kept of a moment is the energy drawn up to
//! then, so leaving one out only makes two intervals one: whatever was left out, the integral of the power is
//! the energy of the run.

pub(crate) mod knots;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::span::Kind;
use crate::units::{Joules, Watts};
pub(crate) use knots::Knot;

/// Number of intervals at most.
pub(crate) const MOST_INTERVALS: usize = 1000;
/// Number of long spans at most.
pub(crate) const MOST_SPANS: usize = 256;

/// Mean power of each domain in consecutive intervals of the run.
///
/// The intervals are as long as the run requires: at most 1000 of them. The edges of epochs and other spans that
/// are long enough to be drawn are ends of intervals, so that power changes where they do. The sum of power ×
/// time over a domain's intervals is its energy over the run, to seven digits.
///
/// ```
/// # use ergometer::{Meter, source::DomainKind, units::Watts};
/// let meter = Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(50.0)).start()?;
/// std::thread::sleep(std::time::Duration::from_millis(20));
/// let record = meter.finish()?;
/// let power = record.power.as_ref().unwrap();
/// let joules = power.joules(0, 0.0, record.run.seconds);
/// assert!((joules / record.total.energy.unwrap().joules - 1.0).abs() < 1e-3);
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PowerHistory {
    /// End of each interval, seconds from the start of the run. Each begins where the one before ends, the
    /// first at 0.
    pub ends_s: Vec<f64>,
    /// Mean power in each interval, for each domain in the order of the record's domains; `None` where the
    /// domain was not observed. The list of a domain without any energy is empty.
    pub watts: Vec<Vec<Option<Watts>>>,
    /// The longest spans besides epochs, by their start; at most 256. In a merged record they are those of
    /// the first rank.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spans: Vec<LongSpan>,
}

/// A span that takes a visible part of the run.
///
/// ```
/// # use ergometer::{Meter, source::DomainKind, units::Watts};
/// let meter = Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(50.0)).start()?;
/// {
///     let _load = meter.span("load the data");
///     std::thread::sleep(std::time::Duration::from_millis(250));
/// }
/// let power = meter.finish()?.power.unwrap();
/// assert_eq!(power.spans[0].name, "load the data");
/// assert!(power.spans[0].seconds >= 0.25);
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LongSpan {
    /// Kind of span.
    pub kind: Kind,
    /// Its label.
    pub name: String,
    /// Seconds from the start of the run to its start.
    pub start_s: f64,
    /// Its duration, seconds.
    pub seconds: f64,
}

impl PowerHistory {
    /// The intervals: start and end, seconds from the start of the run.
    pub fn intervals(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        let starts = std::iter::once(0.0).chain(self.ends_s.iter().copied());
        starts.zip(self.ends_s.iter().copied())
    }

    /// Energy of the domain `index` between two times, seconds from the start of the run; time in which it was
    /// not observed counts nothing. Inside an interval power is its mean.
    #[must_use]
    pub fn joules(&self, index: usize, from: f64, to: f64) -> Joules {
        let first = self.ends_s.partition_point(|end| *end <= from);
        let watts = self.watts.get(index).and_then(|watts| watts.get(first..)).unwrap_or(&[]);
        let mut start = first.checked_sub(1).map_or(0.0, |before| self.ends_s[before]);
        let joules = self.ends_s[first..].iter().zip(watts).map_while(|(&end, watts)| {
            let seconds = (end.min(to) - start.max(from)).max(0.0);
            let inside = start < to;
            start = end;
            inside.then(|| Joules::new(watts.map_or(0.0, Watts::get) * seconds))
        });
        joules.sum()
    }

    /// The same with at most this many intervals and spans.
    #[must_use]
    pub(crate) fn coarser(mut self, intervals: usize, spans: usize) -> Self {
        let together = self.ends_s.len().div_ceil(intervals.max(1)).max(1);
        if together > 1 {
            let bounds: Vec<(f64, f64)> = self.intervals().collect();
            self.ends_s = bounds.chunks(together).map(|group| group[group.len() - 1].1).collect();
            let grouped = |watts: &Vec<Option<Watts>>| {
                let pairs: Vec<_> = bounds.iter().copied().zip(watts.iter().copied()).collect();
                pairs.chunks(together).map(mean).collect()
            };
            self.watts = self.watts.iter().map(grouped).collect();
        }
        longest(&mut self.spans, spans);
        self
    }

    /// Why it is invalid, if it is.
    pub(crate) fn check(&self, domains: usize) -> Result<(), String> {
        if self
            .intervals()
            .any(|(start, end)| end.partial_cmp(&start) != Some(std::cmp::Ordering::Greater))
        {
            return Err("the intervals of power are not in order".to_owned());
        }
        if self.watts.len() != domains {
            return Err(format!("power has {} values for {domains} domains", self.watts.len()));
        }
        let fits = |row: &Vec<Option<Watts>>| row.is_empty() || row.len() == self.ends_s.len();
        if !self.watts.iter().all(fits) {
            return Err("a domain's power has not one value for each interval".to_owned());
        }
        if self
            .watts
            .iter()
            .flatten()
            .flatten()
            .any(|watts| watts.get().is_nan() || watts.get() < 0.0)
        {
            return Err("a power is negative".to_owned());
        }
        if self.spans.iter().any(|span| !(span.start_s >= 0.0 && span.seconds >= 0.0)) {
            return Err("a long span has a negative time".to_owned());
        }
        Ok(())
    }
}

/// Mean power over consecutive intervals; `None` if it was observed in none.
fn mean(group: &[((f64, f64), Option<Watts>)]) -> Option<Watts> {
    let observed =
        group.iter().filter_map(|((from, to), watts)| Some((to - from) * (*watts)?.get()));
    let any = group.iter().any(|(_, watts)| watts.is_some());
    let seconds: f64 = group.iter().map(|((from, to), _)| to - from).sum();
    any.then(|| Watts::new(seven_digits(observed.sum::<f64>() / seconds)))
}

/// Keeps the longest `most` of `spans`, in the order of their starts.
pub(crate) fn longest(spans: &mut Vec<LongSpan>, most: usize) {
    if spans.len() > most {
        spans.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
        spans.truncate(most);
    }
    spans.sort_by(|a, b| a.start_s.total_cmp(&b.start_s).then(b.seconds.total_cmp(&a.seconds)));
}

/// Divides what a record may hold among the parts of a run before its interruptions.
pub(crate) fn share_out<'a>(parts: impl ExactSizeIterator<Item = &'a mut Option<PowerHistory>>) {
    let parts_count = parts.len().max(1);
    let (intervals, spans) = ((MOST_INTERVALS / parts_count).max(8), MOST_SPANS / parts_count);
    for power in parts {
        *power = power.take().map(|power| power.coarser(intervals, spans));
    }
}

fn seven_digits(value: f64) -> f64 {
    format!("{value:.6e}").parse().unwrap_or(value)
}

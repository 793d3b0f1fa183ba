//! Power over time of all ranks, on one axis.

use super::cover::Cover;
use super::domains::{self, At, Physical};
use super::{Merge, RankRun};
use crate::record::power::{LongSpan, MOST_INTERVALS, PowerHistory};
use crate::units::Watts;

/// What a rank adds to a domain: in which stretches of the run, and how many joules in all.
struct Piece<'a> {
    at: At,
    start: f64,
    power: &'a PowerHistory,
    stretches: Vec<(f64, f64)>,
    joules: f64,
    /// Joules that the rank itself has in the stretches.
    own: f64,
}

/// The joined power; `None` unless every rank with an energy has it.
pub(super) fn join(merge: &Merge<'_>) -> Option<PowerHistory> {
    let has = |part: &RankRun| part.record.power.is_some() || part.record.total.energy.is_none();
    let first = merge.first().power.as_ref()?;
    if !merge.parts.iter().all(has) || merge.seconds <= 0.0 {
        return None;
    }
    let ends_s = ends(merge);
    let rows = merge.domains.iter().map(|domain| row(domain, merge, &ends_s));
    let spans = first
        .spans
        .iter()
        .map(|span| LongSpan { start_s: span.start_s + merge.parts[0].start, ..span.clone() });
    Some(PowerHistory { watts: rows.collect(), spans: spans.collect(), ends_s })
}

/// The first rank's axis, which has the edges of epochs, where that is all of the run; an even one else.
fn ends(merge: &Merge<'_>) -> Vec<f64> {
    let part = &merge.parts[0];
    let own = part.record.power.as_ref().map_or(&[][..], |power| &power.ends_s);
    let interval = merge.seconds / own.len().max(1) as f64;
    if part.start <= 0.0 && merge.seconds - part.end() < interval {
        let inner = own.split_last().map_or(&[][..], |(_, inner)| inner);
        return inner.iter().copied().chain([merge.seconds]).collect();
    }
    let even = |index: usize| merge.seconds * index as f64 / MOST_INTERVALS as f64;
    (1..=MOST_INTERVALS).map(even).collect()
}

fn row(domain: &Physical, merge: &Merge<'_>, ends: &[f64]) -> Vec<Option<Watts>> {
    let pieces = pieces(domain, merge);
    if pieces.is_empty() {
        return Vec::new();
    }
    let mut from = 0.0;
    let mut watts = |to: f64| {
        let (begin, seconds) = (from, to - from);
        from = to;
        let joules: f64 = pieces.iter().map(|piece| piece.drawn(begin, to)).sum();
        let observed = joules > 0.0 || pieces.iter().any(|piece| piece.observes(begin, to));
        observed.then(|| Watts::new(joules / seconds))
    };
    ends.iter().map(|&to| watts(to)).collect()
}

/// The pieces of which the domain's energy is made.
fn pieces<'a>(domain: &Physical, merge: &Merge<'a>) -> Vec<Piece<'a>> {
    let mut cover = Cover::default();
    let mut pieces = Vec::new();
    for &at in &domain.givers {
        let part = &merge.parts[at.0];
        let (Some(power), Some(energy)) = (&part.record.power, domains::total(merge.parts, at))
        else {
            continue;
        };
        let (start, end) = (part.start, part.end());
        let open = cover.open(start, end);
        let (share, stretches) = if domain.adds {
            (1.0, vec![(start, end)])
        } else {
            (open, cover.stretches(start, end))
        };
        cover.add(start, end);
        if share > 0.0 && !stretches.is_empty() {
            let joules = energy.joules.get() * share;
            let mut piece = Piece { at, start, power, stretches, joules, own: 0.0 };
            piece.own = piece.stretches.iter().map(|&stretch| piece.own(stretch)).sum();
            pieces.push(piece);
        }
    }
    pieces
}

impl Piece<'_> {
    /// Joules between two times of the run.
    fn drawn(&self, from: f64, to: f64) -> f64 {
        let within = |&(begin, end): &(f64, f64)| (begin.max(from), end.min(to));
        let overlap = self.stretches.iter().map(within).filter(|(begin, end)| end > begin);
        if self.own > 0.0 {
            let own: f64 = overlap.map(|stretch| self.own(stretch)).sum();
            return self.joules * own / self.own;
        }
        let seconds: f64 = self.stretches.iter().map(|(begin, end)| end - begin).sum();
        self.joules * overlap.map(|(begin, end)| end - begin).sum::<f64>() / seconds
    }

    /// Joules that the rank itself has in a stretch.
    fn own(&self, (begin, end): (f64, f64)) -> f64 {
        self.power.joules(self.at.1, begin - self.start, end - self.start).get()
    }

    /// Whether it observed the domain in the middle of an interval.
    fn observes(&self, from: f64, to: f64) -> bool {
        let middle = f64::midpoint(from, to);
        let t = middle - self.start;
        let index = self.power.ends_s.partition_point(|end| *end <= t);
        let watts = self.power.watts.get(self.at.1).and_then(|row| row.get(index));
        let inside = self.stretches.iter().any(|(begin, end)| (*begin..*end).contains(&middle));
        inside && watts.is_some_and(Option::is_some)
    }
}

//! Whether a sensor works.
//!
//! A counter that can be read and never moves, or a power that is always 0, is not a measurement of 0 J.
//! Hypervisors show such counters, and so does the second die of some boards. Every device draws some
//! power, so a sensor has to show some before it is trusted.

use std::collections::BTreeMap;
use std::io;
use std::thread;
use std::time::Duration;

use super::{Domain, PowerSource, Reading, Request, Value};
use crate::clock;
use crate::deadline::Deadline;
use crate::units::Joules;

/// How long to wait for a sensor. RAPL counters move every millisecond; the slowest, `psys` of Sapphire
/// Rapids, counts whole joules, which takes 50 ms at 20 W. Counters of boards are updated every 100 ms.
const PATIENCE: Duration = Duration::from_millis(300);
/// Time between two checks.
const PAUSE: Duration = Duration::from_millis(1);

/// Calls `look` until it returns true, for [`PATIENCE`] at most.
fn wait(mut look: impl FnMut() -> bool) {
    let mut deadline = Deadline::after(PATIENCE);
    while !look() && !deadline.has_passed() {
        thread::sleep(PAUSE);
    }
}

/// What the readings of a domain have shown so far.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Seen {
    /// Nothing: it was not read, or could not be.
    Nothing,
    /// A power of 0, or a counter still at this value.
    Still(Joules),
    Works,
}

impl Seen {
    fn take(&mut self, value: &Value) {
        *self = match (*self, value) {
            (Self::Works, _) => Self::Works,
            (_, Value::Power(watts)) if watts.get() > 0.0 => Self::Works,
            (Self::Still(first), Value::Energy(joules)) if *joules > first => Self::Works,
            (Self::Nothing, Value::Energy(joules)) => Self::Still(*joules),
            (Self::Nothing, Value::Power(_)) => Self::Still(Joules::ZERO),
            (seen, _) => seen,
        };
    }
}

/// Reads `sources` until each of their domains has moved, for [`PATIENCE`] at most. Returns the ids of
/// those that stood still all that time.
///
/// Domains without any reading are not among them; the reason is reported elsewhere.
pub(super) fn standing_still(sources: &mut [Box<dyn PowerSource>]) -> Vec<String> {
    let mut readings: Vec<Reading> = Vec::new();
    let mut seen: BTreeMap<String, Seen> = BTreeMap::new();
    wait(|| {
        for source in &mut *sources {
            readings.clear();
            source.read(Request::Routine, &mut readings);
            for (index, domain) in source.domains().iter().enumerate() {
                let seen = seen.entry(domain.id.clone()).or_insert(Seen::Nothing);
                let of_it = readings.iter().filter(|reading| reading.domain == index);
                of_it.for_each(|reading| seen.take(&reading.value));
            }
        }
        seen.values().all(|seen| !matches!(seen, Seen::Still(_)))
    });
    let still = seen.into_iter().filter(|(_, seen)| matches!(seen, Seen::Still(_)));
    still.map(|(id, _)| id).collect()
}

/// The index of the first of `counters` that moves; a later one wins only if no earlier one moves in time.
/// `None` if none moves.
pub(super) fn first_to_move(counters: &mut [&mut dyn FnMut() -> io::Result<u64>]) -> Option<usize> {
    let start: Vec<Option<u64>> = counters.iter_mut().map(|read| read().ok()).collect();
    let mut moved = vec![false; counters.len()];
    wait(|| {
        for ((read, start), moved) in counters.iter_mut().zip(&start).zip(&mut moved) {
            *moved = *moved || start.is_some_and(|start| read().is_ok_and(|now| now != start));
        }
        moved.first() == Some(&true)
    });
    moved.iter().position(|&moved| moved)
}

/// Some of the domains of a source.
pub(super) struct Subset {
    source: Box<dyn PowerSource>,
    /// The new index of each of the source's domains, if it is kept.
    places: Vec<Option<usize>>,
    domains: Vec<Domain>,
}

impl Subset {
    /// The domains of `source` that `keep` accepts; `None` if it accepts none.
    pub(super) fn of(
        source: Box<dyn PowerSource>,
        keep: impl Fn(&Domain) -> bool,
    ) -> Option<Box<dyn PowerSource>> {
        let mut next = 0;
        let mut place = |domain: &Domain| {
            keep(domain).then(|| {
                next += 1;
                next - 1
            })
        };
        let places: Vec<Option<usize>> = source.domains().iter().map(&mut place).collect();
        if next == places.len() {
            return (next > 0).then_some(source);
        }
        let mut subset = Self { source, places, domains: Vec::new() };
        subset.learn();
        (next > 0).then(|| Box::new(subset) as Box<dyn PowerSource>)
    }

    fn learn(&mut self) {
        let kept = self.source.domains().iter().zip(&self.places);
        self.domains =
            kept.filter(|(_, place)| place.is_some()).map(|(domain, _)| domain.clone()).collect();
    }
}

impl PowerSource for Subset {
    fn domains(&self) -> &[Domain] {
        &self.domains
    }

    fn read(&mut self, request: Request, readings: &mut Vec<Reading>) {
        let others = readings.len();
        self.source.read(request, readings);
        let mut index = 0;
        readings.retain_mut(|reading| {
            index += 1;
            if index <= others {
                return true;
            }
            let place = self.places.get(reading.domain).copied().flatten();
            reading.domain = place.unwrap_or(reading.domain);
            place.is_some()
        });
        if request == Request::Last {
            self.learn();
        }
    }

    fn next_read(&self) -> Option<super::Due> {
        self.source.next_read()
    }

    fn last_read(&self, now: clock::Timestamp) -> clock::Timestamp {
        self.source.last_read(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::DomainKind;
    use crate::source::fixed::Fixed;
    use crate::units::Watts;

    /// Domains whose values depend on the number of reads.
    struct Scripted(Vec<Domain>, Vec<Script>, u32);

    type Script = fn(u32) -> Value;

    fn scripted(values: &[(&str, Script)]) -> Box<dyn PowerSource> {
        let like = Fixed::new(DomainKind::CpuPackage, Watts::new(1.0), 0.1).unwrap();
        let domain = |id: &str| Domain { id: id.to_owned(), ..like.domains()[0].clone() };
        let domains = values.iter().map(|(id, _)| domain(id)).collect();
        Box::new(Scripted(domains, values.iter().map(|(_, value)| *value).collect(), 0))
    }

    impl PowerSource for Scripted {
        fn domains(&self) -> &[Domain] {
            &self.0
        }

        fn read(&mut self, _: Request, readings: &mut Vec<Reading>) {
            self.2 += 1;
            let values = self.1.iter().map(|value| value(self.2)).enumerate();
            readings.extend(
                values.map(|(domain, value)| Reading::new(domain, clock::checked_now(), value)),
            );
        }
    }

    fn joules(joules: f64) -> Value {
        Value::Energy(Joules::new(joules))
    }

    #[test]
    fn counters_and_powers_that_never_move_are_told_from_those_that_do() {
        let package = scripted(&[
            ("at once", |_| Value::Power(Watts::new(1.0))),
            ("slow", |reads| joules(f64::from(reads / 50))),
            ("still", |_| joules(5.0)),
            ("no power", |_| Value::Power(Watts::ZERO)),
            ("asleep", |_| Value::Missing("asleep".to_owned())),
        ]);
        let other = scripted(&[("other", |reads| joules(f64::from(reads)))]);
        assert_eq!(standing_still(&mut [package, other]), ["no power", "still"]);
        assert_eq!(standing_still(&mut []), Vec::<String>::new());
    }

    #[test]
    fn of_two_counters_the_first_is_used_if_it_moves_and_else_the_other() {
        let counter = |step: u64, from: u64| {
            let mut reads = 0;
            move || {
                reads += 1;
                Ok(if reads < from { 0 } else { reads * step })
            }
        };
        let pick = |a: (u64, u64), b: (u64, u64)| {
            let (mut a, mut b) = (counter(a.0, a.1), counter(b.0, b.1));
            first_to_move(&mut [&mut a, &mut b])
        };
        assert_eq!(pick((1, 0), (1, 0)), Some(0));
        assert_eq!(pick((1, 40), (1, 0)), Some(0), "it is waited for");
        assert_eq!(pick((0, 0), (1, 0)), Some(1));
        assert_eq!(pick((0, 0), (0, 0)), None);
        let mut broken = || Err(io::Error::other("gone"));
        let mut whole = counter(1, 0);
        assert_eq!(first_to_move(&mut [&mut broken, &mut whole]), Some(1));
    }

    #[test]
    fn a_subset_gives_its_domains_under_their_new_numbers_and_leaves_other_readings() {
        let all =
            scripted(&[("a", |_| joules(1.0)), ("b", |_| joules(2.0)), ("c", |_| joules(3.0))]);
        let mut subset = Subset::of(all, |domain| domain.id != "a").unwrap();
        let ids: Vec<_> = subset.domains().iter().map(|domain| domain.id.clone()).collect();
        assert_eq!(ids, ["b", "c"]);
        let before = Reading::new(0, clock::now(), joules(9.0));
        let mut readings = vec![before.clone()];
        subset.read(Request::Routine, &mut readings);
        let seen: Vec<_> = readings.iter().map(|one| (one.domain, one.value.clone())).collect();
        assert_eq!(seen, [(0, joules(9.0)), (0, joules(2.0)), (1, joules(3.0))]);
        assert!(Subset::of(subset, |_| false).is_none());
    }
}

//! Whether a sensor works.
//!
//! A counter that can be read and never moves, or a power that is always 0, is not a measurement of 0 J.
//! Hypervisors show such counters, and so does the second die of some boards. Every device draws some
//! power, so a sensor has to show some before it is trusted.
//!
//! A sensor that is left out is looked at again during the run ([`Subset`]): if it moves after all, the
//! record says so.

use std::collections::BTreeMap;
use std::io;
use std::thread;
use std::time::Duration;

use super::{Domain, Due, PowerSource, Reading, Request, Value};
use crate::clock::{self, Timestamp};
use crate::deadline::Deadline;
use crate::units::Joules;

/// How long to wait for a sensor. RAPL counters move every millisecond; the slowest, `psys` of Sapphire
/// Rapids, counts whole joules, which takes 50 ms at 20 W. Counters of boards are updated every 100 ms.
///
/// It is short because every program in a virtual machine waits that long.
const PATIENCE: Duration = Duration::from_millis(300);
/// The same for domains whose drivers may update a file once a second.
const LONG_PATIENCE: Duration = Duration::from_millis(1100);
/// Time between two checks.
const PAUSE: Duration = Duration::from_millis(1);
/// Time after which sensors that were left out are looked at again, and at the latest.
const AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(2));
/// The same once there is nothing more to find out.
const SELDOM: Duration = Duration::from_secs(30);

/// Calls `look` until it returns true, for `patience` at most.
fn wait(patience: Duration, mut look: impl FnMut() -> bool) {
    let mut deadline = Deadline::after(patience);
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

/// Reads `sources` until each of their domains has moved, for [`PATIENCE`] or [`LONG_PATIENCE`] at most, which is for those that are `slow`.
/// Returns the ids of those that stood still all that time.
///
/// Domains without any reading are not among them; the reason is reported elsewhere.
pub(super) fn standing_still(
    sources: &mut [Box<dyn PowerSource>],
    slow: impl Fn(&Domain) -> bool,
) -> Vec<String> {
    let mut readings: Vec<Reading> = Vec::new();
    let mut seen: BTreeMap<String, Seen> = BTreeMap::new();
    let mut short = Deadline::after(PATIENCE);
    wait(LONG_PATIENCE, || {
        let mut waits = false;
        let short_has_passed = short.has_passed();
        for source in &mut *sources {
            readings.clear();
            source.read(Request::Routine, &mut readings);
            for (index, domain) in source.domains().iter().enumerate() {
                let seen = seen.entry(domain.id.clone()).or_insert(Seen::Nothing);
                let of_it = readings.iter().filter(|reading| reading.domain == index);
                of_it.for_each(|reading| seen.take(&reading.value));
                let in_time = !short_has_passed || slow(domain);
                waits |= in_time && matches!(seen, Seen::Still(_));
            }
        }
        !waits
    });
    let still = seen.into_iter().filter(|(_, seen)| matches!(seen, Seen::Still(_)));
    still.map(|(id, _)| id).collect()
}

/// The index of the first of `counters` that moves; a later one wins only if no earlier one moves in time.
/// `None` if none moves.
pub(super) fn first_to_move(counters: &mut [&mut dyn FnMut() -> io::Result<u64>]) -> Option<usize> {
    let start: Vec<Option<u64>> = counters.iter_mut().map(|read| read().ok()).collect();
    let mut moved = vec![false; counters.len()];
    wait(PATIENCE, || {
        for ((read, start), moved) in counters.iter_mut().zip(&start).zip(&mut moved) {
            *moved = *moved || start.is_some_and(|start| read().is_ok_and(|now| now != start));
        }
        moved.first() == Some(&true)
    });
    moved.iter().position(|&moved| moved)
}

/// Some of the domains of a source, perhaps none. The others are watched: one that moves after all is worth
/// a warning.
pub(super) struct Subset {
    source: Box<dyn PowerSource>,
    places: Vec<Place>,
    domains: Vec<Domain>,
    /// When it was opened, and when it was read last.
    opened: Timestamp,
    read: Timestamp,
    warnings: Vec<String>,
}

/// What becomes of a domain of the source.
enum Place {
    /// It is used, under this index.
    Used(usize),
    /// It is left out, and its readings have shown this.
    LeftOut(Seen),
}

impl Subset {
    /// The domains of `source` that `used` accepts.
    pub(super) fn of(
        source: Box<dyn PowerSource>,
        used: impl Fn(&Domain) -> bool,
    ) -> Box<dyn PowerSource> {
        let mut next = 0;
        let mut place = |domain: &Domain| {
            if !used(domain) {
                return Place::LeftOut(Seen::Nothing);
            }
            next += 1;
            Place::Used(next - 1)
        };
        let places: Vec<Place> = source.domains().iter().map(&mut place).collect();
        if next == places.len() {
            return source;
        }
        let (domains, now) = (Vec::new(), clock::checked_now());
        let mut subset =
            Self { source, places, domains, opened: now, read: now, warnings: Vec::new() };
        subset.learn();
        Box::new(subset)
    }

    fn learn(&mut self) {
        let all = self.source.domains().iter().zip(&self.places);
        let used = all.filter(|(_, place)| matches!(place, Place::Used(_)));
        self.domains = used.map(|(domain, _)| domain.clone()).collect();
    }

    /// Whether one of those that are left out may still move for the first time.
    fn watches(&self) -> bool {
        self.places
            .iter()
            .any(|place| matches!(place, Place::LeftOut(Seen::Nothing | Seen::Still(_))))
    }
}

impl PowerSource for Subset {
    fn domains(&self) -> &[Domain] {
        &self.domains
    }

    fn read(&mut self, request: Request, readings: &mut Vec<Reading>) {
        let others = readings.len();
        self.source.read(request, readings);
        self.read = clock::checked_now();
        let seconds = self.read.since(self.opened).as_secs_f64();
        let mut index = 0;
        readings.retain_mut(|reading| {
            index += 1;
            if index <= others {
                return true;
            }
            match self.places.get_mut(reading.domain) {
                Some(Place::Used(place)) => {
                    reading.domain = *place;
                    return true;
                }
                Some(Place::LeftOut(seen)) if *seen != Seen::Works => {
                    seen.take(&reading.value);
                    let domain = self.source.domains().get(reading.domain);
                    if let Some(domain) = domain.filter(|_| *seen == Seen::Works) {
                        self.warnings.push(format!(
                            "{} was left out because it stood still when the meter started; it was seen to \
                             move {seconds:.1} s later, so it works: in this run what it measures is \
                             modelled or missing",
                            domain.id
                        ));
                    }
                }
                _ => {}
            }
            false
        });
        if request == Request::Last {
            self.learn();
        }
    }

    fn next_read(&self) -> Option<Due> {
        if !self.domains.is_empty() {
            return self.source.next_read();
        }
        let (from, by) = if self.watches() { AGAIN } else { (SELDOM, SELDOM) };
        Some(Due { from: self.read.after(from), by: self.read.after(by) })
    }

    fn last_read(&self, now: Timestamp) -> Timestamp {
        self.source.last_read(now)
    }

    fn warnings(&mut self) -> Vec<String> {
        let mut warnings = std::mem::take(&mut self.warnings);
        warnings.append(&mut self.source.warnings());
        warnings
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
        assert_eq!(standing_still(&mut [package, other], |_| false), ["no power", "still"]);
        assert_eq!(standing_still(&mut [], |_| false), Vec::<String>::new());
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
        let mut subset = Subset::of(all, |domain| domain.id != "a");
        let ids: Vec<_> = subset.domains().iter().map(|domain| domain.id.clone()).collect();
        assert_eq!(ids, ["b", "c"]);
        let before = Reading::new(0, clock::now(), joules(9.0));
        let mut readings = vec![before.clone()];
        subset.read(Request::Routine, &mut readings);
        let seen: Vec<_> = readings.iter().map(|one| (one.domain, one.value.clone())).collect();
        assert_eq!(seen, [(0, joules(9.0)), (0, joules(2.0)), (1, joules(3.0))]);
        assert_eq!(subset.warnings(), Vec::<String>::new());
        assert!(Subset::of(subset, |_| false).domains().is_empty());
    }

    #[test]
    fn a_sensor_that_was_left_out_and_moves_is_warned_of_once() {
        let all = scripted(&[
            ("used", |reads| joules(f64::from(reads))),
            ("late", |reads| joules(if reads < 3 { 7.0 } else { 8.0 })),
            ("still", |_| Value::Power(Watts::ZERO)),
            ("woken", |reads| Value::Power(Watts::new(if reads < 5 { 0.0 } else { 40.0 }))),
        ]);
        let mut subset = Subset::of(all, |domain| domain.id == "used");
        let mut named = Vec::new();
        for read in 1..10 {
            let mut readings = Vec::new();
            subset.read(Request::Routine, &mut readings);
            assert_eq!(readings.len(), 1, "{readings:?}");
            let warnings = subset.warnings();
            named.extend(
                warnings
                    .iter()
                    .map(|line| (read, line.split(' ').next().unwrap_or_default().to_owned())),
            );
        }
        assert_eq!(named, [(3, "late".to_owned()), (5, "woken".to_owned())]);
    }

    #[test]
    fn sensors_none_of_which_is_used_are_looked_at_once_a_second_until_all_have_moved() {
        let all = scripted(&[("late", |reads| joules(if reads < 3 { 7.0 } else { 8.0 }))]);
        let mut subset = Subset::of(all, |_| false);
        let mut next = Vec::new();
        for _ in 0..3 {
            let mut readings = Vec::new();
            let before = clock::checked_now();
            subset.read(Request::Routine, &mut readings);
            let Due { from, by } = subset.next_read().unwrap();
            assert!(readings.is_empty() && from.since(before) >= AGAIN.0 && by >= from);
            next.push(from.since(before) >= SELDOM);
        }
        assert_eq!(next, [false, false, true]);
    }
}

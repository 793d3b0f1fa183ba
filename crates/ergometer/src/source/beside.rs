//! Sensors of what something else measures as a whole: they are read to be compared with it, and are in no sum.
//!
//! Both are compared by their mean power since the meter began, as their readings lie at different moments.

use std::sync::{Arc, Mutex, PoisonError};

use super::{Domain, DomainKind, Due, PowerSource, Reading, Request, Value};
use crate::clock::Timestamp;

/// Seconds for which both have to be observed before they are compared.
const LEAST: f64 = 3.0;
/// Two samples of power that are further apart, seconds, do not tell what lies between them.
const LONGEST: f64 = 12.0;

/// What was read of wholes and of their parts.
#[derive(Clone, Debug, Default)]
pub(super) struct Witness(Arc<Mutex<Vec<Observed>>>);

#[derive(Clone, Debug)]
struct Observed {
    id: String,
    kind: DomainKind,
    whole: bool,
    mean: Mean,
}

impl Witness {
    /// Takes in `readings` of a source whose only domain measures a whole.
    pub(super) fn whole(&self, domain: &Domain, readings: &[Reading]) {
        self.take(domain, true, readings.iter());
    }

    fn take<'a>(&self, domain: &Domain, whole: bool, readings: impl Iterator<Item = &'a Reading>) {
        let mut observed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = observed.iter().position(|one| one.id == domain.id).unwrap_or_else(|| {
            let (id, kind, mean) = (domain.id.clone(), domain.kind, Mean::default());
            observed.push(Observed { id, kind, whole, mean });
            observed.len() - 1
        });
        readings.for_each(|reading| observed[place].mean.take(reading));
    }

    /// How what was measured as a whole of this kind compares with other sensors of the same, or of its parts; `None` if
    /// there is none, or not for long.
    pub(super) fn text(&self, kind: DomainKind) -> Option<String> {
        let observed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |chosen: &dyn Fn(&Observed) -> bool| -> Option<(f64, Vec<String>)> {
            let chosen: Vec<&Observed> = observed.iter().filter(|one| chosen(one)).collect();
            let powers: Option<Vec<f64>> = chosen.iter().map(|one| one.mean.watts()).collect();
            let powers = powers.filter(|powers| !powers.is_empty())?;
            let each =
                chosen.iter().zip(&powers).map(|(one, watts)| format!("{} {watts:.1} W", one.id));
            Some((powers.iter().sum(), each.collect()))
        };
        let (whole, _) = of(&|one| one.whole && one.kind == kind)?;
        if let Some((same, each)) = of(&|one| !one.whole && one.kind == kind) {
            let each = each.join(", ");
            return Some(format!(
                "{whole:.1} W in the mean, where other sensors show {same:.1} W ({each})"
            ));
        }
        // A part that was not read for long leaves the others to be compared.
        let inside =
            |one: &Observed| !one.whole && kind.contains(one.kind) && one.mean.watts().is_some();
        let (parts, each) = of(&inside)?;
        let each = each.join(", ");
        let shown = format!(
            "of {whole:.1} W in the mean the sensors of its parts show {parts:.1} W ({each})"
        );
        Some(if parts > whole {
            format!("{shown}, which is more: one of them is wrong")
        } else if whole <= 0.0 {
            shown
        } else {
            let share = 100.0 * (1.0 - parts / whole);
            format!(
                "{shown}: {share:.0} % is explained by none of them, as what the power supply, fans, disks, \
                 network and memory draw"
            )
        })
    }
}

/// The mean power of a domain by its counter and by its power.
#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    counted: Stretch,
    sampled: Stretch,
}

/// Joules and seconds so far, and the last value.
#[derive(Clone, Copy, Debug, Default)]
struct Stretch {
    joules: f64,
    seconds: f64,
    last: Option<(Timestamp, f64)>,
}

impl Mean {
    fn take(&mut self, reading: &Reading) {
        let at = reading.at;
        match &reading.value {
            Value::Energy(joules) => {
                self.counted.go_on(at, joules.get(), f64::INFINITY, |then, now, _| now - then);
            }
            Value::Power(watts) => {
                let integral = |then, now, seconds| f64::midpoint(then, now) * seconds;
                self.sampled.go_on(at, watts.get(), LONGEST, integral);
            }
            Value::Restarted(_) => self.counted.last = None,
            Value::Missing(_) => {}
        }
    }

    /// `None` if it was not observed for long.
    fn watts(&self) -> Option<f64> {
        let Self { counted, sampled } = self;
        let longer = if counted.seconds >= sampled.seconds / 2.0 { counted } else { sampled };
        (longer.seconds >= LEAST).then(|| longer.joules / longer.seconds)
    }
}

impl Stretch {
    fn go_on(
        &mut self,
        at: Timestamp,
        value: f64,
        longest: f64,
        joules: impl Fn(f64, f64, f64) -> f64,
    ) {
        if let Some((then, before)) = self.last {
            let seconds = at.since(then).as_secs_f64();
            if seconds <= 0.0 {
                return;
            }
            if seconds <= longest {
                self.joules += joules(before, value, seconds);
                self.seconds += seconds;
            }
        }
        self.last = Some((at, value));
    }
}

/// A source, some of whose domains are only compared with what measures them as a whole.
pub(super) struct Beside {
    source: Box<dyn PowerSource>,
    /// Under which number each of its domains is used, if it is.
    places: Vec<Option<usize>>,
    domains: Vec<Domain>,
    witness: Witness,
}

impl Beside {
    /// The domains of `source` that `used` accepts; the others are for the `witness`.
    pub(super) fn of(
        source: Box<dyn PowerSource>,
        used: impl Fn(&Domain) -> bool,
        witness: &Witness,
    ) -> Box<dyn PowerSource> {
        let mut next = 0;
        let mut place = |domain: &Domain| {
            used(domain).then(|| {
                next += 1;
                next - 1
            })
        };
        let places: Vec<Option<usize>> = source.domains().iter().map(&mut place).collect();
        if next == places.len() {
            return source;
        }
        let mut beside = Self { source, places, domains: Vec::new(), witness: witness.clone() };
        beside.learn();
        Box::new(beside)
    }

    fn learn(&mut self) {
        let all = self.source.domains().iter().zip(&self.places);
        self.domains =
            all.filter(|(_, place)| place.is_some()).map(|(one, _)| one.clone()).collect();
    }
}

impl PowerSource for Beside {
    fn domains(&self) -> &[Domain] {
        &self.domains
    }

    fn read(&mut self, request: Request, readings: &mut Vec<Reading>) {
        let others = readings.len();
        self.source.read(request, readings);
        for (index, (domain, place)) in self.source.domains().iter().zip(&self.places).enumerate() {
            if place.is_none() {
                let of_it = readings[others..].iter().filter(|reading| reading.domain == index);
                self.witness.take(domain, false, of_it);
            }
        }
        let mut index = 0;
        readings.retain_mut(|reading| {
            index += 1;
            if index <= others {
                return true;
            }
            let place = self.places.get(reading.domain).copied().flatten();
            reading.domain = place.unwrap_or_default();
            place.is_some()
        });
        if request == Request::Last {
            self.learn();
        }
    }

    fn next_read(&self) -> Option<Due> {
        self.source.next_read()
    }

    fn last_read(&self, now: Timestamp) -> Timestamp {
        self.source.last_read(now)
    }

    fn warnings(&mut self) -> Vec<String> {
        self.source.warnings()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::fixed::Fixed;
    use crate::units::{Joules, Watts};

    /// A source of two domains that has these readings.
    struct Scripted([Domain; 2], Vec<Reading>);

    impl PowerSource for Scripted {
        fn domains(&self) -> &[Domain] {
            &self.0
        }

        fn read(&mut self, _: Request, readings: &mut Vec<Reading>) {
            readings.append(&mut self.1);
        }
    }

    fn domain(id: &str, kind: DomainKind) -> Domain {
        let like = Fixed::new(kind, Watts::new(1.0), 0.1).unwrap();
        Domain { id: id.to_owned(), ..like.domains()[0].clone() }
    }

    fn at(seconds: f64, domain: usize, value: Value) -> Reading {
        Reading::new(domain, Timestamp::from_secs_f64(100.0 + seconds), value)
    }

    fn power(watts: f64) -> Value {
        Value::Power(Watts::new(watts))
    }

    fn energy(joules: f64) -> Value {
        Value::Energy(Joules::new(joules))
    }

    /// A node of 200 W beside a package whose counter shows 60 W, and a board of `board` watts.
    fn witness(board: f64) -> Witness {
        let witness = Witness::default();
        let node = domain("external:node", DomainKind::Node);
        let wall: Vec<Reading> = (0..=10).map(|t| at(f64::from(t), 0, power(200.0))).collect();
        witness.whole(&node, &wall);
        let parts =
            [domain("rapl:package-0", DomainKind::CpuPackage), domain("gpu", DomainKind::Gpu)];
        let mut readings = vec![at(0.5, 0, energy(1000.0)), at(9.5, 0, energy(1540.0))];
        readings.extend((0..=10).map(|t| at(f64::from(t), 1, power(board))));
        let source = Box::new(Scripted(parts, readings));
        let mut beside = Beside::of(source, |_| false, &witness);
        let mut used = Vec::new();
        beside.read(Request::Last, &mut used);
        assert!(used.is_empty() && beside.domains().is_empty());
        witness
    }

    #[test]
    fn what_no_part_explains_is_a_share_of_the_whole() {
        let text = witness(80.0).text(DomainKind::Node).unwrap();
        for part in ["200.0 W", "140.0 W", "rapl:package-0 60.0 W", "gpu 80.0 W", "30 %"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let text = witness(141.0).text(DomainKind::Node).unwrap();
        assert!(text.contains("201.0 W") && text.contains("is wrong"), "{text}");
        assert_eq!(witness(80.0).text(DomainKind::Module), None);
    }

    #[test]
    fn of_a_whole_without_power_there_is_no_share() {
        let witness = Witness::default();
        let still = [at(0.0, 0, energy(5.0)), at(9.0, 0, energy(5.0))];
        witness.whole(&domain("external:node", DomainKind::Node), &still);
        witness.take(&domain("rapl:package-0", DomainKind::CpuPackage), false, still.iter());
        let text = witness.text(DomainKind::Node).unwrap();
        assert!(text.contains("show 0.0 W") && !text.contains('%'), "{text}");
    }

    #[test]
    fn two_meters_of_a_node_are_its_halves_and_other_sensors_of_the_same_are_beside() {
        let witness = witness(80.0);
        let second = domain("external:node-2", DomainKind::Node);
        let wall: Vec<Reading> = (0..=10).map(|t| at(f64::from(t), 0, power(80.0))).collect();
        witness.whole(&second, &wall);
        let text = witness.text(DomainKind::Node).unwrap();
        assert!(text.contains("280.0 W") && text.contains("50 %"), "{text}");
        let rail = domain("external:cpu-package", DomainKind::CpuPackage);
        witness.whole(&rail, &[at(0.0, 0, energy(0.0)), at(4.0, 0, energy(260.0))]);
        let text = witness.text(DomainKind::CpuPackage).unwrap();
        assert!(text.contains("65.0 W") && text.contains("60.0 W"), "{text}");
    }

    #[test]
    fn what_was_observed_for_a_moment_or_restarted_is_not_compared() {
        let mut mean = Mean::default();
        for (seconds, joules) in [(0.0, 0.0), (2.0, 100.0)] {
            mean.take(&at(seconds, 0, energy(joules)));
        }
        assert_eq!(mean.watts(), None);
        mean.take(&at(3.0, 0, Value::Restarted("driver".to_owned())));
        for (seconds, joules) in [(4.0, 100.0), (8.0, 300.0)] {
            mean.take(&at(seconds, 0, energy(joules)));
        }
        assert_eq!(mean.watts(), Some(50.0));
    }

    #[test]
    fn domains_that_are_not_covered_go_on_under_new_numbers() {
        let parts = [domain("gpu", DomainKind::Gpu), domain("dram", DomainKind::Dram)];
        let readings = vec![at(0.0, 0, power(80.0)), at(0.0, 1, power(7.0))];
        let witness = Witness::default();
        let used = |domain: &Domain| domain.kind == DomainKind::Dram;
        let mut beside = Beside::of(Box::new(Scripted(parts, readings)), used, &witness);
        let before = at(0.0, 0, power(1.0));
        let mut readings = vec![before.clone()];
        beside.read(Request::Routine, &mut readings);
        assert_eq!(readings, [before, at(0.0, 0, power(7.0))]);
        assert_eq!(beside.domains()[0].id, "dram");
    }
}

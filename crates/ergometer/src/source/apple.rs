//! Apple Silicon: what the chip itself counts of its energy.
//!
//! macOS shows the counters of the chip's parts through `IOReport`, without privilege; `macmon` reads them. Three
//! domains are made of them:
//! * the package: all CPU cores, and the neural engine, which is part of the chip and mostly idle;
//! * the GPU;
//! * the memory.
//!
//! The counters are estimates of the chip, as RAPL's are. Apple says of the same figures that they should not be used
//! to compare devices (`powermetrics(1)`), and nobody has published how far off they are; [`ERROR`] is a judgement.
//!
//! Not covered: the display, the storage, the power supply, and the memory inside the GPU (`GPU SRAM`), of which it is
//! not documented whether the GPU's counter contains it. Compiled for Apple Silicon and tested by a script; not yet
//! seen on a Mac.

#[cfg(all(target_os = "macos", target_arch = "aarch64"))]
use std::path::Path;

#[cfg(all(target_os = "macos", target_arch = "aarch64"))]
use super::host;
use super::{
    Availability, Domain, DomainKind, PowerSource, Reading, Request, Sensor, SourceReport, Value,
};
use crate::clock;
use crate::energy::Method;
use crate::units::{Joules, Watts};

/// The source's name.
pub(crate) const NAME: &str = "apple";

/// Relative standard uncertainty of the counters. A judgement.
const ERROR: f64 = 0.1;

/// What a counter has counted since the last sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Counted {
    pub group: String,
    pub channel: String,
    /// `mJ`, `uJ` or `nJ`.
    pub unit: String,
    pub amount: i64,
}

/// Reads all counters.
pub(super) trait Counters: Send {
    /// What each has counted since the last call. The error is the reason why that is not known.
    fn sample(&mut self) -> Result<Vec<Counted>, String>;
}

/// The domains of a chip, in the order of their index.
const PARTS: [Part; 3] = [Part::Package, Part::Gpu, Part::Memory];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Package,
    Gpu,
    Memory,
}

impl Part {
    /// The part that a counter is of, where it is of one.
    fn of(counted: &Counted) -> Option<Self> {
        match (counted.group.as_str(), counted.channel.as_str()) {
            // A chip of two dies has `DIE_0_CPU Energy` and `DIE_1_CPU Energy`.
            ("Energy Model", channel) if channel.ends_with("CPU Energy") => Some(Self::Package),
            ("Energy Model" | "PMP", channel) if channel.starts_with("ANE") => Some(Self::Package),
            ("Energy Model", "GPU Energy") => Some(Self::Gpu),
            ("Energy Model", channel) if channel.starts_with("DRAM") => Some(Self::Memory),
            _ => None,
        }
    }

    fn domain(self, chip: &str) -> Domain {
        let (id, kind, what) = match self {
            Self::Package => ("package", DomainKind::CpuPackage, "CPU and neural engine"),
            Self::Gpu => ("gpu", DomainKind::Gpu, "GPU"),
            Self::Memory => ("dram", DomainKind::Dram, "memory"),
        };
        Domain {
            id: format!("{NAME}:{id}"),
            kind,
            label: format!("{chip} {what}"),
            source: NAME.to_owned(),
            method: Method::Counter,
            sensor: Sensor {
                counter_period_s: None,
                counter_quantum: Some(Joules::new(0.001)),
                power_period_s: None,
                power_window_s: None,
                relative_error: ERROR,
                absolute_error: Watts::ZERO,
            },
            pci_address: None,
            power_limit: None,
            note: Some(
                "estimated by the chip; how far off it is has not been published".to_owned(),
            ),
        }
    }
}

/// The parts of a chip that show an energy.
pub(crate) struct Apple {
    counters: Box<dyn Counters>,
    parts: Vec<Part>,
    domains: Vec<Domain>,
    /// What each part has drawn, nanojoules.
    totals: Vec<u64>,
}

impl Apple {
    /// Opens the `counters` of the `chip`, and reports what was found.
    pub(super) fn open(
        chip: &str,
        counters: Result<Box<dyn Counters>, String>,
    ) -> (Option<Self>, SourceReport) {
        let first = counters.and_then(|mut counters| Ok((counters.sample()?, counters)));
        let (apple, availability) = match first {
            Ok((sample, counters)) => {
                let shows = |part: &Part| sample.iter().any(|one| Part::of(one) == Some(*part));
                let parts: Vec<Part> = PARTS.into_iter().filter(shows).collect();
                let domains: Vec<_> = parts.iter().map(|part| part.domain(chip)).collect();
                let totals = vec![0; parts.len()];
                let apple =
                    (!parts.is_empty()).then_some(Self { counters, parts, domains, totals });
                let availability = if apple.is_some() {
                    Availability::Available
                } else {
                    unavailable("this chip shows no energy, as in a virtual machine".to_owned())
                };
                (apple, availability)
            }
            Err(why) => (None, unavailable(why)),
        };
        let domains = apple.iter().flat_map(|apple| &apple.domains).map(|one| one.id.clone());
        let report = SourceReport {
            source: NAME.to_owned(),
            availability,
            domains: domains.collect(),
            remarks: Vec::new(),
        };
        (apple, report)
    }
}

fn unavailable(reason: String) -> Availability {
    let remedy = "run on the bare machine, with Apple Silicon and macOS 12 or newer".to_owned();
    Availability::Unavailable { reason, remedy }
}

impl PowerSource for Apple {
    fn domains(&self) -> &[Domain] {
        &self.domains
    }

    /// Reads every counter on any request.
    fn read(&mut self, _request: Request, readings: &mut Vec<Reading>) {
        let before = clock::checked_now();
        let sample = self.counters.sample();
        let at = before.after(clock::checked_now().since(before) / 2);
        for (domain, (part, total)) in self.parts.iter().zip(&mut self.totals).enumerate() {
            let value = match &sample {
                Err(why) => Value::Missing(why.clone()),
                Ok(sample) => match drawn(*part, sample) {
                    Some(Ok(nanojoules)) => {
                        *total = total.saturating_add(nanojoules);
                        Value::Energy(Joules::new(*total as f64 * 1e-9))
                    }
                    Some(Err(why)) => Value::Restarted(why),
                    None => Value::Missing("its counter is no longer shown".to_owned()),
                },
            };
            readings.push(Reading::new(domain, at, value));
        }
    }
}

/// What a part has drawn according to a sample, nanojoules; `None` if no counter is of it. The error is the reason why
/// the counters are not valid.
fn drawn(part: Part, sample: &[Counted]) -> Option<Result<u64, String>> {
    // The neural engine has a counter of its own or, on some chips, one of the power controller.
    let is_engine = |one: &Counted| one.channel.starts_with("ANE");
    let modelled = sample.iter().any(|one| is_engine(one) && one.group == "Energy Model");
    let twice = |one: &Counted| modelled && is_engine(one) && one.group == "PMP";
    let mut counted =
        sample.iter().filter(|one| Part::of(one) == Some(part) && !twice(one)).peekable();
    counted.peek()?;
    Some(counted.try_fold(0_u64, |sum, one| Ok(sum.saturating_add(nanojoules(one)?))))
}

fn nanojoules(counted: &Counted) -> Result<u64, String> {
    let Counted { channel, unit, amount, .. } = counted;
    let each = match unit.as_str() {
        "nJ" => 1,
        "uJ" => 1_000,
        "mJ" => 1_000_000,
        _ => return Err(format!("{channel} counts in the unknown unit '{unit}'")),
    };
    // Also what IOReport shows for a value that is not valid.
    let amount = u64::try_from(*amount).map_err(|_| format!("{channel} went back"))?;
    Ok(amount.saturating_mul(each))
}

/// Opens the counters of this Mac.
#[cfg(all(target_os = "macos", target_arch = "aarch64"))]
pub(super) fn of_this_mac() -> (Option<Apple>, SourceReport) {
    let processor = host::Host::read(Path::new("/proc")).processor;
    let chip = processor.and_then(|processor| processor.name);
    Apple::open(chip.as_deref().unwrap_or("Apple"), ioreport::subscribe())
}

/// The counters of this Mac.
#[cfg(all(target_os = "macos", target_arch = "aarch64"))]
mod ioreport {
    use std::sync::mpsc::{self, Receiver, Sender};
    use std::thread;

    use macmon::sources::{IOReport, cfio_integer_value};

    use super::{Counted, Counters};

    type Sample = Result<Vec<Counted>, String>;

    /// A subscription must stay on its thread, so it has one of its own.
    struct Subscribed {
        requests: Sender<()>,
        samples: Receiver<Sample>,
    }

    /// Subscribes to the counters of energy.
    pub(super) fn subscribe() -> Result<Box<dyn Counters>, String> {
        let (requests, inbox) = mpsc::channel();
        let (reply, samples) = mpsc::channel();
        let answer = move || {
            let groups = vec![("Energy Model", None), ("PMP", Some("Energy Counters"))];
            let mut report = IOReport::new(groups).map_err(|error| error.to_string());
            while inbox.recv() == Ok(()) {
                let sample = match &mut report {
                    Ok(report) => Ok(sample(report)),
                    Err(why) => Err(format!("IOReport shows nothing: {why}")),
                };
                if reply.send(sample).is_err() {
                    return;
                }
            }
        };
        let started = thread::Builder::new().name("ergometer apple".to_owned()).spawn(answer);
        started.map_err(|error| format!("no thread could be started to read it: {error}"))?;
        Ok(Box::new(Subscribed { requests, samples }))
    }

    /// What was counted since the last sample.
    fn sample(report: &mut IOReport) -> Vec<Counted> {
        let samples = report.get_samples(0, 1);
        let counted = samples.into_iter().flat_map(|(sample, _)| sample).map(|one| Counted {
            amount: cfio_integer_value(one.item),
            group: one.group,
            channel: one.channel,
            unit: one.unit,
        });
        counted.collect()
    }

    impl Counters for Subscribed {
        fn sample(&mut self) -> Sample {
            let ended = || "the thread that reads it has ended".to_owned();
            self.requests.send(()).map_err(|_| ended())?;
            self.samples.recv().map_err(|_| ended())?
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Script(std::vec::IntoIter<Result<Vec<Counted>, String>>);

    impl Counters for Script {
        fn sample(&mut self) -> Result<Vec<Counted>, String> {
            self.0.next().unwrap()
        }
    }

    fn counted(group: &str, channel: &str, unit: &str, amount: i64) -> Counted {
        let [group, channel, unit] = [group, channel, unit].map(str::to_owned);
        Counted { group, channel, unit, amount }
    }

    /// A sample of a chip of two dies; amounts in millijoules.
    fn sample(cpu: i64, gpu: i64, engine: i64, memory: i64) -> Vec<Counted> {
        let model = "Energy Model";
        vec![
            counted(model, "DIE_0_CPU Energy", "mJ", cpu),
            counted(model, "DIE_1_CPU Energy", "uJ", 1000 * cpu),
            counted(model, "PACC0_CPU0", "mJ", cpu / 2),
            counted(model, "GPU Energy", "nJ", 1_000_000 * gpu),
            counted(model, "GPU SRAM0", "mJ", gpu),
            counted(model, "ANE0", "mJ", engine),
            counted("PMP", "ANE", "mJ", engine),
            counted(model, "DRAM0", "mJ", memory),
        ]
    }

    fn open(script: Vec<Result<Vec<Counted>, String>>) -> (Option<Apple>, SourceReport) {
        Apple::open("Apple M2 Ultra", Ok(Box::new(Script(script.into_iter()))))
    }

    fn values(apple: &mut Apple) -> Vec<Value> {
        let mut readings = Vec::new();
        apple.read(Request::Routine, &mut readings);
        assert!(readings.iter().map(|reading| reading.domain).eq(0..readings.len()));
        readings.into_iter().map(|reading| reading.value).collect()
    }

    #[test]
    fn each_joule_of_a_chip_is_counted_once_and_in_its_domain() {
        let (apple, report) = open(vec![
            Ok(sample(5, 5, 5, 5)),
            Ok(sample(1000, 3000, 500, 250)),
            Ok(sample(2000, 0, 0, 250)),
        ]);
        let mut apple = apple.unwrap();
        assert_eq!(report.domains, ["apple:package", "apple:gpu", "apple:dram"]);
        let kinds: Vec<_> = apple.domains().iter().map(|domain| domain.kind).collect();
        assert_eq!(kinds, [DomainKind::CpuPackage, DomainKind::Gpu, DomainKind::Dram]);
        // Both dies and the neural engine, once; neither cores, which are in the dies, nor what is not documented.
        let joules = |values: Vec<Value>| -> Vec<f64> {
            let joules = |value| match value {
                Value::Energy(joules) => joules.get(),
                other => panic!("expected energy, found {other:?}"),
            };
            values.into_iter().map(joules).collect()
        };
        let close = |found: Vec<f64>, expected: [f64; 3]| {
            assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-9), "{found:?}");
        };
        close(joules(values(&mut apple)), [2.5, 3.0, 0.25]);
        close(joules(values(&mut apple)), [6.5, 3.0, 0.5]);
    }

    #[test]
    fn a_counter_that_is_not_valid_is_no_energy() {
        let mut odd = sample(1000, 1000, 0, 1000);
        odd[0].amount = i64::MIN;
        odd[3].unit = "ticks".to_owned();
        let mut gone = sample(1000, 1000, 0, 1000);
        gone.truncate(4);
        let (apple, _) =
            open(vec![Ok(sample(0, 0, 0, 0)), Ok(odd), Err("as asked".to_owned()), Ok(gone)]);
        let mut apple = apple.unwrap();
        assert!(matches!(
            &values(&mut apple)[..],
            [Value::Restarted(back), Value::Restarted(unit), Value::Energy(_)]
                if back.contains("went back") && unit.contains("ticks")
        ));
        assert!(values(&mut apple).iter().all(|value| matches!(value, Value::Missing(_))));
        let last = values(&mut apple);
        assert!(matches!(last[2], Value::Missing(_)), "{last:?}");
        assert_eq!(last[0], Value::Energy(Joules::new(2.0)));
    }

    #[test]
    fn without_counters_there_is_no_source_and_the_reason_is_reported() {
        let of = |script| match open(script) {
            (None, SourceReport { availability: Availability::Unavailable { reason, .. }, .. }) => {
                reason
            }
            (_, report) => panic!("{report:?}"),
        };
        assert!(
            of(vec![Ok(vec![counted("CPU Stats", "ECPU0", "24Mticks", 5)])]).contains("virtual")
        );
        assert!(of(vec![Err("no subscription".to_owned())]).contains("no subscription"));
        let (_, report) = Apple::open("Apple M2", Err("no thread".to_owned()));
        assert!(format!("{report:?}").contains("no thread"));
    }
}

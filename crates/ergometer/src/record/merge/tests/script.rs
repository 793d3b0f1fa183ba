//! Hand-made records of ranks whose domains draw a constant power.

use std::collections::BTreeMap;

use super::*;
use crate::energy::Uncertainty;
use crate::record::rank::Origin;
use crate::record::{Distribution, Epoch, Items, SpanNode, Steps};
use crate::source::{Domain, Sensor, SourceReport};
use crate::span::Kind;

/// What a rank metered: where, when, and at which power.
#[derive(Clone, Debug)]
pub(in crate::record) struct Script {
    pub rank: u32,
    pub world_size: u32,
    pub machine: u32,
    pub start: f64,
    pub seconds: f64,
    /// Identity, kind, method, watts.
    pub domains: Vec<(String, DomainKind, Method, f64)>,
    /// Split, start and end relative to the rank's start.
    pub epochs: Vec<(&'static str, f64, f64)>,
}

impl Script {
    pub(in crate::record) fn new(rank: u32, world_size: u32, seconds: f64) -> Self {
        let (domains, epochs) = (Vec::new(), Vec::new());
        Self { rank, world_size, machine: 0, start: 0.0, seconds, domains, epochs }
    }

    pub(in crate::record) fn from(mut self, start: f64) -> Self {
        self.start = start;
        self
    }

    pub(in crate::record) fn on(mut self, machine: u32) -> Self {
        self.machine = machine;
        self
    }

    pub(in crate::record) fn gpu(self, id: &str, watts: f64) -> Self {
        self.with(id, DomainKind::Gpu, Method::Counter, watts)
    }

    pub(in crate::record) fn cpu(self, id: &str, watts: f64) -> Self {
        self.with(id, DomainKind::CpuPackage, Method::Counter, watts)
    }

    pub(in crate::record) fn with(
        mut self,
        id: &str,
        kind: DomainKind,
        method: Method,
        watts: f64,
    ) -> Self {
        self.domains.push((id.to_owned(), kind, method, watts));
        self
    }

    pub(in crate::record) fn epoch(mut self, split: &'static str, begin: f64, end: f64) -> Self {
        self.epochs.push((split, begin, end));
        self
    }

    fn energy(&self, index: usize, seconds: f64) -> Energy {
        let (.., method, watts) = &self.domains[index];
        let joules = Joules::new(watts * seconds);
        let parts = Uncertainty { gain: joules * 0.01, ..Uncertainty::default() };
        let standard_uncertainty = parts.standard();
        Energy { joules, standard_uncertainty, parts, method: *method, coverage: 1.0 }
    }

    fn usage(&self, seconds: f64) -> Usage {
        let by_domain: Vec<_> =
            (0..self.domains.len()).map(|index| Some(self.energy(index, seconds))).collect();
        Usage { seconds, energy: Energy::across(by_domain.iter().flatten()), by_domain }
    }

    fn joules(&self, seconds: f64) -> Vec<Joules> {
        self.domains.iter().map(|(.., watts)| Joules::new(watts * seconds)).collect()
    }

    /// `count` steps of 10 tokens each that take `seconds` in total.
    fn steps(&self, count: u64, seconds: f64) -> Steps {
        let same = |mean: f64| {
            let value = Some(mean);
            Distribution { mean, min: value, max: value, p50: value, p95: value }
        };
        let joules: f64 = self.joules(seconds).iter().map(|joules| joules.get()).sum();
        let items = 10.0 * count as f64;
        Steps {
            count,
            seconds,
            by_domain: self.joules(seconds),
            joules: same(joules / count as f64),
            duration_s: same(seconds / count as f64),
            items: Some(Items {
                count: items,
                unit: "tokens".to_owned(),
                joules_per_item: Joules::new(joules / items),
                per_second: items / seconds,
            }),
            folded: 0,
        }
    }

    fn span(&self, kind: Kind, name: &str, seconds: f64, children: Vec<SpanNode>) -> SpanNode {
        let sum = |joules: &[Joules]| joules.iter().copied().sum::<Joules>();
        let by_domain = self.joules(seconds);
        let inner: Joules = children.iter().map(|child| sum(&child.by_domain)).sum();
        SpanNode {
            kind,
            name: name.to_owned(),
            count: 1,
            folded: 0,
            seconds,
            inclusive: None,
            standard_uncertainty: sum(&by_domain) * 0.01,
            exclusive: sum(&by_domain) - inner,
            by_domain,
            children,
        }
    }

    pub(in crate::record) fn record(&self) -> Record {
        let total = self.usage(self.seconds);
        let mut epochs: Vec<Epoch> = Vec::new();
        let mut steps: BTreeMap<String, Steps> = BTreeMap::new();
        for &(split, begin, end) in &self.epochs {
            let seconds = end - begin;
            // The four steps take four fifths of an epoch.
            let inside = self.steps(4, seconds * 0.8);
            let of_split = self.epochs.iter().filter(|(other, ..)| *other == split);
            let whole: f64 = of_split.clone().map(|(_, begin, end)| end - begin).sum();
            let count = 4 * of_split.count() as u64;
            steps.insert(split.to_owned(), self.steps(count, whole * 0.8));
            epochs.push(Epoch {
                split: split.to_owned(),
                index: 1 + epochs.iter().filter(|epoch| epoch.split == split).count() as u64,
                start_s: begin,
                usage: self.usage(seconds),
                steps: Some(inside),
                steps_by_name: Vec::new(),
                between_steps: self.joules(seconds * 0.2),
            });
        }
        let in_epochs: f64 = self.epochs.iter().map(|(_, begin, end)| end - begin).sum();
        let splits = steps.keys().map(|split| {
            let of_split = self.epochs.iter().filter(|(other, ..)| other == split);
            let seconds = of_split.map(|(_, begin, end)| end - begin).sum::<f64>();
            let step = self.span(Kind::Step, "step", seconds * 0.8, Vec::new());
            self.span(Kind::Epoch, split, seconds, vec![step])
        });
        let boards = self.domains.iter().filter(|(_, kind, ..)| *kind == DomainKind::Gpu).count();
        let rank = Rank {
            rank: self.rank,
            local_rank: None,
            world_size: self.world_size,
            origin: Origin::Set,
        };
        let started = jiff::Timestamp::from_second(1_700_000_000).unwrap()
            + jiff::SignedDuration::from_secs_f64(self.start);
        Record {
            schema: Record::SCHEMA.to_owned(),
            run: RunInfo {
                id: format!("run-{}", self.rank),
                label: "run".to_owned(),
                started: started.to_string(),
                seconds: self.seconds,
                asleep_seconds: None,
                cpu_utilisation: None,
                idle_seconds: None,
                command: vec!["train".to_owned()],
                ergometer: "0.1.0".to_owned(),
                git_commit: None,
                rank: Some(rank),
                group: Some("torchrun:a".to_owned()),
                finished: true,
                exit_code: None,
            },
            machine: Machine {
                machine_id: Some(format!("{:016x}", self.machine)),
                host: Some(format!("node-{}", self.machine)),
                ..Machine::default()
            },
            sources: vec![SourceReport {
                source: "simulated".to_owned(),
                availability: Availability::Available,
                domains: self.domains.iter().map(|(id, ..)| id.clone()).collect(),
                remarks: Vec::new(),
            }],
            domains: (0..self.domains.len()).map(|index| self.domain_record(index)).collect(),
            spans: splits.collect(),
            epochs,
            more_epochs: BTreeMap::new(),
            steps_by_name: BTreeMap::new(),
            method_shares: BTreeMap::new(),
            outside_epochs: self.joules(self.seconds - in_epochs),
            footprint: site().footprint(
                total.energy.as_ref(),
                self.seconds,
                u32::try_from(boards).unwrap(),
            ),
            total,
            steps,
            results: [("loss".to_owned(), 0.5)].into(),
            facts: BTreeMap::new(),
            ranks: Vec::new(),
            programs: Vec::new(),
            forecasts: Vec::new(),
            earlier: Vec::new(),
            power: None,
            warnings: Vec::new(),
        }
    }

    fn domain_record(&self, index: usize) -> DomainRecord {
        let (id, kind, method, watts) = &self.domains[index];
        let sensor = Sensor {
            counter_period_s: None,
            counter_quantum: None,
            power_period_s: None,
            power_window_s: None,
            relative_error: 0.01,
            absolute_error: Watts::ZERO,
        };
        DomainRecord {
            domain: Domain {
                id: id.clone(),
                kind: *kind,
                label: id.clone(),
                source: id.split(':').next().unwrap_or_default().to_owned(),
                method: *method,
                sensor,
                pci_address: None,
                power_limit: None,
                note: None,
            },
            energy: Some(self.energy(index, self.seconds)),
            mean_power: Some(Watts::new(*watts)),
            idle_power: None,
            above_idle: None,
            counter_joules: None,
            integrated_joules: None,
            readings: 10,
            failed_readings: 0,
            warnings: Vec::new(),
        }
    }
}

/// A site whose rent is stated, so that it does not depend on the boards.
fn site() -> Site {
    Site::current().with_accelerator(AcceleratorPrice::p100()).unwrap()
}

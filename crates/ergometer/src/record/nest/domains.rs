//! What each domain of the run drew for one program, and how the program's figures are scaled to it.

use super::{Inside, share, total};
use crate::energy::{Energy, Method, Uncertainty, Usage};
use crate::record::{Distribution, Epoch, Items, Record, SpanNode, Steps};
use crate::units::Joules;

/// The program's part of each domain of the run.
pub(super) struct Shares<'a> {
    run: &'a Record,
    start: f64,
    /// Joules that the run drew in the program's time, each moment divided among the programs that ran then.
    pub drawn: Vec<f64>,
    /// The part of what the run drew in the program's time that is the program's: 1 for one that ran alone.
    part: Vec<f64>,
    /// The domain in the program's record, and the factor for its figures there; `None` if it metered none or
    /// read nothing.
    metered: Vec<Option<(usize, f64)>>,
    /// Run and program read the same domains, so that the distribution of its steps is known.
    alike: bool,
}

impl<'a> Shares<'a> {
    /// The program `inside`, among all programs of the run, whose times are `windows`.
    pub fn new(run: &'a Record, inside: &Inside, windows: &Windows) -> Self {
        let pieces = windows.pieces((inside.start, inside.end));
        let (mut drawn, mut part, mut metered) = (Vec::new(), Vec::new(), Vec::new());
        for (domain, row) in run.domains.iter().enumerate() {
            let pieces = pieces
                .iter()
                .map(|&(from, to, programs)| (between(run, domain, from, to), programs as f64));
            let whole: f64 = pieces.clone().map(|(joules, _)| joules).sum();
            let own: f64 = pieces.map(|(joules, programs)| joules / programs).sum();
            let of_program = inside.record.domains.iter().enumerate().find_map(|(at, other)| {
                let joules =
                    other.energy.filter(|_| other.domain.id == row.domain.id)?.joules.get();
                (joules > 0.0).then_some((at, own / joules))
            });
            drawn.push(own);
            part.push(share(own, whole));
            metered.push(of_program);
        }
        let read =
            |record: &Record| record.domains.iter().filter(|row| row.energy.is_some()).count();
        let common = metered.iter().flatten().count();
        let alike = common > 0 && common == read(run) && common == read(&inside.record);
        Self { run, start: inside.start, drawn, part, metered, alike }
    }

    /// Number of the run's domains.
    pub fn len(&self) -> usize {
        self.drawn.len()
    }

    /// Joules by domain of the run: the program's own figures, scaled, or `unmetered` in domains that only the run
    /// metered.
    pub fn joules(&self, own: &[Joules], unmetered: &[f64]) -> Vec<Joules> {
        let metered = self.metered.iter().zip(unmetered);
        let joules = metered.map(|(metered, unmetered)| match metered {
            Some((at, scale)) => own[*at] * *scale,
            None => Joules::new(*unmetered),
        });
        joules.collect()
    }

    /// What the run drew in the time of each epoch; a moment of several epochs is divided among them.
    pub fn epochs(&self, epochs: &[Epoch]) -> Vec<Vec<f64>> {
        if self.metered.iter().all(Option::is_some) {
            return vec![vec![0.0; self.len()]; epochs.len()];
        }
        let window = |epoch: &Epoch| {
            let start = self.start + epoch.start_s;
            (start, start + epoch.usage.seconds)
        };
        let windows: Vec<_> = epochs.iter().map(window).collect();
        let all = Windows::of(windows.iter().copied());
        let joules = |window: &(f64, f64)| {
            let pieces = all.pieces(*window);
            let of = |domain: usize| {
                let pieces = pieces
                    .iter()
                    .map(|&(from, to, epochs)| between(self.run, domain, from, to) / epochs as f64);
                pieces.sum::<f64>() * self.part[domain]
            };
            (0..self.len()).map(of).collect()
        };
        windows.iter().map(joules).collect()
    }

    /// Time and energy of an epoch that begins at `start`, seconds from the start of the run.
    pub fn usage(&self, own: &Usage, unmetered: &[f64], start: f64) -> Usage {
        let of = |domain: usize| {
            let whole = self.run.domains[domain].energy?;
            match self.metered[domain] {
                Some((at, scale)) => own.by_domain[at].map(|energy| scaled(&energy, scale, &whole)),
                None => {
                    Some(self.unmetered((domain, whole), unmetered[domain], (start, own.seconds)))
                }
            }
        };
        let by_domain: Vec<_> = (0..self.len()).map(of).collect();
        Usage { seconds: own.seconds, energy: total(&by_domain), by_domain }
    }

    /// The energy of a domain that only the run metered, from its power over time.
    fn unmetered(
        &self,
        (domain, whole): (usize, Energy),
        joules: f64,
        (start, seconds): (f64, f64),
    ) -> Energy {
        let share = share(joules, whole.joules.get());
        // Where in an interval of mean power the edge falls is not known.
        let edge = |at: f64| self.interval(domain, at) / 12_f64.sqrt();
        let edges = if self.run.domains[domain].domain.method == Method::Assumed {
            0.0
        } else {
            edge(start).hypot(edge(start + seconds))
        };
        let parts = whole.parts.scaled(share);
        let parts = Uncertainty { edges: Joules::new(parts.edges.get().hypot(edges)), ..parts };
        Energy {
            joules: Joules::new(joules),
            standard_uncertainty: parts.standard(),
            parts,
            ..whole
        }
    }

    /// The energy of the interval of power that `at` lies in, or of the program's time where there is no power over
    /// time.
    fn interval(&self, domain: usize, at: f64) -> f64 {
        let Some(power) = &self.run.power else { return self.drawn[domain] };
        let place = power.ends_s.partition_point(|end| *end <= at);
        let start = place.checked_sub(1).map_or(0.0, |before| power.ends_s[before]);
        let end = power.ends_s.get(place).copied().unwrap_or(start);
        between(self.run, domain, start, end)
    }

    /// Statistics of steps that drew `unmetered` in domains that only the run metered.
    pub fn steps(&self, own: &Steps, unmetered: &[f64]) -> Steps {
        let before: f64 = own.by_domain.iter().map(|joules| joules.get()).sum();
        let by_domain = self.joules(&own.by_domain, unmetered);
        let sum: f64 = by_domain.iter().map(|joules| joules.get()).sum();
        let scale = (before > 0.0).then(|| sum / before);
        let known = scale.filter(|_| self.alike);
        let times = |value: Option<f64>| value.zip(known).map(|(value, scale)| value * scale);
        let joules = Distribution {
            mean: scale
                .map_or_else(|| sum / own.count.max(1) as f64, |scale| own.joules.mean * scale),
            min: times(own.joules.min),
            max: times(own.joules.max),
            p50: times(own.joules.p50),
            p95: times(own.joules.p95),
        };
        let items = own.items.clone().map(|items| {
            let each = match scale {
                Some(scale) => items.joules_per_item * scale,
                None => Joules::new(if items.count > 0.0 { sum / items.count } else { 0.0 }),
            };
            Items { joules_per_item: each, ..items }
        });
        Steps { by_domain, joules, items, ..own.clone() }
    }

    /// Standard uncertainty of these joules by domain, from the run's own.
    pub fn uncertainty(&self, joules: &[f64]) -> Joules {
        let squares = joules.iter().zip(&self.run.domains).map(|(joules, row)| {
            let whole = row.energy.map_or((0.0, 0.0), |energy| {
                (energy.joules.get(), energy.standard_uncertainty.get())
            });
            (share(*joules, whole.0) * whole.1).powi(2)
        });
        Joules::new(squares.sum::<f64>().sqrt())
    }

    /// Standard uncertainty of a span, whose `joules` by domain of the run are known.
    pub fn uncertainty_of(&self, node: &SpanNode, joules: &[f64]) -> Joules {
        let before: f64 = node.by_domain.iter().map(|joules| joules.get()).sum();
        let (mut metered, mut others) = (0.0, vec![0.0; joules.len()]);
        let mut placed = 0.0;
        for (domain, (own, joules)) in self.metered.iter().zip(joules).enumerate() {
            if own.is_some() {
                metered += joules;
            } else {
                others[domain] = *joules;
                if self.run.domains[domain].domain.method != Method::Assumed {
                    let share = share(*joules, self.drawn[domain]);
                    placed += (share.min(1.0 - share) * self.drawn[domain]).powi(2) / 3.0;
                }
            }
        }
        let own =
            node.standard_uncertainty.get() * if before > 0.0 { metered / before } else { 0.0 };
        let others = self.uncertainty(&others).get();
        Joules::new((own.powi(2) + others.powi(2) + placed).sqrt())
    }
}

/// A figure of the program in a domain that the run metered as `whole`.
fn scaled(energy: &Energy, scale: f64, whole: &Energy) -> Energy {
    let parts = energy.parts.scaled(scale);
    Energy {
        joules: energy.joules * scale,
        standard_uncertainty: parts.standard(),
        parts,
        method: energy.method.max(whole.method),
        coverage: energy.coverage.min(1.0),
    }
}

/// What the run drew in a domain between two times, joules: by its power over time, or by its mean power where it
/// has none.
fn between(run: &Record, domain: usize, from: f64, to: f64) -> f64 {
    let whole = run.domains[domain].energy.map_or(0.0, |energy| energy.joules.get());
    let power = run
        .power
        .as_ref()
        .filter(|power| power.watts.get(domain).is_some_and(|watts| !watts.is_empty()));
    match power {
        Some(power) => power.joules(domain, from, to).get().min(whole),
        None => whole * share(to - from, run.run.seconds),
    }
}

/// When windows of time open and close, seconds, each in order.
pub(super) struct Windows {
    starts: Vec<f64>,
    ends: Vec<f64>,
}

impl Windows {
    pub fn of(windows: impl Iterator<Item = (f64, f64)>) -> Self {
        let (mut starts, mut ends): (Vec<f64>, Vec<f64>) = windows.unzip();
        starts.sort_by(f64::total_cmp);
        ends.sort_by(f64::total_cmp);
        Self { starts, ends }
    }

    /// The stretches of `window`, which is one of these, in which the same number of them are open: from, to, how
    /// many.
    fn pieces(&self, (begin, end): (f64, f64)) -> Vec<(f64, f64, usize)> {
        let inside = |edges: &[f64]| {
            let from = edges.partition_point(|edge| *edge <= begin);
            let to = edges.partition_point(|edge| *edge < end);
            edges[from..to.max(from)].to_vec()
        };
        let mut edges = [vec![begin, end], inside(&self.starts), inside(&self.ends)].concat();
        edges.sort_by(f64::total_cmp);
        edges.dedup();
        let before = |edges: &[f64], at: f64| edges.partition_point(|edge| *edge <= at);
        let open = |at: f64| before(&self.starts, at).saturating_sub(before(&self.ends, at)).max(1);
        edges.windows(2).map(|pair| (pair[0], pair[1], open(pair[0]))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_moment_of_a_window_is_in_one_piece_that_knows_how_many_are_open() {
        let all = [(0.0, 4.0), (1.0, 2.0), (1.5, 6.0), (3.0, 3.0), (4.0, 5.0)];
        let windows = Windows::of(all.into_iter());
        assert_eq!(
            windows.pieces(all[0]),
            [(0.0, 1.0, 1), (1.0, 1.5, 2), (1.5, 2.0, 3), (2.0, 3.0, 2), (3.0, 4.0, 2)]
        );
        assert_eq!(
            windows.pieces(all[2]),
            [(1.5, 2.0, 3), (2.0, 3.0, 2), (3.0, 4.0, 2), (4.0, 5.0, 2), (5.0, 6.0, 1)]
        );
        assert_eq!(windows.pieces(all[3]), [], "no time at all");
    }
}

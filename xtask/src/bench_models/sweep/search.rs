//! What is tried next.

use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::space::{Parameter, Values};
use super::trial::Trial;
use super::{Method, Sweep};

/// A search. What comes next follows from the sweep and the trials that ended, so that a sweep that was killed goes
/// on as it would have.
pub struct Search<'a> {
    sweep: &'a Sweep,
}

impl<'a> Search<'a> {
    /// The search of a sweep.
    pub fn new(sweep: &'a Sweep) -> Self {
        Self { sweep }
    }

    /// The next trial after those that ended; `None` at the end of the search.
    pub fn next(&mut self, ended: &[Trial]) -> Option<Trial> {
        let sweep = self.sweep;
        let id = u32::try_from(ended.len()).ok()?;
        let most = sweep.trials.unwrap_or(u32::MAX);
        match sweep.method {
            Method::Halving => self.next_of_rungs(id, ended),
            _ if id >= most => None,
            Method::Grid => {
                let values = sweep.parameters.grid().ok()?.into_iter().nth(ended.len())?;
                Some(Trial::new(id, values))
            }
            Method::Random => Some(Trial::new(id, self.drawn(id))),
            Method::Tpe => Some(Trial::new(id, self.estimated(id, ended)?)),
        }
    }

    /// A generator of a trial's own, so that no trial depends on how many ran before it in this process.
    fn rng(&self, id: u32) -> StdRng {
        StdRng::seed_from_u64(self.sweep.seed.rotate_left(32) ^ u64::from(id))
    }

    fn drawn(&self, id: u32) -> Values {
        self.sweep.parameters.draw(&mut self.rng(id))
    }

    /// Successive halving (Jamieson and Talwalkar, 2016): the best share of a rung is trained anew for more epochs.
    fn next_of_rungs(&self, id: u32, ended: &[Trial]) -> Option<Trial> {
        let super::Halving { epochs, factor } = self.sweep.halving;
        let (mut rung, mut size, mut first) = (0, self.sweep.trials?, 0);
        while id >= first + size {
            first += size;
            size /= factor;
            rung += 1;
            if size == 0 {
                return None;
            }
        }
        let epochs = epochs.checked_mul(factor.checked_pow(rung)?)?;
        let values = if rung == 0 {
            self.drawn(id)
        } else {
            let mut before: Vec<&Trial> =
                ended.iter().filter(|trial| trial.rung + 1 == rung).collect();
            let objective = |trial: &Trial| trial.objective(self.sweep.maximise);
            // Of equals the earlier one, so that the order is one.
            before.sort_by(|a, b| objective(a).total_cmp(&objective(b)).then(a.id.cmp(&b.id)));
            before.get((id - first) as usize)?.values.clone()
        };
        Some(Trial { rung, epochs: Some(epochs), ..Trial::new(id, values) })
    }

    /// Bergstra et al. (2011): where good trials lie more densely than bad ones, each parameter by itself.
    fn estimated(&self, id: u32, ended: &[Trial]) -> Option<Values> {
        let mut rng = self.rng(id);
        let mut values = Values::new();
        for (name, parameter) in self.sweep.parameters.parameters() {
            let mut optimizer = match parameter {
                Parameter::Choice(choices) => tpe::TpeOptimizer::new(
                    tpe::histogram_estimator(),
                    tpe::categorical_range(choices.len()).ok()?,
                ),
                _ => tpe::TpeOptimizer::new(tpe::parzen_estimator(), tpe::range(0.0, 1.0).ok()?),
            };
            for trial in ended {
                let place = trial.values.get(name).and_then(|value| parameter.place(value));
                let objective = trial.objective(self.sweep.maximise);
                if let Some(place) = place {
                    // A trial that failed was a bad one.
                    optimizer
                        .tell(place, if objective.is_finite() { objective } else { f64::MAX })
                        .ok()?;
                }
            }
            let asked = optimizer.ask(&mut rng).ok()?;
            let place = match parameter {
                Parameter::Choice(choices) => (asked.floor() + 0.5) / choices.len() as f64,
                _ => asked,
            };
            values.insert(name.clone(), parameter.at(place));
        }
        Some(values)
    }
}

impl Parameter {
    /// Where a value lies in its distribution, as the estimator counts: a choice's number, or from 0 to below 1.
    fn place(&self, value: &str) -> Option<f64> {
        let number = || value.parse::<f64>().ok();
        let inside = |place: f64| place.clamp(0.0, 1.0 - f64::EPSILON);
        Some(match self {
            Self::Choice(choices) => {
                choices.iter().position(|choice| choice.to_string() == value)? as f64
            }
            Self::Uniform([low, high]) => inside((number()? - low) / (high - low)),
            Self::Log([low, high]) => inside((number()? / low).ln() / (high / low).ln()),
            Self::Integer([low, high]) => {
                inside((number()? - *low as f64 + 0.5) / (high - low + 1) as f64)
            }
        })
    }
}

//! Two searches over anything that can be mutated and trained for a while: evolution and random search, both with
//! progressive dynamic hurdles.
//!
//! ```text
//! evolution:  the best of a sample ─► mutated ─► trial ─► replaces the worst of another sample
//! trial:      first steps ─► above the first hurdle? ─► more steps ─► above the second? ─► …
//! hurdle:     mean fitness of the population that trained so far, after a fixed number of children
//! ```
//!
//! As So, Liang and Le (2019) describe it and as their program does it (google-research,
//! `evolution/progressive_dynamic_hurdles_algorithm`). There is no crossover in it, and no ageing. Nothing here knows
//! what a candidate is.

mod hurdles;
#[cfg(test)]
mod toy;

use rand::rngs::StdRng;
use rand::seq::index;

pub use hurdles::Hurdles;

/// What can be tried.
pub trait Space {
    /// One of the things.
    type Candidate: Clone;

    /// Where evolution begins; drawn again for each member of the first population.
    fn first(&self, member: usize, rng: &mut StdRng) -> Self::Candidate;

    /// Any one.
    fn random(&self, rng: &mut StdRng) -> Self::Candidate;

    /// A child.
    fn mutated(&self, parent: &Self::Candidate, rng: &mut StdRng) -> Self::Candidate;
}

/// Where candidates are trained.
pub trait Bench<C> {
    /// A candidate in training.
    type Training;

    /// Begins to train.
    fn begin(&mut self, candidate: &C) -> Self::Training;

    /// Trains for further `steps` and says how fit it is now: more is better, and what is not a number is worst.
    fn train(&mut self, training: &mut Self::Training, steps: usize) -> f64;

    /// The trial is over; what it took. Its energy is known a little later.
    fn end(&mut self, training: Self::Training) -> Cost;

    /// Energies, joules, of the trials that ended since they were last asked for, in order, without the last
    /// `but`: waiting for those would take longer. `None` for one that was not read.
    fn energies(&mut self, but: usize) -> Vec<Option<f64>>;
}

/// What trials took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// Energy, joules; `None` where none was read.
    pub joules: Option<f64>,
    /// Floating-point operations of the training steps.
    pub flops: u64,
    /// Training steps.
    pub steps: u64,
}

impl Cost {
    /// The sum over `trials`; its energy is `None` where one has none.
    pub fn of<'a, C: 'a>(trials: impl Iterator<Item = &'a Trial<C>>) -> Self {
        trials.fold(Self::NONE, |sum, trial| sum.plus(&trial.cost))
    }

    /// Of nothing.
    pub const NONE: Self = Self { joules: Some(0.0), flops: 0, steps: 0 };

    /// Both together; without energy where one has none.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            joules: self.joules.zip(other.joules).map(|(one, other)| one + other),
            flops: self.flops + other.flops,
            steps: self.steps + other.steps,
        }
    }
}

/// A candidate that was tried.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial<C> {
    /// What was tried.
    pub candidate: C,
    /// Its last fitness; −∞ for one that diverged.
    pub fitness: f64,
    /// For how many of the hurdles' stretches it was trained.
    pub stretches: usize,
    /// What it took.
    pub cost: Cost,
}

/// How evolution goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tournament {
    /// Members of the population.
    pub population: usize,
    /// Members of a sample.
    pub sample: usize,
}

/// When a search ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Until {
    /// After this many trials.
    Trials(usize),
    /// When what it took comes nearest to this: joules, or operations where no energy was read.
    Spent(Cost),
}

/// The trials of a search that goes on. The energies of the last ones may not be known yet.
struct Trials<C> {
    made: Vec<Trial<C>>,
    /// How many of them, from the first, have their energy.
    known: usize,
}

impl<C> Trials<C> {
    const fn new() -> Self {
        Self { made: Vec::new(), known: 0 }
    }

    /// Takes the energies that are known by now, without those of the last `but` trials.
    fn settle<B: Bench<C>>(&mut self, bench: &mut B, but: usize) {
        for joules in bench.energies(but) {
            self.made[self.known].cost.joules = joules;
            self.known += 1;
        }
    }

    /// Whether the search is over. A further trial is expected to take as much as the mean of those before, and is left
    /// out where more than half of it would be beyond the end. The last trial's energy is waited for only where the
    /// end is near.
    fn are_over<B: Bench<C>>(&mut self, bench: &mut B, until: Until) -> bool {
        self.settle(bench, 1);
        let limit = match until {
            Until::Trials(most) => return self.made.len() >= most,
            Until::Spent(limit) => limit,
        };
        // Spent so far, the mean of a trial, and the limit, in the same unit.
        let figures = |trials: &Self| {
            let known = Cost::of(trials.made[..trials.known].iter());
            let all = Cost::of(trials.made.iter());
            let count = trials.made.len() as f64;
            match (known.joules, limit.joules) {
                (Some(joules), Some(limit)) => {
                    let mean = joules / trials.known as f64;
                    (joules + mean * (count - trials.known as f64), mean, limit)
                }
                _ => (all.flops as f64, all.flops as f64 / count, limit.flops as f64),
            }
        };
        let (spent, mean, limit) = figures(self);
        let is_far = self.known > 0 && spent + 2.0 * mean < limit;
        if self.made.is_empty() || is_far {
            return false;
        }
        self.settle(bench, 0);
        let (spent, mean, limit) = figures(self);
        spent + mean / 2.0 > limit
    }

    /// The search is over.
    fn end<B: Bench<C>>(mut self, bench: &mut B, hurdles: Hurdles) -> Search<C> {
        self.settle(bench, 0);
        Search { trials: self.made, hurdles }
    }
}

/// A search that has ended.
#[derive(Clone, Debug)]
pub struct Search<C> {
    /// All trials, in order.
    pub trials: Vec<Trial<C>>,
    /// The hurdles as they were at the end.
    pub hurdles: Hurdles,
}

impl<C> Search<C> {
    /// The fittest of all trials; `None` where there was none.
    pub fn best(&self) -> Option<&Trial<C>> {
        self.trials.iter().max_by(|one, other| one.fitness.total_cmp(&other.fitness))
    }

    /// How many trials did not train to the end.
    pub fn trials_cut(&self) -> usize {
        self.of_cut().count()
    }

    /// What those took.
    pub fn cut(&self) -> Cost {
        Cost::of(self.of_cut())
    }

    fn of_cut(&self) -> impl Iterator<Item = &Trial<C>> {
        self.trials.iter().filter(|trial| trial.stretches < self.hurdles.stretches())
    }

    /// What all trials took.
    pub fn cost(&self) -> Cost {
        Cost::of(self.trials.iter())
    }
}

/// Trains `candidate` as far as `hurdles` let it.
fn tried<C, B: Bench<C>>(bench: &mut B, hurdles: &Hurdles, candidate: C) -> Trial<C> {
    let mut training = bench.begin(&candidate);
    let mut fitness = f64::NEG_INFINITY;
    let mut stretches = 0;
    for steps in hurdles.steps() {
        let seen = bench.train(&mut training, *steps);
        fitness = if seen.is_nan() { f64::NEG_INFINITY } else { seen };
        stretches += 1;
        if !hurdles.lets(stretches, fitness) {
            break;
        }
    }
    Trial { candidate, fitness, stretches, cost: bench.end(training) }
}

/// Evolution by tournaments.
pub fn evolve<S: Space, B: Bench<S::Candidate>>(
    space: &S,
    bench: &mut B,
    Tournament { population: members, sample }: Tournament,
    mut hurdles: Hurdles,
    until: Until,
    rng: &mut StdRng,
) -> Search<S::Candidate> {
    let mut trials = Trials::new();
    // Places of the population's members among the trials.
    let mut population: Vec<usize> = Vec::new();
    while !trials.are_over(bench, until) {
        let fitness = |member: &usize| trials.made[population[*member]].fitness;
        let mut drawn = || index::sample(rng, members, sample.clamp(1, members)).into_vec();
        let growing = population.len() < members;
        let (candidate, place) = if growing {
            (space.first(population.len(), rng), population.len())
        } else {
            let better = |one: &usize, other: &usize| fitness(one).total_cmp(&fitness(other));
            let parent = drawn().into_iter().max_by(better).unwrap_or(0);
            let victim = drawn().into_iter().min_by(better).unwrap_or(0);
            (space.mutated(&trials.made[population[parent]].candidate, rng), victim)
        };
        if growing {
            population.push(place);
        }
        population[place] = trials.made.len();
        trials.made.push(tried(bench, &hurdles, candidate));
        if trials.made.len() > members {
            hurdles.child(population.iter().map(|member| &trials.made[*member]));
        }
    }
    trials.end(bench, hurdles)
}

/// Random search: each candidate is drawn anew. Hurdles are the mean of all trials so far.
pub fn random<S: Space, B: Bench<S::Candidate>>(
    space: &S,
    bench: &mut B,
    mut hurdles: Hurdles,
    until: Until,
    rng: &mut StdRng,
) -> Search<S::Candidate> {
    let mut trials = Trials::new();
    while !trials.are_over(bench, until) {
        trials.made.push(tried(bench, &hurdles, space.random(rng)));
        hurdles.child(trials.made.iter());
    }
    trials.end(bench, hurdles)
}

#[cfg(test)]
mod tests {
    use rand::{RngExt as _, SeedableRng as _};

    use super::*;

    /// Numbers that are as fit as they are large; a child is one larger.
    struct Numbers;

    impl Space for Numbers {
        type Candidate = i32;

        fn first(&self, member: usize, _rng: &mut StdRng) -> i32 {
            i32::try_from(member).unwrap()
        }

        fn random(&self, rng: &mut StdRng) -> i32 {
            rng.random_range(0..10)
        }

        fn mutated(&self, parent: &i32, _rng: &mut StdRng) -> i32 {
            parent + 1
        }
    }

    /// Says each number's fitness, and counts steps; 3 diverges.
    struct Sums {
        metered: bool,
        ended: Vec<Option<f64>>,
    }

    impl Sums {
        const fn new(metered: bool) -> Self {
            Self { metered, ended: Vec::new() }
        }
    }

    impl Bench<i32> for Sums {
        type Training = (i32, u64);

        fn begin(&mut self, candidate: &i32) -> (i32, u64) {
            (*candidate, 0)
        }

        fn train(&mut self, training: &mut (i32, u64), steps: usize) -> f64 {
            training.1 += steps as u64;
            if training.0 == 3 { f64::NAN } else { f64::from(training.0) }
        }

        fn end(&mut self, (_, steps): (i32, u64)) -> Cost {
            self.ended.push(self.metered.then_some(2.0 * steps as f64));
            Cost { joules: None, flops: 10 * steps, steps }
        }

        fn energies(&mut self, but: usize) -> Vec<Option<f64>> {
            self.ended.drain(..self.ended.len().saturating_sub(but)).collect()
        }
    }

    fn evolved(hurdles: Hurdles, trials: usize) -> Search<i32> {
        let tournament = Tournament { population: 4, sample: 4 };
        let mut bench = Sums::new(true);
        let mut rng = StdRng::seed_from_u64(1);
        evolve(&Numbers, &mut bench, tournament, hurdles, Until::Trials(trials), &mut rng)
    }

    #[test]
    fn the_best_becomes_parent_and_the_worst_is_replaced() {
        // The whole population is each sample: 0 1 2 and 3, which diverged; then 2 + 1 takes the place of 3 and
        // diverges too, and from then on 2 has no other child.
        let search = evolved(Hurdles::new(vec![5], 100), 6);
        let candidates: Vec<_> = search.trials.iter().map(|trial| trial.candidate).collect();
        assert_eq!(candidates, [0, 1, 2, 3, 3, 3]);
        assert!(search.trials[3].fitness < f64::MIN, "what diverged is worst");
        assert_eq!(search.best().map(|trial| trial.candidate), Some(2));
        // What diverged has cost as much as the others.
        assert_eq!(search.cost(), Cost { joules: Some(60.0), flops: 300, steps: 30 });
    }

    #[test]
    fn a_hurdle_is_the_mean_of_the_population_and_cuts_those_below() {
        let mut hurdles = Hurdles::new(vec![1, 10], 2);
        assert!(!hurdles.lets(1, 1e9), "there is no hurdle yet");
        let trial =
            |fitness, stretches| Trial { candidate: 0, fitness, stretches, cost: Cost::NONE };
        let population = [trial(1.0, 1), trial(3.0, 1), trial(f64::NEG_INFINITY, 1)];
        hurdles.child(population.iter());
        assert_eq!(hurdles.heights(), [] as [f64; 0]);
        hurdles.child(population.iter());
        // Of those that have a fitness.
        assert_eq!(hurdles.heights(), [2.0]);
        assert!(hurdles.lets(1, 2.1) && !hurdles.lets(1, 2.0));
        assert!(!hurdles.lets(2, 9.0), "that was the last stretch");

        // With three stretches the second hurdle waits for trials that went so far.
        let mut hurdles = Hurdles::new(vec![1, 10, 10], 1);
        hurdles.child(population.iter());
        hurdles.child(population.iter());
        assert_eq!(hurdles.heights(), [2.0]);
        hurdles.child([trial(5.0, 2), trial(1.0, 1)].iter());
        assert_eq!(hurdles.heights(), [2.0, 5.0]);
        assert!(hurdles.lets(2, 5.5) && !hurdles.lets(2, 4.0));
    }

    #[test]
    fn trials_train_as_far_as_the_hurdles_let_them() {
        let search = evolved(Hurdles::new(vec![1, 10], 1), 8);
        let steps: Vec<_> = search.trials.iter().map(|trial| trial.cost.steps).collect();
        // The first population and the first child are before the first hurdle.
        assert_eq!(steps[..5], [1; 5]);
        assert_eq!(search.trials.iter().map(|trial| trial.stretches).min(), Some(1));
        let cut = search.trials.iter().filter(|trial| trial.stretches == 1);
        assert_eq!(search.cut(), Cost::of(cut));
    }

    #[test]
    fn random_search_ends_nearest_to_what_the_other_took() {
        let run = |limit: Cost, metered| {
            let mut rng = StdRng::seed_from_u64(5);
            let hurdles = Hurdles::new(vec![5], 100);
            random(&Numbers, &mut Sums::new(metered), hurdles, Until::Spent(limit), &mut rng)
        };
        let limit = |joules| Cost { joules: Some(joules), flops: 500, steps: 0 };
        // A trial takes 10 J: 94 J is nearer to nine of them, 96 J to ten.
        assert_eq!(run(limit(94.0), true).trials.len(), 9);
        assert_eq!(run(limit(96.0), true).trials.len(), 10);
        assert_eq!(run(limit(0.0), true).trials.len(), 1, "at least one is tried");
        // Without energies it is 50 operations a trial.
        let unmetered = run(limit(96.0), false);
        assert_eq!((unmetered.trials.len(), unmetered.cost().joules), (10, None));
        assert_eq!(run(Cost { joules: None, ..limit(0.0) }, true).trials.len(), 10);
        assert_eq!(run(limit(94.0), true).cost().joules, Some(90.0), "the last one's too");
    }
}

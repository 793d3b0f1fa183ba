//! One run: evolution, random search with the same joules, and both winners beside the seed on fresh seeds.
//!
//! ```text
//! run ─┬─ evolution ── trial ── …
//!      ├─ random search ── trial ── …      ends where it has taken as much as evolution
//!      └─ fresh seeds ── trial ── …        seed, evolved and random winner, each on every seed
//! ```

mod recipe;
mod report;
mod results;
mod trial;

use ergometer::span::Label;
use ergometer::{Kind, Span, track_energy};
use harness::{Curve, Failure, Losses, Quality, Summary, TrainArgs};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use transformer::data::Corpus;

use crate::data::Data;
use crate::evolution::{self, Bench as _, Cost, Search, Until};
use crate::genes::{Candidate, Space};
pub use recipe::{Recipe, SIZES};
use trial::{Trainer, seed_of};

/// Parts of a run, in the order of their seeds.
const EVOLUTION: u64 = 0;
const RANDOM: u64 = 1;
const FRESH: u64 = 2;

/// What the searches came to.
pub struct Outcome {
    /// Evolution; its first trial is the Transformer that it began from.
    pub evolution: Search<Candidate>,
    /// Random search.
    pub random: Search<Candidate>,
    /// The Transformer, and the winner of each search.
    pub contestants: [Candidate; 3],
    /// Held-out loss of each contestant after a whole training on each fresh seed, nats a token.
    pub fresh: Vec<[f64; 3]>,
    /// What these trainings took.
    pub fresh_cost: Cost,
    /// Losses of evolution, with the best held-out loss so far after each of its evaluations.
    losses: Losses,
    /// Fingerprint of every loss of random search.
    random_losses: String,
    /// How many lists of genes the space has.
    space_size: f64,
}

/// The space of a search with its rate of mutation.
struct Searched {
    space: Space,
    rate: f64,
}

impl evolution::Space for Searched {
    type Candidate = Candidate;

    /// The seed, and children of it.
    fn first(&self, member: usize, rng: &mut StdRng) -> Candidate {
        let seed = self.space.seed();
        if member == 0 { seed } else { self.space.mutated(&seed, self.rate, rng) }
    }

    fn random(&self, rng: &mut StdRng) -> Candidate {
        self.space.random(rng)
    }

    fn mutated(&self, parent: &Candidate, rng: &mut StdRng) -> Candidate {
        self.space.mutated(parent, self.rate, rng)
    }
}

/// Searches on `corpus` as `args` and `recipe` say, under a meter, and reports what that cost. Random search ends after
/// `random_trials`, if that is given, instead of after evolution's joules.
///
/// # Errors
/// [`Failure::Usage`] for what the user can put right, before anything is trained; else [`Failure::Run`].
pub fn run(
    args: &TrainArgs,
    recipe: &Recipe,
    random_trials: Option<usize>,
    corpus: &Corpus,
) -> Result<(), Failure> {
    let device = harness::device(args)?;
    let meter = harness::meter(args, "search", &device)?;
    let data = Data::new(corpus, recipe.limits, &device)?;
    let space = recipe.space(data.vocabulary);
    let rate = recipe.rate_of_mutation(&space);
    let mut trainer = Trainer::new(recipe, &data, &device, args.quiet);
    let outcome = search(&Searched { space, rate }, &mut trainer, recipe, args.seed, random_trials);

    let perplexity = |contestant| results::mean_loss(&outcome.fresh, contestant).exp();
    results::record(&meter, &outcome);
    let summary = Summary {
        model: "search",
        corpus: &corpus.name,
        parameters: outcome.contestants[1].parameters(),
        quality: Quality { name: "perplexity", first: perplexity(0), last: perplexity(1) },
        losses: outcome.losses.clone(),
        flops: trainer.flops.clone(),
        data: corpus.fingerprint(),
        configuration: format!("{recipe:?}"),
    };
    harness::finish(&meter, args, &device, &summary)?;
    print!("{}", report::of(&outcome));
    Ok(())
}

/// Evolution, random search, and the winners beside the seed.
#[track_energy(run)]
fn search(
    searched: &Searched,
    trainer: &mut Trainer<'_>,
    recipe: &Recipe,
    seed: u64,
    random_trials: Option<usize>,
) -> Outcome {
    let rng = |part| StdRng::seed_from_u64(seed_of(seed, part));
    let part = |name| Span::enter(Label::new(Kind::Function, name));

    let span = part("evolution");
    trainer.part("evolution", seed_of(seed, EVOLUTION));
    let until = Until::Trials(recipe.trials);
    let (tournament, hurdles) = (recipe.tournament, recipe.hurdles());
    let evolution =
        evolution::evolve(searched, trainer, tournament, hurdles, until, &mut rng(EVOLUTION));
    let losses = losses(trainer);
    drop(span);

    let span = part("random search");
    trainer.part("random search", seed_of(seed, RANDOM));
    let until = random_trials.map_or(Until::Spent(evolution.cost()), Until::Trials);
    let random = evolution::random(searched, trainer, recipe.hurdles(), until, &mut rng(RANDOM));
    let random_losses = trainer.losses.hex();
    drop(span);

    let seed_model = searched.space.seed();
    let winner = |search: &Search<Candidate>| {
        search.best().map_or_else(|| seed_model.clone(), |trial| trial.candidate.clone())
    };
    let contestants = [seed_model.clone(), winner(&evolution), winner(&random)];
    let _span = part("fresh seeds");
    trainer.part("fresh seeds", seed_of(seed, FRESH));
    let (fresh, fresh_cost) = on_fresh_seeds(trainer, &contestants, recipe.seeds, seed);
    let space_size = searched.space.size();
    Outcome { evolution, random, contestants, fresh, fresh_cost, losses, random_losses, space_size }
}

/// Each contestant's loss after a whole training on each of `seeds` seeds that no search has seen, and what that took.
fn on_fresh_seeds(
    trainer: &mut Trainer<'_>,
    contestants: &[Candidate; 3],
    seeds: usize,
    seed: u64,
) -> (Vec<[f64; 3]>, Cost) {
    let mut cost = Cost::NONE;
    let losses = (0..seeds).map(|number| {
        let fresh = seed_of(seed_of(seed, FRESH), number as u64);
        contestants.each_ref().map(|candidate| {
            let (loss, own) = trainer.retrain(candidate, fresh);
            cost = cost.plus(&Cost { joules: Some(0.0), ..own });
            loss
        })
    });
    let losses = losses.collect();
    cost.joules = trainer.energies(0).into_iter().sum();
    (losses, cost)
}

/// The losses of what `trainer` trained in this part: of the best so far, after each stretch.
fn losses(trainer: &Trainer<'_>) -> Losses {
    let best = trainer.stretches.iter().scan((f64::NAN, f64::INFINITY), |best, stretch| {
        if stretch.1 < best.1 {
            *best = *stretch;
        }
        Some(*best)
    });
    let best: Vec<(f64, f64)> = best.collect();
    Losses {
        train: best.iter().map(|(train, _)| *train).collect::<Curve>(),
        valid: best.iter().map(|(_, valid)| *valid).collect::<Curve>(),
        fingerprint: trainer.losses.hex(),
    }
}

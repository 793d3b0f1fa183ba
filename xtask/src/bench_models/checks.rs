//! What a run's results are worth beside chance and beside what others have published.

use ergometer_stats::{Interval, Paired, Verdict, wilson};

use super::figure::significant;
use super::model_report::ModelReport;
use super::run::Run;

/// nanoGPT's recipe for a processor: parameters, steps, and the loss that its page shows.
const NANOGPT: (&str, u64, f64) = ("809856", 2000, 1.88);
/// How far from it the loss may be.
const NANOGPT_MARGIN: f64 = 0.05;

/// One line for each thing that can be checked in `run`.
pub fn of(run: &Run) -> Vec<String> {
    [next_sentence(run), nanogpt(run), search(run)].into_iter().flatten().collect()
}

/// What can be checked over the repeats of a model: whether one way to search beats the other.
pub fn of_repeats(model: &ModelReport) -> Option<String> {
    let losses = |run: &Run| {
        let of = |name: &str| run.results.get(name).copied().map(f64::exp);
        of("random_loss").zip(of("evolved_loss"))
    };
    let pairs: Vec<(f64, f64)> = model.runs.iter().filter_map(losses).collect();
    let paired = Paired::of(&pairs)?;
    Some(format!(
        "{}: what evolution finds over what random search finds, {} repeats: {}",
        model.title(),
        paired.pairs,
        change(paired.relative, paired.interval_95)
    ))
}

/// `perplexity -3.10 % (95 % interval -5.00 to -1.20 %, Student): lower`.
fn change(relative: f64, interval: Interval) -> String {
    let words = match Verdict::of(interval, 0.0) {
        Verdict::Less => "lower",
        Verdict::More => "higher",
        Verdict::NoDifference | Verdict::Undecided => "undecided",
    };
    let [relative, low, high] = [relative, interval.low, interval.high].map(|share| share * 100.0);
    format!(
        "perplexity {relative:+.2} % (95 % interval {low:+.2} to {high:+.2} %, Student): {words}"
    )
}

/// What an architecture search took, and whether its winner is better than random search's.
fn search(run: &Run) -> Option<String> {
    let result = |name: &str| run.results.get(name).copied();
    let part = |name: &str| {
        let of = |what: &str| result(&format!("{name}_{what}"));
        let joules = |what: &str| {
            of(what).map_or_else(
                || "unknown energy".to_owned(),
                |joules| format!("{} J", significant(joules, 3)),
            )
        };
        let (trials, cut) = (of("trials")?, of("trials_cut")?);
        Some(format!(
            "{trials} trials, {}, of which {} for {cut} that did not train to the end",
            joules("joules"),
            joules("joules_cut")
        ))
    };
    let (evolution, random) = (part("evolution")?, part("random")?);
    let [relative, low, high] =
        ["", "_low", "_high"].map(|end| result(&format!("evolved_over_random{end}")));
    let winners = relative.zip(low).zip(high).map_or_else(
        || "the winners were not compared".to_owned(),
        |((relative, low), high)| {
            let seeds = result("fresh_seeds").unwrap_or(0.0);
            let change = change(relative, Interval { low, high });
            format!("evolved over random winner on {seeds} fresh seeds: {change}")
        },
    );
    Some(format!(
        "evolution: {evolution}; random search: {random}; {winners}; one search of each kind does not show which way to \
         search is better, which takes --repeats"
    ))
}

/// Whether the model tells consecutive sentences from others more often than chance would.
fn next_sentence(run: &Run) -> Option<String> {
    let result = |name: &str| run.results.get(name).copied();
    let (accuracy, majority) =
        (result("next_sentence_accuracy")?, result("next_sentence_majority")?);
    let pairs = result("next_sentence_pairs")?;
    let interval = wilson((accuracy * pairs).round(), pairs)?;
    let verdict = if interval.low > majority { "above chance" } else { "not above chance" };
    Some(format!(
        "next-sentence accuracy {} (95 % interval {} to {}, Wilson) of {pairs} held-out pairs; the same answer always \
         has {}: {verdict}",
        significant(accuracy, 3),
        significant(interval.low, 3),
        significant(interval.high, 3),
        significant(majority, 3),
    ))
}

/// A training at nanoGPT's recipe beside its published loss.
fn nanogpt(run: &Run) -> Option<String> {
    let (parameters, steps, published) = NANOGPT;
    let is = |name: &str, value: &str| run.facts.get(name).is_some_and(|fact| fact == value);
    let recipe = is("model", "gpt2")
        && is("parameters", parameters)
        && run.training_steps().is_some_and(|train| train.count == steps);
    let loss = run.valid_loss.filter(|_| recipe)?.last;
    let within = (loss - published).abs() <= NANOGPT_MARGIN;
    let energy = run.energy.map_or_else(
        || "an unknown energy".to_owned(),
        |energy| format!("{} J", significant(energy.joules.get(), 2)),
    );
    Some(format!(
        "nanoGPT's recipe for a processor ({parameters} parameters, {steps} steps): validation loss {}, published \
         {published}: {} {NANOGPT_MARGIN}; {} minutes, {energy}",
        significant(loss, 4),
        if within { "within" } else { "not within" },
        significant(run.seconds / 60.0, 2),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench_models::choices::Model;
    use crate::bench_models::report::tests::records::{record, report};

    /// A run with these results and remarks, and steps of training.
    fn run(results: &[(&str, f64)], facts: &[(&str, &str)], steps: u64) -> Run {
        let mut record = record(1, 3800.0);
        record.results.extend(results.iter().map(|(name, value)| ((*name).to_owned(), *value)));
        let facts = facts.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        record.facts.extend(facts);
        record.steps.get_mut("train").unwrap().count = steps;
        report(vec![(Model::Gpt2, record)]).models.remove(0).runs.remove(0)
    }

    #[test]
    fn an_accuracy_is_above_chance_where_its_whole_interval_is_above_the_majority() {
        let of = |accuracy, majority| {
            let results = [
                ("next_sentence_accuracy", accuracy),
                ("next_sentence_majority", majority),
                ("next_sentence_pairs", 1000.0),
            ];
            super::of(&run(&results, &[], 100)).concat()
        };
        let above = of(0.6, 0.55);
        assert!(above.contains("0.600 (95 % interval 0.569 to 0.630, Wilson)"), "{above}");
        assert!(above.ends_with("has 0.550: above chance"), "{above}");
        // The accuracy lies above, its interval does not.
        assert!(of(0.6, 0.58).ends_with("not above chance"));
        assert!(of(0.7125, 0.7125).ends_with("not above chance"));
    }

    #[test]
    fn a_search_has_what_its_cut_trials_took_and_a_verdict_by_the_interval() {
        let search = |low, high| {
            let results = [
                ("evolution_trials", 32.0),
                ("evolution_trials_cut", 25.0),
                ("evolution_joules", 1000.0),
                ("evolution_joules_cut", 512.5),
                ("random_trials", 28.0),
                ("random_trials_cut", 20.0),
                ("evolved_over_random", -0.03),
                ("evolved_over_random_low", low),
                ("evolved_over_random_high", high),
                ("fresh_seeds", 5.0),
            ];
            super::of(&run(&results, &[], 100)).concat()
        };
        let line = search(-0.08, 0.02);
        for part in [
            "evolution: 32 trials, 1,000 J, of which 512 J for 25 that did not train to the end",
            "random search: 28 trials, unknown energy",
            "on 5 fresh seeds: perplexity -3.00 % (95 % interval -8.00 to +2.00 %, Student): undecided",
            "does not show which way to search is better",
        ] {
            assert!(line.contains(part), "{part}: {line}");
        }
        assert!(search(-0.05, -0.01).contains("to -1.00 %, Student): lower"));
        assert!(search(0.01, 0.05).contains("): higher"));
    }

    #[test]
    fn ways_to_search_are_compared_over_repeats() {
        let repeats = |losses: &[(f64, f64)]| {
            let search = |(evolved, random): &(f64, f64)| {
                let mut record = record(1, 3800.0);
                let results = [("evolved_loss", *evolved), ("random_loss", *random)];
                record.results.extend(results.map(|(name, loss)| (name.to_owned(), loss)));
                (Model::Search, record)
            };
            of_repeats(&report(losses.iter().map(search).collect()).models[0])
        };
        // A tenth of a nat less in each repeat; then as much more in one.
        let clear = repeats(&[(1.9, 2.0), (1.91, 2.0), (2.1, 2.21)]).unwrap();
        assert!(clear.contains("search tiny") && clear.contains("3 repeats"), "{clear}");
        assert!(clear.contains("perplexity -9.5") && clear.ends_with(": lower"), "{clear}");
        let unclear = repeats(&[(1.9, 2.0), (2.1, 2.0), (2.0, 2.1)]).unwrap();
        assert!(unclear.ends_with(": undecided"), "{unclear}");
        assert_eq!(repeats(&[(1.9, 2.0)]), None);
    }

    #[test]
    fn only_a_training_at_nanogpts_recipe_stands_beside_its_loss() {
        let losses = [("valid_loss_first", 2.5), ("valid_loss", 1.8991)];
        let facts = [("model", "gpt2"), ("parameters", "809856")];
        let line = of(&run(&losses, &facts, 2000)).concat();
        for part in ["loss 1.899, published 1.88: within 0.05", "1.7 minutes, 3,800 J"] {
            assert!(line.contains(part), "{line}");
        }
        assert!(
            of(&run(&[("valid_loss_first", 2.5), ("valid_loss", 1.95)], &facts, 2000))
                .concat()
                .contains(": not within 0.05")
        );
        assert!(of(&run(&losses, &facts, 500)).is_empty());
        assert!(of(&run(&losses, &facts[..1], 2000)).is_empty());
    }
}

//! What a run's results are worth beside chance and beside what others have published.

use ergometer_stats::wilson;

use super::figure::significant;
use super::run::Run;

/// nanoGPT's recipe for a processor: parameters, steps, and the loss that its page shows.
const NANOGPT: (&str, u64, f64) = ("809856", 2000, 1.88);
/// How far from it the loss may be.
const NANOGPT_MARGIN: f64 = 0.05;

/// One line for each thing that can be checked in `run`.
pub fn of(run: &Run) -> Vec<String> {
    [next_sentence(run), nanogpt(run)].into_iter().flatten().collect()
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

//! What a search came to, for people.

use std::fmt::Write as _;

use ergometer_stats::Verdict;

use super::Outcome;
use super::results::{CONTESTANTS, PAIRS, compared, mean_loss};
use crate::evolution::{Cost, Search};
use crate::extrapolation::{self, PUBLISHED_STEPS};
use crate::genes::Candidate;

/// All of it, a line each.
pub fn of(outcome: &Outcome) -> String {
    let mut text = format!("\nspace: {:.4e} lists of genes\n", outcome.space_size);
    for (name, search) in [("evolution", &outcome.evolution), ("random search", &outcome.random)] {
        line(&mut text, &of_search(name, search));
        curve(&mut text, search);
    }
    let Outcome { fresh, fresh_cost, contestants, .. } = outcome;
    let count = fresh.len();
    line(&mut text, &format!("fresh seeds: {count} trainings of each, {}", joules(fresh_cost)));
    for (index, name) in CONTESTANTS.iter().enumerate() {
        let loss = mean_loss(fresh, index);
        let parameters = contestants[index].parameters();
        let word = contestants[index].word();
        line(
            &mut text,
            &format!(
                "  {name}: mean loss {loss:.4}, perplexity {:.3}, {parameters} parameters, genes {word}",
                loss.exp()
            ),
        );
    }
    for (one, base) in PAIRS {
        let same = contestants[one] == contestants[base];
        line(&mut text, &format!("  {}", verdict(fresh, (one, base), same)));
    }
    line(&mut text, &caution(outcome));
    extrapolated(&mut text, &total(outcome));
    text
}

/// What all trials of a run took.
fn total(outcome: &Outcome) -> Cost {
    outcome.evolution.cost().plus(&outcome.random.cost()).plus(&outcome.fresh_cost)
}

fn of_search(name: &str, search: &Search<Candidate>) -> String {
    let (trials, cut) = (search.trials.len(), search.trials_cut());
    let heights: Vec<String> =
        search.hurdles.heights().iter().map(|height| format!("{:.3}", -height)).collect();
    let hurdles = if heights.is_empty() {
        "no hurdle was made".to_owned()
    } else {
        format!("hurdles at a loss of {}", heights.join(", "))
    };
    let cost = search.cost();
    format!(
        "{name}: {trials} trials, {} steps, {:.3e} FLOPs, {}; {cut} did not train to the end, and took {}; {hurdles}",
        cost.steps,
        cost.flops as f64,
        joules(&cost),
        joules(&search.cut())
    )
}

/// The best loss so far against the joules so far, a line for each trial that was better.
fn curve(text: &mut String, search: &Search<Candidate>) {
    let mut so_far = Cost::NONE;
    let mut best = f64::NEG_INFINITY;
    for (number, trial) in (1..).zip(&search.trials) {
        so_far = so_far.plus(&trial.cost);
        if trial.fitness > best {
            best = trial.fitness;
            let steps = trial.cost.steps;
            let spent = joules(&so_far);
            let loss = -best;
            line(
                text,
                &format!(
                    "  trial {number}: best loss {loss:.4} after {steps} steps; {spent} so far"
                ),
            );
        }
    }
}

fn joules(cost: &Cost) -> String {
    match cost.joules {
        Some(joules) => format!("{joules:.1} J"),
        None => format!("unknown energy ({:.3e} FLOPs)", cost.flops as f64),
    }
}

/// One contestant beside another.
fn verdict(fresh: &[[f64; 3]], (one, base): (usize, usize), same: bool) -> String {
    let names = format!("{} over {}", CONTESTANTS[one], CONTESTANTS[base]);
    if same {
        return format!("{names}: the same architecture");
    }
    let Some((relative, interval)) = compared(fresh, (one, base)) else {
        return format!("{names}: not compared: fewer than two seeds, or one diverged");
    };
    let words = match Verdict::of(interval, 0.0) {
        Verdict::Less => "lower",
        Verdict::More => "higher",
        Verdict::NoDifference | Verdict::Undecided => "undecided",
    };
    let [relative, low, high] = [relative, interval.low, interval.high].map(|share| share * 100.0);
    format!(
        "{names}: perplexity {relative:+.2} % (95 % interval {low:+.2} to {high:+.2} %, Student, pairs of seeds): {words}"
    )
}

/// What these figures cannot show.
fn caution(outcome: &Outcome) -> String {
    let trials = outcome.evolution.trials.len() + outcome.random.trials.len();
    format!(
        "one search of each kind, {trials} trials in all: the intervals are those of two architectures on fresh seeds. \
         Whether one way to search beats the other they do not show: that takes repeated searches (--repeats of \
         bench-models), and an interval between those that leaves out 0"
    )
}

/// What others' rules say of the published search, and of as many steps as this run made, beside what was measured.
fn extrapolated(text: &mut String, total: &Cost) {
    let steps = total.steps as f64;
    let (Some(published), Some(own)) =
        (extrapolation::of_steps(PUBLISHED_STEPS), extrapolation::of_steps(steps))
    else {
        return;
    };
    line(
        text,
        &format!(
            "979 million steps, the published search; in brackets the {steps} steps of this run:"
        ),
    );
    for (published, own) in published.iter().zip(&own) {
        let kwh = published.facility_kwh.map_or_else(String::new, |kwh| format!("{kwh:.0} kWh, "));
        line(
            text,
            &format!(
                "  ÷ {:.1}: {kwh}{:.0} kg CO2e ({:.4} kg): {}",
                published.divisor, published.co2e_kg, own.co2e_kg, published.rule
            ),
        );
    }
    let measured = total.joules.filter(|_| steps > 0.0).map_or_else(
        || "no energy was read here".to_owned(),
        |joules| {
            let per_step = joules / steps;
            let kwh = per_step * PUBLISHED_STEPS / 3.6e6;
            format!(
                "{per_step:.3} J/step measured here, of a far smaller model; as many as published would draw {kwh:.0} kWh \
                 (projected, without PUE)"
            )
        },
    );
    line(text, &format!("  {measured}"));
}

fn line(text: &mut String, line: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_given_only_where_the_whole_interval_says_so() {
        let say = |fresh: &[[f64; 3]]| verdict(fresh, (1, 2), false);
        let clear = say(&[[0.0, 1.90, 2.0], [0.0, 1.92, 2.0], [0.0, 1.91, 2.0]]);
        assert!(clear.starts_with("evolved over random: perplexity -8.61 %"), "{clear}");
        assert!(clear.ends_with(": lower"), "{clear}");
        // The same mean, with seeds that disagree.
        let unclear = say(&[[0.0, 1.70, 2.0], [0.0, 2.12, 2.0], [0.0, 1.91, 2.0]]);
        assert!(unclear.starts_with("evolved over random: perplexity -8.61 %"), "{unclear}");
        assert!(unclear.ends_with(": undecided"), "{unclear}");
        let higher = say(&[[0.0, 2.1, 2.0], [0.0, 2.11, 2.0]]);
        assert!(higher.ends_with(": higher"), "{higher}");
        assert!(say(&[[1.0; 3]]).contains("not compared"));
        assert!(verdict(&[[1.0; 3]; 2], (1, 0), true).ends_with("the same architecture"));
    }

    #[test]
    fn the_three_rules_stand_beside_what_was_measured() {
        let mut text = String::new();
        extrapolated(&mut text, &Cost { joules: Some(500.0), flops: 1, steps: 979 });
        for part in [
            "÷ 1.0: 656347 kWh, 284019 kg CO2e (0.2840 kg): Strubell",
            "÷ 18.7: 15215 kg CO2e (0.0152 kg): Patterson",
            "÷ 88.2: 7468 kWh, 3219 kg CO2e (0.0032 kg): Patterson",
            "0.511 J/step measured here",
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        let mut text = String::new();
        extrapolated(&mut text, &Cost { joules: None, flops: 1, steps: 979 });
        assert!(text.contains("no energy was read here"), "{text}");
    }
}

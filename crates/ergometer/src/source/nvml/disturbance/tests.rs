use super::*;
use crate::source::nvml::update_times::tests::Noise;

/// A counter of this period, or of one that is this long at most, that is read this often at its own rate and at the slow one.
fn pace(period: Option<f64>, longest: f64, own: f64, slow: f64) -> Pace {
    Pace { period, longest, own, slow }
}

/// A board of a constant 250 W whose counter shows `fast` of it when read every 100 ms and
/// `slow` when read once a second, for `seconds`.
fn run(judge: &mut Judge, seconds: f64, fast: f64, slow: f64) -> Vec<Finding> {
    let mut words = Vec::new();
    let (mut joules, mut last) = (0.0, 0.0);
    let mut due = 0.0;
    let mut t = 0.0;
    while t < seconds {
        judge.power(t, 250.0);
        if t >= due {
            let factor = if judge.rate() == Rate::Own { fast } else { slow };
            joules += 250.0 * (t - last) * factor;
            last = t;
            judge.energy(Moment { at: t, within: 0.0 }, joules, &mut words);
            due += if judge.rate() == Rate::Own { 0.1 } else { 1.0 };
        }
        t += 0.05;
    }
    judge.last(&mut words);
    words
}

fn energies(words: &[Finding]) -> usize {
    words.iter().filter(|word| matches!(word, Finding::Energy(..))).count()
}

#[test]
fn a_counter_that_agrees_is_read_at_its_own_period() {
    let mut judge = Judge::new(Some(0.025), false);
    judge.paced(pace(Some(0.1), 0.1, 0.1, 1.0));
    let words = run(&mut judge, 60.0, 0.99, 0.99);
    assert_eq!(judge.rate(), Rate::Own);
    assert!(energies(&words) > 590, "{}", energies(&words));
    assert!(judge.sentence().contains("every 100 ms: it differs"));
}

#[test]
fn a_counter_that_reading_disturbs_is_read_once_a_second_and_its_loss_is_not_used() {
    let mut judge = Judge::new(Some(0.025), false);
    let words = run(&mut judge, 60.0, 0.87, 0.984);
    assert_eq!(judge.rate(), Rate::Second);
    assert!(matches!(judge.reason, Reason::Confirmed { .. }), "{:?}", judge.reason);
    assert!(matches!(words[0], Finding::Restarted(_)), "nothing of the fast stretch came out");
    assert!(judge.sentence().contains("-13.0 %"), "{}", judge.sentence());
}

#[test]
fn a_consumer_board_is_tried_only_after_the_slow_rate_is_known() {
    for (fast, rate) in [(0.98, Rate::Own), (0.87, Rate::Second)] {
        let mut judge = Judge::new(Some(0.025), true);
        assert_eq!(judge.rate(), Rate::Second);
        run(&mut judge, 60.0, fast, 0.984);
        assert_eq!(judge.rate(), rate, "{fast}");
    }
}

#[test]
fn sensors_that_disagree_at_any_rate_are_no_disturbance() {
    let mut judge = Judge::new(Some(0.025), false);
    run(&mut judge, 60.0, 0.9, 0.9);
    assert_eq!(judge.rate(), Rate::Own);
}

#[test]
fn a_counter_off_by_more_than_ten_is_not_used() {
    for factor in [0.01, 30.0] {
        let mut judge = Judge::new(Some(0.025), false);
        let words = run(&mut judge, 30.0, factor, factor);
        assert_eq!((judge.rate(), energies(&words)), (Rate::Never, 0), "{factor}");
        assert!(judge.sentence().contains("integrated power gave"));
    }
}

#[test]
fn a_counter_that_stands_still_is_not_used() {
    let mut judge = Judge::new(Some(0.025), false);
    let mut words = Vec::new();
    for k in 0..200 {
        judge.power(f64::from(k) * 0.05, 100.0);
        judge.unchanged(f64::from(k) * 0.05, f64::NEG_INFINITY, &mut words);
    }
    assert_eq!(judge.rate(), Rate::Never);
    assert_eq!(words.len(), 1);
}

/// A counter of 20 ms on a busy machine: its values wait for their period, and some reads show nothing new.
#[test]
fn a_counter_whose_values_wait_to_be_dated_does_not_stand_still() {
    let mut judge = Judge::new(Some(0.025), false);
    let mut words = Vec::new();
    for k in 0..400 {
        let t = f64::from(k) * 0.05;
        judge.power(t, 100.0);
        if k % 2 == 1 {
            judge.unchanged(t, t - 0.05, &mut words);
        }
    }
    assert_eq!((judge.rate(), words.len()), (Rate::Own, 0));
    let stopped = 20.0;
    judge.power(30.0, 100.0);
    judge.unchanged(30.0, stopped, &mut words);
    assert_eq!(judge.rate(), Rate::Own, "nobody saw what was drawn meanwhile");
    (1..10).for_each(|k| judge.power(30.0 + 2.0 * f64::from(k), 100.0));
    judge.unchanged(50.0, stopped, &mut words);
    assert_eq!(judge.rate(), Rate::Never, "and one that stops does");
}

#[test]
fn a_run_that_ends_before_a_second_look_says_that_its_counter_was_not_used() {
    let mut judge = Judge::new(Some(0.025), false);
    let words = run(&mut judge, 5.0, 0.6, 0.6);
    assert_eq!(energies(&words), 0, "{words:?}");
    assert!(words.iter().any(|word| matches!(word, Finding::Restarted(_))), "{words:?}");
    assert!(judge.sentence().contains("differed from integrated power"));
}

#[test]
fn a_run_too_short_to_compare_keeps_what_the_counter_gave() {
    let mut judge = Judge::new(Some(0.025), false);
    let words = run(&mut judge, 1.0, 1.0, 1.0);
    assert!(energies(&words) >= 9, "{words:?}");
}

#[test]
fn a_comparison_counts_what_it_did_not_see() {
    // As beside a board that hangs: 11 samples in 10 s, with a hole of 5.9 s, under a square wave.
    let mut samples: Vec<(f64, f64)> =
        (0..6).map(|k| (f64::from(k) * 0.4, if k % 2 == 0 { 100.0 } else { 400.0 })).collect();
    samples.extend((0..5).map(|k| (7.9 + f64::from(k) * 0.4, 400.0)));
    let error = integral(&samples, (0.0, 10.0), 0.025, STEADY).error;
    assert!(error > 0.15, "{error}");
    let mut judge = Judge::new(Some(0.025), false);
    let mut words = Vec::new();
    for (t, watts) in samples {
        judge.power(t, watts);
        judge.energy(Moment { at: t, within: 0.0 }, 250.0 * t, &mut words);
    }
    judge.energy(Moment { at: 10.0, within: 0.0 }, 2500.0, &mut words);
    assert_eq!(judge.rate(), Rate::Own, "{:?}", judge.reason);
}

#[test]
fn a_counter_that_was_away_is_not_compared_with_what_nobody_saw() {
    let mut judge = Judge::new(Some(0.025), false);
    let mut words = Vec::new();
    let mut t = 0.0;
    // The board idles but while it is away, from 15 s to 25 s.
    let energy = |t: f64| 100.0 * t + 300.0 * (t.clamp(15.0, 25.0) - 15.0);
    while t < 60.0 {
        if !(15.0..25.0).contains(&t) {
            if (25.0..25.05).contains(&t) {
                judge.interrupted();
            }
            judge.power(t, 100.0);
            judge.energy(Moment { at: t, within: 0.0 }, energy(t), &mut words);
        }
        t += 0.05;
    }
    judge.last(&mut words);
    assert_eq!(judge.rate(), Rate::Own, "{:?}", judge.reason);
    assert!(!words.iter().any(|word| !matches!(word, Finding::Energy(..))), "nothing is given up");
}

#[test]
fn a_slow_driver_is_read_seldom_and_the_sentence_says_why() {
    let mut judge = Judge::new(Some(0.025), false);
    judge.paced(pace(Some(0.1), 0.1, 3.0, 3.0));
    judge.costs(Some(0.002_4), &mut Vec::new());
    assert_eq!(judge.rate(), Rate::Second);
    let sentence = judge.sentence();
    assert!(sentence.contains("every 3.0 s") && sentence.contains("2.4 ms"), "{sentence}");
    judge.costs(None, &mut Vec::new());
    assert_eq!(judge.rate(), Rate::Own, "the user allows more, or it was slow for a while only");
}

#[test]
fn the_sentence_says_how_often_the_counter_is_read_and_not_how_often_it_would_be() {
    let mut judge = Judge::new(Some(0.025), false);
    for (paced, said) in [
        (pace(Some(0.1), 0.1, 0.1, 1.0), "counter read every 100 ms;"),
        (pace(Some(0.02), 0.02, 0.06, 1.0), "counter read every 60 ms;"),
        (pace(Some(0.1), 0.1, 0.8, 1.0), "counter read every 800 ms;"),
        (
            pace(None, 0.15, 0.9, 1.0),
            "counter read every 900 ms or so, as its period was not learnt (it is 150 ms at most);",
        ),
    ] {
        judge.paced(paced);
        assert!(judge.sentence().starts_with(said), "{}", judge.sentence());
    }
    let mut consumer = Judge::new(Some(0.025), true);
    for (slow, said) in [(1.0, "counter read once a second:"), (4.0, "counter read every 4.0 s:")] {
        consumer.paced(pace(Some(0.1), 0.1, slow, slow));
        assert!(consumer.sentence().starts_with(said), "{}", consumer.sentence());
    }
}

/// A few samples of an idle board, far apart, are not the power of a board that began to work after the last.
#[test]
fn a_few_samples_do_not_break_a_counter() {
    for consumer in [false, true] {
        let mut judge = Judge::new(Some(0.025), consumer);
        let mut words = Vec::new();
        let energy = |t: f64| 15.0 * t + 435.0 * (t - 6.5).max(0.0);
        for (t, watts) in [(0.0, 15.0), (6.0, 15.0), (12.0, 450.0), (18.0, 450.0)] {
            judge.power(t, watts);
            judge.energy(Moment { at: t, within: 0.0 }, energy(t), &mut words);
        }
        assert_ne!(judge.rate(), Rate::Never, "{:?}", judge.reason);
    }
}

/// What a trial gave was used unjudged when a read was found to be costly, and later bursts as well.
#[test]
fn of_a_consumer_board_nothing_of_a_trial_is_used_where_reads_become_costly() {
    let mut judge = Judge::new(Some(0.025), true);
    let mut words = Vec::new();
    let mut t = 0.0;
    while judge.rate() == Rate::Second {
        judge.power(t, 250.0);
        judge.energy(Moment { at: t, within: 0.0 }, 250.0 * t, &mut words);
        t += 0.05;
    }
    for _ in 0..20 {
        judge.power(t, 250.0);
        judge.energy(Moment { at: t, within: 0.0 }, 60.0 * t, &mut words);
        t += 0.05;
    }
    let before = energies(&words);
    judge.costs(Some(0.002_4), &mut words);
    assert_eq!(energies(&words), before);
    assert!(matches!(words.last(), Some(Finding::Restarted(_))));
    assert!(judge.is_costly() && !judge.harmless());
}

/// Nothing is known of it but that it does not vary.
const STEADY: Swing = Swing { steps: 0.0, spread: 0.0, count: 0.0 };

/// A power of 100 W or 300 W, drawn every 100 ms: the mean of 400 has a standard error of 100 W / √400, 2.5 % of
/// 200 W. Where each power lasts for ten samples, only the moments of the changes are not known, of each with a variance of 1/12.
#[test]
fn samples_that_are_independent_of_each_other_are_as_uncertain_as_their_mean() {
    for seed in 0..20 {
        let mut noise = Noise::new(seed);
        let mut power = || if noise.unit() < 0.5 { 100.0 } else { 300.0 };
        let drawn: Vec<(f64, f64)> = (0..400).map(|t| (0.1 * f64::from(t), power())).collect();
        let error = integral(&drawn, (0.0, 39.9), 0.025, STEADY).error;
        assert!((0.020..=0.030).contains(&error), "seed {seed}: {error}");

        let lasting: Vec<(f64, f64)> =
            (0..400_u32).map(|t| (0.1 * f64::from(t), drawn[(t / 10) as usize].1)).collect();
        let changes = lasting.windows(2).filter(|pair| (pair[0].1 - pair[1].1).abs() > 1.0).count();
        let found = integral(&lasting, (0.0, 39.9), 0.025, STEADY);
        let expected = 0.1 * (changes as f64 / 12.0).sqrt() * 200.0 / found.power;
        let far: Vec<(f64, f64)> = lasting.iter().map(|&(t, watts)| (10.0 * t, watts)).collect();
        let vague = integral(&far, (0.0, 399.0), 0.025, STEADY).error;
        assert!(vague > 2.0 * found.error, "a second apart they tell less: {vague}");
        assert!((found.error / expected - 1.0).abs() < 1e-9, "seed {seed}: {}", found.error);
    }
}

/// It was called compared, by power that had been read before.
#[test]
fn a_trial_without_power_is_no_comparison() {
    let mut judge = Judge::new(Some(0.025), false);
    let mut words = Vec::new();
    judge.power(9.9, 60.0);
    for k in 0..1000 {
        let t = 10.0 + 0.1 * f64::from(k);
        judge.energy(Moment { at: t, within: 0.0 }, 700.0 * (t - 10.0), &mut words);
    }
    assert_eq!((judge.rate(), energies(&words)), (Rate::Own, 1000));
    assert!(judge.sentence().contains("power told too little"));
    // Once there is some, it tells: the counter shows a third less.
    for k in 1000..1600 {
        let t = 10.0 + 0.1 * f64::from(k);
        judge.power(t, 1000.0);
        judge.energy(Moment { at: t, within: 0.0 }, 700.0 * (t - 10.0), &mut words);
    }
    assert!(words.iter().any(|word| matches!(word, Finding::Restarted(_))));
}

/// A board of the desk is read fast only while that can be checked.
#[test]
fn a_consumer_board_whose_power_fails_in_its_trial_is_read_slowly_again() {
    let mut judge = Judge::new(Some(0.025), true);
    let mut words = Vec::new();
    let mut t = 0.0;
    while t < 60.0 {
        if judge.rate() == Rate::Second {
            judge.power(t, 300.0);
        }
        judge.energy(Moment { at: t, within: 0.0 }, 300.0 * t, &mut words);
        t += 0.1;
    }
    assert_eq!(judge.rate(), Rate::Second);
    assert!(words.iter().any(|word| matches!(word, Finding::Restarted(_))), "it was tried");
}

/// Power swings between two values of the counter, and its mean over ten seconds is known to 15 %.
#[test]
fn a_vague_reference_is_none() {
    let mut judge = Judge::new(Some(0.025), true);
    let mut words = Vec::new();
    let mut noise = Noise::new(1);
    for k in 0..10 {
        let t = f64::from(k) * 1.2;
        judge.power(t, if noise.unit() < 0.5 { 100.0 } else { 300.0 });
        judge.energy(Moment { at: t, within: 0.0 }, 200.0 * t, &mut words);
    }
    assert_eq!(judge.rate(), Rate::Second, "a longer stretch tells more");
}

/// A counter that fails for ever is never compared with the power beside it.
#[test]
fn power_is_not_kept_for_ever_for_a_comparison_that_never_comes() {
    let mut judge = Judge::new(Some(0.02), false);
    for k in 0..1_000_000 {
        judge.power(f64::from(k) * 0.02, 300.0);
        assert!(judge.samples.len() <= MOST_SAMPLES);
    }
}

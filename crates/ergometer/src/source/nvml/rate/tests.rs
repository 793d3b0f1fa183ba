use super::*;

/// A board of a constant 250 W whose counter shows `fast` of it when read every 100 ms and
/// `slow` when read once a second, for `seconds`.
fn run(judge: &mut Judge, seconds: f64, fast: f64, slow: f64) -> Vec<Word> {
    let mut words = Vec::new();
    let (mut joules, mut last) = (0.0, 0.0);
    let mut due = 0.0;
    let mut t = 0.0;
    while t < seconds {
        judge.power(t, 250.0, &mut words);
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

fn energies(words: &[Word]) -> usize {
    words.iter().filter(|word| matches!(word, Word::Energy(..))).count()
}

#[test]
fn a_counter_that_agrees_is_read_at_its_own_period() {
    let mut judge = Judge::new(Some(0.025), false);
    let words = run(&mut judge, 60.0, 0.99, 0.99);
    assert_eq!(judge.rate(), Rate::Own);
    assert!(energies(&words) > 590, "{}", energies(&words));
    assert!(judge.sentence(Some(0.1)).contains("every 100 ms: it differs"));
}

#[test]
fn a_counter_that_reading_disturbs_is_read_once_a_second_and_its_loss_is_not_used() {
    let mut judge = Judge::new(Some(0.025), false);
    let words = run(&mut judge, 60.0, 0.87, 0.984);
    assert_eq!(judge.rate(), Rate::Second);
    assert!(matches!(judge.reason, Reason::Confirmed { .. }), "{:?}", judge.reason);
    assert!(matches!(words[0], Word::Restarted(_)), "nothing of the fast stretch came out");
    assert!(judge.sentence(Some(0.1)).contains("-13.0 %"), "{}", judge.sentence(Some(0.1)));
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
        assert!(judge.sentence(None).contains("integrated power gave"));
    }
}

#[test]
fn a_counter_that_stands_still_is_not_used() {
    let mut judge = Judge::new(Some(0.025), false);
    let mut words = Vec::new();
    for k in 0..200 {
        judge.power(f64::from(k) * 0.05, 100.0, &mut words);
    }
    assert_eq!(judge.rate(), Rate::Never);
    assert_eq!(words.len(), 1);
}

#[test]
fn a_run_too_short_to_compare_keeps_what_the_counter_gave() {
    let mut judge = Judge::new(Some(0.025), false);
    let words = run(&mut judge, 1.0, 1.0, 1.0);
    assert!(energies(&words) >= 9, "{words:?}");
}

use super::*;

const PHASE: f64 = 0.0371;

/// A register that is updated every `period`: a counter, or a level that changes rarely.
fn register(t: f64, period: f64, level: bool) -> u64 {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive")]
    let ticks = ((t - PHASE) / period + 1000.0).floor() as u64;
    if level { u64::from((ticks as f64 * period) % 0.73 < 0.365) } else { ticks }
}

/// Reads in a burst until the period is known, then as the ticks themselves want it.
fn follow(ticks: &mut Ticks, seconds: f64, period: f64, level: bool) -> (f64, usize) {
    let (mut t, mut reads) = (10.0, 0);
    while t < 10.0 + seconds {
        reads += 1;
        // Threads wake late, by up to 1 ms here.
        let late = 0.001 * (f64::from(u32::try_from(reads).unwrap()) * 0.618).fract();
        ticks.read(t + late, t + late, register(t + late, period, level));
        t = ticks.next_read(t + late, 1.0).map_or(t + BURST, |window| window.by);
    }
    (t, reads)
}

fn off(moment: Moment, period: f64) -> f64 {
    let periods = (moment.at - PHASE) / period;
    (periods - periods.round()).abs() * period
}

#[test]
fn a_period_is_learnt_and_its_updates_are_placed_with_few_reads() {
    for period in [0.02, 0.0313, 0.1] {
        let mut ticks = Ticks::new(true, 0.001_8);
        let (t, reads) = follow(&mut ticks, 60.0, period, false);
        assert!((ticks.period().unwrap() - period).abs() < 0.000_1, "{:?}", ticks.period());
        assert!(reads as f64 * period < 1.3 * 60.0, "{period} s: {reads} reads");
        let shown = ticks.shown(t + 0.4 * period, t + 0.4 * period).unwrap();
        assert!(shown.within < 0.003 && off(shown, period) <= shown.within, "{shown:?}");
    }
}

#[test]
fn a_level_that_rarely_changes_shows_its_period_all_the_same() {
    let mut ticks = Ticks::new(false, 0.001_8);
    follow(&mut ticks, 5.0, 0.1, true);
    assert!((ticks.period().unwrap() - 0.1).abs() < 0.001, "{:?}", ticks.period());
}

#[test]
fn a_moment_too_close_to_an_update_is_not_guessed() {
    let mut ticks = Ticks::new(true, 0.001_8);
    let (t, _) = follow(&mut ticks, 1.0, 0.1, false);
    let next = ((t - PHASE) / 0.1).ceil() * 0.1 + PHASE;
    assert_eq!(ticks.shown(next, next), None);
    assert!(off(ticks.shown(next + 0.05, next + 0.05).unwrap(), 0.1) < 0.003);
}

#[test]
fn a_register_without_a_beat_has_no_period() {
    // It moves at no multiple of anything.
    let jumps = [0.02, 0.071, 0.093, 0.16, 0.177, 0.231, 0.26, 0.333];
    let mut ticks = Ticks::new(true, 0.001_8);
    for k in 0..100 {
        let t = BURST * f64::from(k);
        ticks.read(t, t, jumps.iter().filter(|&&jump| t > jump).count() as u64);
    }
    assert_eq!(ticks.period(), None);
    let mut still = Ticks::new(true, 0.001_8);
    follow(&mut still, 1.0, 1e9, false);
    assert_eq!(still.period(), None);
}

/// Updates that come up to 1 ms late, at random, as a driver's thread may.
#[test]
fn updates_that_jitter_stay_within_what_is_said() {
    let tick = |n: f64| n * 0.1 + 0.001 * (n * 0.618_034).fract();
    let mut ticks = Ticks::new(true, 0.001_8);
    let (mut t, mut outside, mut seen) = (10.0_f64, 0, 0);
    while t < 70.0 {
        let n = (t / 0.1).floor();
        let shown = if t >= tick(n) { n } else { n - 1.0 };
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive")]
        let new = ticks.read(t, t, shown as u64);
        if new && let Some(moment) = ticks.shown(t, t) {
            seen += 1;
            outside += i32::from((moment.at - tick(shown)).abs() > moment.within);
        }
        t = ticks.next_read(t, 1.0).map_or(t + BURST, |window| window.by);
    }
    assert!(seen > 300 && outside * 20 < seen, "{outside} of {seen}");
}

use super::*;

/// Cells of 100 ms under a power whose integral is `energy`.
fn shaped(cells: u32, phase: f64, energy: impl Fn(f64) -> f64) -> Shaper {
    let mut shaper = Shaper::new(true, 1.0);
    shaper.begin(phase);
    for k in 1..=cells {
        let t = phase + 0.1 * f64::from(k);
        shaper.push(t, energy(t) - energy(phase), 0.0, Basis::Whole);
    }
    shaper.flush();
    shaper
}

/// Integral of a square wave between 100 W and 400 W, low half first.
fn square(t: f64, period: f64) -> f64 {
    let (whole, part) = ((t / period).floor(), t % period);
    let half = period / 2.0;
    whole * period * 250.0 + 100.0 * part.min(half) + 400.0 * (part - half).max(0.0)
}

#[test]
fn a_square_wave_longer_than_its_cells_is_rebuilt_exactly() {
    for period in [0.73, 1.9] {
        let phase = 0.0371;
        let shaper = shaped(300, phase, |t| square(t, period));
        // Away from the ends, where neighbours are missing.
        for i in 0..2000 {
            let t = 1.0 + f64::from(i) * 0.0137;
            let drawn = shaper.curve().energy_at(t + 0.01) - shaper.curve().energy_at(t);
            let truth = square(t + 0.01, period) - square(t, period);
            assert!((drawn - truth).abs() < 1e-6, "{period} s at {t}: {drawn} for {truth}");
        }
    }
}

#[test]
fn a_sine_is_followed_within_its_spread() {
    let sine = |t: f64| 250.0 * t - 150.0 * (t * 3.0).cos() / 3.0;
    let shaper = shaped(200, 0.0, sine);
    for i in 0..1000 {
        let t = 1.0 + f64::from(i) * 0.0137;
        let drawn = shaper.curve().energy_at(t + 0.01) - shaper.curve().energy_at(t);
        let truth = sine(t + 0.01) - sine(t);
        assert!((drawn - truth).abs() < 0.06 * truth, "at {t}: {drawn} for {truth}");
    }
}

#[test]
fn witnesses_that_see_a_hidden_wave_widen_the_spread_and_steady_ones_narrow_it() {
    let spread = |deviation: f64| {
        let mut shaper = Shaper::new(true, 0.025);
        shaper.begin(0.0);
        for k in 1..=100 {
            let t = 0.1 * f64::from(k);
            let sign = if k % 2 == 0 { 1.0 } else { -1.0 };
            shaper.witness(t - 0.03, 250.0 + sign * deviation);
            shaper.push(t, 250.0 * t, 0.0, Basis::Whole);
        }
        shaper.curve().between(9.05, 9.06).1 / 0.01
    };
    assert!((spread(150.0) - 255.0).abs() < 26.0, "{}", spread(150.0));
    assert!(spread(0.0) <= 0.2 * 250.0, "{}", spread(0.0));
}

/// They agreed with themselves, and their spread was a tenth of the power however it swings in the 20 ms between two.
#[test]
fn samples_that_the_curve_is_made_of_are_no_witnesses_of_it() {
    let mut shaper = Shaper::new(true, 0.02);
    shaper.begin(0.0);
    for k in 1..=100 {
        let t = 0.02 * f64::from(k);
        shaper.witness(t - 0.01, 250.0);
        shaper.push(t, 250.0 * t, 0.0, Basis::Averaged);
    }
    // Of a square of 10 ms between 100 W and 400 W half a wave has 60 % more or less than is read.
    let (joules, spread) = shaper.curve().between(1.001, 1.006);
    assert!(2.0 * spread >= 0.6 * joules && spread <= 0.4 * joules, "{spread} J of {joules} J");
}

#[test]
fn steady_witnesses_say_nothing_of_a_long_time_in_which_there_were_none() {
    let mut shaper = Shaper::new(true, 0.025);
    shaper.begin(0.0);
    for k in 1..=100 {
        let t = 0.1 * f64::from(k);
        shaper.witness(t - 0.03, 250.0);
        shaper.push(t, 250.0 * t, 0.0, Basis::Whole);
    }
    for t in [16.0, 16.1, 16.2, 16.3] {
        // The one that the outage ends with tells nothing of it.
        shaper.witness(t - 0.03, 250.0);
        shaper.push(t, 250.0 * t, 0.0, Basis::Whole);
    }
    // Seconds for which power may have strayed, times the least deviation.
    let seen = shaper.curve().between(9.05, 9.06).1 / 0.01;
    let unseen = shaper.curve().between(13.0, 13.01).1 / 0.01;
    assert!(seen <= 0.2 * 250.0 && unseen >= UNSEEN_SWING * 250.0, "{seen}, {unseen}");
}

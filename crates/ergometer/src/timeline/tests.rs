//! The curve against closed forms, and its properties over arbitrary readings.

mod clock;
mod silence;

use proptest::prelude::*;

use super::readings::SILENT_COUNTER;
use super::settle::HOLD;
use super::*;
use crate::source::{Reading, Value};

const START: f64 = 100.0;

fn sensor(counter: Option<f64>, power: Option<f64>) -> Sensor {
    Sensor {
        counter_period_s: counter,
        counter_quantum: counter.map(|_| Joules::new(0.001)),
        power_period_s: power,
        power_window_s: None,
        relative_error: 0.05,
        absolute_error: Watts::ZERO,
    }
}

fn at(t: f64) -> Timestamp {
    Timestamp::from_secs_f64(START + t)
}

fn say(line: &mut Timeline, t: f64, value: Value) {
    line.push(&Reading::new(0, at(t), value));
}

fn power(line: &mut Timeline, t: f64, watts: f64) {
    say(line, t, Value::Power(Watts::new(watts)));
}

fn energy(line: &mut Timeline, t: f64, joules: f64) {
    say(line, t, Value::Energy(Joules::new(joules)));
}

fn joules(line: &mut Timeline, from: f64, to: f64) -> f64 {
    line.shaper.flush();
    line.between(at(from), at(to)).joules
}

/// Power read 20 times a second from 0 to `end`.
fn sampled(end: f64, watts: impl Fn(f64) -> f64) -> Timeline {
    let mut line = Timeline::new(sensor(None, Some(0.05)), Method::Counter, at(0.0));
    let mut t = 0.0;
    while t <= end + 1e-9 {
        power(&mut line, t, watts(t));
        t += 0.05;
    }
    line.shaper.flush();
    line
}

#[test]
fn constant_power_is_power_times_time() {
    let mut line = sampled(10.0, |_| 100.0);
    assert!((joules(&mut line, 0.0, 10.0) - 1000.0).abs() < 1e-6);
    assert!((joules(&mut line, 3.3, 3.65) - 35.0).abs() < 1e-5, "a 0.35 s window is its share");
}

#[test]
fn a_window_of_a_third_of_a_second_is_its_share_and_says_how_sure_that_is() {
    // 400 W lies so close to its end that nobody can say how much of it belongs to the window.
    let line = sampled(10.0, |t| if t < 3.65 { 100.0 } else { 400.0 });
    let drawn = line.between(at(3.3), at(3.65));
    let off = (drawn.joules - 35.0).abs();
    assert!(off <= 300.0 * 0.025 + 1e-6, "{off} J");
    let edges = drawn.parts.edges.get();
    assert!(off <= 3.0 * edges && edges < 35.0, "{off} J off, {edges} J known");
}

#[test]
fn a_step_half_way_is_the_sum_of_both_levels() {
    let mut line = sampled(10.0, |t| if t < 5.0 { 100.0 } else { 400.0 });
    // Where between two samples the step lies is unknown: at most half an interval's 300 W.
    assert!((joules(&mut line, 0.0, 10.0) - 2500.0).abs() <= 300.0 * 0.025 + 1e-6);
}

#[test]
fn a_linear_ramp_is_integrated_by_the_trapezoidal_rule() {
    let mut line = sampled(10.0, |t| 10.0 * t);
    assert!((joules(&mut line, 0.0, 10.0) - 500.0).abs() < 1e-6);
}

/// A step of 300 W, and samples each of which may be placed this far from where it belongs.
#[test]
fn integrated_power_is_uncertain_by_where_its_samples_may_be() {
    let play = |off: f64, within: f64| {
        let mut line = Timeline::new(sensor(None, Some(0.05)), Method::Integrated, at(0.0));
        for tick in 0..=200_u32 {
            let t = f64::from(tick) * 0.05;
            let watts = if t < 5.01 { 100.0 } else { 400.0 };
            let reading = Reading::new(0, at(t + off), Value::Power(Watts::new(watts)));
            line.push(&reading.known_within(Duration::from_secs_f64(within)));
        }
        line.shaper.flush();
        line
    };
    let (exact, vague) = (play(0.0, 0.0), play(0.05, 0.05));
    for (from, to) in [(2.0, 4.0), (4.0, 5.04), (4.0, 5.2), (4.0, 6.0), (5.1, 9.0)] {
        let truth = 100.0 * (to - from) + 300.0 * (to - 5.01_f64).clamp(0.0, to - from);
        for line in [&exact, &vague] {
            let drawn = line.between(at(from), at(to));
            let (off, edges) = ((drawn.joules - truth).abs(), drawn.parts.edges.get());
            assert!(off <= 2.0 * edges, "{from} to {to} s: {off} J off, {edges} J known");
        }
        let edges = |line: &Timeline| line.between(at(from), at(to)).parts.edges.get();
        assert!(edges(&vague) > edges(&exact));
    }
}

#[test]
fn a_counter_is_followed_exactly_whatever_power_says() {
    let mut line = Timeline::new(sensor(Some(0.0), Some(0.1)), Method::Counter, at(0.0));
    for tick in 0..=200_u32 {
        let t = f64::from(tick) * 0.05;
        power(&mut line, t, if t < 5.0 { 110.0 } else { 440.0 }); // reads 10 % too much
        if tick % 20 == 0 {
            energy(&mut line, t, if t <= 5.0 { 100.0 * t } else { 500.0 + 400.0 * (t - 5.0) });
        }
    }
    assert!((joules(&mut line, 0.0, 10.0) - 2500.0).abs() < 1e-6);
    assert!((joules(&mut line, 1.0, 4.0) - 300.0).abs() < 1e-6);
    assert!(
        (joules(&mut line, 2.2, 2.7) - 50.0).abs() < 1e-3,
        "the shape between anchors is scaled"
    );
    let ratio = line.health.counter_joules / line.health.integrated_joules;
    assert!((ratio - 1.0 / 1.1).abs() < 0.01, "{ratio}");
}

#[test]
fn a_failed_counter_read_loses_no_energy() {
    let mut line = Timeline::new(sensor(Some(0.0), None), Method::Counter, at(0.0));
    energy(&mut line, 0.0, 0.0);
    say(&mut line, 1.0, Value::Missing("read failed".into()));
    energy(&mut line, 2.0, 200.0);
    assert!((joules(&mut line, 0.0, 2.0) - 200.0).abs() < 1e-6);
    assert_eq!(line.health.failed, 1);
}

#[test]
fn readings_that_cannot_be_are_rejected_and_harm_nothing() {
    let mut line = Timeline::new(sensor(None, Some(0.05)), Method::Counter, at(0.0));
    for tick in 0..=200_u32 {
        let t = f64::from(tick) * 0.05;
        power(&mut line, t, 100.0);
        for bad in [f64::NAN, f64::INFINITY, -5.0, 1e12] {
            power(&mut line, t + 0.01, bad);
        }
    }
    assert!((joules(&mut line, 0.0, 10.0) - 1000.0).abs() < 1e-6);
    assert_eq!(line.health.failed, 201 * 4);
}

/// 100 W, but 400 W from 5 s on, polled ten times a second, but for `missed` polls from 5 s on.
fn missed_polls(counter: bool, missed: u32) -> Timeline {
    let mut line =
        Timeline::new(sensor(counter.then_some(0.0), Some(0.1)), Method::Counter, at(0.0));
    for tick in (0..50_u32).chain(50 + missed..=100) {
        let t = f64::from(tick) * 0.1;
        power(&mut line, t, if t < 5.0 { 100.0 } else { 400.0 });
        if counter && tick % 10 == 0 {
            energy(&mut line, t, 100.0 * t + 300.0 * (t - 5.0).max(0.0));
        }
    }
    line.shaper.flush();
    line
}

#[test]
fn polls_missed_for_3_and_for_30_intervals_cost_nothing_where_there_is_a_counter() {
    for missed in [3, 30] {
        let drawn = missed_polls(true, missed).between(at(0.0), at(10.0));
        assert!((drawn.joules - 2500.0).abs() < 1e-6, "{missed}: {} J", drawn.joules);
    }
}

#[test]
fn polls_missed_for_3_and_for_30_intervals_are_flagged_where_there_is_no_counter() {
    for missed in [3, 30] {
        let line = missed_polls(false, missed);
        let drawn = line.between(at(0.0), at(10.0));
        let gap = 0.1 * f64::from(missed + 1);
        assert!((drawn.unobserved - gap).abs() < 1e-6, "{missed}: {} s", drawn.unobserved);
        assert!(matches!(&line.health.remarks[..], [(text, 1)] if text.contains("missed")));
        // Its edges do not say when in the gap power rose.
        let (off, known) = ((drawn.joules - 2500.0).abs(), drawn.parts.gaps.get());
        assert!(off > 0.0 && off <= 3.0 * known, "{missed}: {off} J off, {known} J known");
    }
}

#[test]
fn a_counter_that_implies_more_than_a_hundred_kilowatts_is_rejected() {
    let mut line = Timeline::new(sensor(Some(0.0), None), Method::Counter, at(0.0));
    for (t, joules) in [(0.0, 0.0), (2.0, 200.0), (4.0, 300_000.0), (6.0, 600.0), (8.0, 800.0)] {
        energy(&mut line, t, joules);
    }
    assert!((joules(&mut line, 0.0, 8.0) - 800.0).abs() < 1e-6);
    assert_eq!(line.health.failed, 1);
    assert!(line.health.remarks[0].0.contains("rejected"));
}

#[test]
fn nothing_read_is_empty_not_zero() {
    let line = Timeline::new(sensor(Some(0.1), Some(0.1)), Method::Counter, at(0.0));
    assert!(line.is_empty());
}

/// Of a run of a few milliseconds the model of the processor has one value: the next comes with the next tick.
#[test]
fn one_value_of_a_counter_is_no_energy_of_0_j() {
    let mut line = Timeline::new(sensor(Some(0.01), None), Method::Modelled, at(1.0));
    energy(&mut line, 1.0, 5.0);
    line.close(at(1.005));
    let drawn = line.between(at(1.0), at(1.005));
    assert!((drawn.unobserved - 0.005).abs() < 1e-9, "{drawn:?}");
    assert!(drawn.joules.abs() < 1e-12);
}

#[test]
fn a_span_shorter_than_the_sensor_has_a_value_and_a_large_uncertainty() {
    let line = sampled(10.0, |_| 100.0);
    let drawn = line.between(at(5.0), at(5.001));
    assert!(drawn.joules > 0.0);
    assert!(drawn.parts.standard().get() > 0.1 * drawn.joules);
    let long = line.between(at(0.0), at(10.0));
    assert!(long.parts.standard().get() < 0.06 * long.joules);
}

/// What a misbehaving device may give.
fn reading() -> impl Strategy<Value = Value> {
    prop_oneof![
        8 => (0.0..500.0).prop_map(|watts| Value::Power(Watts::new(watts))),
        8 => (0.0..1e4).prop_map(|joules| Value::Energy(Joules::new(joules))),
        1 => Just(Value::Missing("failed".into())),
        1 => Just(Value::Restarted("reset".into())),
        1 => prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(-1.0), Just(1e12)]
            .prop_map(|watts| Value::Power(Watts::new(watts))),
        1 => prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(-1.0)]
            .prop_map(|joules| Value::Energy(Joules::new(joules))),
    ]
}

fn readings() -> impl Strategy<Value = (bool, Vec<(f64, Value)>)> {
    (any::<bool>(), prop::collection::vec((0.001..8.0, reading()), 0..60))
}

fn build((counter, readings): &(bool, Vec<(f64, Value)>)) -> (Timeline, f64) {
    let mut line =
        Timeline::new(sensor(counter.then_some(0.1), Some(0.1)), Method::Counter, at(0.0));
    let mut t = 0.0;
    for (pause, value) in readings {
        t += pause;
        say(&mut line, t, value.clone());
    }
    line.close(at(t));
    (line, t)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    /// Spans that tile an interval sum to the interval; no span has negative energy.
    #[test]
    fn conservation_and_monotonicity(readings in readings(), cuts in prop::collection::vec(0.0..1.0_f64, 0..20)) {
        let (mut line, end) = build(&readings);
        let mut cuts: Vec<f64> = cuts.into_iter().map(|cut| cut * end).collect();
        cuts.extend([0.0, end]);
        cuts.sort_by(f64::total_cmp);
        let whole = joules(&mut line, 0.0, end);
        let mut sum = 0.0;
        for pair in cuts.windows(2) {
            let drawn = line.between(at(pair[0]), at(pair[1]));
            prop_assert!(drawn.joules >= 0.0);
            prop_assert!(drawn.joules.is_finite() && drawn.parts.standard().get().is_finite());
            sum += drawn.joules;
        }
        prop_assert!((sum - whole).abs() <= 1e-9 * whole.max(1.0), "{sum} {whole}");
    }

    /// What has settled is final: later readings never change it.
    #[test]
    fn settled_energy_never_changes(readings in readings(), more in prop::collection::vec((0.001..8.0, reading()), 1..20)) {
        let mut line = Timeline::new(sensor(readings.0.then_some(0.1), Some(0.1)), Method::Counter, at(0.0));
        let mut t = 0.0;
        for (pause, value) in &readings.1 {
            t += pause;
            say(&mut line, t, value.clone());
        }
        let Some(settled) = line.curve().end() else { return Ok(()) };
        let before: Vec<f64> = (0..8).map(|i| line.curve().energy_at(settled - f64::from(i) * 0.3)).collect();
        for (pause, value) in &more {
            t += pause;
            say(&mut line, t, value.clone());
        }
        let after: Vec<f64> = (0..8).map(|i| line.curve().energy_at(settled - f64::from(i) * 0.3)).collect();
        prop_assert_eq!(before, after);
    }
}

#[test]
fn a_preview_shows_the_end_and_changes_nothing() {
    let play = |look: bool| {
        let mut lines = [Timeline::new(sensor(Some(0.1), Some(0.05)), Method::Counter, at(0.0))];
        let mut seen = Vec::new();
        for tick in 0..400_u32 {
            let t = f64::from(tick) * 0.05;
            let watts = if tick % 60 < 30 { 100.0 } else { 400.0 };
            power(&mut lines[0], t, watts);
            // A pause in the middle, and a counter ten times a second.
            if tick % 2 == 0 && !(150..250).contains(&tick) {
                energy(&mut lines[0], t, 250.0 * t);
            }
            if look && tick % 7 == 0 {
                let end = at(t + 0.3);
                seen.push(Timeline::preview(&mut lines, end, |lines| {
                    (t, lines[0].between(at(0.0), end).joules)
                }));
            }
            lines[0].settled(at(t));
        }
        lines[0].close(at(21.0));
        let [line] = lines;
        (format!("{line:?}"), seen)
    };
    let (looked, seen) = play(true);
    assert_eq!(looked, play(false).0);
    for (t, joules) in seen.into_iter().skip(1) {
        let truth = 250.0 * (t + 0.3);
        assert!((joules - truth).abs() < 0.3 * truth + 60.0, "{joules} J at {t}");
    }
}

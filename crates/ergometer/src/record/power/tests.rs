//! The power over time of made-up runs.

use proptest::prelude::*;

use super::knots::{Knot, Knots};
use super::*;

/// Watts that swing between 100 and 400, integrated.
fn energy(t: f64) -> f64 {
    250.0 * t + 150.0 * (1.0 - (0.7 * t).cos()) / 0.7
}

fn knot(t: f64) -> Knot {
    Knot::new(t, &[(energy(t), 0.0)])
}

/// A run of `seconds` with the edges of these spans.
fn run(seconds: f64, spans: &[(f64, f64)]) -> PowerHistory {
    let mut knots = Knots::default();
    let mut spans: Vec<_> = spans.to_vec();
    spans.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut spans = spans.into_iter().peekable();
    loop {
        let (tick, t) = knots.next();
        while let Some((from, to)) = spans.next_if(|(_, to)| *to <= t.min(seconds)) {
            for edge in [from, to] {
                knots.add(Knot { span: to - from, ..knot(edge) });
            }
        }
        if t > seconds {
            break;
        }
        knots.add(Knot { tick, ..knot(t) });
    }
    knots.history(&knot(seconds), &[true]).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn however_long_it_is_bounded_in_order_and_its_integral_is_the_energy(
        seconds in prop_oneof![0.001..2.0_f64, 2.0..2000.0_f64, 2000.0..40_000.0_f64],
        edges in prop::collection::vec((0.0..1.0_f64, 0.0..1.0_f64), 0..400),
    ) {
        let spans: Vec<_> = edges.iter().map(|(a, b)| (a.min(*b) * seconds, a.max(*b) * seconds)).collect();
        let power = run(seconds, &spans);
        prop_assert!(power.check(1).is_ok(), "{:?}", power.check(1));
        prop_assert!(power.ends_s.len() <= MOST_INTERVALS);
        prop_assert!(seconds < 100.0 || power.ends_s.len() >= 100, "{}", power.ends_s.len());
        prop_assert_eq!(power.ends_s.last(), Some(&seconds));
        let joules = power.joules(0, 0.0, seconds).get();
        prop_assert!((joules / energy(seconds) - 1.0).abs() < 1e-6, "{} of {}", joules, energy(seconds));
        // Without power there is no energy between two times, and none is counted twice.
        let middle = seconds * 0.37;
        let halves = power.joules(0, 0.0, middle) + power.joules(0, middle, 2.0 * seconds);
        prop_assert!((halves.get() - joules).abs() < 1e-6 * joules);
    }

    #[test]
    fn made_coarser_it_has_the_same_energy(seconds in 1.0..2000.0_f64, most in 1_usize..400) {
        let power = run(seconds, &[]);
        let joules = power.joules(0, 0.0, seconds).get();
        let coarse = power.coarser(most, 3);
        prop_assert!(coarse.ends_s.len() <= most && coarse.check(1).is_ok());
        prop_assert!((coarse.joules(0, 0.0, seconds).get() / joules - 1.0).abs() < 1e-6);
    }
}

#[test]
fn the_edges_of_epochs_are_ends_of_intervals() {
    let epochs: Vec<_> =
        (0..20).map(|k| (f64::from(k) * 371.3, f64::from(k) * 371.3 + 300.0)).collect();
    let power = run(8000.0, &epochs);
    for (from, to) in epochs {
        let joules = power.joules(0, from, to).get();
        assert!((joules / (energy(to) - energy(from)) - 1.0).abs() < 1e-6, "{from} to {to} s");
    }
}

#[test]
fn a_minute_is_resolved_to_a_tenth_of_a_second() {
    let power = run(60.0, &[]);
    let longest = power.intervals().map(|(from, to)| to - from).fold(0.0, f64::max);
    assert!(longest < 0.11, "{longest} s");
}

#[test]
fn time_without_observation_has_no_power_rather_than_none() {
    let mut knots = Knots::default();
    for _ in 0..200 {
        let (tick, t) = knots.next();
        // From 3 s to 7 s nothing is known, and the energy of a counter that comes back is in what follows.
        let unseen = (t - 3.0).clamp(0.0, 4.0);
        let joules = if t <= 7.0 { 50.0 * t.min(3.0) } else { 50.0 * t };
        knots.add(Knot { tick, ..Knot::new(t, &[(joules, unseen), (5.0 * t, 0.0)]) });
    }
    let power =
        knots.history(&Knot::new(10.0, &[(500.0, 4.0), (50.0, 0.0)]), &[true, true]).unwrap();
    for ((from, to), watts) in power.intervals().zip(&power.watts[0]) {
        let middle = f64::midpoint(from, to);
        assert_eq!(watts.is_none(), (3.0..7.0).contains(&middle), "{middle} s: {watts:?}");
    }
    assert!((power.joules(0, 0.0, 10.0).get() - 500.0).abs() < 1e-3);
    assert!(power.watts[1].iter().all(Option::is_some));
}

#[test]
fn of_many_long_spans_the_longest_are_kept() {
    let span = |k: u32| LongSpan {
        kind: Kind::Phase,
        name: "load".to_owned(),
        start_s: f64::from(k),
        seconds: f64::from(k % 7),
    };
    let mut spans: Vec<_> = (0..700).map(span).collect();
    longest(&mut spans, 100);
    assert_eq!(spans.len(), 100);
    assert!(spans.iter().all(|span| span.seconds >= 6.0));
    assert!(spans.is_sorted_by_key(|span| span.start_s));
}

#[test]
fn what_is_not_a_power_over_time_is_refused() {
    let good = run(10.0, &[]);
    let wrong = |change: &dyn Fn(&mut PowerHistory)| {
        let mut power = good.clone();
        change(&mut power);
        power.check(1).is_err()
    };
    assert!(wrong(&|power| power.ends_s.swap(0, 1)));
    assert!(wrong(&|power| power.ends_s[0] = f64::NAN));
    assert!(wrong(&|power| {
        power.ends_s.pop();
    }));
    assert!(wrong(&|power| power.watts[0][3] = Some(Watts::new(-1.0))));
    assert!(wrong(&|power| power.watts.push(Vec::new())));
    assert!(!wrong(&|power| power.watts[0].clear()));
}

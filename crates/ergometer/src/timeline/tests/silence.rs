//! Counters that fall silent, restart or come back, and boards that are lost.

use super::*;

#[test]
fn a_counter_that_falls_silent_is_replaced_by_power() {
    let mut line = Timeline::new(sensor(Some(0.0), Some(0.1)), Method::Counter, at(0.0));
    energy(&mut line, 0.0, 0.0);
    for tick in 0..=400_u32 {
        let t = f64::from(tick) * 0.05;
        power(&mut line, t, 100.0);
        if t <= 3.0 && tick % 20 == 0 {
            energy(&mut line, t, 100.0 * t);
        }
    }
    line.close(at(20.0));
    assert!((joules(&mut line, 0.0, 20.0) - 2000.0).abs() < 1.0);
    assert!(line.health.remarks.iter().any(|(text, _)| text.contains("fell silent")));
}

#[test]
fn a_counter_that_returns_is_not_counted_twice() {
    let mut line = Timeline::new(sensor(Some(0.0), Some(0.1)), Method::Counter, at(0.0));
    for tick in 0..=400_u32 {
        let t = f64::from(tick) * 0.05;
        power(&mut line, t, 100.0);
        if (t <= 3.0 || t >= 15.0) && tick % 20 == 0 {
            energy(&mut line, t, 100.0 * t);
        }
    }
    assert!((joules(&mut line, 0.0, 20.0) - 2000.0).abs() < 1e-3);
}

/// A source may hold counter values back until it has compared them with power, and hang meanwhile.
#[test]
fn counter_values_that_come_after_power_stood_in_are_not_counted_twice() {
    for silence in [SILENT_COUNTER + 1.0, PATIENCE.as_secs_f64() + 1.0] {
        let mut line = Timeline::new(sensor(Some(0.0), Some(0.1)), Method::Counter, at(0.0));
        let held_back = 3.0..=4.0;
        for tick in 0..=40_u32 {
            let t = f64::from(tick) * 0.1;
            power(&mut line, t, 100.0);
            if !held_back.contains(&t) {
                energy(&mut line, t, 100.0 * t);
            }
        }
        let back = 4.0 + silence;
        line.settled(at(back - 0.1));
        power(&mut line, back, 100.0);
        for t in [3.1, 3.5, 3.9, back + 0.05, back + 0.1] {
            energy(&mut line, t, 100.0 * t);
        }
        line.close(at(back + 0.1));
        let (drawn, truth) = (joules(&mut line, 0.0, back + 0.1), 100.0 * (back + 0.1));
        assert!(drawn <= truth + 1e-6, "{silence} s: {drawn} J of {truth} J");
        assert!(drawn > 0.98 * truth || silence > PATIENCE.as_secs_f64(), "{drawn} of {truth}");
    }
}

#[test]
fn a_restarted_counter_gives_no_negative_energy() {
    let mut line = Timeline::new(sensor(Some(0.0), Some(0.1)), Method::Counter, at(0.0));
    for tick in 0..=200_u32 {
        let t = f64::from(tick) * 0.05;
        power(&mut line, t, 100.0);
        if tick == 100 {
            say(&mut line, t, Value::Restarted("the driver was reloaded".into()));
        }
        if tick % 20 == 0 {
            energy(&mut line, t, if tick < 100 { 100.0 * t } else { 100.0 * (t - 5.0) });
        }
    }
    assert!(
        (joules(&mut line, 0.0, 10.0) - 1000.0).abs() < 6.0,
        "{}",
        joules(&mut line, 0.0, 10.0)
    );
}

#[test]
fn a_lost_board_keeps_its_energy_up_to_then() {
    let mut line = sampled(5.0, |_| 100.0);
    line.close(at(20.0));
    let drawn = line.between(at(0.0), at(20.0));
    assert!((drawn.joules - (500.0 + 100.0 * HOLD)).abs() < 1e-6);
    assert!((drawn.unobserved - (15.0 - HOLD)).abs() < 1e-6);
}

#[test]
fn power_is_not_told_of_a_domain_that_fell_silent_until_it_is_back() {
    let second = Duration::from_secs(1);
    let mut line = Timeline::new(sensor(None, Some(0.05)), Method::Integrated, at(0.0));
    assert!(!line.observed() && line.recent_power(second).is_none());
    for tick in 0..100 {
        power(&mut line, f64::from(tick) * 0.05, 200.0);
    }
    let watts = |line: &Timeline| line.recent_power(second).unwrap().get();
    line.settled(at(5.0));
    assert!(line.observed() && (watts(&line) - 200.0).abs() < 1e-6);
    assert_eq!(line.settled(at(30.0)), at(30.0), "it is no longer waited for");
    assert!(!line.observed());
    assert_eq!(line.recent_power(second), None, "0 W would be made up");
    for tick in 0..100 {
        power(&mut line, 31.0 + f64::from(tick) * 0.05, 50.0);
    }
    line.settled(at(36.0));
    assert!(line.observed() && (watts(&line) - 50.0).abs() < 1e-6);
}

/// A counter and power of a constant 300 W, read every 100 ms but from `away` on, for `silence` seconds.
fn away(away: f64, silence: f64, end: f64) -> Timeline {
    let mut line = Timeline::new(sensor(Some(0.1), Some(0.1)), Method::Counter, at(0.0));
    line.limit = Some(700.0);
    let mut t = 0.1;
    while t < end {
        if t < away || t >= away + silence {
            power(&mut line, t - 0.01, 300.0);
            energy(&mut line, t, 300.0 * t);
        } else if (t * 10.0).round() % 5.0 == 0.0 {
            say(&mut line, t, Value::Missing("the board fell off the bus".to_owned()));
        }
        line.settled(at(t));
        t += 0.1;
    }
    line
}

#[test]
fn nothing_is_claimed_of_a_lost_domain_but_what_it_may_have_drawn() {
    let mut line = away(10.0, 1e9, 30.0);
    line.close(at(30.0));
    let seen = line.between(at(1.0), at(9.5));
    assert!((seen.joules - 2550.0).abs() < 1.0 && seen.unobserved < 0.01, "{seen:?}");
    let lost = line.between(at(11.0), at(12.0));
    assert_eq!((lost.joules, lost.unobserved), (0.0, 1.0));
    let twice = 2.0 * lost.parts.standard().get();
    assert!((700.0..800.0).contains(&twice), "as much as its limit: {twice}");
    let whole = line.between(at(1.0), at(30.0));
    assert!((19.8..20.3).contains(&whole.unobserved), "{whole:?}");
    assert!((whole.joules - 8700.0).abs() < 2.0 * whole.parts.standard().get(), "{whole:?}");
}

#[test]
fn a_counter_that_comes_back_has_the_energy_of_its_absence() {
    for silence in [3.0, 10.0, 25.0] {
        let mut line = away(10.0, silence, 60.0);
        line.close(at(60.0));
        let whole = line.between(at(1.0), at(59.0));
        assert!((whole.joules - 17_400.0).abs() < 1.0, "{silence} s: {whole:?}");
        assert!(whole.unobserved < 0.01, "{silence} s: {whole:?}");
        assert!(whole.parts.gaps.get() < 1.0, "{silence} s: {whole:?}");
        assert!((line.health.counter_joules / line.health.integrated_joules - 1.0).abs() < 0.01);
        for (from, to) in [(5.0, 10.5), (11.0, 12.0), (9.0, 30.0), (40.0, 50.0)] {
            let part = line.between(at(from), at(to));
            let off = (part.joules - 300.0 * (to - from)).abs();
            assert!(
                off <= 2.0 * part.parts.standard().get() + 1e-6,
                "{silence} s: {from}: {part:?}"
            );
        }
    }
}

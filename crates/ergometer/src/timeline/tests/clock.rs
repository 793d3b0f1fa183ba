//! The machine sleeps, the clock jumps, or the process cannot run.

use super::*;

/// The clock was put right, or the machine slept, between two moments.
fn event(from: f64, to: f64, what: What) -> Event {
    Event { from: at(from), to: at(to), what }
}

fn slept(line: &mut Timeline, from: f64, to: f64, seconds: u64) {
    let time = Duration::from_secs(seconds);
    line.interrupted(&event(from, to, What::Slept { time }));
}

#[test]
fn what_a_counter_counted_while_the_machine_slept_stays_and_is_said_and_is_no_power() {
    let mut line = Timeline::new(sensor(Some(0.0), Some(0.1)), Method::Counter, at(0.0));
    // Two hours asleep at 20 W, of which no more than a tenth of a second is on the clock.
    let asleep = 2 * 3600;
    let mut counted = 0.0;
    for tick in 0..=100_u32 {
        let t = f64::from(tick) * 0.1;
        if tick == 50 {
            slept(&mut line, 4.91, 4.99, asleep);
            counted = 20.0 * 7200.0;
        }
        power(&mut line, t, 100.0);
        energy(&mut line, t, 100.0 * t + counted);
    }
    let drawn = joules(&mut line, 0.0, 10.0);
    assert!((drawn - (1000.0 + 144_000.0)).abs() < 1e-6, "{drawn}");
    assert_eq!(line.health.failed, 0);
    let (remark, times) = &line.health.remarks[0];
    assert!(remark.contains("slept 7200 s") && remark.contains("144010 J"), "{remark}");
    assert_eq!(*times, 1);
    // The comparison of counter and power, and the power of the last second, know nothing of it.
    let ratio = line.health.counter_joules / line.health.integrated_joules;
    assert!((ratio - 1.0).abs() < 1e-9, "{ratio}");
    assert!((line.recent_power(Duration::from_secs(1)).unwrap().get() - 100.0).abs() < 1e-6);
    assert_eq!(line.recent_power(Duration::from_secs(6)), None);
}

#[test]
fn integrated_power_bills_no_sleep() {
    let mut line = Timeline::new(sensor(None, Some(0.05)), Method::Integrated, at(0.0));
    for tick in 0..=200_u32 {
        if tick == 100 {
            slept(&mut line, 4.96, 4.99, 3600);
        }
        power(&mut line, f64::from(tick) * 0.05, 100.0);
    }
    let drawn = joules(&mut line, 0.0, 10.0);
    assert!((drawn - 1000.0).abs() < 1e-6, "{drawn}");
}

#[test]
fn a_jump_of_the_clock_costs_no_energy_and_is_flagged_where_it_was() {
    let mut line = Timeline::new(sensor(Some(0.0), None), Method::Counter, at(0.0));
    for tick in 0..=100_u32 {
        let t = f64::from(tick) * 0.1;
        if tick == 50 {
            line.interrupted(&event(4.8, 4.95, What::Jumped { by: -2_000_000_000 }));
        }
        energy(&mut line, t, 300.0 * t);
    }
    line.shaper.flush();
    let (all, before) = (line.between(at(0.0), at(10.0)), line.between(at(0.0), at(4.0)));
    assert!((all.joules - 3000.0).abs() < 1e-6, "{}", all.joules);
    assert!((all.unobserved - 0.15).abs() < 1e-9, "{}", all.unobserved);
    assert!((all.parts.gaps.get() - RECTANGULAR * 300.0 * 0.15).abs() < 1e-6);
    assert_eq!((before.unobserved, before.parts.gaps), (0.0, Joules::ZERO));
}

#[test]
fn a_domain_is_not_silent_while_the_process_could_not_run() {
    let mut line = Timeline::new(sensor(Some(0.0), None), Method::Counter, at(0.0));
    for tick in 0..=20_u32 {
        let t = f64::from(tick) * 0.1;
        energy(&mut line, t, 100.0 * t);
    }
    // Stopped for half a minute: nothing was read, and the next reading has it all.
    line.resumed(at(32.0));
    assert!(line.settled(at(32.1)) <= at(2.0));
    energy(&mut line, 32.2, 3220.0);
    let drawn = joules(&mut line, 0.0, 32.2);
    assert!((drawn - 3220.0).abs() < 1e-6, "{drawn}");
    assert!(line.between(at(0.0), at(32.2)).unobserved < 1e-9);
    // One that gives nothing after that is.
    assert_eq!(line.settled(at(50.0)), at(50.0));
}

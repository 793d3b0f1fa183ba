//! How often the reader of eight boards wakes, how well their updates are placed, and what its reads use.

use super::super::super::super::cost::{
    ADVANCE, BESIDE, FOR_COUNTER, LEARNING, SELDOM, SELDOM_POWER,
};
use super::*;

/// A wake of the reader costs more than the reads in it. Boards whose counters are updated every 100 ms, at moments of
/// their own, share wakes, even where reads are so costly that some updates are left out. Their updates are placed, and
/// power that is sampled less often than it changes does not make a healthy counter look wrong.
#[test]
fn eight_boards_whose_periods_are_known_share_the_wakes_of_their_reader() {
    for curve in CURVES {
        for late in [0.000_1, 0.001, 0.005] {
            for cost in [0.0, 10e-6, 25e-6] {
                let Settled { wakes, within, .. } =
                    settled((curve, [PERIOD; 8]), late, cost, (START + 120.0, START + 180.0));
                let what = format!("reads of {cost} s, up to {late} s late: {curve:?}");
                assert!(wakes <= 12.0, "{wakes} wakes a second: {what}");
                assert!(within <= 0.004 + late, "updates are known to {within} s: {what}");
            }
        }
    }
}

/// A driver that takes its time. What its reads use in all is bounded by what is allowed, whatever is not known of its
/// boards: periods were once learnt by hundreds of reads, lost between two reads that were as far apart as they may be,
/// and learnt again and again.
#[test]
fn a_slow_driver_is_not_read_more_than_it_may_be_however_long_its_periods_are_looked_for() {
    let every = |period: f64| [period; 8];
    let mixed = [0.02, 0.02, 0.1, 0.1, 0.25, 0.25, 1.0, 1.0];
    let share = FOR_COUNTER * DEFAULT_SHARE;
    // Of a core, from the 15th to the 30th second, and then.
    let most = |cost: f64| {
        let over = |every: f64, share: f64| (8.0 * cost / every - share).max(0.0);
        share * (1.0 + BESIDE + LEARNING) + over(SELDOM, share) + over(SELDOM_POWER, BESIDE * share)
    };
    for cost in [500e-6, 2.4e-3] {
        for counters in [every(0.02), every(0.1), every(1.0), mixed] {
            for late in [0.000_1, 0.005] {
                let used = |begin, end| {
                    let bounds = (START + begin, START + end);
                    settled((CURVES[0], counters), late, cost, bounds).used * (end - begin)
                };
                let what = format!("reads of {cost} s, up to {late} s late, {counters:?}");
                let seconds = used(0.0, 15.0);
                let paid = share * (ADVANCE + (1.0 + BESIDE + LEARNING) * 15.0);
                // A counter is read all the same, and once at the start.
                let seldom = 8.0 * cost * (1.0 + 15.0 / (0.6 * SELDOM));
                assert!(seconds <= paid + seldom, "{seconds} s of a processor: {what}");
                for (begin, end, slack) in [(15.0, 30.0, 1.4), (30.0, 90.0, 1.2)] {
                    let (core, most) = (used(begin, end) / (end - begin), most(cost));
                    assert!(core <= slack * most, "{core}, {most} after {begin} s: {what}");
                }
            }
        }
    }
}

/// What the reader of eight boards does for a while.
struct Settled {
    /// How often it wakes each second.
    wakes: f64,
    /// How well the worst board's updates are placed, seconds to either side.
    within: f64,
    /// Share of a processor that the reads use.
    used: f64,
}

fn settled(
    (curve, counters): (Curve, [f64; 8]),
    late: f64,
    cost: f64,
    (begin, end): (f64, f64),
) -> Settled {
    let now = Arc::<AtomicU64>::default();
    let mut boards = Vec::new();
    for (seed, counter) in (0..).zip(counters) {
        let script = Script {
            curve,
            counter,
            power: (0.1, 0.025),
            late,
            held: 0.0,
            busy: f64::INFINITY,
            cost,
            epoch: f64::INFINITY,
            lasts: f64::INFINITY,
            seed,
        };
        let registers = Arc::new(Registers::new(script, Arc::clone(&now)));
        if seed == 0 {
            registers.pass(START);
        }
        let allowed = Cost::new(DEFAULT_SHARE, counters.len());
        boards.push((
            Arc::clone(&registers),
            Board::new(registers, profile_of(PERIOD, script.power), allowed),
        ));
    }
    let clock = Arc::clone(&boards[0].0);
    let (mut readings, mut wakes, mut within, mut before) = (Vec::new(), 0, 0.0_f64, None);
    let used = |boards: &[(Arc<Registers>, Board<Arc<Registers>>)]| -> f64 {
        boards.iter().map(|(registers, _)| registers.used()).sum()
    };
    loop {
        let due = boards.iter().map(|(_, board)| board.next_read().unwrap());
        let mut wake = Due::together(due).unwrap().as_secs_f64();
        if cost > 100e-6 {
            // Other sources are read by the same thread, so that a board that may be read is.
            wake = wake.min(clock.seconds() + 0.125);
        }
        clock.pass((wake - clock.seconds()).max(0.0));
        clock.pass(clock.pause());
        if clock.seconds() >= end {
            for (_, board) in &boards {
                let sentence = board.judge.sentence();
                if cost < 100e-6 {
                    assert_eq!(board.judge.rate(), Rate::Own, "{sentence}");
                } else if end > START + 30.0 {
                    // Whether its period was learnt or not.
                    let every = board.cost.counter_every(1.0);
                    let said = format!("counter read every {every:.1} s: a read takes");
                    assert!(sentence.starts_with(&said), "{sentence}");
                }
            }
            let length = end - begin;
            let used = (used(&boards) - before.unwrap_or(0.0)) / length;
            return Settled { wakes: f64::from(wakes) / length, within, used };
        }
        let is_settled = clock.seconds() >= begin;
        wakes += u32::from(is_settled);
        if is_settled {
            before.get_or_insert_with(|| used(&boards));
        }
        for (registers, board) in &mut boards {
            if board.next_read().unwrap().from <= clock.now() {
                board.read(Request::Routine, &mut readings);
            }
            registers.shown.lock().unwrap().clear();
            if is_settled {
                let now = board.counter_ticks.within(clock.seconds());
                within = within.max(now.unwrap_or(f64::INFINITY));
            }
        }
        readings.clear();
    }
}

use super::*;

/// As long before it must read, a thread is woken if it may read then, seconds.
const LEAD: f64 = 0.02;

/// Numbers between 0 and 1 that repeat for a seed.
#[derive(Clone, Debug)]
pub(in super::super) struct Noise(u64);

impl Noise {
    pub(in super::super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0xD134_2543_DE82_EF95) ^ 0x9E37_79B9_7F4A_7C15)
    }

    pub(in super::super) fn unit(&mut self) -> f64 {
        // splitmix64 (Steele, Lea, Flood, OOPSLA 2014).
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// How late a thread wakes: by `mean` seconds, now and then by several times that.
    pub(in super::super) fn late(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }
}

/// A register, a thread that reads it, and a clock that only they move.
#[derive(Clone, Copy, Debug)]
struct Script {
    period: f64,
    phase: f64,
    /// Updates come late by up to so much.
    jitter: f64,
    /// The thread wakes late by so much in the mean.
    late: f64,
    /// A read takes so long, and shows the register at some moment of it.
    call: f64,
    /// Parts by which the register's clock is faster at the end of 1000 s.
    wander: f64,
    seconds: f64,
    seed: u64,
    /// The number of updates from one that is to be read to the next.
    stride: f64,
    /// Seconds without a read after those about one update.
    rest: f64,
    /// The register is a level that changes with a square wave of 730 ms, not a counter.
    level: bool,
}

const IDLE: Script = Script {
    period: 0.1,
    phase: 0.0371,
    jitter: 0.0,
    late: 0.000_1,
    call: 0.000_01,
    wander: 0.0,
    seconds: 60.0,
    seed: 1,
    stride: 1.0,
    rest: 0.0,
    level: false,
};

#[derive(Clone, Debug, Default)]
struct Played {
    ticks: Option<UpdateTimes>,
    /// When the period was known.
    learnt: Option<f64>,
    reads: usize,
    seen: usize,
    outside: usize,
    /// Distances of the last third's updates from where they were placed.
    last: Vec<f64>,
    end: f64,
}

impl Played {
    fn rms(&self) -> f64 {
        (self.last.iter().map(|off| off * off).sum::<f64>() / self.last.len() as f64).sqrt()
    }
}

impl Script {
    /// The moment of update `n`.
    fn tick(&self, n: f64) -> f64 {
        let mut noise = Noise::new(self.seed ^ n.to_bits());
        let t = self.phase + n * self.period;
        t - self.wander * t * t / 2000.0 + self.jitter * noise.unit()
    }

    /// The last update by `t`.
    fn shown(&self, t: f64) -> f64 {
        let mut n = ((t - self.phase) / self.period).ceil() + 2.0;
        while self.tick(n) > t {
            n -= 1.0;
        }
        n
    }

    fn value(&self, n: f64) -> u64 {
        let t = n * self.period;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive")]
        let number = (n + 1000.0) as u64;
        if self.level { u64::from(t.rem_euclid(0.73) < 0.365) } else { number }
    }

    /// Reads as a board does: in bursts until the period is known, then as the ticks themselves want it.
    fn play(&self) -> Played {
        let mut noise = Noise::new(self.seed);
        let mut ticks = UpdateTimes::new(!self.level, 0.000_25);
        let mut played = Played::default();
        let (mut t, mut until) = (10.0, None);
        while t < 10.0 + self.seconds {
            let began = t + noise.late(self.late);
            let ended = began + self.call;
            let n = self.shown(began + self.call * noise.unit());
            played.reads += 1;
            let shown = ticks.read(began, ended, self.value(n));
            if let (true, Some(moment)) = (shown.new, shown.since) {
                let off = moment.at - self.tick(n);
                played.seen += 1;
                played.outside += usize::from(off.abs() > moment.within);
                if t > 10.0 + self.seconds * 2.0 / 3.0 {
                    played.last.push(off);
                }
            }
            if ticks.period().is_some() && played.learnt.is_none() {
                played.learnt = Some(ended - 10.0);
            }
            let watched = until.filter(|until| began < *until);
            // As a board does, which would lose a beat that is not sharp yet.
            let then = ticks.within(began + self.rest);
            let blurred = then.is_some_and(|within| within > 0.2 * self.period);
            let rest = if blurred { self.rest.min(3.0 * self.period) } else { self.rest };
            let from = if watched.is_some() { began } else { began + rest };
            until = watched.or(ticks.around(from).map(|(_, by)| by));
            t = match ticks.next_read(from, self.stride, true) {
                Some(Window { from, by }) => (by - 0.75 * (by - from).min(LEAD)).max(ended),
                None => ticks.search_on(ended, FINE),
            };
        }
        played.end = t;
        played.ticks = Some(ticks);
        played
    }
}

/// This many seeds of a script, each with a phase of its own.
fn many(script: Script, seeds: u64) -> Vec<Played> {
    let play = |seed| {
        let phase = Noise::new(seed).unit() * script.period;
        Script { phase, seed, ..script }.play()
    };
    (0..seeds).map(play).collect()
}

fn rms(all: &[Played]) -> f64 {
    (all.iter().map(|played| played.rms().powi(2)).sum::<f64>() / all.len() as f64).sqrt()
}

/// Each has learnt the right period, and what it said of updates was wrong at most in one of `one_in`.
fn hold(all: &[Played], script: Script, one_in: usize) {
    for (seed, played) in all.iter().enumerate() {
        let period = played.ticks.as_ref().unwrap().period().unwrap_or(0.0);
        let off = (period - script.period).abs();
        assert!(off < 0.005 * script.period, "seed {seed} of {script:?}: {period}");
        assert!(played.seen > 10, "seed {seed} of {script:?}: {played:?}");
    }
    let (seen, outside) =
        all.iter().fold((0, 0), |sum, played| (sum.0 + played.seen, sum.1 + played.outside));
    assert!(outside * one_in <= seen, "{outside} of {seen}: {script:?}");
}

#[test]
fn a_period_from_10_ms_to_2_s_is_learnt_and_its_updates_are_placed_with_few_reads() {
    for (period, most) in [(0.01, 0.001), (0.02, 0.000_2), (0.0313, 0.000_2), (0.1, 0.000_2)] {
        let script = Script { period, ..IDLE };
        let all = many(script, 20);
        hold(&all, script, 200);
        assert!(rms(&all) < most, "{period} s: {}", rms(&all));
        for played in &all {
            let ticks = script.seconds / period;
            assert!((played.reads as f64) < 1.4 * ticks + 100.0, "{period} s: {}", played.reads);
        }
    }
    for period in [0.25, 1.0, 2.0] {
        let script = Script { period, seconds: 120.0, ..IDLE };
        let all = many(script, 20);
        hold(&all, script, 200);
        assert!(rms(&all) < 0.000_5, "{period} s: {}", rms(&all));
        assert!(all.iter().all(|played| played.learnt.unwrap() < 4.1 * period));
    }
}

/// Where reads are costly some updates are left out, but none before one that is watched: a read at the moment at which
/// an update is expected shows something new in any case if the update before it may not have been seen.
#[test]
fn updates_are_placed_as_well_where_some_are_left_out() {
    for period in [0.02, 0.1, 0.25] {
        for late in [0.000_1, 0.002] {
            for stride in [2.0, 3.0, 5.0] {
                let script = Script { period, late, stride, seconds: 180.0, ..IDLE };
                let all = many(script, 20);
                hold(&all, script, 100);
                let most = 0.000_5 + 1.5 * late;
                assert!(rms(&all) < most, "{script:?}: {}", rms(&all));
                for played in &all {
                    let updates = script.seconds / period;
                    let most = 0.85 * updates + 200.0;
                    assert!((played.reads as f64) < most, "{script:?}: {}", played.reads);
                }
            }
        }
    }
}

/// A counter that is read about one update, and then not for a second: its updates are placed all the same.
#[test]
fn updates_are_placed_by_reads_with_a_rest_between() {
    for (period, late) in [(0.1, 0.000_1), (0.1, 0.001), (0.02, 0.000_1)] {
        let script = Script { period, late, rest: 1.0, seconds: 180.0, ..IDLE };
        let all = many(script, 20);
        hold(&all, script, 100);
        assert!(rms(&all) < 0.001_5 + 3.0 * late, "{script:?}: {}", rms(&all));
        for played in &all {
            let most = 7.0 * script.seconds + 200.0;
            assert!((played.reads as f64) < most, "{script:?}: {} reads", played.reads);
        }
    }
}

#[test]
fn a_thread_that_wakes_late_learns_the_period_too() {
    for period in [0.1, 0.25, 1.0, 2.0] {
        for late in [0.004, 0.012] {
            let script = Script { period, late, seconds: 120.0, ..IDLE };
            let all = many(script, 20);
            hold(&all, script, 100);
            assert!(rms(&all) < 0.12 * period, "{period} s, {late} s late: {}", rms(&all));
        }
    }
}

#[test]
fn a_driver_that_takes_its_time_shows_the_period_too() {
    for period in [0.1, 0.25, 1.0, 2.0] {
        for late in [0.000_1, 0.004] {
            let script = Script { period, late, call: 0.002_4, seconds: 120.0, ..IDLE };
            let all = many(script, 20);
            hold(&all, script, 50);
            assert!(rms(&all) < 0.006, "{period} s, {late} s late: {}", rms(&all));
        }
    }
}

#[test]
fn a_clock_that_drifts_is_followed() {
    let script = Script { wander: 5e-6, seconds: 600.0, ..IDLE };
    hold(&many(script, 5), script, 50);
}

#[test]
fn a_level_that_rarely_changes_shows_its_period_all_the_same() {
    let script = Script { level: true, seconds: 20.0, ..IDLE };
    for played in many(script, 20) {
        let period = played.ticks.as_ref().unwrap().period();
        assert!(period.is_none_or(|period| (period - 0.1).abs() < 0.001), "{period:?}");
        assert!(played.learnt.is_some_and(|at| at < 15.0), "{:?}", played.learnt);
    }
}

#[test]
fn a_moment_too_close_to_an_update_is_not_guessed() {
    let played = IDLE.play();
    let ticks = played.ticks.unwrap();
    let next = IDLE.tick(IDLE.shown(played.end) + 1.0);
    assert_eq!(ticks.shown(next, next), None);
    let shown = ticks.shown(next + 0.05, next + 0.05).unwrap();
    assert!((shown.at - next).abs() < 0.001, "{shown:?} for {next}");
}

#[test]
fn a_register_without_a_beat_has_no_period() {
    // It moves at no multiple of anything.
    let jumps = [0.02, 0.071, 0.093, 0.16, 0.177, 0.231, 0.26, 0.333];
    let mut ticks = UpdateTimes::new(true, 0.001_8);
    for k in 0..100 {
        let t = BURST * f64::from(k);
        ticks.read(t, t, jumps.iter().filter(|&&jump| t > jump).count() as u64);
    }
    assert_eq!(ticks.period(), None);
    let mut still = UpdateTimes::new(true, 0.001_8);
    for k in 0..1000 {
        let t = BURST * f64::from(k);
        still.read(t, t, 7);
    }
    assert_eq!(still.period(), None);
}

#[test]
fn until_the_period_is_known_a_value_may_be_as_old_as_any() {
    let mut ticks = UpdateTimes::new(true, 0.001_8);
    assert!((ticks.longest() - LONGEST).abs() < 1e-12);
    for (t, value) in [(0.0, 1), (0.9, 2), (1.0, 2), (1.4, 3)] {
        ticks.read(t, t, value);
    }
    assert!((ticks.longest() - 1.4).abs() < 1e-9, "from before one change to after the next");
}

/// Updates that come up to 1 ms late, at random, as a driver's thread may.
#[test]
fn updates_that_jitter_stay_within_what_is_said() {
    for period in [0.1, 0.25, 1.0] {
        let script = Script { period, jitter: 0.001, seconds: 120.0, ..IDLE };
        hold(&many(script, 20), script, 6);
    }
}

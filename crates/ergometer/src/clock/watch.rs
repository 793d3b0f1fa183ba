//! The clock is compared with the system's, and put right where the two part.
//!
//! ```text
//!  true time   ─────────L────────×─────────N──────────►   L: last time the two agreed, N: now
//!  shown       ─────────L────────×╴╴╴╴ + by ╴╴╴╴ → N      ×: the counter jumped by `by`, somewhere between
//! ```
//!
//! The kernel's clock says how much time passed since L, so N is known, and the clock goes on from there:
//! what was stamped before the jump stays right, and what is stamped later comes after it. Only what was
//! stamped between the jump and its discovery is off, by `by`.

use std::collections::VecDeque;
use std::time::Duration;

use super::Timestamp;
use super::machine::{Machine, Offsets};

/// Two clocks that part by no more than this between two comparisons agree, nanoseconds.
const TOLERANCE: u64 = 1_000_000;
/// The same as a share of the time between, and over [`LONG`]: calibration leaves a thirtieth of it.
const SHARE: f64 = 1e-3;
/// Time over which the clocks' rates are compared, nanoseconds.
const LONG: u64 = 10_000_000_000;
/// A counter that jumps so often within this many nanoseconds is not read any more.
const JUMPS: usize = 3;
const JUMPY: u64 = 60_000_000_000;
/// A sleep and a step of the wall clock are longer, nanoseconds.
const LEAST: i64 = 50_000_000;
/// Events that are remembered for those who have not asked yet.
const REMEMBERED: usize = 64;

/// What happened to the clocks between two looks at them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Event {
    /// The last look before it, and the one that saw it.
    pub from: Timestamp,
    pub to: Timestamp,
    pub what: What,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum What {
    /// What was stamped since is later than it was by this many nanoseconds.
    Jumped { by: i64 },
    /// The counter is not read any more: it jumped too often, or ran fast by this share.
    Left { fast: Option<f64> },
    /// The machine slept; this clock does not count that time.
    Slept { time: Duration },
}

/// The last comparison, and what was seen so far.
pub(super) struct Watch {
    /// What the clock and the kernel's showed when they agreed last.
    own: u64,
    kernel: u64,
    /// The same some time ago, to compare their rates.
    earlier: (u64, u64),
    /// When the other clocks were looked at last.
    looked: u64,
    offsets: Option<Offsets>,
    /// How often the clock was put right, and the kernel's time of the last times.
    pub(super) jumps: u64,
    recent: VecDeque<u64>,
    events: VecDeque<Event>,
    /// How many events there were.
    pub(super) count: u64,
}

impl Watch {
    pub(super) fn start(machine: &Machine, offsets: Option<Offsets>) -> Self {
        let (own, kernel, _) = machine.both();
        Self {
            own,
            kernel,
            earlier: (own, kernel),
            looked: own,
            offsets,
            jumps: 0,
            recent: VecDeque::new(),
            events: VecDeque::new(),
            count: 0,
        }
    }

    /// The events after the first `known` ones, as far as they are remembered.
    pub(super) fn since(&self, known: u64) -> impl Iterator<Item = Event> {
        let new = usize::try_from(self.count.saturating_sub(known)).unwrap_or(usize::MAX);
        let skip = self.events.len().saturating_sub(new);
        self.events.iter().skip(skip).copied()
    }

    fn note(&mut self, from: u64, to: u64, what: What) {
        self.count += 1;
        if self.events.len() == REMEMBERED {
            self.events.pop_front();
        }
        let [from, to] = [from, to].map(Timestamp::from_nanos);
        self.events.push_back(Event { from, to, what });
    }

    /// Compares the two clocks, and puts this one right; gives its time.
    pub(super) fn compare(&mut self, machine: &Machine) -> u64 {
        let (own, kernel, width) = machine.both();
        let passed = kernel.wrapping_sub(self.kernel);
        let truth = self.own.wrapping_add(passed);
        let by = own.wrapping_sub(truth).cast_signed();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative")]
        let allowed =
            TOLERANCE.saturating_add(width).saturating_add((passed as f64 * SHARE) as u64);
        if by.unsigned_abs() > allowed {
            machine.shift(by.wrapping_neg());
            self.note(self.own, truth, What::Jumped { by });
            self.agree(truth, kernel);
            self.earlier = (truth, kernel);
            self.recent.retain(|at| kernel.wrapping_sub(*at) < JUMPY);
            self.recent.push_back(kernel);
            self.jumps += 1;
            if self.recent.len() >= JUMPS && machine.counts() {
                self.leave(machine, truth, None);
            }
            return truth;
        }
        self.agree(own, kernel);
        let long = kernel.wrapping_sub(self.earlier.1);
        if long >= LONG {
            let fast = own.wrapping_sub(self.earlier.0) as f64 / long as f64 - 1.0;
            self.earlier = (own, kernel);
            if fast.abs() > SHARE && machine.counts() {
                self.leave(machine, own, Some(fast));
            }
        }
        own
    }

    fn agree(&mut self, own: u64, kernel: u64) {
        (self.own, self.kernel) = (own, kernel);
    }

    /// Goes on at `now` by the system's clock.
    fn leave(&mut self, machine: &Machine, now: u64, fast: Option<f64>) {
        machine.leave_the_counter(now);
        let (own, kernel, _) = machine.both();
        self.note(now, own, What::Left { fast });
        self.agree(own, kernel);
        self.earlier = (own, kernel);
    }

    /// Looks whether the machine slept, or somebody set the wall clock; gives by how much.
    pub(super) fn look(&mut self, now: u64, offsets: Option<Offsets>) -> Offsets {
        let from = std::mem::replace(&mut self.looked, now);
        let mut moved = Offsets::default();
        let (Some(offsets), Some(known)) = (offsets, &mut self.offsets) else { return moved };
        let asleep = offsets.asleep.wrapping_sub(known.asleep);
        let wall = offsets.wall.wrapping_sub(known.wall);
        // Less is how far apart the clocks were read.
        if asleep > LEAST {
            (known.asleep, moved.asleep) = (offsets.asleep, asleep);
        }
        if wall.unsigned_abs() > LEAST.unsigned_abs() {
            (known.wall, moved.wall) = (offsets.wall, wall);
        }
        if moved.asleep > 0 {
            let time = Duration::from_nanos(moved.asleep.unsigned_abs());
            self.note(from, now, What::Slept { time });
        }
        moved
    }
}

//! Compares the clock with the kernel's and corrects it where the two disagree.
//!
//! ```text
//!  true time   ─────────L────────×─────────N──────────►   L: last time the two agreed, N: now
//!  shown       ─────────L────────×╴╴╴╴ + by ╴╴╴╴ → N      ×: the counter jumped by `by`, somewhere between
//! ```
//!
//! The kernel's clock shows how much time passed since L. So N is known, and the clock continues from
//! there. Timestamps from before the jump stay right, and later ones come after them. Only timestamps taken
//! between the jump and its discovery are off, by `by`.

use std::collections::VecDeque;
use std::time::Duration;

use super::Timestamp;
use super::machine::{Machine, Offsets};

/// Two clocks agree if they diverge by no more than this since they last agreed, nanoseconds.
const TOLERANCE: u64 = 1_000_000;
/// They are taken to agree anew after this many nanoseconds at the earliest. A counter that stands still is never far from
/// where it was a moment ago.
const ANEW: u64 = 500_000_000;
/// The same as a share of the time between, also over [`LONG`]. Calibration errs by a thirtieth of it.
const SHARE: f64 = 1e-3;
/// Time over which the clocks' rates are compared, nanoseconds.
const LONG: u64 = 10_000_000_000;
/// A counter that jumps this many times within [`JUMPY`] nanoseconds is no longer read.
const JUMPS: usize = 3;
const JUMPY: u64 = 60_000_000_000;
/// Shorter sleeps and steps of the wall clock are ignored, nanoseconds.
const LEAST: i64 = 50_000_000;
/// Events that are kept for threads that have not seen them yet.
const REMEMBERED: usize = 64;

/// An event between two comparisons of the clocks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Event {
    /// The last comparison before it, and the one that found it.
    pub from: Timestamp,
    pub to: Timestamp,
    pub what: What,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum What {
    /// Timestamps taken since are this many nanoseconds too late.
    Jumped { by: i64 },
    /// The counter is no longer read: it jumped too often, or ran fast by this share.
    Left { fast: Option<f64> },
    /// The machine slept; this clock does not count that time.
    Slept { time: Duration },
}

/// The last comparison, and the events so far.
pub(super) struct Watch {
    /// Both clocks' values when they last agreed.
    own: u64,
    kernel: u64,
    /// This clock's at the last comparison.
    compared: u64,
    /// The same some time ago, to compare their rates.
    earlier: (u64, u64),
    /// When the other clocks were last compared.
    looked: u64,
    offsets: Option<Offsets>,
    /// How many times the clock was corrected, and the kernel's time of the last corrections.
    pub(super) jumps: u64,
    recent: VecDeque<u64>,
    events: VecDeque<Event>,
    /// Number of events so far.
    pub(super) count: u64,
}

impl Watch {
    pub(super) fn start(machine: &Machine, offsets: Option<Offsets>) -> Self {
        let (own, kernel, _) = machine.both();
        Self {
            own,
            kernel,
            compared: own,
            earlier: (own, kernel),
            looked: own,
            offsets,
            jumps: 0,
            recent: VecDeque::new(),
            events: VecDeque::new(),
            count: 0,
        }
    }

    /// The events after the first `known` ones, as far as they are still kept.
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

    /// Compares the two clocks, corrects this one and returns its time.
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
            self.note(self.compared, truth, What::Jumped { by });
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
        self.compared = own;
        if passed >= ANEW {
            self.agree(own, kernel);
        }
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
        (self.own, self.kernel, self.compared) = (own, kernel, own);
    }

    /// Continues at `now` by the system's clock.
    fn leave(&mut self, machine: &Machine, now: u64, fast: Option<f64>) {
        machine.leave_the_counter(now);
        let (own, kernel, _) = machine.both();
        self.note(now, own, What::Left { fast });
        self.agree(own, kernel);
        self.earlier = (own, kernel);
    }

    /// Checks whether the machine slept or the wall clock was set; returns by how much. Where the rates of these clocks
    /// differ, only a step between two looks is an event.
    pub(super) fn look(
        &mut self,
        now: u64,
        offsets: Option<Offsets>,
        rates_differ: bool,
    ) -> Offsets {
        let from = std::mem::replace(&mut self.looked, now);
        let mut moved = Offsets::default();
        let (Some(offsets), Some(known)) = (offsets, &mut self.offsets) else { return moved };
        let asleep = offsets.asleep.wrapping_sub(known.asleep);
        let wall = offsets.wall.wrapping_sub(known.wall);
        // Shorter differences come from reading the clocks one after the other.
        if asleep > LEAST {
            (known.asleep, moved.asleep) = (offsets.asleep, asleep);
        }
        if wall.unsigned_abs() > LEAST.unsigned_abs() {
            (known.wall, moved.wall) = (offsets.wall, wall);
        }
        if rates_differ {
            *known = offsets;
        }
        if moved.asleep > 0 {
            let time = Duration::from_nanos(moved.asleep.unsigned_abs());
            self.note(from, now, What::Slept { time });
        }
        moved
    }
}

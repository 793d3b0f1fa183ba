//! Marks that grow while the meter's thread may read them.
//!
//! Spans that share a mark may end tens of nanoseconds apart, where a lock for each costs as much as the rest of a
//! span. So the thread adds them up in a copy of its own and publishes the sum, without a lock and without a wait.
//! The meter's thread takes what was added since it read last.
//!
//! ```text
//!  version 4: slots [sum 4, sum 3]    a reader takes sum 4, which stays whole wherever the thread stops,
//!  version 5: slots [sum 4, sum 5]    and reads again if the version has changed meanwhile
//! ```

use std::sync::Arc;

use super::mark::Mark;
use super::sync::{AtomicU64, Ordering, fence};
use crate::clock::Timestamp;

/// Marks of one thread that grow at the same time; a power of two.
const GROWING: usize = if cfg!(all(test, loom)) { 1 } else { 8 };

fn place_of(id: u64) -> usize {
    usize::from(id.to_le_bytes()[0]) % GROWING
}

/// The sums that a thread has published. Allocated, with the two that use it, once a ring is full for the first time:
/// threads may come and go by the thousand.
#[derive(Default)]
struct Sums([Sum; GROWING]);

/// On cache lines of its own, as it is written at every span.
#[derive(Default)]
#[repr(align(128))]
struct Sum {
    version: AtomicU64,
    /// The words of a [`Total`]. The slot of the version's parity is whole.
    slots: [[AtomicU64; 5]; 2],
}

/// What the spans of one identity have in common so far.
#[derive(Clone, Copy)]
struct Total {
    start: Timestamp,
    end: Timestamp,
    /// Nanoseconds in which they were open, all together.
    open: u64,
    items: f64,
    count: u64,
}

impl Total {
    fn of(first: &Mark) -> Self {
        let Mark { start, end, items, .. } = *first;
        let (open, count) = (first.open_nanos(), first.count());
        Self { start, end, open, items, count }
    }

    /// Adds a span; `false`, and nothing is added, where a mark cannot count them.
    #[inline]
    fn add(&mut self, mark: &Mark) -> bool {
        let count = self.count + mark.count();
        if count > u32::MAX.into() {
            return false;
        }
        self.start = self.start.min(mark.start);
        self.end = self.end.max(mark.end);
        self.open += mark.open_nanos();
        self.items += mark.items;
        self.count = count;
        true
    }

    /// Their mark, as that of `first` with others.
    fn mark(self, first: &Mark) -> Mark {
        let Self { start, end, open, items, count } = self;
        // Spans that were open at the same time count it once.
        let idle = end.as_nanos().saturating_sub(start.as_nanos()).saturating_sub(open);
        let folded = if count == 1 { 0 } else { u32::try_from(count).unwrap_or(u32::MAX) };
        Mark { start, end, items, idle, folded, ..*first }
    }
}

impl Sum {
    #[inline]
    fn publish(&self, version: u64, total: &Total) {
        // Whoever sees a word of this sum sees that the version before it is there.
        fence(Ordering::Release);
        let Total { start, end, open, items, count } = *total;
        let words = [start.as_nanos(), end.as_nanos(), open, items.to_bits(), count];
        for (slot, word) in self.slots[parity(version)].iter().zip(words) {
            slot.store(word, Ordering::Relaxed);
        }
        self.version.store(version, Ordering::Release);
    }

    /// The sum as it was published last.
    ///
    /// Reads again while its thread publishes, which it does once more at most: see [`Taken::take`].
    fn read(&self) -> Total {
        loop {
            let version = self.version.load(Ordering::Acquire);
            let words = &self.slots[parity(version)];
            let [start, end, open, items, count] =
                words.each_ref().map(|word| word.load(Ordering::Relaxed));
            fence(Ordering::Acquire);
            if self.version.load(Ordering::Relaxed) == version {
                let [start, end] = [start, end].map(Timestamp::from_nanos);
                return Total { start, end, open, items: f64::from_bits(items), count };
            }
            spin();
        }
    }
}

fn spin() {
    #[cfg(all(test, loom))]
    loom::thread::yield_now();
    #[cfg(not(all(test, loom)))]
    std::hint::spin_loop();
}

fn parity(version: u64) -> usize {
    usize::from(version % 2 == 1)
}

/// The copies of the thread that the marks are of.
#[derive(Default)]
pub(super) struct Growing {
    own: [Own; GROWING],
    sums: Arc<Sums>,
}

#[derive(Default)]
struct Own {
    known: Option<(Mark, Total)>,
    version: u64,
}

impl Growing {
    /// Adds a mark to the one of its identity, if that grows. Where its label is the same, it is plain if nothing was
    /// added to it: the first one [is](is_plain).
    #[inline]
    pub(super) fn add(&mut self, mark: &Mark) -> bool {
        let place = place_of(mark.id);
        let own = &mut self.own[place];
        let Some((first, total)) = own.known.as_mut().filter(|(first, _)| first.id == mark.id)
        else {
            return false;
        };
        let alike = std::ptr::eq(first.label, mark.label) && first.beside == mark.beside;
        if !alike || mark.outlived || mark.invalid_items > 0 || !total.add(mark) {
            return false;
        }
        own.version += 1;
        self.sums.0[place].publish(own.version, total);
        true
    }
}

/// Whether all of a mark that may change is in a sum.
fn is_plain(mark: &Mark) -> bool {
    !mark.outlived && mark.invalid_items == 0 && !mark.has_edges()
}

/// What the meter's thread has taken of the marks that grow. Behind a lock, which the thread takes to begin and to
/// end them.
pub(super) struct Taken {
    known: [Option<Known>; GROWING],
    sums: Arc<Sums>,
}

#[derive(Clone, Copy)]
struct Known {
    first: Mark,
    /// The sum as it was read last.
    taken: Option<Mark>,
}

impl Taken {
    /// Of the thread that has `growing`.
    pub(super) fn of(growing: &Growing) -> Self {
        Self { known: Default::default(), sums: Arc::clone(&growing.sums) }
    }

    /// Lets a mark grow, if there is room; its thread calls. One of a single span makes room: it may be the last of
    /// its identity. `put` is called with what was not taken of it yet.
    pub(super) fn begin(
        &mut self,
        growing: &mut Growing,
        mark: &Mark,
        put: impl FnMut(Mark),
    ) -> bool {
        let place = place_of(mark.id);
        let own = &mut growing.own[place];
        let taken = own.known.as_ref().is_some_and(|(_, total)| total.count > 1);
        if taken || !is_plain(mark) {
            return false;
        }
        let total = Total::of(mark);
        own.version += 1;
        self.sums.0[place].publish(own.version, &total);
        let own = own.known.replace((*mark, total));
        let known = self.known[place].replace(Known { first: *mark, taken: None });
        rest(own, known).into_iter().for_each(put);
        true
    }

    /// Whether something was taken of each.
    #[cfg(all(test, loom))]
    pub(super) fn is_all(&self) -> bool {
        self.known.iter().flatten().all(|known| known.taken.is_some())
    }

    /// Ends all marks that grow; its thread calls. Returns what was not taken yet.
    pub(super) fn end(&mut self, growing: &mut Growing) -> impl Iterator<Item = Mark> {
        let own = growing.own.iter_mut().map(|own| own.known.take());
        own.zip(&mut self.known).filter_map(|(own, known)| rest(own, known.take()))
    }

    /// Calls `put` with what was added since this was called last.
    ///
    /// The caller holds the lock and has told the thread to take it for its next span, so that sums stand still. What
    /// is around others comes first: of what is inside, no less is taken.
    pub(super) fn take(&mut self, mut put: impl FnMut(Mark)) {
        let known = self.known.iter_mut().zip(&self.sums.0);
        let mut known: Vec<_> =
            known.filter_map(|(known, sum)| Some((known.as_mut()?, sum))).collect();
        known.sort_by_key(|(known, _)| known.first.id);
        for (known, sum) in known {
            let mark = sum.read().mark(&known.first);
            if let Some(more) = mark.since(known.taken.as_ref()) {
                put(more);
            }
            known.taken = Some(mark);
        }
    }
}

/// What was not taken yet of a mark that grew.
fn rest(own: Option<(Mark, Total)>, known: Option<Known>) -> Option<Mark> {
    let (first, total) = own?;
    total.mark(&first).since(known?.taken.as_ref())
}

impl Mark {
    /// What was added to it since it was as `before`.
    fn since(&self, before: Option<&Self>) -> Option<Self> {
        let Some(before) = before else { return Some(*self) };
        let count = u32::try_from(self.count().saturating_sub(before.count())).ok()?;
        let start = before.end;
        let covered = self.end.as_nanos().saturating_sub(start.as_nanos());
        let open = self.open_nanos().saturating_sub(before.open_nanos());
        let items = self.items - before.items;
        (count > 0).then_some(Self {
            start,
            idle: covered.saturating_sub(open),
            // Of a sum that is more than a number can hold.
            items: if items.is_nan() { 0.0 } else { items },
            folded: if count == 1 { 0 } else { count },
            ..*self
        })
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::span::{Kind, Label};

    const STEP: &Label = &Label::new(Kind::Step, "step");

    fn mark(id: u64, start: u64, end: u64) -> Mark {
        let ends = [start, end].map(Timestamp::from_nanos);
        Mark { id, items: 2.0, ..Mark::new(STEP, ends.into()) }
    }

    #[test]
    fn each_span_is_taken_once_with_its_items_and_its_time() {
        let mut growing = Growing::default();
        let mut taken = Taken::of(&growing);
        let mut marks = Vec::new();
        let mut at = 0;
        for round in 0..10 {
            // Spans of 60 ns, 100 ns apart.
            for span in 0..round {
                let mark = mark(9, at, at + 60);
                let grows = growing.add(&mark);
                assert_eq!(grows, at > 0, "round {round}, span {span}");
                assert!(grows || taken.begin(&mut growing, &mark, |_| ()));
                at += 100;
            }
            taken.take(|mark| marks.push(mark));
        }
        marks.extend(taken.end(&mut growing));
        assert_eq!(marks.len(), 9, "one a round in which there was a span");
        assert_eq!(marks.iter().map(Mark::count).sum::<u64>(), 45);
        assert_eq!(marks.iter().map(|mark| mark.items).sum::<f64>().to_bits(), 90.0_f64.to_bits());
        assert_eq!(marks.iter().map(Mark::open_nanos).sum::<u64>(), 45 * 60);
        for pair in marks.windows(2) {
            assert_eq!(pair[0].end, pair[1].start);
        }
        assert_eq!(marks[0].folded, 0, "one that stands for itself");
        assert!(!growing.add(&mark(9, at, at)), "nothing grows");
    }

    #[test]
    fn what_is_not_taken_when_marks_end_is_returned() {
        let mut growing = Growing::default();
        let mut taken = Taken::of(&growing);
        let room =
            (1..=GROWING as u64).all(|id| taken.begin(&mut growing, &mark(id, 0, 1), |_| ()));
        assert!(room && growing.add(&mark(3, 5, 6)));
        let mut rest = Vec::new();
        let other = |id| mark(id, 0, 1);
        let mut begin = |id| taken.begin(&mut growing, &other(id), |mark| rest.push(mark.id));
        assert!(!begin(3 + GROWING as u64), "no room");
        assert!(begin(4 + GROWING as u64), "room of a single span");
        assert_eq!(rest, [4]);
        taken.take(|_| ());
        assert!(growing.add(&mark(3, 7, 9)) && growing.add(&mark(3, 9, 10)));
        let rest: Vec<_> = taken.end(&mut growing).collect();
        let [rest] = rest[..] else { panic!("{rest:?}") };
        assert_eq!((rest.id, rest.count(), rest.open_nanos()), (3, 2, 3));
        assert_eq!(taken.end(&mut growing).count(), 0);
    }

    #[test]
    fn marks_with_more_than_a_sum_holds_do_not_grow() {
        let mut growing = Growing::default();
        let mut taken = Taken::of(&growing);
        let plain = mark(1, 0, 1);
        let others = [
            Mark { outlived: true, ..plain },
            Mark { invalid_items: 1, ..plain },
            Mark { label: Label::others(Kind::Epoch), ..plain },
        ];
        assert!(others.iter().all(|mark| !taken.begin(&mut growing, mark, |_| ())));
        assert!(taken.begin(&mut growing, &plain, |_| ()));
        let beside = Mark { beside: true, ..plain };
        assert!(others.iter().chain([&beside]).all(|mark| !growing.add(mark)));
    }
}

//! Marks on their way from the threads of the program to the meter's thread.
//!
//! Each thread owns the producing end of one single-producer ring per meter; the meter's thread owns
//! the consuming ends. A full ring spills into the [`Overflow`] of the same lane, in which spans of one path
//! share a mark, so that every span counts and memory is bounded; its lock is only ever shared with the one
//! reader, and most spans do without it.

use std::sync::atomic::{AtomicBool as PlainBool, AtomicUsize};
use std::sync::{Arc, PoisonError, TryLockError, Weak};

use super::growing::Growing;
use super::mark::{Mark, NO_SPAN, UNANNOUNCED};
use super::spill::{Identities, Overflow, Spill};
use super::sync::{
    AtomicBool, AtomicU64, Consumer, Mutex, MutexGuard, Ordering, Producer, RingBuffer, statics,
};
use super::word::Word;
use super::{Kind, Label};
use crate::clock::Timestamp;

/// Marks a ring holds: 224 KiB a thread, touched only as far as it is filled.
const CAPACITY: usize = if cfg!(all(test, loom)) { 2 } else { 4096 };

/// What no overflow counts up to.
const NEVER: u64 = u64::MAX;

/// This many new threads are not left waiting for the next round: most of those before may be gone.
const LANES_AT_ONCE: usize = if cfg!(all(test, loom)) { 2 } else { 64 };

/// A mark as it waits in a ring: without [`Mark::idle`], which is 0 there. A thread writes lines of memory that the
/// meter's thread has read since, and waits for each.
struct Waiting {
    label: &'static Label,
    start: Timestamp,
    end: Timestamp,
    id: u64,
    parent: u64,
    items: f64,
    invalid_items: u8,
    outlived: bool,
    beside: bool,
    folded: u32,
}

impl From<&Mark> for Waiting {
    #[inline]
    fn from(mark: &Mark) -> Self {
        let Mark {
            label,
            start,
            end,
            id,
            parent,
            items,
            invalid_items,
            outlived,
            beside,
            folded,
            idle,
        } = *mark;
        debug_assert_eq!(idle, 0);
        Self { label, start, end, id, parent, items, invalid_items, outlived, beside, folded }
    }
}

impl From<Waiting> for Mark {
    #[inline]
    fn from(waiting: Waiting) -> Self {
        let Waiting {
            label,
            start,
            end,
            id,
            parent,
            items,
            invalid_items,
            outlived,
            beside,
            folded,
        } = waiting;
        let idle = 0;
        Self { label, start, end, id, parent, items, idle, invalid_items, outlived, beside, folded }
    }
}

/// The number of runs and epochs that may be open, or closed and not drained yet, each with its own identity. It
/// is also the number of epochs that have rows.
pub(crate) const MOST_ANNOUNCED: usize = if cfg!(all(test, loom)) { 2 } else { 4096 };

/// Whoever listens to what spans tell. It counts words that wait, to keep their queue bounded.
struct Listener {
    hear: Box<dyn Fn(Word) + Send + Sync>,
    /// Runs and epochs that were announced and whose marks were not drained yet.
    announced: AtomicUsize,
    /// A request to read is in the queue.
    nudged: PlainBool,
}

impl Listener {
    /// Sends a word, unless one that does the same is on its way.
    fn send(&self, word: Word) {
        match word {
            Word::Nudge if self.nudged.swap(true, Ordering::AcqRel) => return,
            Word::Begun(_) => drop(self.announced.fetch_add(1, Ordering::Relaxed)),
            _ => {}
        }
        (self.hear)(word);
    }
}

/// The meter's side of all rings.
pub(crate) struct Rings {
    pub(crate) meter: u64,
    lanes: Mutex<Vec<Lane>>,
    listener: Arc<Listener>,
    /// No span is of interest any more.
    shut: AtomicBool,
    /// The process it was made in.
    process: u32,
}

/// The reading end of one thread's ring.
struct Lane {
    ring: Consumer<Waiting>,
    overflow: Arc<Overflow>,
}

/// The writing end, owned by the thread.
pub(super) struct Writer {
    pub(super) meter: u64,
    ring: Producer<Waiting>,
    overflow: Arc<Overflow>,
    /// The last mark found the ring full.
    pressed: bool,
    /// Its marks that found no room and grow, since the overflow was emptied this often.
    growing: Option<Box<Growing>>,
    drains: u64,
    /// Of a thread that was under pressure.
    identities: Option<Identities>,
    /// The epoch that the thread began last and that has not ended; marks of two epochs are never shared.
    epoch: u64,
    listener: Arc<Listener>,
    /// Whose thread it is.
    process: u32,
}

statics! {
    /// The meter that `Span::enter` and the macro use; [`NO_SPAN`] without one.
    static INSTALLED: AtomicU64 = AtomicU64::new(NO_SPAN);
    /// The process and the meter that is that one or is about to be, as [`Rings::holder`] writes it.
    static HOLDER: AtomicU64 = AtomicU64::new(NO_SPAN);
    /// Meters that accept marks, so that a thread can find the one it has no ring for yet.
    static ACTIVE: Mutex<Vec<Weak<Rings>>> = Mutex::new(Vec::new());
    static NEXT_METER: AtomicU64 = AtomicU64::new(1);
}

impl Rings {
    /// Rings of a new meter, whose spans tell what they have to by `hear`. It is called by the program's threads, at
    /// the edges of runs and epochs and where a ring is full, and must not wait.
    pub(crate) fn new(hear: impl Fn(Word) + Send + Sync + 'static) -> Arc<Self> {
        let meter = NEXT_METER.fetch_add(1, Ordering::Relaxed);
        let listener = Listener {
            hear: Box::new(hear),
            announced: AtomicUsize::new(0),
            nudged: PlainBool::new(false),
        };
        let rings = Arc::new(Self {
            meter,
            lanes: Mutex::new(Vec::new()),
            listener: Arc::new(listener),
            shut: AtomicBool::new(false),
            process: std::process::id(),
        });
        let mut active = lock(&ACTIVE);
        active.retain(|meter| meter.strong_count() > 0);
        active.push(Arc::downgrade(&rings));
        rings
    }

    /// Takes the place of the meter of `Span::enter`, so that no other meter can; `false` if another one has it.
    ///
    /// A forked child has the place as its parent left it, but no meter: there it is free.
    pub(crate) fn reserve(&self) -> bool {
        let mut holder = HOLDER.load(Ordering::Acquire);
        loop {
            if holder == self.holder() {
                return true;
            }
            if holder != NO_SPAN && holder >> 32 == u64::from(std::process::id()) {
                return false;
            }
            let taken =
                HOLDER.compare_exchange(holder, self.holder(), Ordering::AcqRel, Ordering::Acquire);
            match taken {
                Ok(_) => return true,
                Err(now) => holder = now,
            }
        }
    }

    /// Makes this the meter of `Span::enter`; `false` if another one is.
    pub(crate) fn install(&self) -> bool {
        let reserved = self.reserve();
        if reserved {
            INSTALLED.store(self.meter, Ordering::Release);
        }
        reserved
    }

    /// Undoes [`Rings::install`] and [`Rings::reserve`]; does nothing for a meter that is not installed.
    pub(crate) fn uninstall(&self) {
        let (release, relaxed) = (Ordering::AcqRel, Ordering::Relaxed);
        let _ = INSTALLED.compare_exchange(self.meter, NO_SPAN, release, relaxed);
        let _ = HOLDER.compare_exchange(self.holder(), NO_SPAN, release, relaxed);
    }

    fn holder(&self) -> u64 {
        u64::from(self.process) << 32 | self.meter & u64::from(u32::MAX)
    }

    /// Sends a word to the meter's thread.
    pub(crate) fn tell(&self, word: Word) {
        self.listener.send(word);
    }

    /// The meter's thread has received the request to read. The next request is sent again.
    pub(crate) fn heard_nudge(&self) {
        self.listener.nudged.store(false, Ordering::Release);
    }

    /// The meter's thread has drained the marks of this many announced runs and epochs.
    pub(crate) fn ended(&self, count: usize) {
        self.listener.announced.fetch_sub(count, Ordering::Relaxed);
    }

    /// Spans that open from now on do nothing.
    pub(crate) fn shut(&self) {
        self.uninstall();
        self.shut.store(true, Ordering::Release);
    }

    #[inline]
    pub(crate) fn is_shut(&self) -> bool {
        self.shut.load(Ordering::Relaxed)
    }

    /// Nobody drains any more: marks of spans that are still open will not be kept.
    pub(crate) fn close(&self) {
        self.shut();
        lock(&self.lanes).clear();
    }

    /// Moves all marks left so far into `marks`, and forgets threads that are gone. Gives how many spans
    /// share a mark with others because they came faster than they were drained.
    ///
    /// All that were left before the call began are among them. Of those left during it some may be, and
    /// not always the first: a mark that spills overtakes those that went into the ring just before.
    pub(crate) fn drain(&self, marks: &mut Vec<Mark>) -> u64 {
        let mut folded = 0;
        let mut taken = Spill::default();
        lock(&self.lanes).retain_mut(|lane| {
            // Asked before draining: a mark pushed in between is drained by the next call.
            let gone = lane.ring.is_abandoned();
            if let Ok(chunk) = lane.ring.read_chunk(lane.ring.slots()) {
                marks.extend(chunk.into_iter().map(Mark::from));
            }
            // Copied after the lock is given back: its thread may be waiting for it. The thread gets the
            // room that another one has left.
            let Overflow { spilt, drains } = &*lane.overflow;
            let mut spilt = lock(spilt);
            drains.store(drains.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
            spilt.take(&mut taken);
            drop(spilt);
            folded += taken.drain_into(marks);
            !gone
        });
        folded
    }

    fn connect(&self) -> Option<Writer> {
        let (producer, consumer) = RingBuffer::new(CAPACITY);
        let overflow = Arc::<Overflow>::default();
        let mut lanes = lock(&self.lanes);
        // Asked under the lock: after `close` there are no lanes.
        if self.is_shut() {
            return None;
        }
        lanes.push(Lane { ring: consumer, overflow: Arc::clone(&overflow) });
        if lanes.len().is_multiple_of(LANES_AT_ONCE) {
            self.listener.send(Word::Drain);
        }
        Some(Writer {
            meter: self.meter,
            ring: producer,
            overflow,
            pressed: false,
            growing: None,
            drains: NEVER,
            identities: None,
            epoch: NO_SPAN,
            listener: Arc::clone(&self.listener),
            process: self.process,
        })
    }
}

impl Drop for Rings {
    fn drop(&mut self) {
        self.uninstall();
    }
}

impl Writer {
    /// The writing end of a new lane of `meter`; `None` if that is gone or finished.
    #[cold]
    pub(super) fn connect(meter: u64) -> Option<Self> {
        find(meter)?.connect()
    }

    /// Whether the meter is gone.
    pub(super) fn is_abandoned(&self) -> bool {
        self.ring.is_abandoned()
    }

    /// Hands a mark to the meter's thread; returns whether the ring was full.
    ///
    /// A ring that was full is tried again once it has been drained: until then marks that grow take others in.
    /// The mark is made where it is needed, so that it need not lie in memory on its way into the ring.
    #[inline]
    pub(super) fn push(&mut self, mark: impl Fn() -> Mark) -> bool {
        if self.pressed {
            return self.grow(&mark()) || self.push_pressed(&mark());
        }
        let full = self.ring.push(Waiting::from(&mark())).is_err();
        if full {
            self.spill(&mark());
        }
        full
    }

    #[cold]
    fn push_pressed(&mut self, mark: &Mark) -> bool {
        self.pressed = self.ring.push(mark.into()).is_err();
        if self.pressed {
            self.spill(mark);
        }
        self.pressed
    }

    /// Announces a run or an epoch that began; returns its identity. While [`MOST_ANNOUNCED`] are open or not
    /// drained, those of one label inside one span share an identity and are not announced.
    pub(super) fn begin(&mut self, mut mark: Mark) -> u64 {
        let announced = self.listener.announced.load(Ordering::Relaxed) < MOST_ANNOUNCED;
        if !announced {
            mark.id = self.shared_identity(mark.label, mark.parent, mark.id | UNANNOUNCED);
        }
        if mark.label.kind == Kind::Epoch {
            self.epoch = mark.id;
        }
        if announced {
            self.listener.send(Word::Begun(mark));
        }
        mark.id
    }

    /// A run or an epoch ended; `outlived` as in its mark.
    pub(super) fn end(&mut self, label: &'static Label, parent: u64, outlived: bool) {
        if outlived && let Some(identities) = &mut self.identities {
            // Spans that come later are not inside one that has ended.
            identities.forget(label, parent);
        }
        self.epoch = NO_SPAN;
        self.listener.send(Word::Nudge);
    }

    /// The identity that spans of `label` inside `parent` share, where it is found at the first look.
    #[inline]
    pub(super) fn known_identity(&self, label: &'static Label, parent: u64) -> Option<u64> {
        self.identities.as_ref()?.known(label, parent)
    }

    /// The identity that spans of `label` inside `parent` share, which is `fresh` for the first of them.
    pub(super) fn shared_identity(
        &mut self,
        label: &'static Label,
        parent: u64,
        fresh: u64,
    ) -> u64 {
        self.identities.get_or_insert_with(Identities::new).of(label, parent, fresh)
    }

    /// Sends a word to the meter's thread.
    pub(super) fn tell(&self, word: Word) {
        self.listener.send(word);
    }

    /// Adds a mark to the one of its identity, if that grows and nothing was drained since it began to.
    #[inline]
    fn grow(&mut self, mark: &Mark) -> bool {
        self.overflow.drains.load(Ordering::Relaxed) == self.drains
            && self.growing.as_mut().is_some_and(|growing| growing.add(mark))
    }

    #[cold]
    fn spill(&mut self, mark: &Mark) {
        self.pressed = true;
        if self.ring.is_abandoned() {
            return;
        }
        if mark.outlived
            && let Some(identities) = &mut self.identities
        {
            // Spans that come later are not inside one that has ended.
            identities.forget(mark.label, mark.parent);
        }
        let Overflow { spilt, drains } = &*self.overflow;
        let mut spilt = match spilt.try_lock() {
            Ok(spilt) => spilt,
            Err(TryLockError::Poisoned(spilt)) => spilt.into_inner(),
            // In a forked child whoever holds it is gone.
            Err(TryLockError::WouldBlock) if self.process != std::process::id() => return,
            Err(TryLockError::WouldBlock) => lock(spilt),
        };
        // Whoever spilt first since the last drain has asked for the next. A span that was added to a mark just as
        // that was read waits for one that spills later, or for the next round.
        let drains = drains.load(Ordering::Relaxed);
        let ask = self.drains != drains;
        let growing = self.growing.get_or_insert_default();
        if ask {
            self.drains = drains;
            spilt.end(growing);
        }
        spilt.add(mark, self.epoch, growing);
        drop(spilt);
        if ask {
            self.listener.send(Word::Drain);
        }
    }
}

fn find(meter: u64) -> Option<Arc<Rings>> {
    lock(&ACTIVE).iter().filter_map(Weak::upgrade).find(|rings| rings.meter == meter)
}

/// Sends a word to the thread of `meter` from a thread that has no ring any more.
#[cold]
pub(super) fn tell(meter: u64, word: Word) {
    let rings = find(meter).filter(|rings| !rings.is_shut());
    if let Some(rings) = rings.filter(|rings| rings.process == std::process::id()) {
        rings.tell(word);
    }
}

/// The identity of the installed meter; [`NO_SPAN`] without one.
#[inline]
pub(super) fn installed() -> u64 {
    INSTALLED.load(Ordering::Relaxed)
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(all(test, loom))]
mod interleavings;
#[cfg(all(test, not(loom)))]
mod tests;

//! Marks on their way from the threads of the program to the meter's thread.
//!
//! Each thread owns the producing end of one single-producer ring per meter; the meter's thread owns
//! the consuming ends. A full ring spills into a mutex-guarded overflow of the same lane, so nothing
//! is lost and the lock is only ever shared with the one reader.

use std::sync::{Arc, PoisonError, Weak, mpsc};

use super::Label;
use super::sync::{
    AtomicU64, Consumer, Mutex, MutexGuard, Ordering, Producer, PushError, RingBuffer, Sender,
    statics,
};
use crate::clock::Timestamp;

/// Identity of no span and of no meter.
pub(crate) const NO_SPAN: u64 = 0;

/// Marks a ring holds: 224 KiB a thread, touched only as far as it is filled.
const CAPACITY: usize = if cfg!(all(test, loom)) { 2 } else { 4096 };

/// So many new threads are not left waiting for the next round: most of those before may be gone.
const LANES_AT_ONCE: usize = if cfg!(all(test, loom)) { 2 } else { 64 };

/// A closed span.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    pub label: &'static Label,
    pub start: Timestamp,
    pub end: Timestamp,
    pub id: u64,
    pub parent: u64,
    pub items: f64,
    /// Spans inside it may outlive it, and name it as the one around them when they end: it ended
    /// before them, or on another thread than it began on.
    pub outlived: bool,
    /// Steps that it stands for together; 0 of a span that stands for itself.
    pub folded: u32,
}

impl Mark {
    /// How many spans it stands for.
    pub(crate) fn count(&self) -> u64 {
        self.folded.max(1).into()
    }
}

/// A span that is open.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Began {
    pub span: u64,
    pub label: &'static Label,
    pub start: Timestamp,
}

/// What the program's threads ask of the meter's thread.
pub(crate) enum Command {
    /// Read everything now: an epoch or a run begins or ends.
    Nudge,
    /// A run or an epoch began: read everything now. Its mark is as if it ended at once.
    Begun(Mark),
    /// What was drawn since this moment will be asked for.
    Pin(Timestamp),
    /// The run began: live figures count from it.
    Start(Arc<crate::run::assemble::Head>),
    /// Wait until a budget is spent.
    Watch(crate::meter::Watch),
    /// This epoch, by its span's identity, has this number.
    Number(u64, u64),
    /// Say what this span took as soon as it is known.
    Report(u64),
    /// Wait until this span has used up its budget; or why there is none.
    Limit(Began, Result<crate::Budget, &'static str>),
    /// Keep a journal from now on.
    Keep(Box<crate::meter::Keeper>),
    /// Take the marks now: a ring is full, or many threads are new.
    Drain,
    /// A mark of a thread that has no ring any more, because it is being torn down.
    Late(Mark),
    /// Everything that was sent before the meter's thread began this round has come.
    Round(u64),
    /// Close the books and send the record.
    Finish(crate::meter::Ending, mpsc::Sender<crate::run::Record>),
    /// The meter was dropped unfinished: write and send what is known, then answer.
    GiveUp(crate::meter::Ending, mpsc::Sender<()>),
    /// Nobody will ask again.
    Stop,
}

/// The meter's side of all rings.
pub(crate) struct Rings {
    pub(crate) meter: u64,
    lanes: Mutex<Vec<Lane>>,
    commands: Sender<Command>,
    /// The process it was made in.
    process: u32,
}

/// The reading end of one thread's ring.
struct Lane {
    ring: Consumer<Mark>,
    overflow: Arc<Mutex<Vec<Mark>>>,
}

/// The writing end, owned by the thread.
pub(super) struct Writer {
    pub(super) meter: u64,
    ring: Producer<Mark>,
    overflow: Arc<Mutex<Vec<Mark>>>,
    commands: Sender<Command>,
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
    pub(crate) fn new(commands: impl Into<Sender<Command>>) -> Arc<Self> {
        let meter = NEXT_METER.fetch_add(1, Ordering::Relaxed);
        let rings = Arc::new(Self {
            meter,
            lanes: Mutex::new(Vec::new()),
            commands: commands.into(),
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

    /// Sends a message to the meter's thread.
    pub(crate) fn tell(&self, command: Command) {
        let _ = self.commands.send(command);
    }

    /// Moves all marks left so far into `marks`, and forgets threads that are gone.
    ///
    /// All that were left before the call began are among them. Of those left during it some may be, and
    /// not always the first: a mark that spills overtakes those that went into the ring just before.
    pub(crate) fn drain(&self, marks: &mut Vec<Mark>) {
        lock(&self.lanes).retain_mut(|lane| {
            // Asked before draining: a mark pushed in between is drained by the next call.
            let gone = lane.ring.is_abandoned();
            if let Ok(chunk) = lane.ring.read_chunk(lane.ring.slots()) {
                marks.extend(chunk);
            }
            // Copied after the lock is given back: its thread may be waiting for it.
            let spilt = std::mem::take(&mut *lock(&lane.overflow));
            marks.extend(spilt);
            !gone
        });
    }

    fn connect(&self) -> Writer {
        let (producer, consumer) = RingBuffer::new(CAPACITY);
        let overflow = Arc::new(Mutex::new(Vec::new()));
        let mut lanes = lock(&self.lanes);
        lanes.push(Lane { ring: consumer, overflow: Arc::clone(&overflow) });
        if lanes.len().is_multiple_of(LANES_AT_ONCE) {
            let _ = self.commands.send(Command::Drain);
        }
        Writer {
            meter: self.meter,
            ring: producer,
            overflow,
            commands: self.commands.clone(),
            process: self.process,
        }
    }
}

impl Drop for Rings {
    fn drop(&mut self) {
        self.uninstall();
    }
}

impl Writer {
    /// The writing end of a new lane of `meter`; `None` if that is gone.
    #[cold]
    pub(super) fn connect(meter: u64) -> Option<Self> {
        Some(find(meter)?.connect())
    }

    /// Whether the meter is gone.
    pub(super) fn is_abandoned(&self) -> bool {
        self.ring.is_abandoned()
    }

    /// Hands a mark to the meter's thread.
    #[inline]
    pub(super) fn push(&mut self, mark: Mark) {
        if let Err(PushError::Full(mark)) = self.ring.push(mark) {
            self.spill(mark);
        }
    }

    /// Sends a message to the meter's thread.
    pub(super) fn tell(&self, command: Command) {
        let _ = self.commands.send(command);
    }

    #[cold]
    fn spill(&self, mark: Mark) {
        // In a forked child nobody takes the marks.
        if self.process != std::process::id() {
            return;
        }
        let mut overflow = lock(&self.overflow);
        overflow.push(mark);
        // Whoever spilt first since the last drain has asked for the next.
        if overflow.len() == 1 {
            drop(overflow);
            let _ = self.commands.send(Command::Drain);
        }
    }
}

fn find(meter: u64) -> Option<Arc<Rings>> {
    lock(&ACTIVE).iter().filter_map(Weak::upgrade).find(|rings| rings.meter == meter)
}

/// Sends a message to the thread of `meter` from a thread that has no ring any more.
#[cold]
pub(super) fn tell(meter: u64, command: Command) {
    if let Some(rings) = find(meter).filter(|rings| rings.process == std::process::id()) {
        rings.tell(command);
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

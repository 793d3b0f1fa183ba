//! Marks on their way from the threads of the program to the meter's thread.
//!
//! Each thread owns the producing end of one single-producer ring per meter; the meter's thread owns
//! the consuming ends. A full ring spills into a mutex-guarded overflow of the same lane, so nothing
//! is lost and the lock is only ever shared with the one reader.

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use rtrb::{Consumer, Producer, PushError, RingBuffer};

use super::Label;
use crate::clock::Timestamp;

/// Identity of no span and of no meter.
pub(crate) const NO_SPAN: u64 = 0;

/// Marks a ring holds: about 0.4 MiB a thread, and 80 000 spans a second at 20 drains a second
/// before the overflow is needed.
const CAPACITY: usize = 4096;

/// A closed span.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    pub label: Label,
    pub start: Timestamp,
    pub end: Timestamp,
    pub id: u64,
    pub parent: u64,
    pub items: f64,
    /// Spans inside it may outlive it, and name it as the one around them when they end: it ended
    /// before them, or on another thread than it began on.
    pub outlived: bool,
}

/// An open span, and the meter it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scope {
    pub meter: u64,
    pub span: u64,
}

/// What the program's threads ask of the meter's thread.
pub(crate) enum Command {
    /// Read everything now: an epoch or a run begins or ends.
    Nudge,
    /// A run or an epoch began: read everything now. Its mark is as if it ended at once.
    Begun(Mark),
    /// Keep a journal from now on.
    Keep(Box<crate::meter::Keeper>),
    /// Close the books at this moment and send them back.
    Finish(Timestamp, Sender<crate::meter::Ended>),
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
struct Writer {
    meter: u64,
    ring: Producer<Mark>,
    overflow: Arc<Mutex<Vec<Mark>>>,
    commands: Sender<Command>,
    /// Whose thread it is.
    process: u32,
}

/// The meter that `Span::enter` and the macro use; [`NO_SPAN`] without one.
static INSTALLED: AtomicU64 = AtomicU64::new(NO_SPAN);
/// Meters that accept marks, so that a thread can find the one it has no ring for yet.
static ACTIVE: Mutex<Vec<Weak<Rings>>> = Mutex::new(Vec::new());
static NEXT_METER: AtomicU64 = AtomicU64::new(1);
static NEXT_THREAD: AtomicU64 = AtomicU64::new(1);

struct Local {
    thread: Cell<u64>,
    spans: Cell<u64>,
    /// The open spans of this thread, innermost last.
    scopes: RefCell<Vec<Scope>>,
    writers: RefCell<Vec<Writer>>,
}

thread_local! {
    static LOCAL: Local = const {
        Local {
            thread: Cell::new(0),
            spans: Cell::new(0),
            scopes: RefCell::new(Vec::new()),
            writers: RefCell::new(Vec::new()),
        }
    };
}

impl Rings {
    pub(crate) fn new(commands: Sender<Command>) -> Arc<Self> {
        let meter = NEXT_METER.fetch_add(1, Ordering::Relaxed);
        let rings = Arc::new(Self {
            meter,
            lanes: Mutex::new(Vec::new()),
            commands,
            process: std::process::id(),
        });
        let mut active = lock(&ACTIVE);
        active.retain(|meter| meter.strong_count() > 0);
        active.push(Arc::downgrade(&rings));
        rings
    }

    /// Makes this the meter of `Span::enter`; `false` if another one is.
    pub(crate) fn install(&self) -> bool {
        INSTALLED.compare_exchange(NO_SPAN, self.meter, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Undoes [`Rings::install`]; does nothing for a meter that is not installed.
    pub(crate) fn uninstall(&self) {
        let _ =
            INSTALLED.compare_exchange(self.meter, NO_SPAN, Ordering::AcqRel, Ordering::Relaxed);
    }

    /// Moves all marks left so far into `marks`, and forgets threads that are gone.
    pub(crate) fn drain(&self, marks: &mut Vec<Mark>) {
        lock(&self.lanes).retain_mut(|lane| {
            // Asked before draining: a mark pushed in between is drained by the next call.
            let gone = lane.ring.is_abandoned();
            if let Ok(chunk) = lane.ring.read_chunk(lane.ring.slots()) {
                marks.extend(chunk);
            }
            marks.append(&mut lock(&lane.overflow));
            !gone
        });
    }

    fn connect(&self) -> Writer {
        let (producer, consumer) = RingBuffer::new(CAPACITY);
        let overflow = Arc::new(Mutex::new(Vec::new()));
        lock(&self.lanes).push(Lane { ring: consumer, overflow: Arc::clone(&overflow) });
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

/// The identity of the installed meter; [`NO_SPAN`] without one.
#[inline]
pub(crate) fn installed() -> u64 {
    INSTALLED.load(Ordering::Relaxed)
}

/// A span as it is opened: its identity, the span around it, its thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opened {
    pub id: u64,
    pub parent: u64,
    pub thread: u64,
}

/// Makes a new span the innermost one of this thread; `None` while the thread is torn down.
#[inline]
pub(crate) fn push_scope(meter: u64) -> Option<Opened> {
    LOCAL
        .try_with(|local| {
            let mut thread = local.thread.get();
            if thread == 0 {
                thread = NEXT_THREAD.fetch_add(1, Ordering::Relaxed);
                local.thread.set(thread);
            }
            let count = local.spans.get() + 1;
            local.spans.set(count);
            // 2^24 threads of 2^40 spans each before an identity comes twice.
            let id = (thread << 40) | (count & ((1 << 40) - 1));
            let mut scopes = local.scopes.try_borrow_mut().ok()?;
            let parent = match scopes.iter().rev().find(|scope| scope.meter == meter) {
                Some(scope) => scope.span,
                None => NO_SPAN,
            };
            scopes.push(Scope { meter, span: id });
            Some(Opened { id, parent, thread })
        })
        .ok()
        .flatten()
}

/// Takes a span off its thread's open ones, in whatever order they end.
///
/// `false` if spans inside it may still be open: there are some, or this is not the thread that it
/// began on, which may open more.
#[inline]
pub(crate) fn pop_scope(opened: Opened) -> bool {
    LOCAL
        .try_with(|local| {
            // Identities hold the thread's number, so a span moved here inside a future is found too.
            let Ok(mut scopes) = local.scopes.try_borrow_mut() else { return false };
            match scopes.iter().rposition(|scope| scope.span == opened.id) {
                Some(index) => {
                    let ended = scopes.remove(index);
                    scopes[index..].iter().all(|inside| inside.meter != ended.meter)
                }
                None => local.thread.get() == opened.thread,
            }
        })
        .unwrap_or(false)
}

/// Exchanges this thread's open spans for others: a future takes its own along.
pub(crate) fn swap_scopes(other: &mut Vec<Scope>) {
    let _ = LOCAL.try_with(|local| {
        if let Ok(mut scopes) = local.scopes.try_borrow_mut() {
            std::mem::swap(&mut *scopes, other);
        }
    });
}

/// The innermost open span of this thread, for a future that is about to begin.
pub(crate) fn innermost() -> Option<Scope> {
    LOCAL.try_with(|local| local.scopes.try_borrow().ok()?.last().copied()).ok().flatten()
}

/// Hands a mark to the meter's thread; a meter that is gone gets none.
#[inline]
pub(crate) fn record(meter: u64, mark: Mark) {
    with_writer(meter, |writer| {
        if let Err(PushError::Full(mark)) = writer.ring.push(mark) {
            // In a forked child nobody takes the marks.
            if writer.process == std::process::id() {
                lock(&writer.overflow).push(mark);
                let _ = writer.commands.send(Command::Nudge);
            }
        }
    });
}

/// Tells the meter's thread that a run or an epoch began.
pub(crate) fn begun(meter: u64, mark: Mark) {
    with_writer(meter, |writer| {
        let _ = writer.commands.send(Command::Begun(mark));
    });
}

/// Asks the meter's thread to read everything now.
pub(crate) fn nudge(meter: u64) {
    with_writer(meter, |writer| {
        let _ = writer.commands.send(Command::Nudge);
    });
}

#[inline]
fn with_writer(meter: u64, action: impl FnOnce(&mut Writer)) {
    let _ = LOCAL.try_with(|local| {
        let Ok(mut writers) = local.writers.try_borrow_mut() else { return };
        let index = match writers.iter().position(|writer| writer.meter == meter) {
            Some(index) => index,
            None => match connect(meter) {
                Some(writer) => {
                    writers.retain(|writer| !writer.ring.is_abandoned());
                    writers.push(writer);
                    writers.len() - 1
                }
                None => return,
            },
        };
        action(&mut writers[index]);
    });
}

#[cold]
fn connect(meter: u64) -> Option<Writer> {
    let rings =
        lock(&ACTIVE).iter().filter_map(Weak::upgrade).find(|rings| rings.meter == meter)?;
    Some(rings.connect())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

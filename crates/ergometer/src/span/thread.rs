//! What each thread keeps: its open spans, and the writing ends of its rings.
//!
//! Opening and closing a span each look at it once. No lock, no allocation but for growth, no
//! system call.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Label;
use super::ring::{self, Command, Mark, NO_SPAN, Writer};

/// An open span, and the meter it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scope {
    /// In the bits of [`Scope::LENT`], how many futures began inside it and may outlive it.
    meter: u64,
    span: u64,
}

impl Scope {
    const LENT: u64 = 1 << 48;

    fn meter(self) -> u64 {
        self.meter % Self::LENT
    }

    fn is_lent(self) -> bool {
        self.meter >= Self::LENT
    }
}

/// A span as it is opened: its identity, the span around it, and its label as one word.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opened {
    pub label: &'static Label,
    pub id: u64,
    pub parent: u64,
}

struct Thread {
    /// The identity of the next span: the thread's number, and a count.
    next: u64,
    /// The open spans of this thread, innermost last.
    scopes: Vec<Scope>,
    writers: Vec<Writer>,
    /// The last label of each slot: a thread opens the same few again and again.
    labels: [Option<&'static Label>; LABELS],
}

/// Slots for labels; a power of two.
const LABELS: usize = 16;

/// Bits of an identity that count: 2^24 threads of 2^40 spans each before one comes twice.
const COUNT_BITS: u32 = 40;

static NEXT_THREAD: AtomicU64 = AtomicU64::new(1);

thread_local! {
    static THREAD: RefCell<Thread> =
        const { RefCell::new(Thread::NEW) };
}

/// `None` while the thread is torn down.
#[inline]
fn with<R>(action: impl FnOnce(&mut Thread) -> R) -> Option<R> {
    THREAD
        .try_with(|thread| thread.try_borrow_mut().ok().map(|mut thread| action(&mut thread)))
        .ok()
        .flatten()
}

/// Makes a new span the innermost one of this thread.
///
/// While the thread is torn down, in destructors of its other thread-locals, there is no list of open spans any
/// more: such a span has none around it, and its messages go by the meter's inbox.
#[inline]
pub(super) fn open(meter: u64, label: &Label) -> Opened {
    with(|thread| thread.open(meter, label)).unwrap_or_else(|| late(label))
}

#[cold]
fn late(label: &Label) -> Opened {
    /// A thread's number for all threads that are torn down.
    static NEXT: AtomicU64 = AtomicU64::new(0);
    if NEXT.load(Ordering::Relaxed) == 0 {
        let first = first_identity();
        let _ = NEXT.compare_exchange(0, first, Ordering::Relaxed, Ordering::Relaxed);
    }
    let id = NEXT.fetch_add(1, Ordering::Relaxed);
    Opened { label: label.site(), id, parent: NO_SPAN }
}

/// Takes a span off the open ones, in whatever order they end, and hands its mark, which is told
/// whether spans inside it may outlive it, to the meter's thread; a meter that is gone gets none.
#[inline]
pub(super) fn close(meter: u64, span: u64, mark: impl Fn(bool) -> Mark) {
    let closed = with(|thread| {
        let outlived = !thread.close(span);
        if let Some(writer) = thread.writer(meter) {
            writer.push(mark(outlived));
        }
    });
    if closed.is_none() {
        ring::tell(meter, Command::Late(mark(true)));
    }
}

/// Asks the thread of `meter` to read everything now.
#[cold]
pub(super) fn nudge(meter: u64) {
    tell(meter, Command::Nudge);
}

/// Tells the thread of `meter` that a run or an epoch began, with its mark as if it ended at once.
#[cold]
pub(super) fn begun(meter: u64, mark: Mark) {
    tell(meter, Command::Begun(mark));
}

/// Sends a word to the thread of `meter`.
#[cold]
pub(super) fn tell(meter: u64, command: Command) {
    let mut command = Some(command);
    let told = with(|thread| {
        if let (Some(writer), Some(command)) = (thread.writer(meter), command.take()) {
            writer.tell(command);
        }
    });
    if let (None, Some(command)) = (told, command) {
        ring::tell(meter, command);
    }
}

/// Exchanges this thread's open spans for others: a future takes its own along.
pub(super) fn swap_scopes(other: &mut Vec<Scope>) {
    with(|thread| std::mem::swap(&mut thread.scopes, other));
}

/// The innermost open span of this thread, for a future that is about to begin.
pub(super) fn innermost() -> Option<Scope> {
    with(|thread| {
        let scope = thread.scopes.last()?;
        Some(Scope { meter: scope.meter(), ..*scope })
    })
    .flatten()
}

/// A future that began inside the open spans of this thread goes on later: they may end before it.
pub(super) fn lend() {
    with(|thread| {
        for scope in &mut thread.scopes {
            scope.meter = scope.meter.saturating_add(Scope::LENT);
        }
    });
}

/// A future that [`lend`] was called for is gone; `around` was the innermost span then.
pub(super) fn give_back(around: Scope) {
    with(|thread| {
        let index = thread.scopes.iter().rposition(|scope| scope.span == around.span);
        for scope in thread.scopes.iter_mut().take(index.map_or(0, |index| index + 1)) {
            if scope.is_lent() {
                scope.meter -= Scope::LENT;
            }
        }
    });
}

/// Opens a span inside the one that is innermost here; if that is not inside `around`, inside `around`.
/// Gives it with its scope, which is not entered; `None` of a span that does nothing.
#[cfg(feature = "tracing")]
pub(super) fn open_inside(
    around: Option<Scope>,
    open: impl FnOnce() -> super::Span,
) -> Option<(super::Span, Scope)> {
    let is_here = |thread: &mut Thread| {
        around.is_some_and(|around| thread.scopes.iter().any(|scope| scope.span == around.span))
    };
    let mut elsewhere: Vec<Scope> = match around {
        Some(around) if !with(is_here)? => vec![Scope { meter: around.meter(), ..around }],
        _ => return entered_by(open),
    };
    swap_scopes(&mut elsewhere);
    let opened = entered_by(open);
    swap_scopes(&mut elsewhere);
    opened
}

#[cfg(feature = "tracing")]
fn entered_by(open: impl FnOnce() -> super::Span) -> Option<(super::Span, Scope)> {
    let span = open();
    let (_, id) = span.identity()?;
    with(|thread| thread.scopes.pop_if(|scope| scope.span == id))
        .flatten()
        .map(|scope| (span, scope))
}

/// Goes on inside an open span.
#[cfg(feature = "tracing")]
pub(super) fn enter(scope: Scope) {
    with(|thread| thread.scopes.push(scope));
}

/// Leaves an open span without ending it; takes note of what goes on inside it.
#[cfg(feature = "tracing")]
pub(super) fn exit(left: &mut Scope) {
    with(|thread| {
        let index = thread.scopes.iter().rposition(|scope| scope.span == left.span)?;
        let scope = thread.scopes.remove(index);
        let inside = thread.scopes[index..].iter().any(|inside| inside.meter() == scope.meter());
        if !left.is_lent() && (scope.is_lent() || inside) {
            left.meter = left.meter.saturating_add(Scope::LENT);
        }
        Some(())
    });
}

impl Thread {
    const NEW: Self =
        Self { next: 0, scopes: Vec::new(), writers: Vec::new(), labels: [None; LABELS] };

    #[inline]
    fn open(&mut self, meter: u64, label: &Label) -> Opened {
        let label = self.label(label);
        if count_of(self.next) == 0 {
            self.next = first_identity();
        }
        let id = self.next;
        self.next += 1;
        let parent = match self.scopes.last() {
            None => NO_SPAN,
            Some(scope) if scope.meter == meter => scope.span,
            Some(_) => self.innermost_of(meter),
        };
        self.scopes.push(Scope { meter, span: id });
        Opened { label, id, parent }
    }

    #[inline]
    fn label(&mut self, label: &Label) -> &'static Label {
        // Names lie at least their length apart, so these bits tell most of them from each other.
        let slot = (label.name.as_ptr().addr() >> 2) % LABELS;
        match self.labels[slot] {
            Some(known) if known.place() == label.place() => known,
            _ => self.remember(slot, *label),
        }
    }

    #[cold]
    fn remember(&mut self, slot: usize, label: Label) -> &'static Label {
        let site = label.site();
        self.labels[slot] = Some(site);
        site
    }

    #[cold]
    fn innermost_of(&self, meter: u64) -> u64 {
        let scope = self.scopes.iter().rev().find(|scope| scope.meter() == meter);
        scope.map_or(NO_SPAN, |scope| scope.span)
    }

    /// `false` if spans inside it may still be open: there are some, or this is not the thread that it
    /// began on, which may open more.
    #[inline]
    fn close(&mut self, span: u64) -> bool {
        match self.scopes.last() {
            Some(&scope) if scope.span == span => {
                self.scopes.pop();
                !scope.is_lent()
            }
            _ => self.close_out_of_order(span),
        }
    }

    #[cold]
    fn close_out_of_order(&mut self, span: u64) -> bool {
        // Identities hold the thread's number, so a span moved here inside a future is found too.
        match self.scopes.iter().rposition(|scope| scope.span == span) {
            Some(index) => {
                let ended = self.scopes.remove(index);
                let inside = |scope: &Scope| scope.meter() == ended.meter();
                !ended.is_lent() && !self.scopes[index..].iter().any(inside)
            }
            None => thread_of(self.next) == thread_of(span),
        }
    }

    #[inline]
    fn writer(&mut self, meter: u64) -> Option<&mut Writer> {
        let index = match self.writers.first() {
            Some(writer) if writer.meter == meter => 0,
            _ => self.find_writer(meter)?,
        };
        self.writers.get_mut(index)
    }

    #[cold]
    fn find_writer(&mut self, meter: u64) -> Option<usize> {
        let known = self.writers.iter().position(|writer| writer.meter == meter);
        known.or_else(|| self.connect(meter))
    }

    fn connect(&mut self, meter: u64) -> Option<usize> {
        let writer = Writer::connect(meter)?;
        self.writers.retain(|writer| !writer.is_abandoned());
        self.writers.push(writer);
        Some(self.writers.len() - 1)
    }
}

/// The first identity of a thread that has none yet, or has used up its count.
#[cold]
fn first_identity() -> u64 {
    (NEXT_THREAD.fetch_add(1, Ordering::Relaxed) << COUNT_BITS) | 1
}

const fn count_of(identity: u64) -> u64 {
    identity & ((1 << COUNT_BITS) - 1)
}

const fn thread_of(identity: u64) -> u64 {
    identity >> COUNT_BITS
}

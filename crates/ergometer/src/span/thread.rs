//! What each thread keeps: its open spans, and the writing ends of its rings.
//!
//! Opening and closing a span each look at it once. No lock, no allocation but for growth, no
//! system call.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::ended_elsewhere::EndedElsewhere;
use super::mark::{COUNT_BITS, Mark, NO_SPAN, UNANNOUNCED, end_of, thread_of};
use super::ring::{self, Writer};
use super::scopes::{Found, MANY, OpenSpan, Scopes};
use super::tally::Tally;
use super::word::Word;
use super::{Kind, Label};

/// A span as it is opened: its identity, the span around it, and its label as one word.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opened {
    pub label: &'static Label,
    pub id: u64,
    pub parent: u64,
    /// Where it stands among the open spans of its thread.
    pub place: u64,
}

struct Thread {
    /// The identity of the next span: the thread's number, and a count.
    next: u64,
    /// Where the identities of that number end. Both are 0 in a thread that has no number yet.
    end: u64,
    scopes: Scopes,
    /// The last mark found its ring full: spans share marks.
    pressed: bool,
    writers: Vec<Writer>,
    /// Of a thread that had many open spans at once.
    ended_elsewhere: Option<Arc<EndedElsewhere>>,
    /// The last two labels of each set: a thread opens the same few again and again, and some share a set.
    labels: [[Option<&'static Label>; 2]; SETS],
}

/// Sets of labels; a power of two.
const SETS: usize = 32;

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
pub(super) fn open(meter: u64, label: &Label) -> Opened {
    with(|thread| thread.open(meter, label)).unwrap_or_else(|| late(label))
}

/// The same where the label, the meter and the list of open spans are as they were for the span before; `None`,
/// and nothing is done, for [`open`].
#[inline]
pub(super) fn open_as_before(meter: u64, label: &Label) -> Option<Opened> {
    with(|thread| thread.open_as_before(meter, label)).flatten()
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
    Opened { label: label.site(), id, parent: NO_SPAN, place: 0 }
}

/// The same inside `around`, whichever span is the innermost one here.
#[cold]
pub(super) fn open_under(around: OpenSpan, label: &Label) -> Opened {
    with(|thread| thread.open_in(around.meter(), label, around.span)).unwrap_or_else(|| late(label))
}

/// Takes a span off the open ones, in whatever order they end, and hands its mark, which is told
/// whether spans inside it may outlive it, to the meter's thread; a meter that is gone gets none. Returns
/// whether they may.
pub(super) fn close(meter: u64, span: u64, place: u64, mark: impl Fn(bool) -> Mark) -> bool {
    let closed = with(|thread| thread.close(meter, span, place, &mark));
    closed.unwrap_or_else(|| {
        ring::tell(meter, Word::Late(mark(true)));
        true
    })
}

/// A run or an epoch began, with its mark as if it ended at once; returns its identity, which may not be the
/// one that it was opened with.
#[cold]
pub(super) fn begun(meter: u64, mark: Mark) -> u64 {
    let id = with(|thread| {
        let id = thread.writer(meter).map_or(mark.id, |writer| writer.begin(mark));
        thread.scopes.rename_innermost(mark.id, id);
        id
    });
    id.unwrap_or_else(|| {
        ring::tell(meter, Word::Begun(mark));
        mark.id
    })
}

/// A run or an epoch ended; spans inside it may outlive it if `outlived`.
#[cold]
pub(super) fn ended(meter: u64, label: &'static Label, parent: u64, outlived: bool) {
    let told = with(|thread| {
        if let Some(writer) = thread.writer(meter) {
            writer.end(label, parent, outlived);
        }
    });
    if told.is_none() {
        ring::tell(meter, Word::Nudge);
    }
}

/// The same of the innermost span, which lies inside `parent`, where the meter is that of the mark before and there
/// is nothing else to do; `false`, and nothing is done, for [`close`]. The mark is told whether no other span was
/// open beside this one.
#[inline]
pub(super) fn close_as_before(
    meter: u64,
    span: u64,
    parent: u64,
    mark: impl Fn(bool) -> Mark,
) -> bool {
    with(|thread| {
        let Some(writer) = thread.writers.first_mut().filter(|writer| writer.meter == meter) else {
            return false;
        };
        let Some(alone) = thread.scopes.close_innermost(meter, span, parent) else { return false };
        thread.pressed = writer.push(|| mark(alone));
        true
    })
    .unwrap_or(false)
}

/// Sends a word to the thread of `meter`.
#[cold]
pub(super) fn tell(meter: u64, word: Word) {
    let mut word = Some(word);
    let told = with(|thread| {
        if let (Some(writer), Some(word)) = (thread.writer(meter), word.take()) {
            writer.tell(word);
        }
    });
    if let (None, Some(word)) = (told, word) {
        ring::tell(meter, word);
    }
}

/// Exchanges this thread's open spans for others: a future takes its own along.
pub(super) fn swap_scopes(other: &mut Scopes) {
    with(|thread| std::mem::swap(&mut thread.scopes, other));
}

/// Counts items for an open span of this thread; see [`items`](super::items).
pub(super) fn count(items: Tally) {
    with(|thread| thread.scopes.count(items));
}

/// Takes over what a future counted for the span that it began in.
pub(super) fn take_over(around: OpenSpan, future: &mut Scopes) {
    with(|thread| thread.scopes.take_over(around.span, future));
}

/// The innermost open span of this thread, for a future that is about to begin.
pub(super) fn innermost() -> Option<OpenSpan> {
    with(|thread| thread.scopes.innermost().map(OpenSpan::unlent)).flatten()
}

/// A future that began inside the open spans of this thread goes on later: they may end before it.
pub(super) fn lend() {
    with(|thread| {
        thread.scopes.iter_mut().for_each(OpenSpan::lend);
    });
}

/// Whether `around` is the innermost open span of this thread.
pub(super) fn is_innermost(around: OpenSpan) -> bool {
    innermost().is_some_and(|innermost| innermost.span == around.span)
}

/// The innermost open span of this thread. From now on spans may be opened inside it, and those around it, on
/// other threads.
pub(super) fn lend_for_good() -> Option<OpenSpan> {
    with(|thread| {
        let innermost = thread.scopes.innermost()?;
        thread.scopes.iter_mut().for_each(OpenSpan::lend_for_good);
        Some(innermost.unlent())
    })
    .flatten()
}

/// Calls `work` as if `around` were the only open span.
pub(super) fn inside<R>(around: OpenSpan, work: impl FnOnce() -> R) -> R {
    struct Back(OpenSpan, Scopes);
    impl Drop for Back {
        fn drop(&mut self) {
            swap_scopes(&mut self.1);
            take_over(self.0, &mut self.1);
        }
    }
    let mut scopes = Scopes::of_future();
    scopes.enter(around);
    let mut back = Back(around, scopes);
    swap_scopes(&mut back.1);
    let result = work();
    drop(back);
    result
}

/// A future that [`lend`] was called for is gone; `around` was the innermost span then.
pub(super) fn give_back(around: OpenSpan) {
    with(|thread| {
        thread.scopes.up_to_mut(around.span).for_each(OpenSpan::give_back);
    });
}

/// Opens a span inside the one that is innermost here; if that is not inside `around`, inside `around`.
/// Gives it with its scope, which is not entered; `None` of a span that does nothing.
#[cfg(feature = "tracing")]
pub(crate) fn open_inside(
    around: Option<OpenSpan>,
    open: impl FnOnce() -> super::Span,
) -> Option<(super::Span, OpenSpan)> {
    let is_here = |thread: &mut Thread| {
        around.is_some_and(|around| thread.scopes.iter().any(|scope| scope.span == around.span))
    };
    let mut elsewhere = Scopes::of_future();
    match around {
        Some(around) if !with(is_here)? => elsewhere.enter(around.unlent()),
        _ => return entered_by(open),
    }
    swap_scopes(&mut elsewhere);
    let opened = entered_by(open);
    swap_scopes(&mut elsewhere);
    opened
}

#[cfg(feature = "tracing")]
fn entered_by(open: impl FnOnce() -> super::Span) -> Option<(super::Span, OpenSpan)> {
    let span = open();
    let (_, id) = span.identity()?;
    let scope = with(|thread| {
        let scope = thread.scopes.innermost().filter(|scope| scope.span == id)?;
        thread.scopes.leave(scope.span)
    });
    scope.flatten().map(|(scope, _)| (span, scope))
}

/// Goes on inside an open span.
#[cfg(feature = "tracing")]
pub(crate) fn enter(scope: OpenSpan) {
    with(|thread| thread.scopes.enter(scope));
}

/// Leaves an open span without ending it; takes note of what goes on inside it. Gives the items that were
/// counted for it, as it may end on another thread.
#[cfg(feature = "tracing")]
pub(crate) fn exit(left: &mut OpenSpan) -> Option<Tally> {
    with(|thread| {
        let (scope, inside) = thread.scopes.leave(left.span)?;
        if !left.is_lent() && (scope.is_lent() || inside) {
            left.lend();
        }
        thread.scopes.take_noted(left.span)
    })
    .flatten()
}

/// How many open spans are kept of this thread.
#[cfg(all(test, not(loom)))]
pub(super) fn places() -> usize {
    with(|thread| thread.scopes.places()).unwrap_or(0)
}

impl Thread {
    const NEW: Self = Self {
        next: 0,
        end: 0,
        scopes: Scopes::of_thread(),
        pressed: false,
        writers: Vec::new(),
        ended_elsewhere: None,
        labels: [[None; 2]; SETS],
    };

    #[inline]
    fn open_as_before(&mut self, meter: u64, label: &Label) -> Option<Opened> {
        let label = self.known(label)?;
        let fresh = self.next;
        if fresh == self.end {
            return None;
        }
        let (id, parent, place) = self.scopes.open_as_before(meter, label, |parent| {
            if self.pressed {
                let writer = self.writers.first().filter(|writer| writer.meter == meter)?;
                return writer.known_identity(label, parent);
            }
            self.next = fresh + 1;
            Some(fresh)
        })?;
        Some(Opened { label, id, parent, place })
    }

    fn open(&mut self, meter: u64, label: &Label) -> Opened {
        if self.scopes.places() >= MANY {
            self.forget_ended_elsewhere();
        }
        let parent = self.scopes.innermost_of(meter);
        self.open_in(meter, label, parent)
    }

    fn open_in(&mut self, meter: u64, label: &Label, parent: u64) -> Opened {
        let label = self.label(label);
        if self.next == self.end {
            self.next = first_identity();
            self.end = end_of(self.next);
        }
        let id = self.next_identity(meter, label, parent);
        let place = self.scopes.open(meter, id, label);
        Opened { label, id, parent, place }
    }

    fn next_identity(&mut self, meter: u64, label: &'static Label, parent: u64) -> u64 {
        let shared = if self.pressed { self.shared_identity(meter, label, parent) } else { None };
        shared.unwrap_or_else(|| {
            let id = self.next;
            self.next += 1;
            id
        })
    }

    /// The identity that spans of `label` inside `parent` share while their marks are shared: so the spans
    /// inside them have one parent, and share theirs.
    fn shared_identity(&mut self, meter: u64, label: &'static Label, parent: u64) -> Option<u64> {
        // Runs and epochs share an identity only while too many are announced: see `Writer::begin`.
        if matches!(label.kind, Kind::Run | Kind::Epoch) {
            return None;
        }
        let fresh = self.next;
        let writer = self.writers.iter_mut().find(|writer| writer.meter == meter)?;
        let id = writer.shared_identity(label, parent, fresh);
        self.next += u64::from(id == fresh);
        Some(id)
    }

    fn forget_ended_elsewhere(&mut self) {
        if !self.scopes.is_threads() {
            return;
        }
        let thread = thread_of(self.next);
        let noted = self.ended_elsewhere.get_or_insert_with(|| EndedElsewhere::of(thread)).take();
        if let Some(ended) = noted {
            self.scopes.forget(|span| ended.contains(&span));
        }
    }

    fn label(&mut self, label: &Label) -> &'static Label {
        if let Some(known) = self.known(label) {
            return known;
        }
        let new = label.site();
        let [first, second] = &mut self.labels[set_of(label)];
        (*first, *second) = (Some(new), *first);
        new
    }

    /// The label as one word, if it is one of the last of its set.
    #[inline]
    fn known(&self, label: &Label) -> Option<&'static Label> {
        let [first, second] = self.labels[set_of(label)];
        first.filter(|known| known.is(label)).or_else(|| second.filter(|known| known.is(label)))
    }

    fn close(&mut self, meter: u64, span: u64, place: u64, mark: &impl Fn(bool) -> Mark) -> bool {
        let outlived = self.take(span, place);
        let mut mark = mark(outlived);
        if let Some(more) = self.scopes.take_noted(span) {
            mark.count_items(more);
        }
        mark.beside |= !self.scopes.is_alone_in(mark.parent);
        if let Some(writer) = self.writer(meter) {
            self.pressed = writer.push(|| mark);
        }
        outlived
    }

    /// Whether spans inside it may still be open: there are some, or this is not the thread that it began
    /// on, which may open more.
    fn take(&mut self, span: u64, place: u64) -> bool {
        match self.scopes.close(span, place) {
            Found::Here { outlived } => outlived,
            Found::Elsewhere => self.close_elsewhere(span),
        }
    }

    #[cold]
    fn close_elsewhere(&self, span: u64) -> bool {
        // Identities hold the thread's number.
        let thread = thread_of(span);
        let is_others = thread != thread_of(self.next);
        if is_others {
            EndedElsewhere::note(thread, span);
        }
        is_others
    }

    fn writer(&mut self, meter: u64) -> Option<&mut Writer> {
        let known = self.writers.iter().position(|writer| writer.meter == meter);
        let index = known.or_else(|| self.connect(meter))?;
        self.writers.get_mut(index)
    }

    fn connect(&mut self, meter: u64) -> Option<usize> {
        let writer = Writer::connect(meter)?;
        self.writers.retain(|writer| !writer.is_abandoned());
        self.writers.push(writer);
        Some(self.writers.len() - 1)
    }
}

/// Where a label is remembered.
#[inline]
fn set_of(label: &Label) -> usize {
    // Names lie at least their length apart, so these bits tell most of them from each other.
    (label.name.as_ptr().addr() >> 2) % SETS
}

/// The first identity of a thread that has none yet, or has used up its count.
#[cold]
fn first_identity() -> u64 {
    let thread = NEXT_THREAD.fetch_add(1, Ordering::Relaxed);
    ((thread << COUNT_BITS) & !UNANNOUNCED) | 1
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// Of a step and its phases two may share a set. Each opening took the lock of all labels then.
    #[test]
    fn two_labels_of_one_set_are_both_remembered() {
        let names = (0..).map(|k| Label::intern(&format!("a name {k}")));
        let mut labels = names.map(|name| Label::new(Kind::Phase, name));
        let first = labels.next().unwrap();
        let second = labels.find(|label| set_of(label) == set_of(&first)).unwrap();
        let third = labels.find(|label| set_of(label) == set_of(&first)).unwrap();
        let mut thread = Thread::NEW;
        for label in [&first, &second] {
            assert!(thread.known(label).is_none());
            assert!(std::ptr::eq(thread.label(label), label.site()));
        }
        for label in [&first, &second, &first] {
            assert!(thread.known(label).is_some_and(|known| known.is(label)));
        }
        // The one that was met longest ago gives way.
        thread.label(&third);
        assert!(thread.known(&first).is_none());
        assert!(thread.known(&second).is_some() && thread.known(&third).is_some());
    }
}

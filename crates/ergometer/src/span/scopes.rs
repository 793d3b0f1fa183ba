//! The open spans of a thread or a future, innermost last.
//!
//! Spans usually end in the reverse order in which they began, which costs a comparison and a pop. One that
//! ends out of order leaves its place empty, so that the places of the others stay and are found by binary
//! search; places are closed up when more are empty than taken. Any order is thus linear in total.

use super::mark::NO_SPAN;
use super::tally::Tally;
use super::{Kind, Label};

/// An open span, and the meter it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OpenSpan {
    /// In the bits of [`OpenSpan::LENT`], how many futures began inside it and may outlive it.
    meter: u64,
    /// [`NO_SPAN`] of one that has ended.
    pub(super) span: u64,
    /// Grows from each scope of a list to the next.
    place: u64,
    label: &'static Label,
}

/// What a span has to do with items: a step comes before a span with a unit, and that before any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Counts {
    Nothing,
    Unit,
    Steps,
}

impl Counts {
    fn of(label: &Label) -> Self {
        match label.kind {
            Kind::Step => Self::Steps,
            _ if label.unit.is_empty() => Self::Nothing,
            _ => Self::Unit,
        }
    }
}

impl OpenSpan {
    const LENT: u64 = 1 << 48;
    const FOR_GOOD: u64 = 0xFFFF << 48;

    #[inline]
    pub(super) fn meter(self) -> u64 {
        self.meter % Self::LENT
    }

    #[inline]
    pub(super) fn is_lent(self) -> bool {
        self.meter >= Self::LENT
    }

    /// One more future goes on inside it.
    pub(super) fn lend(&mut self) {
        if !self.is_lent_for_good() {
            self.meter += Self::LENT;
        }
    }

    /// One of those futures is gone.
    pub(super) fn give_back(&mut self) {
        if self.is_lent() && !self.is_lent_for_good() {
            self.meter -= Self::LENT;
        }
    }

    /// Spans may be opened inside it from anywhere, up to its end and later.
    pub(super) fn lend_for_good(&mut self) {
        self.meter |= Self::FOR_GOOD;
    }

    fn is_lent_for_good(self) -> bool {
        self.meter >= Self::FOR_GOOD
    }

    /// The same span, lent to nobody.
    pub(super) fn unlent(self) -> Self {
        Self { meter: self.meter(), ..self }
    }
}

/// Open spans, innermost last. The last one has not ended.
#[derive(Debug)]
pub(super) struct Scopes {
    list: Vec<OpenSpan>,
    /// Scopes in the list that have ended.
    ended: usize,
    /// It is a thread's own list, not that of a future.
    is_threads: bool,
    /// Items that were counted without the span at hand, by the span that they are of.
    noted: Vec<(u64, Tally)>,
    /// It is a thread's, no scope in it has ended, and nothing is noted: one look instead of three.
    is_plain: bool,
}

/// How a span was found when it ended.
pub(super) enum Found {
    /// It was open here; whether spans inside it may still be open.
    Here { outlived: bool },
    /// It is not in this list.
    Elsewhere,
}

/// Fewer open spans are not looked through for those that ended on another thread.
pub(super) const MANY: usize = 256;

/// Spans that are kept open in one list. A program that never ends its spans has no more of them, and what it
/// opens later is inside the last.
const MOST_OPEN: usize = 1 << 14;

/// Places that may be empty before any is closed up.
const FEW: usize = 32;

impl Scopes {
    /// Those of a thread.
    pub(super) const fn of_thread() -> Self {
        Self::new(true)
    }

    /// Those of a future, or of anything else that goes from thread to thread.
    pub(super) const fn of_future() -> Self {
        Self::new(false)
    }

    const fn new(is_threads: bool) -> Self {
        Self { list: Vec::new(), ended: 0, is_threads, noted: Vec::new(), is_plain: is_threads }
    }

    /// Looks again whether it is plain; called wherever that may change.
    fn look(&mut self) {
        self.is_plain = self.is_threads && self.ended == 0 && self.noted.is_empty();
    }

    #[inline]
    pub(super) fn is_threads(&self) -> bool {
        self.is_threads
    }

    /// How many places it has, empty ones included.
    #[inline]
    pub(super) fn places(&self) -> usize {
        self.list.len()
    }

    #[inline]
    pub(super) fn innermost(&self) -> Option<OpenSpan> {
        self.list.last().copied()
    }

    /// The innermost span of `meter`; [`NO_SPAN`] where there is none.
    pub(super) fn innermost_of(&self, meter: u64) -> u64 {
        let scope = self.list.iter().rev().find(|scope| scope.meter() == meter);
        scope.map_or(NO_SPAN, |scope| scope.span)
    }

    /// A span begins; gives its place.
    pub(super) fn open(&mut self, meter: u64, span: u64, label: &'static Label) -> u64 {
        let place = self.next_place();
        if self.list.len() < MOST_OPEN {
            self.list.push(OpenSpan { meter, span, place, label });
        }
        place
    }

    /// A span begins, with the identity that `identity` has for one inside the span around it; returns it, the span
    /// around it and its place. `None`, and nothing is done, where `identity` has none, the list is long or has to
    /// grow, or the innermost span is lent or of another meter.
    #[inline]
    pub(super) fn open_as_before(
        &mut self,
        meter: u64,
        label: &'static Label,
        identity: impl FnOnce(u64) -> Option<u64>,
    ) -> Option<(u64, u64, u64)> {
        if self.list.len() == self.list.capacity() || self.list.len() >= MANY {
            return None;
        }
        let (parent, place) = match self.list.last() {
            None => (NO_SPAN, 0),
            Some(around) if around.meter == meter => (around.span, around.place + 1),
            Some(_) => return None,
        };
        let span = identity(parent)?;
        self.list.push(OpenSpan { meter, span, place, label });
        Some((span, parent, place))
    }

    fn next_place(&self) -> u64 {
        self.list.last().map_or(0, |scope| scope.place + 1)
    }

    /// The innermost span, which is `span`, has another identity from now on.
    pub(super) fn rename_innermost(&mut self, span: u64, identity: u64) {
        if let Some(scope) = self.list.last_mut().filter(|scope| scope.span == span) {
            scope.span = identity;
        }
    }

    /// Goes on inside a span that was open elsewhere.
    pub(super) fn enter(&mut self, scope: OpenSpan) {
        let place = self.next_place();
        self.list.push(OpenSpan { place, ..scope });
    }

    /// The innermost span ends, which is inside `parent`; returns whether none may have been open beside it. `None`,
    /// and nothing is done, if it is another one, or lent, or there is more to do: places are empty, items were
    /// noted, or this is the list of a future.
    #[inline]
    pub(super) fn close_innermost(&mut self, meter: u64, span: u64, parent: u64) -> Option<bool> {
        let (last, around) = self.list.split_last()?;
        if last.span != span || last.meter != meter || !self.is_plain {
            return None;
        }
        let alone =
            around.last().is_some_and(|around| around.span == parent && around.meter == meter);
        self.list.truncate(self.list.len() - 1);
        Some(alone)
    }

    /// A span ends, which began at `place` if it began in this list.
    pub(super) fn close(&mut self, span: u64, place: u64) -> Found {
        match self.list.last() {
            Some(&scope) if scope.span == span => {
                self.list.pop();
                if self.ended > 0 {
                    self.drop_ended();
                }
                Found::Here { outlived: scope.is_lent() }
            }
            _ => self.close_out_of_order(span, place),
        }
    }

    /// Whether the spans inside `span` that end here do so one after the other: it is the innermost, it is open
    /// here and nowhere else.
    pub(super) fn is_alone_in(&self, span: u64) -> bool {
        let own = self.is_threads || self.list.len() > 1;
        own && self.list.last().is_some_and(|scope| scope.span == span && !scope.is_lent())
    }

    fn close_out_of_order(&mut self, span: u64, place: u64) -> Found {
        let found = self.list.binary_search_by_key(&place, |scope| scope.place);
        match found.ok().filter(|&index| self.list[index].span == span) {
            Some(index) => {
                let (ended, inside) = self.end(index);
                Found::Here { outlived: ended.is_lent() || inside }
            }
            None => Found::Elsewhere,
        }
    }

    /// Empties a place; gives what was there, and whether spans of the same meter are open inside it.
    fn end(&mut self, index: usize) -> (OpenSpan, bool) {
        let scope = self.list[index];
        let inside = self.list.iter().skip(index + 1).any(|one| one.meter() == scope.meter());
        self.list[index] = OpenSpan { meter: NO_SPAN, span: NO_SPAN, ..scope };
        self.ended += 1;
        self.drop_ended();
        (scope, inside)
    }

    /// Drops the empty places at the end, and all of them when they are most.
    fn drop_ended(&mut self) {
        while self.list.pop_if(|scope| scope.span == NO_SPAN).is_some() {
            self.ended -= 1;
        }
        if self.ended > FEW + self.list.len() / 2 {
            self.list.retain(|scope| scope.span != NO_SPAN);
            self.ended = 0;
            self.list.shrink_to(2 * self.list.len() + FEW);
        }
        self.look();
    }

    /// Forgets the spans for which `is_over`.
    pub(super) fn forget(&mut self, is_over: impl Fn(u64) -> bool) {
        self.list.retain(|scope| scope.span != NO_SPAN && !is_over(scope.span));
        self.ended = 0;
        self.list.shrink_to(2 * self.list.len() + FEW);
        self.look();
    }

    /// Counts items for the innermost step; without one, for the innermost span with a unit of items, or for
    /// the innermost of all.
    pub(super) fn count(&mut self, items: Tally) {
        let open = self.list.iter().rev().filter(|scope| scope.span != NO_SPAN);
        // Of equals the first one counts, which is the innermost.
        let innermost = open.reduce(|best, scope| {
            if Counts::of(scope.label) > Counts::of(best.label) { scope } else { best }
        });
        if let Some(scope) = innermost {
            self.note(scope.span, items);
        }
    }

    fn note(&mut self, span: u64, items: Tally) {
        match self.noted.iter_mut().find(|(known, _)| *known == span) {
            Some((_, noted)) => noted.add_all(items),
            None => self.noted.push((span, items)),
        }
        self.look();
    }

    /// The items that were counted for `span`, which ends.
    pub(super) fn take_noted(&mut self, span: u64) -> Option<Tally> {
        let index = self.noted.iter().position(|(known, _)| *known == span)?;
        let (_, items) = self.noted.swap_remove(index);
        self.look();
        Some(items)
    }

    /// Takes over items that a future counted for `span`, if that is open here.
    pub(super) fn take_over(&mut self, span: u64, future: &mut Self) {
        if let Some(items) = future.take_noted(span)
            && self.list.iter().any(|scope| scope.span == span)
        {
            self.note(span, items);
        }
    }

    #[cfg(any(test, feature = "tracing"))]
    pub(super) fn iter(&self) -> impl Iterator<Item = &OpenSpan> {
        self.list.iter().filter(|scope| scope.span != NO_SPAN)
    }

    /// Those around `span` and itself, outermost first; none if it is not here.
    pub(super) fn up_to_mut(&mut self, span: u64) -> impl Iterator<Item = &mut OpenSpan> {
        let index = self.list.iter().rposition(|scope| scope.span == span);
        self.list.iter_mut().take(index.map_or(0, |index| index + 1))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut OpenSpan> {
        self.list.iter_mut()
    }

    /// Takes `span` out without ending it; gives it, and whether spans inside it are open.
    #[cfg(feature = "tracing")]
    pub(super) fn leave(&mut self, span: u64) -> Option<(OpenSpan, bool)> {
        let index = self.list.iter().rposition(|scope| scope.span == span)?;
        Some(self.end(index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const METER: u64 = 7;

    /// Opens this many spans and gives identity and place of each.
    fn opened(scopes: &mut Scopes, count: u64) -> Vec<(u64, u64)> {
        let label = Label::others(Kind::Phase);
        (1..=count).map(|span| (span, scopes.open(METER, span, label))).collect()
    }

    fn is_outlived(found: &Found) -> bool {
        matches!(found, Found::Here { outlived: true })
    }

    #[test]
    fn spans_end_in_any_order_and_the_innermost_is_the_last_that_is_open() {
        let mut orders: Vec<Vec<usize>> = vec![(0..500).collect(), (0..500).rev().collect()];
        // Every residue of 7 after the other, and from both ends.
        orders.push((0..7).flat_map(|first| (first..500).step_by(7)).collect());
        orders.push((0..250).flat_map(|at| [at, 499 - at]).collect());
        for order in orders {
            let mut scopes = Scopes::of_thread();
            let spans = opened(&mut scopes, 500);
            let mut open: Vec<u64> = spans.iter().map(|(span, _)| *span).collect();
            for index in order {
                let (span, place) = spans[index];
                let inner = open.last() != Some(&span);
                assert_eq!(is_outlived(&scopes.close(span, place)), inner);
                open.retain(|open| *open != span);
                assert_eq!(scopes.innermost_of(METER), open.last().copied().unwrap_or(NO_SPAN));
                assert!(scopes.iter().map(|scope| scope.span).eq(open.iter().copied()));
                assert!(scopes.places() <= 2 * open.len() + 2 * FEW, "empty places are closed up");
            }
        }
    }

    #[test]
    fn a_window_of_open_spans_that_moves_on_takes_no_more_places() {
        let mut scopes = Scopes::of_thread();
        let bottom = scopes.open(METER, 1, Label::others(Kind::Phase));
        let mut before = (2, scopes.open(METER, 2, Label::others(Kind::Phase)));
        for span in 3..100_000 {
            let next = (span, scopes.open(METER, span, Label::others(Kind::Phase)));
            assert!(is_outlived(&scopes.close(before.0, before.1)));
            before = next;
            assert!(scopes.places() < 100);
        }
        scopes.close(before.0, before.1);
        assert_eq!(scopes.innermost_of(METER), 1);
        scopes.close(1, bottom);
        assert_eq!(scopes.places(), 0);
    }

    #[test]
    fn a_span_of_another_list_is_not_found_and_harms_none() {
        let (mut here, mut there) = (Scopes::of_thread(), Scopes::of_future());
        let spans = opened(&mut here, 10);
        there.open(METER, 11, Label::others(Kind::Phase));
        assert!(matches!(there.close(spans[0].0, spans[0].1), Found::Elsewhere));
        assert_eq!(there.innermost_of(METER), 11);
        here.forget(|span| span < 10);
        assert_eq!((here.places(), here.innermost_of(METER)), (1, 10));
    }

    #[test]
    fn items_are_of_the_innermost_step_else_of_a_span_with_a_unit_else_of_the_innermost() {
        let phase: Label = Kind::Phase.into();
        let (run, step) = (Label::from(Kind::Run), Label::from(Kind::Step));
        let table: [(&[Label], u64); 6] = [
            (&[run, step, phase], 2),
            (&[run, step, step, phase.with_unit("tokens")], 3),
            (&[run, phase.with_unit("tokens"), phase], 2),
            (&[run.with_unit("tokens"), phase.with_unit("tokens"), phase, phase], 2),
            (&[run, phase], 2),
            (&[run], 1),
        ];
        let seven = Tally { items: 7.0, invalid: 0 };
        for (labels, expected) in table {
            let mut scopes = Scopes::of_thread();
            for (label, span) in labels.iter().zip(1..) {
                scopes.open(METER, span, label.site());
            }
            scopes.count(seven);
            scopes.count(seven);
            for span in 1..=labels.len() as u64 {
                let counted = scopes.take_noted(span).map(|tally| tally.items);
                assert_eq!(counted, (span == expected).then_some(14.0), "{labels:?}");
            }
        }
        let mut none = Scopes::of_thread();
        none.count(seven);
        assert!(none.noted.is_empty());
    }
}

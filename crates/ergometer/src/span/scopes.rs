//! The open spans of a thread or a future, innermost last.
//!
//! Spans usually end in the reverse order in which they began, which costs a comparison and a pop. One that
//! ends out of order leaves its place empty, so that the places of the others stay and are found by binary
//! search; places are closed up when more are empty than taken. Any order is thus linear in total.

use super::ring::NO_SPAN;

/// An open span, and the meter it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scope {
    /// In the bits of [`Scope::LENT`], how many futures began inside it and may outlive it.
    meter: u64,
    /// [`NO_SPAN`] of one that has ended.
    pub(super) span: u64,
    /// Grows from each scope of a list to the next.
    place: u64,
}

impl Scope {
    const LENT: u64 = 1 << 48;

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
        self.meter = self.meter.saturating_add(Self::LENT);
    }

    /// One of those futures is gone.
    pub(super) fn give_back(&mut self) {
        if self.is_lent() {
            self.meter -= Self::LENT;
        }
    }

    /// The same span, lent to nobody.
    pub(super) fn unlent(self) -> Self {
        Self { meter: self.meter(), ..self }
    }
}

/// Open spans, innermost last. The last one has not ended.
#[derive(Debug)]
pub(super) struct Scopes {
    list: Vec<Scope>,
    /// Scopes in the list that have ended.
    ended: usize,
    /// It is a thread's own list, not that of a future.
    is_threads: bool,
}

/// How a span was found when it ended.
pub(super) enum Found {
    /// It was open here; whether spans inside it may still be open.
    Here { outlived: bool },
    /// It is not in this list.
    Elsewhere,
}

/// Places that may be empty before any is closed up.
const FEW: usize = 32;

impl Scopes {
    /// Those of a thread.
    pub(super) const fn of_thread() -> Self {
        Self { list: Vec::new(), ended: 0, is_threads: true }
    }

    /// Those of a future, or of anything else that goes from thread to thread.
    pub(super) const fn of_future() -> Self {
        Self { list: Vec::new(), ended: 0, is_threads: false }
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
    pub(super) fn innermost(&self) -> Option<Scope> {
        self.list.last().copied()
    }

    /// The innermost span of `meter`; [`NO_SPAN`] where there is none.
    #[inline]
    pub(super) fn innermost_of(&self, meter: u64) -> u64 {
        match self.list.last() {
            None => NO_SPAN,
            Some(scope) if scope.meter == meter => scope.span,
            Some(_) => self.search_innermost_of(meter),
        }
    }

    #[cold]
    fn search_innermost_of(&self, meter: u64) -> u64 {
        let scope = self.list.iter().rev().find(|scope| scope.meter() == meter);
        scope.map_or(NO_SPAN, |scope| scope.span)
    }

    /// A span begins; gives its place.
    #[inline]
    pub(super) fn open(&mut self, meter: u64, span: u64) -> u64 {
        let place = self.list.last().map_or(0, |scope| scope.place + 1);
        self.list.push(Scope { meter, span, place });
        place
    }

    /// Goes on inside a span that was open elsewhere.
    pub(super) fn enter(&mut self, scope: Scope) {
        let place = self.list.last().map_or(0, |scope| scope.place + 1);
        self.list.push(Scope { place, ..scope });
    }

    /// A span ends, which began at `place` if it began in this list.
    #[inline]
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

    #[cold]
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
    fn end(&mut self, index: usize) -> (Scope, bool) {
        let scope = self.list[index];
        let inside = self.list.iter().skip(index + 1).any(|one| one.meter() == scope.meter());
        self.list[index] = Scope { meter: NO_SPAN, span: NO_SPAN, place: scope.place };
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
    }

    /// Forgets the spans for which `is_over`.
    pub(super) fn forget(&mut self, is_over: impl Fn(u64) -> bool) {
        self.list.retain(|scope| scope.span != NO_SPAN && !is_over(scope.span));
        self.ended = 0;
        self.list.shrink_to(2 * self.list.len() + FEW);
    }

    #[cfg(any(test, feature = "tracing"))]
    pub(super) fn iter(&self) -> impl Iterator<Item = &Scope> {
        self.list.iter().filter(|scope| scope.span != NO_SPAN)
    }

    /// Those around `span` and itself, outermost first; none if it is not here.
    pub(super) fn up_to_mut(&mut self, span: u64) -> impl Iterator<Item = &mut Scope> {
        let index = self.list.iter().rposition(|scope| scope.span == span);
        self.list.iter_mut().take(index.map_or(0, |index| index + 1))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Scope> {
        self.list.iter_mut()
    }

    /// Takes `span` out without ending it; gives it, and whether spans inside it are open.
    #[cfg(feature = "tracing")]
    pub(super) fn leave(&mut self, span: u64) -> Option<(Scope, bool)> {
        let index = self.list.iter().rposition(|scope| scope.span == span)?;
        Some(self.end(index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const METER: u64 = 7;

    /// Opens so many spans and gives identity and place of each.
    fn opened(scopes: &mut Scopes, count: u64) -> Vec<(u64, u64)> {
        (1..=count).map(|span| (span, scopes.open(METER, span))).collect()
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
        let bottom = scopes.open(METER, 1);
        let mut before = (2, scopes.open(METER, 2));
        for span in 3..100_000 {
            let next = (span, scopes.open(METER, span));
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
        there.open(METER, 11);
        assert!(matches!(there.close(spans[0].0, spans[0].1), Found::Elsewhere));
        assert_eq!(there.innermost_of(METER), 11);
        here.forget(|span| span < 10);
        assert_eq!((here.places(), here.innermost_of(METER)), (1, 10));
    }
}

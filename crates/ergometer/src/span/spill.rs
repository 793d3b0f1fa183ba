//! Marks for which their ring had no room: those of one span path share one.
//!
//! A program may open spans faster than they can be booked, for as long as it likes. What is kept of them
//! grows with the number of different paths of labels, not with the number of spans: spans of one identity
//! share a mark, which has their number, their items, and how long none of them was open between the first
//! one's start and the last one's end. While a thread is under pressure, siblings of one label get one
//! identity ([`Identities`]), so the spans inside them are siblings too, and share in turn.

use std::collections::HashMap;

use super::growing::{Growing, Taken};
use super::mark::Mark;
use super::sync::{AtomicU64, Mutex};
use super::{Kind, Label};

/// Marks kept before those of one label share one, whatever is around them but an epoch.
const MOST_MARKS: usize = if cfg!(all(test, loom)) { 2 } else { 8192 };

/// Where the mark of an identity is looked for; a power of two.
const PLACES: usize = if cfg!(all(test, loom)) { 2 } else { 1024 };

/// Where a thread leaves marks that found no room.
#[derive(Default)]
pub(super) struct Overflow {
    pub(super) spilt: Mutex<Spilt>,
    /// How often it was emptied. Changes under the lock alone; a thread that finds it changed takes the lock.
    pub(super) drains: AtomicU64,
}

/// What is behind the lock.
#[derive(Default)]
pub(super) struct Spilt {
    pub(super) spill: Spill,
    /// Of a thread that was under pressure.
    taken: Option<Box<Taken>>,
}

impl Spilt {
    /// Adds a mark that was left in `epoch`. One that may grow from here on does.
    pub(super) fn add(&mut self, mark: &Mark, epoch: u64, growing: &mut Growing) {
        let Self { spill, taken } = self;
        let taken = taken.get_or_insert_with(|| Box::new(Taken::of(growing)));
        if !taken.begin(growing, mark, |single| spill.add(&single, epoch)) {
            spill.add(mark, epoch);
        }
    }

    /// Whether all that was spilt has been taken.
    #[cfg(all(test, loom))]
    pub(super) fn is_empty(&self) -> bool {
        self.spill.is_empty() && self.taken.as_ref().is_none_or(|taken| taken.is_all())
    }

    /// Lets no mark grow any more.
    pub(super) fn end(&mut self, growing: &mut Growing) {
        if let Some(taken) = &mut self.taken {
            taken.end(growing).for_each(|mark| self.spill.push(mark));
        }
    }

    /// Moves all marks into `spill`, which is empty; those that grow go on.
    pub(super) fn take(&mut self, spill: &mut Spill) {
        if let Some(taken) = &mut self.taken {
            taken.take(|mark| self.spill.push(mark));
        }
        if !self.spill.is_empty() {
            std::mem::swap(&mut self.spill, spill);
        }
    }
}

/// The marks of one thread that found no room.
#[derive(Default)]
pub(super) struct Spill {
    marks: Vec<Mark>,
    /// Index of a mark that may have the identity.
    places: Vec<u32>,
    /// Index of the first mark of a label, by the label's address and the epoch that it was left in.
    by_label: HashMap<(usize, u64), u32>,
    /// Spans that share a mark with others.
    folded: u64,
}

impl Spill {
    pub(super) fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    /// Adds a mark that was left in `epoch`, to one of its identity if there is one.
    #[inline]
    pub(super) fn add(&mut self, mark: &Mark, epoch: u64) {
        let place = place_of(mark.id);
        let index = self.places.get(place).copied().unwrap_or(u32::MAX);
        if let Some(known) = self.marks.get_mut(index as usize)
            && known.id == mark.id
            && let Some(more) = known.take_in(mark)
        {
            self.folded += more;
            return;
        }
        self.add_new(mark, place, epoch);
    }

    #[cold]
    fn add_new(&mut self, mark: &Mark, place: usize, epoch: u64) {
        let index = u32::try_from(self.marks.len()).unwrap_or(u32::MAX);
        let first = *self.by_label.entry((address(mark.label), epoch)).or_insert(index);
        if self.marks.len() >= MOST_MARKS
            && let Some(known) = self.marks.get_mut(first as usize)
            && let Some(more) = known.take_in(mark)
        {
            self.folded += more;
            return;
        }
        self.places.resize(PLACES, u32::MAX);
        self.places[place] = index;
        self.marks.push(*mark);
    }

    /// Adds what one of those that grow has grown by.
    fn push(&mut self, mark: Mark) {
        self.folded += u64::from(mark.folded);
        self.marks.push(mark);
    }

    /// Moves all marks into `marks`; gives how many spans share one with others.
    pub(super) fn drain_into(&mut self, marks: &mut Vec<Mark>) -> u64 {
        self.end_after_those_inside();
        marks.append(&mut self.marks);
        self.by_label.clear();
        std::mem::take(&mut self.folded)
    }

    /// Marks are booked by their ends, and what is inside a span has to come first. Of an identity that is open
    /// at this moment spans inside may have left a later end than those that ended before: the time between
    /// counts as one in which none was open.
    fn end_after_those_inside(&mut self) {
        if self.folded == 0 {
            return;
        }
        let marks = self.marks.iter().enumerate();
        let known: HashMap<u64, usize> = marks.map(|(index, mark)| (mark.id, index)).collect();
        for index in 0..self.marks.len() {
            let Mark { end, mut parent, .. } = self.marks[index];
            while let Some(&around) = known.get(&parent) {
                let mark = &mut self.marks[around];
                if mark.folded == 0 || mark.end >= end {
                    break;
                }
                mark.idle += end.as_nanos() - mark.end.as_nanos();
                mark.end = end;
                parent = mark.parent;
            }
        }
    }
}

impl Mark {
    /// Takes in another mark of its label; gives how many spans share it now that did not before, or
    /// `None` if it cannot.
    #[inline]
    pub(super) fn take_in(&mut self, other: &Self) -> Option<u64> {
        let alone = |mark: &Self| u64::from(mark.folded == 0);
        let count = u32::try_from(self.count() + other.count()).ok()?;
        // Those of runs and epochs are marks of their own, unless they have one identity.
        let apart = self.has_edges() && self.id != other.id;
        if !std::ptr::eq(self.label, other.label) || apart {
            return None;
        }
        let more = alone(self) + other.count();
        let open = self.open_nanos() + other.open_nanos();
        self.start = self.start.min(other.start);
        self.end = self.end.max(other.end);
        // Spans that were open at the same time count it once.
        self.idle = self.end.as_nanos().saturating_sub(self.start.as_nanos()).saturating_sub(open);
        self.items += other.items;
        self.invalid_items = self.invalid_items.saturating_add(other.invalid_items);
        self.outlived |= other.outlived;
        self.beside |= other.beside;
        self.folded = count;
        Some(more)
    }

    pub(super) fn open_nanos(&self) -> u64 {
        let covered = self.end.as_nanos().saturating_sub(self.start.as_nanos());
        covered.saturating_sub(self.idle)
    }

    /// Whether it is one of those that the meter reads for, and that stand for themselves.
    pub(super) const fn has_edges(&self) -> bool {
        matches!(self.label.kind, Kind::Run | Kind::Epoch)
    }
}

fn address(label: &'static Label) -> usize {
    std::ptr::from_ref(label).addr()
}

fn place_of(id: u64) -> usize {
    // Of an identity the lowest bits count.
    usize::from(u16::try_from(id % (1 << 16)).unwrap_or_default()) % PLACES
}

/// Which identity siblings of one label share, the ones that were seen last.
pub(super) struct Identities(Vec<[Shared; WAYS]>);

/// `id` for spans of the label with this address inside `parent`.
#[derive(Clone, Copy, Default)]
struct Shared {
    label: usize,
    parent: u64,
    id: u64,
}

impl Shared {
    #[inline]
    fn is(&self, label: usize, parent: u64) -> bool {
        self.label == label && self.parent == parent
    }
}

/// Sets of identities; a power of two.
const SETS: usize = 256;
/// Identities a set.
const WAYS: usize = 4;

impl Identities {
    pub(super) fn new() -> Self {
        Self(vec![[Shared::default(); WAYS]; SETS])
    }

    /// The identity of spans of `label` inside `parent`, where it is the first of its set.
    #[inline]
    pub(super) fn known(&self, label: &'static Label, parent: u64) -> Option<u64> {
        let label = address(label);
        let [first, ..] = &self.0[set_of(label, parent)];
        first.is(label, parent).then_some(first.id)
    }

    /// The identity of spans of `label` inside `parent`, which is `fresh` for the first.
    pub(super) fn of(&mut self, label: &'static Label, parent: u64, fresh: u64) -> u64 {
        let label = address(label);
        let set = &mut self.0[set_of(label, parent)];
        if let Some(known) = set.iter().find(|known| known.is(label, parent)) {
            return known.id;
        }
        set.rotate_right(1);
        set[0] = Shared { label, parent, id: fresh };
        fresh
    }

    /// The next span of `label` inside `parent` has an identity of its own.
    pub(super) fn forget(&mut self, label: &'static Label, parent: u64) {
        let label = address(label);
        for known in &mut self.0[set_of(label, parent)] {
            if known.is(label, parent) {
                *known = Shared::default();
            }
        }
    }
}

fn set_of(label: usize, parent: u64) -> usize {
    let mixed = (label as u64 ^ parent.rotate_left(20)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 48) as usize % SETS
}

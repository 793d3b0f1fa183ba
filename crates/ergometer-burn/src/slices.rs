//! Which of a loader's slices marks, when Burn trains on several devices at once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// What a loader is among those that run beside it.
#[derive(Clone)]
pub(crate) enum Rank {
    /// Not a slice: marks.
    Only,
    /// The slice that starts at item 0: marks, and takes the other ranks' items.
    First(Arc<Lead>),
    /// Any other slice: gives its items to the first one, and marks where there is none.
    Other(Arc<Slices>),
    /// A pass of another slice beside a first one: gives its items, does not mark.
    Beside(Arc<Lead>),
}

/// Items that other ranks have processed and the first one has not yet counted.
#[derive(Default)]
pub(crate) struct Lead {
    items: AtomicUsize,
}

/// The slices of one loader.
#[derive(Default)]
pub(crate) struct Slices {
    first: Mutex<Weak<Lead>>,
}

impl Slices {
    /// The rank of a new slice that begins at item `start`.
    pub(crate) fn rank(slices: &Arc<Self>, start: usize) -> Rank {
        if start > 0 {
            return Rank::Other(Arc::clone(slices));
        }
        let lead = Arc::new(Lead::default());
        *slices.first.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(&lead);
        Rank::First(lead)
    }

    fn first(&self) -> Option<Arc<Lead>> {
        self.first.lock().unwrap_or_else(PoisonError::into_inner).upgrade()
    }
}

impl Rank {
    /// What the loader is in a pass that begins now.
    pub(crate) fn for_epoch(&self) -> Self {
        match self {
            Self::Other(slices) => slices.first().map_or(Self::Only, Self::Beside),
            rank => rank.clone(),
        }
    }

    /// Whether this rank's passes over the data are epochs of the run.
    pub(crate) const fn marks(&self) -> bool {
        matches!(self, Self::Only | Self::First(_))
    }

    /// Leaves `items` to the first rank.
    pub(crate) fn add_items(&self, items: usize) {
        if let Self::Beside(lead) = self {
            lead.items.fetch_add(items, Ordering::Relaxed);
        }
    }

    /// The items that other ranks left.
    pub(crate) fn take_items(&self) -> usize {
        match self {
            Self::First(lead) => lead.items.swap(0, Ordering::Relaxed),
            _ => 0,
        }
    }
}

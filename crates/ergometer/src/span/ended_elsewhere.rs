//! Spans that ended on another thread than the one they began on, which has to forget them.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Identities of spans of one thread that ended on others.
#[derive(Debug, Default)]
pub(super) struct EndedElsewhere {
    any: AtomicBool,
    spans: Mutex<HashSet<u64>>,
}

type Threads = HashMap<u64, Weak<EndedElsewhere>>;

/// The threads that want to hear of such spans, by their number.
static THREADS: Mutex<Option<Threads>> = Mutex::new(None);

impl EndedElsewhere {
    /// From now on spans of `thread` that end on other threads are noted.
    pub(super) fn of(thread: u64) -> Arc<Self> {
        let spans = Arc::new(Self::default());
        let mut threads = THREADS.lock().unwrap_or_else(PoisonError::into_inner);
        let threads = threads.get_or_insert_default();
        threads.retain(|_, spans| spans.strong_count() > 0);
        threads.insert(thread, Arc::downgrade(&spans));
        spans
    }

    /// A span of `thread` ended on another one.
    pub(super) fn note(thread: u64, span: u64) {
        let threads = THREADS.lock().unwrap_or_else(PoisonError::into_inner);
        let owner = threads.as_ref().and_then(|threads| threads.get(&thread)?.upgrade());
        drop(threads);
        if let Some(owner) = owner {
            owner.spans.lock().unwrap_or_else(PoisonError::into_inner).insert(span);
            owner.any.store(true, Ordering::Release);
        }
    }

    /// Those noted since this was asked last, if there are any.
    #[inline]
    pub(super) fn take(&self) -> Option<HashSet<u64>> {
        self.any.load(Ordering::Relaxed).then(|| self.take_noted())
    }

    #[cold]
    fn take_noted(&self) -> HashSet<u64> {
        self.any.store(false, Ordering::Relaxed);
        std::mem::take(&mut self.spans.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

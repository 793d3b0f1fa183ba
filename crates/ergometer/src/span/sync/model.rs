//! loom's counterparts, and what loom does not know: a ring with the contract of `rtrb` 0.4.
//!
//! The ring has the atomics of `rtrb`, in its orderings, and its remembered positions: a producer looks at
//! the consumer's place only when the ring seems full. What a slot holds is not checked for races;
//! that is `rtrb`'s own affair.

use std::cell::Cell;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};

use loom::sync::atomic::AtomicUsize;

pub(in crate::span) use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
pub(in crate::span) use loom::sync::{Mutex, MutexGuard};

macro_rules! statics {
    ($($(#[$attribute:meta])* static $name:ident: $type:ty = $value:expr;)*) => {
        loom::lazy_static! { $($(#[$attribute])* static ref $name: $type = $value;)* }
    };
}
pub(in crate::span) use statics;

/// `rtrb::RingBuffer`.
pub(in crate::span) struct RingBuffer<T> {
    slots: Vec<StdMutex<Option<T>>>,
    head: AtomicUsize,
    tail: AtomicUsize,
    abandoned: AtomicBool,
}

impl<T> RingBuffer<T> {
    #[allow(clippy::new_ret_no_self, reason = "as rtrb has it")]
    pub(in crate::span) fn new(capacity: usize) -> (Producer<T>, Consumer<T>) {
        let ring = Arc::new(Self {
            slots: (0..capacity).map(|_| StdMutex::new(None)).collect(),
            head: AtomicUsize::new(0),
            tail: AtomicUsize::new(0),
            abandoned: AtomicBool::new(false),
        });
        (
            Producer { ring: Arc::clone(&ring), known_head: 0, tail: 0 },
            Consumer { ring, head: 0, known_tail: Cell::new(0) },
        )
    }

    /// Puts `value` into a slot and gives what was in it.
    fn exchange(&self, position: usize, value: Option<T>) -> Option<T> {
        let slot = &self.slots[position % self.slots.len()];
        std::mem::replace(&mut slot.lock().unwrap_or_else(PoisonError::into_inner), value)
    }
}

/// `rtrb::PushError`.
pub(in crate::span) enum PushError<T> {
    Full(T),
}

/// `rtrb::Producer`.
pub(in crate::span) struct Producer<T> {
    ring: Arc<RingBuffer<T>>,
    known_head: usize,
    tail: usize,
}

impl<T> Producer<T> {
    pub(in crate::span) fn push(&mut self, value: T) -> Result<(), PushError<T>> {
        let capacity = self.ring.slots.len();
        if self.tail - self.known_head == capacity {
            self.known_head = self.ring.head.load(Ordering::Acquire);
            if self.tail - self.known_head == capacity {
                return Err(PushError::Full(value));
            }
        }
        assert!(self.ring.exchange(self.tail, Some(value)).is_none(), "a slot that is not free");
        self.tail += 1;
        self.ring.tail.store(self.tail, Ordering::Release);
        Ok(())
    }

    pub(in crate::span) fn is_abandoned(&self) -> bool {
        self.ring.abandoned.load(Ordering::Acquire)
    }
}

impl<T> Drop for Producer<T> {
    fn drop(&mut self) {
        self.ring.abandoned.store(true, Ordering::Release);
    }
}

/// `rtrb::Consumer`.
pub(in crate::span) struct Consumer<T> {
    ring: Arc<RingBuffer<T>>,
    head: usize,
    known_tail: Cell<usize>,
}

impl<T> Consumer<T> {
    pub(in crate::span) fn is_abandoned(&self) -> bool {
        self.ring.abandoned.load(Ordering::Acquire)
    }

    pub(in crate::span) fn slots(&self) -> usize {
        self.known_tail.set(self.ring.tail.load(Ordering::Acquire));
        self.known_tail.get() - self.head
    }

    /// The next `count` values. Their slots are free once the iterator is dropped, as with `rtrb`.
    pub(in crate::span) fn read_chunk(&mut self, count: usize) -> Result<Chunk<'_, T>, ()> {
        if self.known_tail.get() - self.head < count && self.slots() < count {
            return Err(());
        }
        Ok(Chunk { left: count, consumer: self })
    }
}

impl<T> Drop for Consumer<T> {
    fn drop(&mut self) {
        self.ring.abandoned.store(true, Ordering::Release);
    }
}

/// `rtrb::chunks::ReadChunkIntoIter`.
pub(in crate::span) struct Chunk<'a, T> {
    left: usize,
    consumer: &'a mut Consumer<T>,
}

impl<T> Iterator for Chunk<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.left = self.left.checked_sub(1)?;
        let value = self.consumer.ring.exchange(self.consumer.head, None);
        self.consumer.head += 1;
        Some(value.expect("a slot that was filled"))
    }
}

impl<T> Drop for Chunk<'_, T> {
    fn drop(&mut self) {
        self.consumer.ring.head.store(self.consumer.head, Ordering::Release);
    }
}

//! Many threads that leave spans at once.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread::{self, JoinHandle};

use crate::cases::spans;

/// Threads that sleep, are woken, and at a word all leave spans.
///
/// Between waking and the word they ask for it again and again, each making way for the others: how long
/// the system takes to wake eight threads is no figure of a span.
#[derive(Debug)]
pub struct Threads {
    word: Arc<Word>,
    handles: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Word {
    /// Where they sleep.
    gate: Barrier,
    /// Spans that each is to leave now; 0 while it is not said.
    times: AtomicU32,
    awake: AtomicUsize,
    done: AtomicUsize,
}

impl Threads {
    /// Starts `count` threads, which have left a span before this returns.
    #[must_use]
    pub fn start(count: usize) -> Self {
        let word = Arc::new(Word {
            gate: Barrier::new(count + 1),
            times: AtomicU32::new(0),
            awake: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
        });
        // `None` where threads cannot be bound to processors; they go where the system puts them.
        let cores = core_affinity::get_core_ids().unwrap_or_default();
        let handles = (0..count)
            .map(|index| {
                let word = Arc::clone(&word);
                let core = cores.get(index % cores.len().max(1)).copied();
                thread::spawn(move || {
                    core.map(core_affinity::set_for_current);
                    while word.answer() {}
                })
            })
            .collect();
        let started = Self { word, handles };
        started.wake();
        started.run(1);
        started
    }

    /// Wakes the threads, and returns when all of them wait for the word.
    pub fn wake(&self) {
        let Word { gate, times, awake, done } = &*self.word;
        times.store(0, Ordering::Relaxed);
        awake.store(0, Ordering::Relaxed);
        done.store(0, Ordering::Relaxed);
        gate.wait();
        until(|| awake.load(Ordering::Acquire) == self.handles.len());
    }

    /// Has each thread leave `times` spans, and waits for all of them; they are to be awake.
    pub fn run(&self, times: u32) {
        self.word.times.store(times, Ordering::Release);
        until(|| self.word.done.load(Ordering::Acquire) == self.handles.len());
    }
}

impl Word {
    /// `false` when no more words will come.
    fn answer(&self) -> bool {
        self.gate.wait();
        self.awake.fetch_add(1, Ordering::AcqRel);
        until(|| self.times.load(Ordering::Acquire) != 0);
        let times = self.times.load(Ordering::Relaxed);
        if times != Self::NO_MORE {
            spans(times);
        }
        self.done.fetch_add(1, Ordering::AcqRel);
        times != Self::NO_MORE
    }

    const NO_MORE: u32 = u32::MAX;
}

fn until(condition: impl Fn() -> bool) {
    while !condition() {
        thread::yield_now();
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.wake();
        self.run(Word::NO_MORE);
        for thread in self.handles.drain(..) {
            let _ = thread.join();
        }
    }
}

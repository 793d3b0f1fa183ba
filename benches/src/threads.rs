//! Many threads that leave spans at once.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier};
use std::thread::{self, JoinHandle};

use crate::cases::spans;

/// Threads that wait for a word and then all leave spans.
#[derive(Debug)]
pub struct Threads {
    gate: Arc<Barrier>,
    /// Spans that each is to leave; 0 to end.
    times: Arc<AtomicU32>,
    handles: Vec<JoinHandle<()>>,
}

impl Threads {
    /// Starts `count` threads, which have left a span before this returns.
    #[must_use]
    pub fn start(count: usize) -> Self {
        let gate = Arc::new(Barrier::new(count + 1));
        let times = Arc::new(AtomicU32::new(1));
        let handles = (0..count)
            .map(|_| {
                let (gate, times) = (Arc::clone(&gate), Arc::clone(&times));
                thread::spawn(move || {
                    loop {
                        gate.wait();
                        let times = times.load(Ordering::Relaxed);
                        if times == 0 {
                            return;
                        }
                        spans(times);
                        gate.wait();
                    }
                })
            })
            .collect();
        let started = Self { gate, times, handles };
        started.run(1);
        started
    }

    /// Has each thread leave `times` spans, and waits for all of them.
    pub fn run(&self, times: u32) {
        self.times.store(times, Ordering::Relaxed);
        self.gate.wait();
        self.gate.wait();
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.times.store(0, Ordering::Relaxed);
        self.gate.wait();
        for thread in self.handles.drain(..) {
            let _ = thread.join();
        }
    }
}

//! What a span costs the thread that opens it: the cases, and the meter that takes their marks.
//!
//! `benches/span.rs` times the cases, `src/bin/instructions.rs` runs one of them so that callgrind can count
//! its instructions.

mod cases;
mod threads;

use std::thread::sleep;
use std::time::Duration;

use ergometer::source::DomainKind;
use ergometer::units::Watts;
use ergometer::{Kind, Meter};

pub use cases::Case;
pub use threads::Threads;

/// How long the meter's thread gets to take what was left, before more is left.
const REST: Duration = Duration::from_millis(2);

/// A meter as in a training run: installed, on its own thread, with one source that reads no hardware.
#[derive(Debug)]
pub struct Metered(Meter);

impl Metered {
    /// Starts the meter.
    ///
    /// # Panics
    ///
    /// If another one is installed.
    #[must_use]
    pub fn start() -> Self {
        let meter = Meter::builder()
            .without_probe()
            .fixed(DomainKind::Node, Watts::new(100.0))
            .install()
            .expect("no other meter is installed");
        let metered = Self(meter);
        metered.rest();
        metered
    }

    /// Lets the meter's thread take the marks: an epoch ends here, and the next begins later.
    pub fn rest(&self) {
        drop(self.0.span(Kind::Epoch));
        sleep(REST);
    }

    /// The meter itself.
    pub const fn meter(&self) -> &Meter {
        &self.0
    }
}

impl Drop for Metered {
    fn drop(&mut self) {
        // A record that nobody reads; it cannot fail in a way that matters to a benchmark.
        let _ = self.0.finish();
    }
}

//! SIGINT and SIGTERM: the run is finished first.

use std::sync::{Arc, Weak};
use std::thread;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level;

use super::{Inner, Meter};
use crate::{Error, ErrorKind, Result};

/// Waits for the signals on a thread of its own, finishes the run, and then does by default.
pub(super) fn watch(inner: &Arc<Inner>) -> Result<()> {
    let failed = |error: std::io::Error| {
        Error::new(ErrorKind::Sampler, format!("signals cannot be waited for: {error}"))
            .with_source(error)
    };
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(failed)?;
    let inner = Arc::downgrade(inner);
    let wait = move || {
        for signal in signals.forever() {
            finish(&inner, low_level::signal_name(signal).unwrap_or("a signal"));
            // Ends the process, as it would have without a meter.
            let _ = low_level::emulate_default_handler(signal);
        }
    };
    thread::Builder::new().name("ergometer signals".to_owned()).spawn(wait).map_err(failed)?;
    Ok(())
}

fn finish(inner: &Weak<Inner>, signal: &str) {
    if let Some(inner) = inner.upgrade() {
        // A run that was finished already has its record.
        let _ = Meter { inner }.end(Some(signal));
    }
}

//! The kernel's own counters.

use std::io;
use std::path;

use perf_event::Builder;
use perf_event::events::Dynamic;

use super::Count;
use super::pmu::{Event, Pmu, Socket};

/// Opens `event` for everything that runs on the socket, and starts it.
pub(super) fn open(pmu: &Pmu, event: &Event, socket: &Socket) -> io::Result<Count> {
    // An absolute folder is used as it is; a relative one would be looked for below /sys.
    let folder = path::absolute(&pmu.folder)?;
    let event = Dynamic::builder(folder)?.event(event.name)?.build().map_err(io::Error::other)?;
    let mut counter = Builder::new(event)
        .any_pid()
        .one_cpu(socket.cpu)
        // A socket's register cannot separate kernel from user energy; the kernel refuses to try.
        .exclude_kernel(false)
        .exclude_hv(false)
        .enabled(true)
        .build()?;
    Ok(Box::new(move || counter.read()))
}

//! SIGINT and SIGTERM: runs that want it are finished first.
//!
//! A process has one handler of a signal, so one thread listens for all meters, from the first that wants it on.
//! What the signal does then is decided by what the program has made of it:
//!
//! * ignored when the first meter wanted it (`nohup`, a shell's background job): it stays ignored, and nobody
//!   listens;
//! * handled by the program before: the program's handler runs as well, and decides alone;
//! * handled by the program later, by `sigaction` or the crate `ctrlc`: that handler replaces this one;
//! * handled later through `signal-hook`, as `tokio` does: both run. What such a handler does cannot be seen, nor
//!   for which signal it is. So the first signal is left to it, and a second one ends the program;
//! * left to its default: the program is ended as it would have been.
//!
//! A meter that was finished or dropped wants nothing any more; the thread stays, because the system's own default
//! cannot be put back without `unsafe`, and does what the default would.

use std::fs;
use std::io::{self, PipeWriter, Read as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{SigId, flag, low_level};

use super::Inner;
use crate::error::{Error, ErrorKind, Result};

/// How long a run that makes no progress holds up the end of the program.
const PATIENCE: Duration = Duration::from_secs(10);
/// Launchers send a signal several times at once (`timeout`, Ctrl-C at a terminal): that is one.
const ONE: Duration = Duration::from_secs(1);

/// The listener of this process, and the meters that want their runs finished.
static LISTENER: Mutex<Option<Listener>> = Mutex::new(None);

struct Listener {
    /// A forked child has none of its parent's threads.
    process: u32,
    watched: Vec<Watched>,
    meters: Vec<Weak<Inner>>,
}

/// A signal that is listened for.
#[derive(Clone)]
struct Watched {
    signal: i32,
    /// It came, in this process: the pipe that wakes the listener is shared with forked children.
    came: Arc<AtomicBool>,
    /// The program had a handler before.
    handled: bool,
    registered: [SigId; 2],
}

/// Sees to it that the signals of this process are listened for.
pub(super) fn listen() -> Result<()> {
    let mut listener = lock();
    let process = std::process::id();
    if listener.as_ref().is_some_and(|listener| listener.process == process) {
        return Ok(());
    }
    let inherited = listener.take().map(|listener| listener.watched);
    let begun = begin(inherited).map_err(|error| {
        Error::new(ErrorKind::Sampler, format!("signals cannot be waited for: {error}"))
            .with_source(error)
    })?;
    *listener = Some(Listener { process, watched: begun, meters: Vec::new() });
    Ok(())
}

/// Before a signal ends the program, the run of `inner` is finished.
pub(super) fn want(inner: &Arc<Inner>) {
    if let Some(listener) = &mut *lock() {
        listener.meters.retain(|meter| meter.strong_count() > 0);
        listener.meters.push(Arc::downgrade(inner));
    }
}

fn lock() -> MutexGuard<'static, Option<Listener>> {
    LISTENER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Registers for the signals, and starts the thread that waits for them. `inherited` is what a forked child has
/// of its parent's.
fn begin(inherited: Option<Vec<Watched>>) -> io::Result<Vec<Watched>> {
    let (mut wakes, wake) = io::pipe()?;
    let mut watched: Vec<Watched> = Vec::new();
    if let Some(before) = inherited {
        for one in before {
            one.unregister();
            watched.push(Watched::register(one.signal, one.handled, &wake)?);
        }
    } else {
        let (ignored, caught) = (signals("SigIgn:"), signals("SigCgt:"));
        for signal in [SIGINT, SIGTERM].into_iter().filter(|signal| !has(ignored, *signal)) {
            watched.push(Watched::register(signal, has(caught, signal), &wake)?);
        }
    }
    if watched.is_empty() {
        return Ok(watched);
    }
    let mut thread =
        Thread { watched: watched.clone(), latest: latest(&watched), others: Vec::new() };
    let wait = move || {
        // The handlers hold the other end.
        let mut bytes = [0; 64];
        while wakes.read(&mut bytes).is_ok_and(|count| count > 0) {
            thread.answer();
        }
    };
    let begun = thread::Builder::new().name("ergometer signals".to_owned()).spawn(wait);
    if let Err(error) = begun {
        watched.iter().for_each(Watched::unregister);
        return Err(error);
    }
    Ok(watched)
}

impl Watched {
    fn register(signal: i32, handled: bool, wake: &PipeWriter) -> io::Result<Self> {
        let came = Arc::new(AtomicBool::new(false));
        // In this order, as they are called in the order of their registration.
        let flag = flag::register(signal, Arc::clone(&came))?;
        let pipe = low_level::pipe::register(signal, wake.try_clone()?)?;
        Ok(Self { signal, came, handled, registered: [flag, pipe] })
    }

    fn unregister(&self) {
        for id in self.registered {
            low_level::unregister(id);
        }
    }
}

/// The listening thread's own.
struct Thread {
    watched: Vec<Watched>,
    /// Number of the last registration in this process that is known to be no other's.
    latest: Option<u128>,
    /// Signals that were left to handlers that may be there, and when.
    others: Vec<(i32, Instant)>,
}

impl Thread {
    fn answer(&mut self) {
        for index in 0..self.watched.len() {
            let Watched { signal, handled, .. } = self.watched[index];
            if !self.watched[index].came.swap(false, Ordering::AcqRel) {
                continue;
            }
            finish_all(low_level::signal_name(signal).unwrap_or("a signal"));
            if !handled && !self.is_left_to_others(signal) {
                // Ends the process, as it would have without a meter.
                let _ = low_level::emulate_default_handler(signal);
            }
        }
    }

    /// Whether a handler that came after this one may be for `signal`, and has not had its chance yet.
    fn is_left_to_others(&mut self, signal: i32) -> bool {
        if let Some((_, since)) = self.others.iter().find(|(known, _)| *known == signal) {
            return since.elapsed() < ONE;
        }
        let Ok(probe) = flag::register(signal, Arc::default()) else { return false };
        low_level::unregister(probe);
        let others = match (self.latest, number(probe)) {
            (Some(latest), Some(now)) => now.saturating_sub(latest + 1) > 0,
            _ => false,
        };
        if others {
            self.others.push((signal, Instant::now()));
        }
        others
    }
}

/// Finishes all runs that want it, side by side, and waits for them.
fn finish_all(signal: &str) {
    // Out of the lock: a meter may be the last one and be dropped here.
    let meters: Vec<Arc<Inner>> =
        lock().iter().flat_map(|listener| &listener.meters).filter_map(Weak::upgrade).collect();
    let why = format!("the run was ended by {signal}");
    let why = why.as_str();
    thread::scope(|scope| {
        for meter in &meters {
            let finish = move || meter.end_early(why, PATIENCE);
            if thread::Builder::new().spawn_scoped(scope, finish).is_err() {
                finish();
            }
        }
    });
}

fn latest(watched: &[Watched]) -> Option<u128> {
    watched.iter().flat_map(|one| one.registered).filter_map(number).max()
}

/// The number of a registration: they are counted through all signals of the process. There is no other way to
/// see that another handler is registered; if its text changes, none is seen.
fn number(id: SigId) -> Option<u128> {
    let text = format!("{id:?}");
    let digits = text.rsplit(|c: char| !c.is_ascii_digit()).find(|digits| !digits.is_empty())?;
    digits.parse().ok()
}

/// A set of signals of this process, as `proc_pid_status(5)` shows it; where it does not, nothing is known of them.
fn signals(set: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(set));
    line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

fn has(set: u64, signal: i32) -> bool {
    set >> (signal - 1) & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registrations_are_counted_through_all_signals() {
        let flag = Arc::new(AtomicBool::new(false));
        let signal = signal_hook::consts::SIGUSR1;
        let one = flag::register(signal, Arc::clone(&flag)).unwrap();
        let other = flag::register(signal_hook::consts::SIGUSR2, flag).unwrap();
        assert!(number(other).unwrap() > number(one).unwrap(), "{one:?}, {other:?}");
        assert!(has(signals("SigCgt:"), signal));
        low_level::unregister(one);
        low_level::unregister(other);
    }
}

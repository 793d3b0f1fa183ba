//! A recorded trace instead of hardware: the same readings in every run.
//!
//! The trace is a CSV file with a header; columns may be in any order:
//!
//! ```csv
//! seconds,domain,kind,joules,watts
//! 0.0,gpu-0,gpu,0,250
//! 0.1,gpu-0,gpu,25,
//! 0.1,cpu,cpu-package,,65
//! ```
//!
//! * `seconds` since the trace's start; within a domain they never decrease;
//! * `domain`, a name; its identity becomes `replay:<name>`;
//! * `kind`: `gpu`, `cpu-package`, `dram`, `psys`, `module` or `node`, the same in all its rows;
//! * `joules`: a counter's value, from any origin, never decreasing; empty if none was read;
//! * `watts`: power; empty if none was read.
//!
//! Lines that begin with `#` are skipped. Any other content is an error on opening, with the line's number.
//!
//! At [`Speed::RealTime`] the trace starts at the first read, and every row is returned once its time has
//! come. The run's last read also returns the row after it, so the energy up to the run's end depends only
//! on the trace and the run's interval. If the run is longer than the trace, the rest is reported as
//! missing.

mod trace;

use std::path::Path;

use super::{Domain, Due, PowerSource, Reading, Request, Sensor, Value};
use crate::clock::{self, Timestamp};
use crate::energy::Method;
use crate::error::Result;
use crate::units::{Joules, Watts};
use trace::{Channel, TraceRow};

/// The source's name.
pub(crate) const NAME: &str = "replay";

/// Relative standard uncertainty of the sensor behind a trace, which does not name it: that of GPU power
/// (see [`nvml`](super::nvml)), the largest of the common measured ones.
pub(crate) const RELATIVE_ERROR: f64 = 0.05;

/// When rows are returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Speed {
    /// Each row once its time since the start has passed.
    RealTime,
    /// All rows with the first read, for callers that read the source themselves.
    AtOnce,
}

/// A trace that is being replayed.
///
/// ```
/// use ergometer::source::replay::{Replay, Speed};
/// use ergometer::source::{PowerSource, Request};
///
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("trace.csv");
/// std::fs::write(&path, "seconds,domain,kind,joules,watts\n0,gpu-0,gpu,0,250\n0.1,gpu-0,gpu,25,\n").unwrap();
/// let mut replay = Replay::from_path(&path, Speed::AtOnce)?;
/// assert_eq!(replay.domains()[0].id, "replay:gpu-0");
/// let mut readings = Vec::new();
/// replay.read(Request::Last, &mut readings);
/// assert_eq!(readings.len(), 3); // two of the counter, one of power
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Replay {
    domains: Vec<Domain>,
    channels: Vec<Playing>,
    speed: Speed,
    start: Option<Timestamp>,
}

#[derive(Clone, Debug)]
struct Playing {
    rows: Vec<TraceRow>,
    next: usize,
    ended: bool,
}

impl Replay {
    /// Reads the trace at `path`.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the file cannot be read;
    /// [`ErrorKind::Format`](crate::ErrorKind::Format), with the line's number, if it is not a trace.
    pub fn from_path(path: impl AsRef<Path>, speed: Speed) -> Result<Self> {
        let path = path.as_ref();
        let channels = trace::read(path)?;
        Ok(Self {
            domains: channels.iter().map(|channel| domain(channel, path)).collect(),
            channels: channels
                .into_iter()
                .map(|channel| Playing { rows: channel.rows, next: 0, ended: false })
                .collect(),
            speed,
            start: None,
        })
    }

    /// The same trace with its second 0 at `start` instead of at the first read.
    #[must_use]
    pub const fn starting_at(mut self, start: Timestamp) -> Self {
        self.start = Some(start);
        self
    }
}

impl PowerSource for Replay {
    fn domains(&self) -> &[Domain] {
        &self.domains
    }

    fn read(&mut self, request: Request, readings: &mut Vec<Reading>) {
        let now = clock::checked_now();
        let start = *self.start.get_or_insert(now);
        for (domain, playing) in self.channels.iter_mut().enumerate() {
            let rest = &playing.rows[playing.next..];
            let due = match self.speed {
                Speed::AtOnce => rest.len(),
                Speed::RealTime => {
                    let due = rest.partition_point(|row| start.after(row.after) <= now);
                    // One more row brackets the run's end, and the energy before it.
                    let beyond = request == Request::Last && due < rest.len();
                    due + usize::from(beyond)
                }
            };
            for row in &rest[..due] {
                let at = start.after(row.after);
                readings.extend(row.values().map(|value| Reading::new(domain, at, value)));
            }
            playing.next += due;
            let last = playing.rows.last().map(|row| start.after(row.after));
            if let Some(last) = last
                && playing.next == playing.rows.len()
                && now > last
                && !std::mem::replace(&mut playing.ended, true)
            {
                let seconds = last.since(start).as_secs_f64();
                let reason = format!("the trace ends {seconds} s after its start");
                readings.push(Reading::new(domain, now, Value::Missing(reason)));
            }
        }
    }

    /// When the next row is due.
    fn next_read(&self) -> Option<Due> {
        let start = self.start?;
        let next = |playing: &Playing| playing.rows.get(playing.next).map(|row| row.after);
        self.channels.iter().filter_map(next).min().map(|after| Due::at(start.after(after)))
    }
}

fn domain(channel: &Channel, path: &Path) -> Domain {
    let counter = channel.rows.iter().any(|row| row.joules.is_some());
    Domain {
        id: format!("{NAME}:{}", channel.name),
        kind: channel.kind,
        label: channel.name.clone(),
        source: NAME.to_owned(),
        method: if counter { Method::Counter } else { Method::Integrated },
        sensor: Sensor {
            counter_period_s: None,
            counter_quantum: counter.then_some(Joules::ZERO),
            power_period_s: None,
            power_window_s: None,
            relative_error: RELATIVE_ERROR,
            absolute_error: Watts::ZERO,
        },
        pci_address: None,
        power_limit: None,
        note: Some(format!("replayed from {}, not measured now", path.display())),
    }
}

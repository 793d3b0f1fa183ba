//! The library, its boards, and a round of readings.

use std::panic::resume_unwind;
use std::path::Path;
use std::thread;

use nvml_wrapper::error::NvmlError;

use super::board::Board;
use super::{NAME, report};
use crate::source::{Availability, Domain, PowerSource, Reading, Request, SourceReport};

/// All boards of one NVML library.
#[derive(Debug)]
pub struct Nvml {
    library: nvml_wrapper::Nvml,
    domains: Vec<Domain>,
    boards: Vec<Board>,
}

impl Nvml {
    /// Opens `library` (by default the system's `libnvidia-ml.so.1`) and asks each board what it
    /// can tell.
    #[must_use]
    pub fn open(library: Option<&Path>) -> (Option<Self>, SourceReport) {
        let mut builder = nvml_wrapper::Nvml::builder();
        if let Some(path) = library {
            builder.lib_path(path.as_os_str());
        }
        let nvml = match builder.init() {
            Ok(nvml) => nvml,
            Err(error) => return (None, report(no_library(&error, library))),
        };
        let count = match nvml.device_count() {
            Ok(count) => count,
            Err(error) => return (None, report(failed("counting boards failed", &error))),
        };
        let mut domains = Vec::new();
        let mut boards = Vec::new();
        let mut remarks = Vec::new();
        for index in 0..count {
            match Board::probe(&nvml, index) {
                Ok((board, domain)) => {
                    domains.push(domain);
                    boards.push(board);
                }
                Err(reason) => remarks.push(format!("board {index}: {reason}")),
            }
        }
        let availability = if !boards.is_empty() {
            Availability::Available
        } else if count == 0 {
            Availability::Unavailable {
                reason: "the NVIDIA driver is loaded but shows no board".to_owned(),
                remedy: "give this machine or container a board (`--gpus all`), or check \
                         `nvidia-smi -L`"
                    .to_owned(),
            }
        } else {
            Availability::Unavailable {
                reason: format!("no board can be read; {}", remarks.join("; ")),
                remedy: "use a board of the Kepler generation or newer, not a vGPU, and see \
                         `nvidia-smi -q -d POWER`"
                    .to_owned(),
            }
        };
        let ids = domains.iter().map(|domain: &Domain| domain.id.clone()).collect();
        let report = SourceReport { source: NAME.to_owned(), availability, domains: ids, remarks };
        ((!boards.is_empty()).then_some(Self { library: nvml, domains, boards }), report)
    }
}

impl PowerSource for Nvml {
    fn domains(&self) -> &[Domain] {
        &self.domains
    }

    fn read(&mut self, request: Request, readings: &mut Vec<Reading>) {
        let library = &self.library;
        let read = |domain: usize, board: &mut Board| {
            let mut read = Vec::new();
            board.read(library, request, |at, value| read.push(Reading::new(domain, at, value)));
            // Energy holds for a moment before it is known.
            read.sort_by_key(|reading| reading.at);
            read
        };
        match (&mut self.boards[..], request) {
            // Each waits for its own counter to move, all at the same time.
            ([first, others @ ..], Request::Edge) if !others.is_empty() => {
                thread::scope(|scope| {
                    let others: Vec<_> = (1..)
                        .zip(others)
                        .map(|(domain, board)| scope.spawn(move || read(domain, board)))
                        .collect();
                    readings.extend(read(0, first));
                    for other in others {
                        // A panic there is the sampler's to deal with, as one here.
                        readings.extend(other.join().unwrap_or_else(|cause| resume_unwind(cause)));
                    }
                });
            }
            (boards, _) => {
                for (domain, board) in boards.iter_mut().enumerate() {
                    readings.extend(read(domain, board));
                }
            }
        }
    }
}

fn no_library(error: &NvmlError, library: Option<&Path>) -> Availability {
    let name = library.map_or_else(|| "libnvidia-ml.so.1".into(), Path::to_string_lossy);
    match error {
        NvmlError::LibloadingError(cause) => Availability::Unavailable {
            reason: format!("NVML library cannot be loaded: {}", one_line(cause)),
            remedy: if library.is_some() {
                format!("check the path '{name}' (setting `nvml_library`)")
            } else {
                "install the NVIDIA driver; in a container, start it with `--gpus all`".to_owned()
            },
        },
        NvmlError::FailedToLoadSymbol(cause) => Availability::Unavailable {
            reason: format!("'{name}' is not an NVML library: {}", one_line(cause)),
            remedy: "point `nvml_library` at the driver's libnvidia-ml.so.1".to_owned(),
        },
        NvmlError::DriverNotLoaded => Availability::Unavailable {
            reason: "NVML library found, but the NVIDIA driver is not loaded".to_owned(),
            remedy: "load it with `sudo modprobe nvidia`".to_owned(),
        },
        NvmlError::NoPermission => Availability::Unavailable {
            reason: "NVML may not talk to the driver: permission denied".to_owned(),
            remedy: "allow this user to open /dev/nvidiactl and /dev/nvidia*".to_owned(),
        },
        NvmlError::LibRmVersionMismatch => Availability::Unavailable {
            reason: "NVML library and the loaded NVIDIA driver are of different versions"
                .to_owned(),
            remedy: "reload the driver or reboot after its update".to_owned(),
        },
        other => failed("NVML failed to start", other),
    }
}

fn failed(what: &str, error: &NvmlError) -> Availability {
    Availability::Unavailable {
        reason: format!("{what}: {}", one_line(error)),
        remedy: "check that `nvidia-smi` works for this user".to_owned(),
    }
}

fn one_line(text: &impl ToString) -> String {
    text.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

//! The library and its boards.

use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use nvml_wrapper::Nvml;
use nvml_wrapper::error::NvmlError;

use super::board::Board;
use super::{NAME, report};
use crate::source::{Availability, PowerSource as _, SourceReport};

/// How long the driver may take to start; what takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(10);

/// Opens `library` (by default the system's `libnvidia-ml.so.1`) and asks each board what it can
/// tell; a driver that hangs is not waited for.
pub(super) fn open(library: Option<&Path>) -> (Vec<Board>, SourceReport) {
    let path = library.map(PathBuf::from);
    let (found, boards) = mpsc::channel();
    let started = thread::Builder::new().name("ergometer nvml probe".to_owned()).spawn(move || {
        let _ = found.send(find(path.as_deref()));
    });
    let answer = started.ok().and_then(|_| boards.recv_timeout(PATIENCE).ok());
    answer.unwrap_or_else(|| {
        let availability = Availability::Unavailable {
            reason: format!("NVML did not answer within {} s", PATIENCE.as_secs()),
            remedy: "see `dmesg` for errors of the NVIDIA driver, and whether `nvidia-smi` answers"
                .to_owned(),
        };
        (Vec::new(), report(availability))
    })
}

fn find(library: Option<&Path>) -> (Vec<Board>, SourceReport) {
    let mut builder = Nvml::builder();
    if let Some(path) = library {
        builder.lib_path(path.as_os_str());
    }
    let nvml = match builder.init() {
        Ok(nvml) => Arc::new(nvml),
        Err(error) => return (Vec::new(), report(no_library(&error, library))),
    };
    let count = match nvml.device_count() {
        Ok(count) => count,
        Err(error) => return (Vec::new(), report(failed("counting boards failed", &error))),
    };
    let mut boards = Vec::new();
    let mut remarks = Vec::new();
    for index in 0..count {
        match Board::probe(&nvml, index) {
            Ok(board) => boards.push(board),
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
    let domains = boards.iter().map(|board: &Board| board.domains()[0].id.clone()).collect();
    let report = SourceReport { source: NAME.to_owned(), availability, domains, remarks };
    (boards, report)
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

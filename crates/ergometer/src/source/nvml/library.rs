//! The library and its boards.

use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use nvml_wrapper::Nvml;
use nvml_wrapper::error::NvmlError;

use super::board::Board;
use super::cost::Cost;
use super::devices::{Choice, Devices, Environment, choose};
use super::identity::BoardIdentity;
use super::{NAME, report};
use crate::deadline::Deadline;
use crate::source::system::System;
use crate::source::{Availability, PowerSource as _, SourceReport, host};

/// How long the driver may take to start; what takes longer hangs.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// Opens `library` (by default the system's `libnvidia-ml.so.1`) and asks each board what it can
/// tell; a driver that hangs is not waited for.
pub(super) fn open(
    library: Option<&Path>,
    proc_root: &Path,
    devices: &Devices,
    environment: &Environment,
    share: f64,
) -> (Vec<Board>, SourceReport) {
    let (path, proc_root) = (library.map(PathBuf::from), proc_root.to_path_buf());
    let (devices, environment) = (devices.clone(), environment.clone());
    let (found, boards) = mpsc::channel();
    let started = thread::Builder::new().name("ergometer nvml probe".to_owned()).spawn(move || {
        let _ = found.send(find(path.as_deref(), &proc_root, &devices, &environment, share));
    });
    let answer = started.ok().and_then(|_| Deadline::after(PATIENCE).recv(&boards).ok());
    answer.unwrap_or_else(|| {
        let availability = Availability::Unavailable {
            reason: format!("NVML did not answer within {} s", PATIENCE.as_secs()),
            remedy: "see the system's log (on Linux `dmesg`) for errors of the NVIDIA driver, and whether \
                     `nvidia-smi` answers"
                .to_owned(),
        };
        (Vec::new(), report(availability))
    })
}

fn find(
    library: Option<&Path>,
    proc_root: &Path,
    devices: &Devices,
    environment: &Environment,
    share: f64,
) -> (Vec<Board>, SourceReport) {
    let mut builder = Nvml::builder();
    if let Some(path) = library {
        builder.lib_path(path.as_os_str());
    }
    let nvml = match builder.init() {
        Ok(nvml) => Arc::new(nvml),
        Err(error) => return (Vec::new(), report(no_library(System::current(), &error, library))),
    };
    let count = match nvml.device_count() {
        Ok(count) => count,
        Err(error) => return (Vec::new(), report(failed("counting boards failed", &error))),
    };
    let mut remarks = Vec::new();
    let mut identities = Vec::new();
    for index in 0..count {
        match identity(&nvml, index) {
            Ok(identity) => identities.push(identity),
            Err(reason) => remarks.push(format!("board {index}: {reason}")),
        }
    }
    let chosen = match choose(devices, environment, &identities) {
        Ok(chosen) => chosen,
        // Boards that are not there cannot be chosen; why they are not is the better reason.
        Err(_) if identities.is_empty() => Choice::default(),
        Err(error) => {
            let availability = Availability::Unavailable {
                reason: error.to_string(),
                remedy: error.remedy().unwrap_or("see `nvidia-smi -L`").to_owned(),
            };
            return (Vec::new(), SourceReport { remarks, ..report(availability) });
        }
    };
    let hidden = chosen.boards.is_empty() && !identities.is_empty();
    remarks.extend(chosen.remarks);
    let mut boards = Vec::new();
    let cost = Cost::new(share, chosen.boards.len());
    for chosen in chosen.boards {
        let Some(identity) = identities.iter().find(|board| board.uuid == chosen.uuid) else {
            continue;
        };
        match Board::probe(&nvml, identity.index, cost) {
            Ok(board) => boards.push(board),
            Err(reason) => remarks.push(format!("board {}: {reason}", identity.index)),
        }
    }
    let availability = if !boards.is_empty() {
        Availability::Available
    } else if hidden {
        hidden_boards(devices)
    } else if count == 0 {
        no_boards()
    } else {
        unreadable(&identities, proc_root, &remarks)
    };
    let domains = boards.iter().map(|board: &Board| board.domains()[0].id.clone()).collect();
    let report = SourceReport { source: NAME.to_owned(), availability, domains, remarks };
    (boards, report)
}

/// The selection leaves none of the machine's boards.
fn hidden_boards(devices: &Devices) -> Availability {
    let reason = match devices {
        Devices::List(_) => "the run uses none of this machine's boards",
        _ => "CUDA_VISIBLE_DEVICES hides every board from this program",
    };
    Availability::Unavailable {
        reason: reason.to_owned(),
        remedy: "name the boards it trains on, or meter all with `MeterBuilder::devices`"
            .to_owned(),
    }
}

/// The driver is there, and no board.
fn no_boards() -> Availability {
    Availability::Unavailable {
        reason: "the NVIDIA driver is loaded but shows no board".to_owned(),
        remedy: "give this machine or container a board (`--gpus all`), or check `nvidia-smi -L`"
            .to_owned(),
    }
}

/// Why none of `boards` can be read, and what helps.
fn unreadable(boards: &[BoardIdentity], proc_root: &Path, remarks: &[String]) -> Availability {
    let remarks = remarks.join("; ");
    if is_jetson(boards, proc_root) {
        return Availability::Unavailable {
            reason: format!("the GPU of a Jetson has no power sensor in NVML; {remarks}"),
            remedy: "none is needed where `hwmon` gives the module's input rail, which contains the GPU: load the \
                     driver ina3221 or ina238; in a container, mount the host's /sys"
                .to_owned(),
        };
    }
    Availability::Unavailable {
        reason: format!("no board can be read; {remarks}"),
        remedy: "use a board of the Kepler generation or newer, not a vGPU, and see \
                 `nvidia-smi -q -d POWER`"
            .to_owned(),
    }
}

/// Whether these are the GPUs of a Jetson, which are part of its chip.
fn is_jetson(boards: &[BoardIdentity], proc_root: &Path) -> bool {
    const CHIPS: [&str; 4] = ["nvgpu", "Tegra", "Orin", "Thor"];
    let named = |board: &BoardIdentity| CHIPS.iter().any(|chip| board.name.contains(chip));
    boards.iter().any(named) || host::is_jetson(proc_root)
}

/// Who board `index` is.
fn identity(nvml: &Nvml, index: u32) -> Result<BoardIdentity, String> {
    let device = nvml.device_by_index(index).map_err(|error| error.to_string())?;
    let instances = match device.mig_mode() {
        Ok(mode) if mode.current == 1 => device.mig_device_count().unwrap_or(0),
        _ => 0,
    };
    let mig = |instance| device.mig_device_by_index(instance).ok()?.uuid().ok();
    Ok(BoardIdentity {
        index,
        uuid: device.uuid().map_err(|error| format!("its UUID cannot be read: {error}"))?,
        pci_address: device.pci_info().ok().map(|pci| pci.bus_id),
        name: device.name().unwrap_or_default(),
        mig: (0..instances).filter_map(mig).collect(),
    })
}

fn no_library(system: System, error: &NvmlError, library: Option<&Path>) -> Availability {
    let own = if system == System::Windows { "nvml.dll" } else { "libnvidia-ml.so.1" };
    let name = library.map_or_else(|| own.into(), Path::to_string_lossy);
    let (reason, remedy) = match error {
        NvmlError::LibloadingError(cause) => (
            format!("NVML library cannot be loaded: {}", one_line(cause)),
            match (library, system) {
                (Some(_), _) => format!("check the path '{name}' (setting `nvml_library`)"),
                (None, System::MacOs) => "none here: NVIDIA has no driver for macOS".to_owned(),
                (None, System::Windows) => "install the NVIDIA driver".to_owned(),
                (None, _) => {
                    "install the NVIDIA driver; in a container, start it with `--gpus all`"
                        .to_owned()
                }
            },
        ),
        NvmlError::FailedToLoadSymbol(cause) => (
            format!("'{name}' is not an NVML library: {}", one_line(cause)),
            format!("point `nvml_library` at the driver's {own}"),
        ),
        NvmlError::DriverNotLoaded => (
            "NVML library found, but the NVIDIA driver is not loaded".to_owned(),
            match system {
                System::Linux => "load it with `sudo modprobe nvidia`",
                _ => "install the NVIDIA driver again, and restart the machine",
            }
            .to_owned(),
        ),
        NvmlError::NoPermission => (
            "NVML may not talk to the driver: permission denied".to_owned(),
            match system {
                System::Linux => "allow this user to open /dev/nvidiactl and /dev/nvidia*",
                _ => "allow this user to use the board, and check that `nvidia-smi` works",
            }
            .to_owned(),
        ),
        NvmlError::LibRmVersionMismatch => (
            "NVML library and the loaded NVIDIA driver are of different versions".to_owned(),
            "reload the driver or reboot after its update".to_owned(),
        ),
        other => return failed("NVML failed to start", other),
    };
    Availability::Unavailable { reason, remedy }
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn no_advice_is_for_another_system() {
        let errors = [NvmlError::DriverNotLoaded, NvmlError::NoPermission, NvmlError::Unknown];
        let (windows, mac) = (System::Windows, System::MacOs);
        for system in [windows, mac, System::Other] {
            for error in &errors {
                let text = format!("{:?}", no_library(system, error, None));
                assert!(!text.contains("modprobe") && !text.contains("/dev/"), "{text}");
            }
        }
        let text = |system, error| format!("{:?}", no_library(system, error, None));
        assert!(text(System::Linux, &errors[0]).contains("modprobe nvidia"));
    }

    #[test]
    fn the_gpu_of_a_jetson_is_known_by_its_name_or_by_the_machines() {
        let diagnosis = |name: &str, proc_root: &Path| {
            let board = BoardIdentity { name: name.to_owned(), ..BoardIdentity::default() };
            match unreadable(&[board], proc_root, &["board 0: no sensor".to_owned()]) {
                Availability::Unavailable { reason, remedy } => (reason, remedy),
                Availability::Available => panic!("it cannot be read"),
            }
        };
        let is_jetson = |(reason, remedy): (String, String)| {
            assert!(reason.contains("board 0: no sensor"), "{reason}");
            assert_ne!(remedy.contains("Kepler"), remedy.contains("ina3221"), "{remedy}");
            remedy.contains("ina3221")
        };
        let server = tempfile::tempdir().unwrap();
        for name in ["Orin (nvgpu)", "NVIDIA Tegra X1", "NVIDIA Thor"] {
            assert!(is_jetson(diagnosis(name, server.path())), "{name}");
        }
        assert!(!is_jetson(diagnosis("Tesla M2090", server.path())));

        let jetson = tempfile::tempdir().unwrap();
        fs::create_dir(jetson.path().join("device-tree")).unwrap();
        let model = jetson.path().join("device-tree/model");
        fs::write(&model, "NVIDIA Jetson Nano Developer Kit\0").unwrap();
        assert!(is_jetson(diagnosis("", jetson.path())));
        fs::write(&model, "Raspberry Pi 5 Model B\0").unwrap();
        assert!(!is_jetson(diagnosis("Tesla M2090", jetson.path())));
    }
}

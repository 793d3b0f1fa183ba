//! The device to compute on, chosen at run time among the backends that were compiled in.

use std::panic;

use burn::tensor::{Device, DeviceType};

use crate::{Failure, TrainArgs};

/// The backends in this program, by the name that `--backend` takes.
fn compiled() -> Vec<(&'static str, DeviceType)> {
    vec![
        ("flex", DeviceType::Flex),
        #[cfg(feature = "vulkan")]
        ("vulkan", DeviceType::Vulkan),
        #[cfg(feature = "cuda")]
        ("cuda", DeviceType::Cuda),
        #[cfg(feature = "rocm")]
        ("rocm", DeviceType::Rocm),
        #[cfg(feature = "metal")]
        ("metal", DeviceType::Metal),
        #[cfg(feature = "cpu")]
        ("cpu", DeviceType::Cpu),
    ]
}

/// The device that `--backend` and `--device` name, seeded with `--seed`.
///
/// # Errors
/// [`Failure::Usage`] for a backend that was not compiled in or a device that is not there; the
/// message lists what there is.
pub fn device(args: &TrainArgs) -> Result<Device, Failure> {
    let compiled = compiled();
    let Some((name, kind)) = compiled.iter().find(|(name, _)| *name == args.backend) else {
        let names = compiled.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        return Err(Failure::usage(format!(
            "backend '{}' is not in this program; it has {names} (others: build with \
             --features vulkan, cuda, rocm, metal or cpu)",
            args.backend
        )));
    };
    let devices = enumerate(kind).map_err(|reason| {
        Failure::usage(format!("backend {name} finds no device here: {reason}"))
    })?;
    let device = devices.get(args.device).cloned().ok_or_else(|| {
        let there = match devices.len() {
            0 => "none".to_owned(),
            _ => devices
                .iter()
                .enumerate()
                .map(|(index, device)| format!("{index} ({})", describe(device)))
                .collect::<Vec<_>>()
                .join(", "),
        };
        Failure::usage(format!("backend {name} has no device {}; there is {there}", args.device))
    })?;
    device.seed(args.seed);
    Ok(device)
}

/// The devices of a backend. A driver that is missing makes some backends panic; that is an answer
/// here and not a crash.
fn enumerate(kind: &DeviceType) -> Result<Vec<Device>, String> {
    let kind = kind.clone();
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let devices = panic::catch_unwind(move || Device::enumerate(kind).into_iter().collect());
    panic::set_hook(hook);
    devices.map_err(|cause| {
        cause
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| cause.downcast_ref::<&str>().copied())
            .unwrap_or("its driver could not be loaded")
            .to_owned()
    })
}

/// The device's name for people: `CPU`, `NVIDIA H100 80GB HBM3`.
#[must_use]
pub fn describe(device: &Device) -> String {
    #[cfg(feature = "cubecl")]
    if let Some(identity) = device.identity() {
        return identity.name.to_string();
    }
    if is_cpu(device) { "CPU".to_owned() } else { format!("{device:?}") }
}

fn is_cpu(device: &Device) -> bool {
    let name = format!("{device:?}");
    name.contains("Flex") || name.contains("Cpu")
}

/// How many accelerators the device stands for: none for a CPU.
#[must_use]
pub fn accelerators(device: &Device) -> usize {
    usize::from(!is_cpu(device))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(backend: &str, device: usize) -> TrainArgs {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            train: TrainArgs,
        }
        let device = device.to_string();
        let line = ["test", "--backend", backend, "--device", &device];
        <Line as clap::Parser>::parse_from(line).train
    }

    #[test]
    fn flex_is_one_cpu() {
        let device = device(&args("flex", 0)).unwrap();
        assert_eq!(describe(&device), "CPU");
        assert_eq!(accelerators(&device), 0);
    }

    #[test]
    fn what_is_not_there_is_a_usage_failure_that_lists_what_is() {
        let missing = device(&args("flex", 3)).unwrap_err();
        assert_eq!(missing.to_string(), "backend flex has no device 3; there is 0 (CPU)");
        let unknown = device(&args("abacus", 0)).unwrap_err();
        assert!(unknown.to_string().starts_with("backend 'abacus' is not in this program"));
        assert_eq!((missing.code(), unknown.code()), (2, 2));
    }
}

//! AMD GPUs and APUs.
//!
//! `power1_input` is instantaneous, `power1_average` an average over a time that the kernel does not state.
//! The chip determines which of them a board has. Both are power of the socket, on APUs including the
//! processor's cores (Linux, `Documentation/gpu/amdgpu/thermal.rst`). Where there is an energy accumulator with a
//! documented unit, it gives the energy and power its shape ([`accumulator`]).

use super::accumulator::{self, Accumulator};
use super::device::Device;
use super::{Offer, Probe, domain, impossible, limit};
use crate::energy::Method;
use crate::source::{DomainKind, sysfs};

/// The driver queries the firmware at most once a millisecond (`smu_cmn_update_table` through
/// `smu_cmn_get_metrics_table`: a cache of 1 ms).
const PERIOD_S: f64 = 0.001;

pub(super) fn offer(device: &Device, package_source: Option<&str>) -> Offer {
    let instantaneous = device.file("power1_input");
    let averaged = device.file("power1_average");
    let (file, mean) = if instantaneous.exists() {
        (instantaneous, false)
    } else if averaged.exists() {
        (averaged, true)
    } else {
        let address = &device.address;
        return Offer::Left(format!("amdgpu {address} shows no power: its driver reads none"));
    };
    let name = sysfs::word(&device.parent("product_name"));
    // Only APUs have a northbridge, and so a label for its voltage; on the MI300A the driver hides it.
    let apu = sysfs::word(&device.file("in1_label")).is_some_and(|label| label == "vddnb")
        || name.as_ref().is_some_and(|name| name.contains("MI300A"));
    if let Some(source) = package_source.filter(|_| apu) {
        return Offer::Left(format!(
            "amdgpu {} is part of a processor that {source} measures, and is not added to it",
            device.address
        ));
    }
    let (kind, what) = if apu { (DomainKind::CpuPackage, "APU") } else { (DomainKind::Gpu, "GPU") };
    let label = name.unwrap_or_else(|| format!("AMD {what} {}", device.address));
    let mut domain = domain(device, kind, Method::Integrated, label);
    domain.sensor.power_period_s = Some(PERIOD_S);
    domain.power_limit =
        limit(&device.file("power1_cap")).or_else(|| limit(&device.file("power1_crit")));
    let mut notes = Vec::new();
    if mean {
        notes.push("power is averaged by the firmware, over a time that is not stated");
    }
    notes.push(if apu {
        "power of the whole APU: the processor and the GPU in it"
    } else {
        "the socket's power, which on some boards leaves out memory and regulators"
    });
    domain.note = Some(notes.join("; "));
    match Accumulator::of(device, impossible(domain.power_limit)) {
        Ok(Some(accumulator)) => {
            domain.method = Method::Counter;
            domain.sensor.counter_quantum = Some(accumulator::QUANTUM);
            domain.sensor.counter_period_s = Some(PERIOD_S);
            Offer::Metered(Box::new(domain), Probe::Accumulated(file, Box::new(accumulator)))
        }
        Ok(None) => Offer::Metered(Box::new(domain), Probe::Power(file)),
        Err(why) => Offer::Remarked(Box::new(domain), Probe::Power(file), why),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::io::{Seek as _, SeekFrom, Write as _};
    use std::os::unix::fs::symlink;
    use std::path::{Path, PathBuf};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;
    use std::time::Duration;

    use crate::source::hwmon::Hwmon;
    use crate::source::{PowerSource as _, Request, Value};
    use crate::units::Watts;

    /// A die of an MI300X at this address (`device` is that of a member of the MI200 family where it is one).
    fn die(sys: &Path, number: u32, address: &str, device: &str, watts: &str) -> PathBuf {
        let place = sys.join("devices/pci0000:00").join(address);
        let folder = place.join(format!("hwmon/hwmon{number}"));
        fs::create_dir_all(&folder).unwrap();
        symlink(&place, folder.join("device")).unwrap();
        fs::write(folder.join("name"), "amdgpu\n").unwrap();
        fs::write(folder.join("power1_input"), watts).unwrap();
        fs::write(place.join("device"), device).unwrap();
        let class = sys.join("class/hwmon");
        fs::create_dir_all(&class).unwrap();
        symlink(&folder, class.join(format!("hwmon{number}"))).unwrap();
        place.join("gpu_metrics")
    }

    fn table(revision: u8, energy: u64) -> Vec<u8> {
        let mut bytes = vec![0; 304];
        bytes[..4].copy_from_slice(&[0x30, 1, 1, revision]);
        bytes[24..32].copy_from_slice(&energy.to_le_bytes());
        bytes
    }

    fn joules(energy: u64) -> u64 {
        energy * 65536
    }

    #[test]
    fn a_board_with_an_accumulator_is_one_domain_and_counts_while_one_that_stands_still_has_power()
    {
        let root = tempfile::tempdir().unwrap();
        let sys = root.path();
        let moves = die(sys, 0, "0000:05:00.0", "0x74a1", "750000000\n");
        let stuck = die(sys, 1, "0000:06:00.0", "0x740f", "300000000\n");
        let unknown = die(sys, 2, "0000:07:00.0", "0x744c", "200000000\n");
        fs::write(&stuck, table(3, joules(5))).unwrap();
        // Of an RDNA 3 board the unit is not known, whether it moves or not.
        fs::write(&unknown, table(3, joules(5))).unwrap();
        fs::write(&moves, table(5, 0)).unwrap();
        fs::write(&moves, table(4, joules(1))).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let writer = {
            let (stop, path) = (Arc::clone(&stop), moves.clone());
            thread::spawn(move || {
                let mut file = fs::OpenOptions::new().write(true).open(path).unwrap();
                let mut counted = joules(1);
                while !stop.load(Ordering::Relaxed) {
                    counted += 1;
                    file.seek(SeekFrom::Start(0)).unwrap();
                    file.write_all(&table(4, counted)).unwrap();
                    thread::sleep(Duration::from_millis(1));
                }
            })
        };
        let (hwmon, report) = Hwmon::open(sys, None);
        stop.store(true, Ordering::Relaxed);
        writer.join().unwrap();
        let mut hwmon = hwmon.unwrap();
        let methods: Vec<_> = hwmon
            .domains()
            .iter()
            .map(|domain| (domain.id.as_str(), domain.method.as_str()))
            .collect();
        assert_eq!(
            methods,
            [
                ("hwmon:0000:05:00.0", "counter"),
                ("hwmon:0000:06:00.0", "integrated"),
                ("hwmon:0000:07:00.0", "integrated"),
            ]
        );
        let still = |id: &str| {
            report.remarks.iter().any(|one| one.starts_with(id) && one.contains("stands still"))
        };
        assert!(still("hwmon:0000:06:00.0") && !still("hwmon:0000:05:00.0"), "{report:?}");

        let mut read = |energy: u64| {
            fs::write(&moves, table(4, energy)).unwrap();
            let mut readings = Vec::new();
            hwmon.read(Request::Routine, &mut readings);
            let of_it = readings.into_iter().filter(|reading| reading.domain == 0);
            of_it.map(|reading| reading.value).collect::<Vec<_>>()
        };
        // 64 bits: beyond what 32 hold.
        let first = read(joules(1_000_000));
        let [Value::Energy(before), Value::Power(watts)] = &first[..] else { panic!("{first:?}") };
        let second = read(joules(1_000_025));
        let [Value::Energy(after), Value::Power(_)] = &second[..] else { panic!("{second:?}") };
        assert!((after.get() - before.get() - 25.0).abs() < 1e-9 && *watts == Watts::new(750.0));
    }
}

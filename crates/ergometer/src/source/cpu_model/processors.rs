//! What a processor draws when all of it is busy.

use super::{FULL_SHARE, KNOWN_ERROR, TDP_PER_LOGICAL_CPU, UNKNOWN_ERROR};
use crate::source::host::Processor;
use crate::units::Watts;

/// A processor model, with the maker's figures.
struct Known {
    /// As in `model name`, followed by no letter or digit.
    name: &'static str,
    /// Thermal design power of a package, watts.
    tdp: f64,
    /// Logical processors of a package with its threads on.
    threads: u32,
}

const fn known(name: &'static str, tdp: f64, threads: u32) -> Known {
    Known { name, tdp, threads }
}

/// One for each common generation of servers and desktops, after the makers' specifications
/// (ark.intel.com, amd.com); Intel's desktop parts only up to the generation whose TDP was not yet
/// called base power. The parts that only AWS has (8124M, 8175M, 8259CL, 8275CL, 7R32) after Teads'
/// "AWS EC2 Carbon Footprint Dataset", 2021. The fit uses the first two.
const KNOWN: [Known; 45] = [
    known("E3-1240 V2", 69.0, 8),
    known("EPYC 8024P", 90.0, 16),
    known("E5-2650 v4", 105.0, 24),
    known("E5-2680 v4", 120.0, 28),
    known("E5-2686 v4", 145.0, 36),
    known("E5-2690 v4", 135.0, 28),
    known("E5-2698 v4", 135.0, 40),
    known("Gold 6130", 125.0, 32),
    known("Gold 6148", 150.0, 40),
    known("Gold 6248", 150.0, 40),
    known("Gold 6330", 205.0, 56),
    known("Gold 6338", 205.0, 64),
    known("Platinum 8124M", 240.0, 36),
    known("Platinum 8168", 205.0, 48),
    known("Platinum 8175M", 240.0, 48),
    known("Platinum 8259CL", 210.0, 48),
    known("Platinum 8260", 165.0, 48),
    known("Platinum 8275CL", 240.0, 48),
    known("Platinum 8280", 205.0, 56),
    known("Platinum 8358", 250.0, 64),
    known("Platinum 8380", 270.0, 80),
    known("Platinum 8468", 350.0, 96),
    known("Platinum 8480+", 350.0, 112),
    known("EPYC 7302", 155.0, 32),
    known("EPYC 7402", 180.0, 48),
    known("EPYC 7502", 180.0, 64),
    known("EPYC 7543", 225.0, 64),
    known("EPYC 7601", 180.0, 64),
    known("EPYC 7713", 225.0, 128),
    known("EPYC 7742", 225.0, 128),
    known("EPYC 7763", 280.0, 128),
    known("EPYC 7R32", 280.0, 96),
    known("EPYC 9354", 280.0, 64),
    known("EPYC 9554", 360.0, 128),
    known("EPYC 9654", 360.0, 192),
    known("EPYC 9754", 360.0, 256),
    known("i7-6700K", 91.0, 8),
    known("i7-8700K", 95.0, 12),
    known("i9-9900K", 95.0, 16),
    known("Ryzen 5 5600X", 65.0, 12),
    known("Ryzen 7 5800X", 105.0, 16),
    known("Ryzen 9 3900X", 105.0, 24),
    known("Ryzen 9 5950X", 105.0, 32),
    known("Ryzen 9 7950X", 170.0, 32),
    known("Ryzen Threadripper 3970X", 280.0, 64),
];

/// What the model takes a processor for.
pub(super) struct Estimate {
    /// Power of all packages when fully busy.
    pub(super) full: Watts,
    /// Relative standard uncertainty of the model.
    pub(super) error: f64,
    pub(super) label: String,
    pub(super) note: String,
}

/// Estimates the full power of what `/proc/cpuinfo` shows of a machine; of a container with a `quota`, in processors, no
/// more than that share.
pub(super) fn estimate(processor: &Processor, quota: Option<f64>) -> Estimate {
    let name = processor.name.as_deref().unwrap_or("unknown processor");
    let seen = f64::from(processor.logical.max(1));
    let used = quota.map_or(seen, |quota| quota.min(seen));
    let machine = processor.of_machine();
    let virtual_machine = processor.hypervisor == Some(true);
    let model = find(name);
    let (tdp, basis) = match (model, virtual_machine) {
        (Some(model), false) => {
            let packages = f64::from(processor.packages.max(1));
            let share = used / f64::from(machine);
            let of = if share < 1.0 {
                format!("{used} of {machine} logical CPUs of ")
            } else {
                String::new()
            };
            (model.tdp * packages * share, format!("{of}{packages} × {} W TDP", model.tdp))
        }
        (Some(model), true) => {
            let share = used / f64::from(model.threads);
            let basis =
                format!("{used} of {} logical CPUs of a {} W package", model.threads, model.tdp);
            (model.tdp * share, basis)
        }
        (None, _) => {
            let each = TDP_PER_LOGICAL_CPU.get();
            (each * used, format!("{used} logical CPUs at {each} W TDP each"))
        }
    };
    let whose = if virtual_machine {
        "; a virtual machine: the share of its virtual CPUs in a host that cannot be seen"
    } else if used < f64::from(machine) {
        "; a container: the share of its processors in the machine"
    } else {
        ""
    };
    let what =
        if used < f64::from(machine) { "what is seen of the machine" } else { "the whole machine" };
    Estimate {
        full: Watts::new(tdp * FULL_SHARE),
        error: if model.is_some() { KNOWN_ERROR } else { UNKNOWN_ERROR },
        label: name.to_owned(),
        note: format!("modelled from utilisation of {what}: {basis}{whose}"),
    }
}

fn find(name: &str) -> Option<&'static Known> {
    let name = name.to_ascii_lowercase();
    KNOWN.iter().find(|known| {
        let wanted = known.name.to_ascii_lowercase();
        name.match_indices(&wanted).any(|(start, found)| {
            let next = name[start + found.len()..].chars().next();
            next.is_none_or(|next| !next.is_ascii_alphanumeric())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn processor(name: &str, logical: u32, packages: u32, hypervisor: bool) -> Processor {
        let name = Some(name.to_owned());
        Processor { name, logical, packages, siblings: None, hypervisor: Some(hypervisor) }
    }

    #[test]
    fn names_are_found_whole() {
        let tdp = |name| find(name).map(|known| known.tdp);
        assert_eq!(tdp("Intel(R) Xeon(R) CPU E3-1240 V2 @ 3.40GHz"), Some(69.0));
        assert_eq!(tdp("AMD EPYC 8024P 8-Core Processor"), Some(90.0));
        assert_eq!(tdp("Intel(R) Xeon(R) Platinum 8480+"), Some(350.0));
        // 205 W: another processor.
        assert_eq!(tdp("Intel(R) Xeon(R) Gold 6248R CPU @ 3.00GHz"), None);
        assert_eq!(tdp("Intel(R) Xeon(R) Processor"), None);
    }

    #[test]
    fn the_share_of_a_logical_processor_is_about_what_the_table_says() {
        let each = || KNOWN.iter().map(|known| known.tdp / f64::from(known.threads));
        let assumed = TDP_PER_LOGICAL_CPU.get();
        let best = each().map(|watts| watts * watts).sum::<f64>() / each().sum::<f64>();
        assert!((best - assumed).abs() < 0.05, "{best}");
        let squares: f64 = each().map(|watts| (watts / assumed - 1.0).powi(2)).sum();
        let spread = (squares / KNOWN.len() as f64).sqrt();
        assert!((spread - 0.395).abs() < 0.005, "{spread}");
        assert!((KNOWN_ERROR.hypot(spread) - UNKNOWN_ERROR).abs() < 0.005, "{spread}");
    }

    #[test]
    fn a_guest_has_the_share_of_its_virtual_processors() {
        let host = estimate(&processor("AMD EPYC 7763 64-Core Processor", 256, 2, false), None);
        assert!((host.full.get() - 2.0 * 280.0 * FULL_SHARE).abs() < 1e-9);
        let guest = estimate(&processor("AMD EPYC 7763 64-Core Processor", 4, 1, true), None);
        assert!((guest.full.get() - 280.0 * 4.0 / 128.0 * FULL_SHARE).abs() < 1e-9);
        assert!(guest.note.contains("virtual machine"), "{}", guest.note);
    }

    #[test]
    fn a_container_has_the_share_of_its_processors_and_of_its_quota() {
        let package = Processor {
            siblings: Some(256),
            ..processor("AMD EPYC 9754 128-Core Processor", 8, 1, false)
        };
        let whole = 360.0 * FULL_SHARE;
        let container = estimate(&package, None);
        assert!((container.full.get() - whole * 8.0 / 256.0).abs() < 1e-9, "{}", container.full);
        assert!(container.note.contains("8 of 256 logical CPUs"), "{}", container.note);
        let less = estimate(&package, Some(2.5));
        assert!((less.full.get() - whole * 2.5 / 256.0).abs() < 1e-9, "{}", less.full);
        let more = estimate(&package, Some(64.0));
        assert!((more.full.get() - container.full.get()).abs() < 1e-9, "no more than it sees");
        let all = Processor { logical: 256, ..package };
        assert!((estimate(&all, None).full.get() - whole).abs() < 1e-9);
    }

    #[test]
    fn an_unknown_processor_is_less_certain() {
        let unknown = estimate(&processor("Some CPU", 8, 1, false), None);
        assert!((unknown.full.get() - 8.0 * 5.0 * FULL_SHARE).abs() < 1e-9);
        assert!((unknown.error - UNKNOWN_ERROR).abs() < f64::EPSILON);
    }
}

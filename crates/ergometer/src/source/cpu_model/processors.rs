//! What a processor draws when all of it is busy.

use super::calibrated::Calibration;
use super::known::{self, Known, Origin};
use super::own::{OWN_ERROR, Own};
use super::{
    FULL_SHARE, KNOWN_ERROR, TDP_PER_LOGICAL_CPU, TDP_PER_ROOT, UNKNOWN_ERROR, UNKNOWN_HOST_ERROR,
    UNPUBLISHED_ERROR, VIRTUAL_ERROR,
};
use crate::source::host::Processor;
use crate::units::Watts;

/// What the model takes a processor for.
pub(super) struct Estimate {
    /// Power of all packages when fully busy.
    pub(super) full: Watts,
    /// Relative standard uncertainty of the model.
    pub(super) error: f64,
    pub(super) label: String,
    pub(super) note: String,
}

/// How many logical processors of a package one that the program sees stands for, and the relative standard uncertainty
/// of that number.
///
/// A virtual processor is a thread of the host's where the guest is shown two threads to a core. Where it is shown one,
/// it may be a thread of a host that hides them, or a whole core, as on instances without a second thread: one and a
/// half threads, and half a thread to either side.
pub(super) fn threads_per_virtual_cpu(
    processor: &Processor,
    cores: u32,
    threads: u32,
) -> (f64, f64) {
    let shows_threads =
        processor.siblings.zip(processor.cores).is_some_and(|(all, cores)| all > cores);
    if threads <= cores || shows_threads { (1.0, 0.0) } else { (1.5, 1.0 / 3.0) }
}

/// Estimates the full power of what `/proc/cpuinfo` shows of a machine; of a container with a `quota`, in processors, no
/// more than that share.
pub(super) fn estimate(processor: &Processor, quota: Option<f64>) -> Estimate {
    let name = processor.name.as_deref().unwrap_or("unknown processor");
    let seen = f64::from(processor.logical.max(1));
    let used = quota.map_or(seen, |quota| quota.min(seen));
    let machine = processor.of_machine();
    let virtual_machine = processor.hypervisor == Some(true);
    let Share { tdp, mut error, basis } = match known::find(name) {
        None => share_of_unknown(processor, used),
        Some((known, origin)) => {
            let mut share = share_of(known, processor, used);
            if !origin.published {
                share.error = share.error.hypot(UNPUBLISHED_ERROR);
                let Origin { source, year, .. } = origin;
                share.basis =
                    format!("{} (not published by its maker: {source}, {year})", share.basis);
            }
            share
        }
    };
    if virtual_machine {
        error = error.hypot(VIRTUAL_ERROR);
    }
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
        error,
        label: name.to_owned(),
        note: format!("modelled from utilisation of {what}: {basis}{whose}"),
    }
}

/// The thermal design power of the processors that a program uses.
struct Share {
    tdp: f64,
    error: f64,
    basis: String,
}

/// The share of a processor of which no more is known than `/proc/cpuinfo` shows.
fn share_of_unknown(processor: &Processor, used: f64) -> Share {
    if processor.hypervisor == Some(false)
        || processor.siblings.is_some_and(|all| all > processor.logical)
    {
        let machine = f64::from(processor.of_machine());
        let packages = f64::from(processor.packages.max(1));
        let each = TDP_PER_ROOT * (machine / packages).sqrt();
        let basis = format!(
            "{used} of {machine} logical CPUs of {packages} × {:.0} W TDP, by their number",
            each.get()
        );
        return Share { tdp: each.get() * packages * used / machine, error: UNKNOWN_ERROR, basis };
    }
    let each = TDP_PER_LOGICAL_CPU.get();
    let basis = format!("{used} logical CPUs at {each} W TDP each");
    Share { tdp: each * used, error: UNKNOWN_HOST_ERROR, basis }
}

/// The share of `known` processors that `used` logical processors are.
fn share_of(known: &Known, processor: &Processor, used: f64) -> Share {
    let Known { tdp, cores, threads, .. } = *known;
    // Arm processors show neither hypervisors nor packages; they have one thread to a core.
    let may_be_virtual = processor.hypervisor.unwrap_or(threads == cores);
    if !may_be_virtual {
        let machine = processor.of_machine();
        let packages = f64::from(processor.packages.max(1));
        let share = used / f64::from(machine);
        let of = if share < 1.0 {
            format!("{used} of {machine} logical CPUs of ")
        } else {
            String::new()
        };
        let basis = format!("{of}{packages} × {tdp} W TDP");
        return Share { tdp: tdp * packages * share, error: KNOWN_ERROR, basis };
    }
    let (each, error) = threads_per_virtual_cpu(processor, cores, threads);
    let each_of = if error > 0.0 { " (each 1 or 2 of them, as it is not shown)" } else { "" };
    let basis = format!("{used} of {threads} logical CPUs{each_of} of a {tdp} W package");
    let share = used * each / f64::from(threads);
    Share { tdp: tdp * share, error: KNOWN_ERROR.hypot(error), basis }
}

/// A curve between idle and full power that belong to this machine.
pub(super) struct OwnPower {
    pub(super) own: Own,
    /// Relative standard uncertainty of power.
    pub(super) error: f64,
    /// Standard uncertainty in addition.
    pub(super) absolute_error: Watts,
    pub(super) note: String,
}

impl OwnPower {
    /// As the user states it.
    pub(super) fn stated(own: Own) -> Self {
        let Own { idle, full } = own;
        Self {
            own,
            error: OWN_ERROR.0,
            absolute_error: (full - idle) * OWN_ERROR.1,
            note: format!(
                "modelled: from {idle} when idle to {full} when fully busy, as the user states, by utilisation; all \
                 packages of the machine"
            ),
        }
    }

    /// As it was measured on a machine with the same processor, of which `processor` may be a share.
    pub(super) fn calibrated(
        calibration: &Calibration,
        processor: &Processor,
        quota: Option<f64>,
    ) -> Self {
        let seen = f64::from(processor.logical.max(1));
        let used = quota.map_or(seen, |quota| quota.min(seen));
        let virtual_machine = processor.hypervisor == Some(true);
        let (each, error) = if virtual_machine {
            let (cores, threads) = known::find(&calibration.name)
                .map_or((1, 2), |(known, _)| (known.cores, known.threads));
            let (each, error) = threads_per_virtual_cpu(processor, cores, threads);
            (each, error.hypot(VIRTUAL_ERROR))
        } else {
            (1.0, 0.0)
        };
        let measured = f64::from(calibration.logical_cpus);
        let own = calibration.own().scaled(used * each / measured);
        // Between idle and the highest load that was seen the curve is held by figures; beyond, by its shape.
        let spread = own.full - own.idle;
        let seen_share = Own::share(calibration.highest_utilisation);
        let share = if used < measured || virtual_machine {
            format!("{used} of its {measured} logical CPUs")
        } else {
            "the whole machine".to_owned()
        };
        Self {
            own,
            error: OWN_ERROR.0.hypot(error),
            absolute_error: spread * (OWN_ERROR.1 / seen_share.max(OWN_ERROR.1)),
            note: format!(
                "modelled: from {:.1} when idle to {:.1} when fully busy, by utilisation, as {} records of this \
                 processor ({}, {}) have it; {share}{}",
                own.idle,
                own.full,
                calibration.records,
                calibration.sources.join(", "),
                calibration.measured,
                if virtual_machine { ", a virtual machine" } else { "" },
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn processor(name: &str, logical: u32, packages: u32, hypervisor: bool) -> Processor {
        let name = Some(name.to_owned());
        let hypervisor = Some(hypervisor);
        Processor { name, logical, packages, hypervisor, ..Processor::default() }
    }

    fn close(found: f64, expected: f64) -> bool {
        (found - expected).abs() < 1e-9
    }

    /// The root mean square of power over what is assumed, minus 1.
    fn spread(assumed: impl Fn(&Known) -> f64, of: &[&Known]) -> f64 {
        let squares: f64 = of.iter().map(|known| (known.tdp / assumed(known) - 1.0).powi(2)).sum();
        (squares / of.len() as f64).sqrt()
    }

    #[test]
    fn what_an_unknown_processor_is_taken_for_is_what_the_table_says() {
        let all: Vec<&Known> = known::all().map(|(known, _)| known).collect();
        let by_size = |known: &Known| TDP_PER_ROOT.get() * f64::from(known.threads).sqrt();
        let off = spread(by_size, &all);
        assert!((off - 0.20).abs() < 0.005, "{off}");
        assert!((KNOWN_ERROR.hypot(off) - UNKNOWN_ERROR).abs() < 0.01, "{off}");

        let servers: Vec<&Known> = all.into_iter().filter(|known| known.threads >= 48).collect();
        let each = |known: &Known| known.tdp / f64::from(known.threads);
        let assumed = TDP_PER_LOGICAL_CPU.get();
        let best = servers.iter().map(|known| each(known).powi(2)).sum::<f64>()
            / servers.iter().map(|known| each(known)).sum::<f64>();
        assert!((best - assumed).abs() < 0.05, "{best}");
        let off = spread(|known| assumed * f64::from(known.threads), &servers);
        assert!((off - 0.30).abs() < 0.005, "{off}");
        assert!((KNOWN_ERROR.hypot(off) - UNKNOWN_HOST_ERROR).abs() < 0.01, "{off}");
    }

    #[test]
    fn a_guest_has_the_share_of_its_virtual_processors() {
        let name = "AMD EPYC 7763 64-Core Processor";
        let host = estimate(&processor(name, 256, 2, false), None);
        assert!(close(host.full.get(), 2.0 * 280.0 * FULL_SHARE) && close(host.error, KNOWN_ERROR));
        // Two threads to a core: each virtual processor is one of the 128.
        let threads =
            Processor { siblings: Some(4), cores: Some(2), ..processor(name, 4, 1, true) };
        let guest = estimate(&threads, None);
        assert!(close(guest.full.get(), 280.0 * 4.0 / 128.0 * FULL_SHARE), "{}", guest.full);
        assert!(close(guest.error, KNOWN_ERROR.hypot(VIRTUAL_ERROR)), "{}", guest.error);
        assert!(guest.note.contains("virtual machine"), "{}", guest.note);
        // One: it is a thread or a core, and both lie within the uncertainty.
        for siblings in [None, Some(4)] {
            let hidden = Processor { siblings, cores: siblings, ..processor(name, 4, 1, true) };
            let guest = estimate(&hidden, None);
            let (thread, core) =
                (280.0 * 4.0 / 128.0 * FULL_SHARE, 280.0 * 4.0 / 64.0 * FULL_SHARE);
            assert!(close(guest.full.get(), f64::midpoint(thread, core)), "{}", guest.full);
            assert!(close(guest.full.get() - thread, guest.full.get() / 3.0));
            assert!(guest.error > KNOWN_ERROR.hypot(VIRTUAL_ERROR), "{}", guest.error);
        }
    }

    #[test]
    fn a_processor_made_for_a_cloud_is_less_certain_and_its_source_is_named() {
        let guest = estimate(&processor("AMD EPYC 9R14", 96, 1, true), None);
        assert!(
            close(guest.full.get(), 280.0 * FULL_SHARE),
            "one thread to a core: {}",
            guest.full
        );
        let expected = KNOWN_ERROR.hypot(UNPUBLISHED_ERROR).hypot(VIRTUAL_ERROR);
        assert!(close(guest.error, expected), "{}", guest.error);
        assert!(guest.note.contains("Boavizta"), "{}", guest.note);
    }

    #[test]
    fn an_arm_guest_has_the_share_of_its_cores_although_no_hypervisor_is_shown() {
        let guest = Processor { hypervisor: None, ..processor("Arm Neoverse-V2", 8, 1, true) };
        let found = estimate(&guest, None);
        assert!(close(found.full.get(), 300.0 * 8.0 / 96.0 * FULL_SHARE), "{}", found.full);
        let two_packages = Processor { logical: 192, ..guest };
        let found = estimate(&two_packages, None);
        assert!(close(found.full.get(), 2.0 * 300.0 * FULL_SHARE), "{}", found.full);
    }

    #[test]
    fn a_container_has_the_share_of_its_processors_and_of_its_quota() {
        let package = Processor {
            siblings: Some(256),
            ..processor("AMD EPYC 9754 128-Core Processor", 8, 1, false)
        };
        let whole = 360.0 * FULL_SHARE;
        let container = estimate(&package, None);
        assert!(close(container.full.get(), whole * 8.0 / 256.0), "{}", container.full);
        assert!(container.note.contains("8 of 256 logical CPUs"), "{}", container.note);
        let less = estimate(&package, Some(2.5));
        assert!(close(less.full.get(), whole * 2.5 / 256.0), "{}", less.full);
        let more = estimate(&package, Some(64.0));
        assert!(close(more.full.get(), container.full.get()), "no more than it sees");
        let all = Processor { logical: 256, ..package };
        assert!(close(estimate(&all, None).full.get(), whole));
    }

    #[test]
    fn an_unknown_processor_is_less_certain() {
        let machine = estimate(&processor("Some CPU", 128, 2, false), None);
        assert!(close(machine.full.get(), 2.0 * 30.0 * 8.0 * FULL_SHARE), "{}", machine.full);
        assert!(close(machine.error, UNKNOWN_ERROR));
        let guest = estimate(&processor("Some CPU", 8, 1, true), None);
        assert!(close(guest.full.get(), 8.0 * TDP_PER_LOGICAL_CPU.get() * FULL_SHARE));
        assert!(close(guest.error, UNKNOWN_HOST_ERROR.hypot(VIRTUAL_ERROR)));
        let container = Processor { siblings: Some(64), ..processor("Some CPU", 8, 1, false) };
        let found = estimate(&container, None);
        assert!(close(found.full.get(), 30.0 * 8.0 / 8.0 * FULL_SHARE), "{}", found.full);
    }

    fn calibration() -> Calibration {
        Calibration {
            name: "AMD EPYC 7763 64-Core Processor".to_owned(),
            logical_cpus: 256,
            idle: Watts::new(128.0),
            full: Watts::new(512.0),
            highest_utilisation: 0.9,
            records: 2,
            sources: vec!["rapl".to_owned()],
            measured: "2026-11-26".to_owned(),
        }
    }

    #[test]
    fn a_measured_machine_and_its_guests_have_their_share_of_what_was_measured() {
        let calibration = calibration();
        let host = processor(&calibration.name, 256, 2, false);
        let whole = OwnPower::calibrated(&calibration, &host, None);
        assert_eq!(whole.own, calibration.own());
        assert!(close(whole.error, OWN_ERROR.0));
        assert!(close(whole.absolute_error.get(), 384.0 * OWN_ERROR.1), "{}", whole.absolute_error);
        assert!(whole.note.contains("rapl, 2026-11-26"), "{}", whole.note);

        let threads = Processor { siblings: Some(8), cores: Some(4), ..processor("", 8, 1, true) };
        let guest = OwnPower::calibrated(&calibration, &threads, None);
        assert!(close(guest.own.idle.get(), 4.0) && close(guest.own.full.get(), 16.0));
        assert!(close(guest.error, OWN_ERROR.0.hypot(VIRTUAL_ERROR)));
        let quota = OwnPower::calibrated(&calibration, &threads, Some(2.0));
        assert!(close(quota.own.full.get(), 4.0), "{}", quota.own.full);
        let hidden = OwnPower::calibrated(&calibration, &processor("", 8, 1, true), None);
        assert!(close(hidden.own.full.get(), 24.0) && hidden.error > guest.error);
    }

    #[test]
    fn full_power_that_was_never_reached_is_less_certain() {
        let host = processor("AMD EPYC 7763 64-Core Processor", 256, 2, false);
        let error = |highest_utilisation: f64| {
            let calibration = Calibration { highest_utilisation, ..calibration() };
            OwnPower::calibrated(&calibration, &host, None).absolute_error.get()
        };
        assert!(close(error(1.0), error(0.9)), "power is full from there");
        assert!(error(0.4) > 1.5 * error(0.9));
        assert!(error(1e-6) <= 384.0 + 1e-9, "no more than all that lies between idle and full");
    }
}

//! Burn's learner and loops written by hand under a meter.

mod clocks;
mod evaluation;
mod hooks;
mod loader;
mod parallel;
mod programs;
mod resume;
mod strategies;
mod toy;
mod training;

use std::sync::{Mutex, MutexGuard, PoisonError};

use ergometer::record::Epoch;
use ergometer::source::DomainKind;
use ergometer::units::Watts;
use ergometer::{Meter, MeterBuilder};

/// What the machine of these tests draws, all the time.
const POWER: f64 = 100.0;

/// A meter of its own that reads no hardware.
fn meter() -> Meter {
    builder().start().expect("a fixed wattage needs no hardware")
}

/// A meter that is the one of this process, for as long as the guard is kept: a process has one.
fn installed() -> (Meter, MutexGuard<'static, ()>) {
    static ONE: Mutex<()> = Mutex::new(());
    let guard = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    (builder().install().expect("no other is installed"), guard)
}

fn builder() -> MeterBuilder {
    Meter::builder().without_probe().price("0.12 USD").fixed(DomainKind::Node, Watts::new(POWER))
}

fn close(a: f64, b: f64, relative: f64) -> bool {
    (a - b).abs() <= relative * a.abs().max(b.abs())
}

/// The splits and numbers of epochs, in their order.
fn names(epochs: &[Epoch]) -> Vec<(&str, u64)> {
    epochs.iter().map(|epoch| (epoch.split.as_str(), epoch.index)).collect()
}

/// Number of steps and of items of an epoch.
fn counts(epoch: &Epoch) -> (u64, f64) {
    let Some(steps) = &epoch.steps else { return (0, 0.0) };
    (steps.count, steps.items.as_ref().map_or(0.0, |items| items.count))
}

/// Checks that an epoch is its steps and what lies between them, in every domain.
fn assert_conserved(epoch: &Epoch) {
    for (domain, whole) in epoch.usage.by_domain.iter().enumerate() {
        let whole = whole.expect("a fixed wattage is always known").joules.get();
        let steps = epoch.steps.as_ref().map_or(0.0, |steps| steps.by_domain[domain].get());
        let between = epoch.between_steps[domain].get();
        assert!(close(whole, steps + between, 1e-9), "{whole} J is not {steps} J + {between} J");
        assert!(between >= 0.0, "{between} J between steps");
    }
}

//! The user's variables are not the expansion's, whatever they are called.
#![deny(warnings)]
use ergometer::{Meter, track_energy};

#[track_energy(run, name = energy_meter, items = energy_span, sync = || (), meter = energy_sync)]
fn shadows(energy_meter: &str, energy_span: usize, energy_sync: &Meter) -> usize {
    let energy_waits = energy_meter.len();
    let _energy_last = energy_span;
    #[track_energy(epoch, name = energy_meter, index = energy_waits, sync = || assert_eq!(energy_waits, 3))]
    for energy_span_1 in 0..energy_span {
        let _energy_span = energy_span_1;
    }
    let energy_span = energy_waits + energy_sync.domains().len();
    #[track_energy(phase = energy_meter, items = energy_span)]
    let energy_span_2 = energy_span;
    energy_span_2
}

#[track_energy(name = energy_opening, items = energy_opening.len())]
fn future(energy_opening: String) -> impl std::future::Future<Output = String> {
    async move { energy_opening }
}

fn main() {
    let meter = Meter::builder().without_probe().start().unwrap();
    assert_eq!(shadows("abc", 2, &meter), 3);
    drop(future(String::new()));
}

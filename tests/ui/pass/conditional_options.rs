#![deny(warnings)]
use ergometer::track_energy;

#[cfg_attr(all(), track_energy(epoch, index = number, name = split, sync = || ()))]
fn epoch(number: u32, split: &str) -> usize {
    #[cfg_attr(any(), track_energy(phase = no_such_variable, sync = no_such_device))]
    let length = split.len();
    #[cfg_attr(all(), track_energy(step, items = length, sync = || (), report))]
    for _ in 0..number {}
    #[cfg(any())]
    #[track_energy(phase = no_such_variable, sync = no_such_device, meter = no_such_meter)]
    let length = no_such_variable;
    let future = #[cfg_attr(any(), track_energy(phase = no_such_variable))] async { length };
    drop(future);
    length
}

fn main() {
    assert_eq!(epoch(2, "abc"), 3);
}

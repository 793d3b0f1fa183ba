#![deny(warnings)]
#![allow(dead_code, non_camel_case_types)]
use ergometer::track_energy;

mod std {}
mod core {}
mod private {}
mod metered {}
struct Span;
struct Label;
enum Kind {}
struct Box;
fn enter() {}
fn items() {}
fn drop() {}

#[track_energy]
fn variables(energy_span: u32) -> u32 {
    let _energy_span = energy_span;
    #[track_energy(phase = "one", items = energy_span)]
    let energy_span_1 = energy_span + 1;
    #[track_energy(phase = "two", items = energy_span_1)]
    let _closed = energy_span_1 + 1;
    #[track_energy(step, items = _energy_span_3)]
    for _energy_span_3 in 0..energy_span {
        #[track_energy(phase = "three")]
        let energy_span_4 = _energy_span_3;
        assert!(energy_span_4 < energy_span);
    }
    _energy_span + energy_span_1 + _closed
}

fn main() {
    assert_eq!(variables(1), 1 + 2 + 3);
}

#![deny(warnings)]
use ergometer::track_energy;

#[track_energy]
fn add(left: u32, right: u32) -> u32 {
    left + right
}

#[track_energy]
fn nothing() {}

#[track_energy]
pub fn patterns((left, right): (u32, u32), [first, ..]: [u32; 3], mut total: u32, _: u8) -> u32 {
    total += left + right + first;
    total
}

#[ergometer::track_energy()]
fn with_a_path() -> &'static str {
    "as it was"
}

fn main() {
    nothing();
    assert_eq!(add(1, 2), 3);
    assert_eq!(patterns((1, 2), [3, 4, 5], 10, 0), 16);
    assert_eq!(with_a_path(), "as it was");
}

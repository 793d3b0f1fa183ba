#![deny(unused)]
use ergometer::track_energy;

#[track_energy]
async fn later(first: u32, second: u32, mut third: u32) -> u32 {
    first
}

#[track_energy(items = first)]
fn counted(first: u32, second: u32) {
    #[track_energy(step)]
    for step in 0..3 {}
}

fn main() {
    drop(later(1, 2, 3));
    counted(1, 2);
}

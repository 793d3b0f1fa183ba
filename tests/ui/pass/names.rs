#![deny(warnings)]
use ergometer::track_energy;

mod labels {
    pub const WARM_UP: &str = "warm-up";
}

#[track_energy(name = "renamed")]
fn original() {}

#[track_energy(phase = labels::WARM_UP)]
fn constant() {}

#[track_energy(run, name = concat!("train-", "v2"))]
fn built() {
    #[track_energy(name = stringify!(inner))]
    let number = 1;
    #[track_energy(epoch, name = "valid")]
    for _ in 0..number {}
    #[track_energy(step, name = r"C:\steps")]
    for _ in 0..number {}
}

fn main() {
    original();
    constant();
    built();
}

#![deny(warnings)]

// As with `renamed = { package = "ergometer", .. }`; `::ergometer` is not what is meant.
mod facade {
    pub mod energy {
        pub use ergometer::*;
    }
    pub mod private {}
}

use facade::energy as renamed;

#[renamed::track_energy(run, crate = renamed)]
fn train() -> u32 {
    let mut total = 0;
    #[renamed::track_energy(step, items = 1)]
    for number in 0..3 {
        #[crate::facade::energy::track_energy(phase = "add", crate = crate::facade::energy)]
        let next = total + number;
        total = next;
    }
    total
}

#[renamed::track_energy(crate = crate::facade::energy)]
async fn later() {}

fn main() {
    assert_eq!(train(), 3);
    drop(later());
}

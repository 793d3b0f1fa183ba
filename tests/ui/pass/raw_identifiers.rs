#![deny(warnings)]
use ergometer::track_energy;

mod r#mod {
    pub use ergometer::*;
}

#[track_energy(items = r#type, unit = "types", crate = r#mod)]
fn r#fn(r#type: u32) -> u32 {
    #[track_energy(step, items = r#for)]
    'r#loop: for r#for in 0..r#type {
        #[track_energy(phase = "r#let")]
        let r#let = r#for + 1;
        if r#let > 1 {
            break 'r#loop;
        }
    }
    r#type
}

fn main() {
    assert_eq!(r#fn(3), 3);
}

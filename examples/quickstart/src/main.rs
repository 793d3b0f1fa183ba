//! The smallest metered program: a meter, an annotated function, a report.

use std::hint::black_box;

use ergometer::{Meter, track_energy};

fn main() -> ergometer::Result<()> {
    let meter = Meter::builder().label("quickstart").region("DE").install()?;
    train(3);
    println!("{}", meter.finish()?);
    Ok(())
}

#[track_energy(run)]
fn train(epochs: u64) -> f64 {
    let mut weight = 0.0;
    #[track_energy(epoch)]
    for epoch in 0..epochs {
        #[track_energy(step, items = 1_000_000, unit = "updates")]
        for step in 0..40 {
            weight = descend(weight, epoch * 40 + step);
        }
    }
    weight
}

/// A million updates of one weight towards the sine of `seed`.
fn descend(mut weight: f64, seed: u64) -> f64 {
    for _ in 0..1_000_000 {
        weight -= 0.01 * (weight - black_box(seed as f64).sin());
    }
    weight
}

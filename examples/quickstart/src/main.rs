//! The smallest metered program: a meter, an annotated loop, a table.

use ergometer::{Meter, track_energy};

fn main() -> ergometer::Result<()> {
    let meter = Meter::builder().label("quickstart").region("DE").install()?;
    println!("slope {:.3}", meter.run(|| train(3))); // prints the table, even if training fails or panics
    Ok(())
}

#[track_energy(run)]
fn train(epochs: u32) -> f64 {
    let mut slope = 0.0;
    #[track_energy(epoch)]
    for _ in 0..epochs {
        #[track_energy(step, items = 500_000, unit = "points")]
        for _ in 0..40 {
            #[track_energy(phase = "gradient")]
            let gradient: f64 =
                (0..500_000).map(|i| f64::from(i) * 2e-6).map(|x| (slope - 2.0) * x * x).sum();
            slope -= 2e-6 * gradient;
        }
    }
    slope
}

//! A small network in plain Rust under `#[track_energy]`: without a framework, so it is built in minutes.
//!
//! It learns to tell the two arms of a spiral apart, with training and validation in each epoch. Every attribute is
//! one line added to a loop that would run the same without it.
//!
//! ```text
//! run ─┬─ train (epoch) ─── step ─┬─ forward
//!      │                          ├─ backward
//!      │                          └─ optimizer
//!      └─ valid (epoch) ─── step
//! ```

mod data;
mod network;

use ergometer::{Meter, track_energy};

use data::{Point, spirals};
use network::Network;

const EPOCHS: u64 = 10;
const BATCH: usize = 64;
const LEARNING_RATE: f32 = 0.2;

fn main() -> ergometer::Result<()> {
    let (train_set, valid_set) = (spirals(4096, 1), spirals(1024, 2));
    let mut network = Network::new(3);

    let meter = Meter::builder().label("plain-loop").install()?;
    // Prints the table, even if the training fails or panics.
    let accuracy = meter.run(|| {
        let accuracy = train(&mut network, &train_set, &valid_set);
        meter.result("accuracy", accuracy);
        accuracy
    });

    let record = meter.finish()?;
    let per_point = |steps: &ergometer::record::Steps| Some(steps.items.as_ref()?.joules_per_item);
    println!("{:.1} % of unseen points are on the right arm", 100.0 * accuracy);
    if let Some(energy) = record.total.energy
        && let Some(joules) = record.steps.get("train").and_then(per_point)
    {
        println!("for {} ({}); {joules} a training point", energy.joules, energy.method.as_str());
    }
    Ok(())
}

/// Trains for [`EPOCHS`] and returns the share of the points in `valid_set` that the network gets right.
#[track_energy(run)]
fn train(network: &mut Network, train_set: &[Point], valid_set: &[Point]) -> f64 {
    let mut accuracy = 0.0;
    for epoch in 1..=EPOCHS {
        let loss = train_epoch(network, train_set, epoch);
        accuracy = validate(network, valid_set, epoch);
        println!("epoch {epoch:2}: loss {loss:.3}, accuracy {:.1} %", 100.0 * accuracy);
    }
    accuracy
}

/// One pass over the training set; returns the mean loss.
#[track_energy(epoch, name = "train", index = epoch)]
fn train_epoch(network: &mut Network, set: &[Point], epoch: u64) -> f64 {
    let mut sum = 0.0;
    #[track_energy(step, items = batch.len(), unit = "points")]
    for batch in set.chunks(BATCH) {
        #[track_energy(phase = "forward")]
        let passes: Vec<_> = batch.iter().map(|point| network.forward(point)).collect();
        sum += passes.iter().zip(batch).map(|(pass, point)| pass.loss(point)).sum::<f64>();
        #[track_energy(phase = "backward")]
        let gradient = network.backward(&passes, batch);
        #[track_energy(phase = "optimizer")]
        {
            network.update(&gradient, LEARNING_RATE);
        }
    }
    sum / set.len() as f64
}

/// The share of the points in `set` that the network assigns to their arm.
#[track_energy(epoch, name = "valid", index = epoch)]
fn validate(network: &Network, set: &[Point], epoch: u64) -> f64 {
    let mut right = 0;
    #[track_energy(step, items = batch.len(), unit = "points")]
    for batch in set.chunks(BATCH) {
        right += batch.iter().filter(|point| network.forward(point).is_right(point)).count();
    }
    right as f64 / set.len() as f64
}

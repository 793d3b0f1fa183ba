//! A hand-written Burn training loop under `#[track_energy]`.
//!
//! A small network learns to tell the two arms of a spiral apart. Every attribute below is one line
//! added to a loop that would run the same without it.
//!
//! ```text
//! run ─── train (epoch) ─── step ─┬─ forward
//!                                 ├─ backward
//!                                 └─ optimizer
//! ```

mod data;
mod model;

use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::Device;
use ergometer::{Meter, track_energy};
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use data::Batch;
use model::Classifier;

const EPOCHS: usize = 5;
const BATCHES: usize = 40;
const LEARNING_RATE: f64 = 3e-3;

fn main() -> ergometer::Result<()> {
    let device = Device::default().autodiff();
    let mut rng = StdRng::seed_from_u64(1);
    let spiral: Vec<Batch> = (0..BATCHES).map(|_| Batch::spiral(&mut rng, &device)).collect();

    let meter = Meter::builder().label("custom-loop").install()?;
    let (before, after) = train(Classifier::new(&device), &spiral);
    meter.result("train_loss_first", before);
    meter.result("train_loss", after);

    println!("{}", meter.finish()?);
    println!("loss {before:.3} → {after:.3}");
    Ok(())
}

/// Trains for [`EPOCHS`] and gives the mean loss of the first and of the last epoch.
#[track_energy(run)]
fn train(mut model: Classifier, batches: &[Batch]) -> (f64, f64) {
    let mut optimizer: ModuleOptimizer = AdamConfig::new().init();
    let mut losses = Vec::new();

    #[track_energy(epoch, name = "train")]
    for _ in 0..EPOCHS {
        let mut sum = 0.0;
        #[track_energy(step, items = batch.len(), unit = "points")]
        for batch in batches {
            #[track_energy(phase = "forward")]
            let loss = {
                let logits = model.forward(batch.points.clone());
                CrossEntropyLossConfig::new()
                    .init(&logits.device())
                    .forward(logits, batch.arms.clone())
            };
            sum += loss.clone().into_scalar::<f64>();

            #[track_energy(phase = "backward")]
            let gradients = GradientsParams::from_grads(loss.backward(), &model);

            #[track_energy(phase = "optimizer")]
            {
                model = optimizer.step(LEARNING_RATE, model, gradients);
            }
        }
        losses.push(sum / batches.len() as f64);
    }
    (losses[0], losses[EPOCHS - 1])
}

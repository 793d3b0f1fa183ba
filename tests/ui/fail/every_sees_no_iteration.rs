use ergometer::track_energy;

#[track_energy(run)]
fn train(batches: &[Vec<u32>]) {
    #[track_energy(step, every = batch.len())]
    for batch in batches {
        drop(batch.clone());
    }
}

fn main() {
    train(&[]);
}

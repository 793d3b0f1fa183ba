use ergometer::track_energy;

#[track_energy(run)]
fn train(batches: &[u32], share: f64) {
    #[track_energy(step, every = share)]
    for _ in batches {}
    #[track_energy(step, every = "10")]
    for _ in batches {}
}

fn main() {
    train(&[], 0.1);
}

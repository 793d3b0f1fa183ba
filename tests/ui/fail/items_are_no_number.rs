use ergometer::track_energy;

#[track_energy(run)]
fn train(batches: &[Vec<u32>]) {
    #[track_energy(step, items = batch)]
    for batch in batches {
        drop(batch.clone());
    }
    #[track_energy(phase = "save", items = "three")]
    drop(1);
}

#[track_energy(items = text)]
async fn later(text: &str) -> usize {
    text.len()
}

fn main() {
    train(&[]);
    drop(later("a"));
}

use ergometer::track_energy;

// A phase is the whole loop: it does not see the variables of an iteration.
#[track_energy(run)]
fn train(batches: &[Vec<u32>]) {
    #[track_energy(phase = "epoch", items = batch.len())]
    for batch in batches {
        drop(batch.clone());
    }
    #[track_energy(step, items = inside)]
    loop {
        let inside = batches.len();
        drop(inside);
        break;
    }
}

fn main() {
    train(&[]);
}

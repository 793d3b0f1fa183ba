use ergometer::track_energy;

#[track_energy(run)]
fn train(batches: &[u32]) {
    #[track_energy(epoch)]
    #[track_energy(step)]
    for batch in batches {
        drop(batch);
    }
    #[track_energy(step)]
    #[track_energy(phase = "both")]
    #[track_energy(step, name = "again")]
    loop {
        break;
    }
}

fn main() {
    train(&[]);
}

use ergometer::track_energy;

#[track_energy(phase = forward)]
fn phase() {}

#[track_energy(run)]
fn train() {
    #[track_energy(epoch, name = train_split)]
    for _ in 0..1 {}
}

fn main() {
    phase();
    train();
}

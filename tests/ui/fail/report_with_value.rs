use ergometer::track_energy;

#[track_energy(run, report = true)]
fn run() {}

#[track_energy(run)]
fn train() {
    #[track_energy(epoch, report("stderr"))]
    for _ in 0..1 {}
}

fn main() {
    run();
    train();
}

use ergometer::track_energy;

#[track_energy(run, budget = joules)]
fn train(joules: f64) {
    #[track_energy(epoch, budget = Some("2 kWh"))]
    for _ in 0..3 {}
}

fn main() {
    train(1.0);
}

use ergometer::track_energy;

#[track_energy(step, budget = "2 kWh")]
fn step() {}

#[track_energy(run)]
fn train() {
    #[track_energy(budget = "1 J", step)]
    for _ in 0..3 {}
    #[track_energy(phase = "p", budget = 3)]
    {}
    #[track_energy(phase = "p", budget)]
    {}
    #[track_energy(phase = "p", budget = "")]
    {}
}

fn main() {
    step();
    train();
}

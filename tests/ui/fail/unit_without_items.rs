use ergometer::track_energy;

#[track_energy(step, unit = "tokens")]
fn step() {
    #[track_energy(phase = "inner", unit = "tokens")]
    let _loss = 1;
}

fn main() {
    step();
}

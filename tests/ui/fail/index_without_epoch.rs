use ergometer::track_energy;

#[track_energy(index = 3)]
fn function() {}

#[track_energy(run)]
fn train() {
    #[track_energy(step, index = step)]
    for step in 0..3 {}
    #[track_energy(phase = "fold", index = 2)]
    {}
}

fn main() {
    function();
    train();
}

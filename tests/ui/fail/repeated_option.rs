use ergometer::track_energy;

#[track_energy(step, step)]
fn kind() {}

#[track_energy(name = "a", items = 1, name = "b")]
fn name() {}

fn main() {
    kind();
    name();
}

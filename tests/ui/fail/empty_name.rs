use ergometer::track_energy;

#[track_energy(phase = "")]
fn phase() {}

#[track_energy(name = "  ")]
fn name() {}

#[track_energy(items = 1, unit = "")]
fn unit() {}

fn main() {
    phase();
    name();
    unit();
}

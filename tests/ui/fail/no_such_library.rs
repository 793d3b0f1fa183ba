use ergometer::track_energy;

#[track_energy(crate = ::energy)]
fn elsewhere() {}

#[track_energy(crate = "ergometer")]
fn quoted() {}

fn main() {
    elsewhere();
    quoted();
}

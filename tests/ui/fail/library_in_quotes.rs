use ergometer::track_energy;

#[track_energy(crate = "ergometer")]
fn quoted() {}

fn main() {
    quoted();
}

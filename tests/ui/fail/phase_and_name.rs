use ergometer::track_energy;

#[track_energy(phase = "forward", name = "backward")]
fn twice_named() {}

fn main() {
    twice_named();
}

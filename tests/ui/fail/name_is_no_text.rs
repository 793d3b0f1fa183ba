use ergometer::track_energy;

#[track_energy(phase = forward)]
fn variable(forward: &str) {
    println!("{forward}");
}

#[track_energy(name = 1 + 2)]
fn number() {}

#[track_energy(name = b"bytes")]
fn bytes() {}

fn main() {
    variable("forward");
    number();
    bytes();
}

use ergometer::track_energy;

#[track_energy(phase)]
fn phase() {}

#[track_energy(name =)]
fn name() {}

#[track_energy(items, unit = "tokens")]
fn items() {}

#[track_energy(phase("forward"))]
fn parentheses() {}

#[track_energy(crate)]
fn library() {}

fn main() {
    phase();
    name();
    items();
    parentheses();
    library();
}

use ergometer::track_energy;

#[track_energy(items = 1, unit = unit)]
fn variable(unit: &str) {
    println!("{unit}");
}

#[track_energy(items = 1, unit = format!("{}s", "token"))]
fn made() {}

#[track_energy(items = 1, unit = 's')]
fn letter() {}

fn main() {
    variable("tokens");
    made();
    letter();
}

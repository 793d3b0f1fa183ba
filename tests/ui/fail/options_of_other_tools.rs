use ergometer::track_energy;

#[track_energy(run, limit = "2 kWh")]
fn limited() {}

#[track_energy(step, skip(model), level = "debug")]
fn traced() {}

fn main() {
    limited();
    traced();
}

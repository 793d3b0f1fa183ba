use ergometer::track_energy;

#[track_energy(stpe)]
fn near() {}

#[track_energy(watts)]
fn far() {}

#[track_energy(run, item = 3)]
fn with_value() {
    #[track_energy(phases = "forward")]
    let _loss = 1;
}

fn main() {
    near();
    far();
    with_value();
}

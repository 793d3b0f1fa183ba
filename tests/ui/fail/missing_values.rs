use ergometer::track_energy;

#[track_energy(epoch, index)]
fn index() {}

#[track_energy(sync)]
fn sync() {}

#[track_energy(meter =, report)]
fn meter() {}

#[track_energy(name = , unit)]
fn name() {}

fn main() {
    index();
    sync();
    meter();
    name();
}

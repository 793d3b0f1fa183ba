use ergometer::track_energy;

#[track_energy(epoch, idnex = 1)]
fn index() {}

#[track_energy(step, snyc = || ())]
fn sync() {}

#[track_energy(reports)]
fn report() {}

#[track_energy(run, metre = &METER)]
fn meter() {
    #[track_energy(step, itmes = 3, units = "tokens")]
    for _ in 0..1 {}
}

fn main() {
    index();
    sync();
    report();
    meter();
}

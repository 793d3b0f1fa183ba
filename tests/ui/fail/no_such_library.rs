use ergometer::track_energy;

#[track_energy(crate = ::energy)]
fn elsewhere() {
    #[track_energy(step)]
    for _ in 0..2 {}
}

fn main() {
    elsewhere();
}

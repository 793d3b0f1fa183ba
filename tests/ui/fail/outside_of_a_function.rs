use ergometer::track_energy;

fn unannotated() {
    #[track_energy(step)]
    for _ in 0..1 {}
    #[track_energy(phase = "let")]
    let _number = 1;
}

fn main() {
    unannotated();
}

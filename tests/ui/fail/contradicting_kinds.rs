use ergometer::track_energy;

#[track_energy(run, step)]
fn two_words() {}

#[track_energy(epoch, phase = "forward")]
fn word_and_phase() {
    #[track_energy(phase = "forward", step)]
    for _ in 0..1 {}
}

fn main() {
    two_words();
    word_and_phase();
}

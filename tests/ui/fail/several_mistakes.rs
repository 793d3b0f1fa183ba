use ergometer::track_energy;

#[track_energy(rnu, phase, name = "", unit = "tokens")]
fn outer() {
    #[track_energy(epoch, run)]
    for _ in 0..1 {}
}

#[track_energy(run)]
fn inner() {
    #[track_energy(setp)]
    for _ in 0..1 {
        #[track_energy]
        let _loss = 1;
        #[track_energy(phase = "fine")]
        let _other = 1;
    }
}

fn main() {
    outer();
    inner();
}

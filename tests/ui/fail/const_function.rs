use ergometer::track_energy;

#[track_energy]
const fn constant() -> u32 {
    #[track_energy(phase = "inside")]
    let number = 3;
    number
}

const NUMBER: u32 = constant();

fn main() {
    let _ = NUMBER;
}

use ergometer::track_energy;

#[track_energy]
fn function() -> u32 {
    #[track_energy(phase = "later")]
    let number;
    number = 1;
    number
}

fn main() {
    function();
}

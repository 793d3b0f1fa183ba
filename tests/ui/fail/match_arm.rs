use ergometer::track_energy;

#[track_energy]
fn function(number: u32) -> u32 {
    match number {
        #[track_energy(phase = "zero")]
        0 => 1,
        _ => number,
    }
}

fn main() {
    function(1);
}

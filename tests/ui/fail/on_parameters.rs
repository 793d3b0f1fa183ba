use ergometer::track_energy;

#[track_energy]
fn function(#[track_energy(step)] batch: u32) -> u32 {
    batch
}

fn main() {
    function(1);
}

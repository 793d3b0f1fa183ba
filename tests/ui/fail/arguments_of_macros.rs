use ergometer::track_energy;

// The arguments of a macro are not code yet.
#[track_energy]
fn function() -> Vec<u32> {
    vec![#[track_energy(phase = "inside")] { 1 }]
}

fn main() {
    function();
}

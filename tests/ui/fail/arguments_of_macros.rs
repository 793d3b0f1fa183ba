use ergometer::track_energy;

// The arguments of a macro are not code yet.
#[track_energy]
fn function() -> Option<u32> {
    std::convert::identity(Some(vec![#[track_energy(phase = "inside")] loop { break 1; }][0]))
}

fn main() {
    function();
}

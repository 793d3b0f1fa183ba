use ergometer::track_energy;

fn double(number: u32) -> u32 {
    number * 2
}

#[track_energy]
fn function(number: u32) -> u32 {
    let sum = 1 + #[track_energy(phase = "call")] double(number);
    let closure = #[track_energy(phase = "closure")] |number: u32| double(number);
    closure(sum)
}

fn main() {
    function(1);
}

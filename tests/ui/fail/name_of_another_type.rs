use ergometer::track_energy;

#[track_energy(name = number)]
fn variable(number: u32) -> u32 {
    #[track_energy(phase = number + 1)]
    let next = number + 1;
    next
}

#[track_energy(name = text)]
fn optional(text: Option<&str>) -> usize {
    text.map_or(0, str::len)
}

fn main() {
    variable(1);
    optional(None);
}

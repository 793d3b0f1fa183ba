use ergometer::track_energy;

#[track_energy]
fn wrong_tail(number: u32) -> String {
    number
}

#[track_energy]
fn no_tail(number: u32) -> u32 {
    number + 1;
}

#[track_energy]
fn wrong_return(number: u32) -> u32 {
    if number > 1 {
        return "two";
    }
    number
}

#[track_energy]
fn rewritten() -> u32 {
    #[track_energy(phase = "let")]
    let number: u32 = "one";
    number
}

fn main() {}

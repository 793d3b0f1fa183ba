use ergometer::track_energy;

#[track_energy]
fn moved(text: String) -> usize {
    #[track_energy(phase = "move")]
    drop(text);
    text.len()
}

#[track_energy]
fn short_lived() -> usize {
    let borrowed;
    #[track_energy(phase = "block")]
    {
        let text = String::from("text");
        borrowed = &text;
    }
    borrowed.len()
}

fn main() {}

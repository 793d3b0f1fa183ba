use ergometer::track_energy;

#[track_energy]
fn function() {
    #[track_energy]
    for _ in 0..1 {}
    #[track_energy()]
    let _number = 1;
    #[track_energy(items = 3, unit = "tokens")]
    {}
    #[track_energy = "forward"]
    {}
}

fn main() {
    function();
}

use ergometer::track_energy;

#[track_energy("forward")]
fn literal() {}

#[track_energy(run step)]
fn no_comma() {}

#[track_energy(items = 1; unit = "tokens")]
fn semicolon() {}

fn main() {
    literal();
    no_comma();
    semicolon();
}

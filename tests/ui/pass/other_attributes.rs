#![deny(warnings)]
use ergometer::track_energy;

#[track_energy]
#[allow(unused_variables)]
fn allowed() {
    let unused = 1;
    #[allow(unused_mut)]
    #[track_energy(phase = "let")]
    let mut other = 2;
    #[track_energy(phase = "block")]
    #[allow(unused_assignments)]
    {
        let mut value;
        value = other;
        value = other + value;
        assert_eq!(value, 4);
    }
    #[expect(clippy::never_loop)]
    #[track_energy(step)]
    loop {
        break;
    }
}

#[track_energy]
#[deprecated]
fn old() {}

#[track_energy]
#[track_energy(phase = "twice")]
fn twice() {}

fn main() {
    allowed();
    twice();
    #[allow(deprecated)]
    old();
}

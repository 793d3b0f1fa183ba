#![deny(dead_code, unused)]
use ergometer::track_energy;

#[track_energy]
fn never_called() {}

struct Model;

impl Model {
    #[track_energy]
    async fn never_called(&self) {}
}

#[track_energy]
fn called(unused_argument: u32) {
    #[track_energy(phase = "let")]
    let unused_variable = 1;
    let mut never_changed = 2;
    #[track_energy(phase = "block")]
    {
        std::convert::identity(never_changed);
    }
}

fn main() {
    called(1);
    let _ = Model;
}

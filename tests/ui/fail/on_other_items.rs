use ergometer::track_energy;

#[track_energy]
struct Model;

#[track_energy]
impl Model {
    fn step(&self) {}
}

#[track_energy]
pub trait Train {
    fn train(&self);
}

#[track_energy]
mod module {}

#[track_energy]
const STEPS: usize = 3;

#[track_energy]
pub enum Kind {
    One,
}

fn main() {
    Model.step();
    let _ = STEPS;
}

use ergometer::track_energy;

trait Train {
    #[track_energy]
    fn train(&self) -> u32;
}

struct Model;

impl Train for Model {
    fn train(&self) -> u32 {
        1
    }
}

fn main() {
    Model.train();
}

#![deny(warnings)]
use std::rc::Rc;

use ergometer::track_energy;

#[derive(Default)]
struct Model {
    steps: usize,
}

impl Model {
    #[track_energy]
    fn new() -> Self {
        Self::default()
    }

    #[track_energy(step, items = self.steps + 1, unit = "sentences")]
    fn step(&mut self) -> &mut Self {
        self.steps += 1;
        self
    }

    #[track_energy(run)]
    async fn train(&mut self, epochs: usize) -> usize {
        #[track_energy(epoch)]
        for _ in 0..epochs {
            self.step();
        }
        self.steps
    }

    #[track_energy]
    fn shared(self: Rc<Self>) -> usize {
        self.steps
    }

    #[track_energy]
    fn consumed(mut self) -> usize {
        self.steps += 1;
        self.steps
    }
}

fn main() {
    let mut model = Model::new();
    model.step().step();
    drop(model.train(3));
    assert_eq!(Rc::new(Model { steps: 4 }).shared(), 4);
    assert_eq!(model.consumed(), 3);
}

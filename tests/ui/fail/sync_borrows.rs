use ergometer::{Synchronize, track_energy};

struct Device;

impl Synchronize for Device {
    fn synchronize(&self) {}
}

struct Trainer {
    device: Device,
    steps: usize,
}

impl Trainer {
    #[track_energy(step, sync = self.device)]
    fn step(&mut self) {
        self.advance();
    }

    #[track_energy]
    fn advance(&mut self) {
        #[track_energy(step, sync = || self.device.synchronize())]
        self.more();
        self.steps += 1;
    }

    #[track_energy(phase = "more")]
    fn more(&mut self) {
        self.steps += 1;
    }

    #[track_energy(sync = self.device)]
    fn give(self) -> Device {
        self.device
    }
}

fn main() {
    let mut trainer = Trainer { device: Device, steps: 0 };
    trainer.step();
    trainer.give();
}

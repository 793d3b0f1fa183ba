#![deny(warnings)]
use std::sync::Arc;

use ergometer::{Synchronize, track_energy};

#[derive(Clone, Default)]
struct Device {
    index: usize,
}

impl Device {
    fn wait(&self) {}
}

impl Synchronize for Device {
    fn synchronize(&self) {
        self.wait();
    }
}

struct Trainer {
    device: Device,
    step: usize,
}

impl Trainer {
    fn advance(&mut self) {
        self.step += 1;
    }

    #[track_energy(run, sync = self.device)]
    fn read_only(&self) -> usize {
        self.device.index
    }

    // A value of its own leaves `self` to the body.
    #[track_energy(run, sync = self.device.clone())]
    fn train(&mut self, other: &Device, shared: Arc<Device>) -> usize {
        #[track_energy(epoch, sync = *other)]
        for _ in 0..2 {
            self.advance();
        }
        #[track_energy(phase = "shared", sync = *shared)]
        self.advance();
        let device = Device::default();
        #[track_energy(step, sync = device)]
        while self.step < 5 {
            self.advance();
        }
        #[track_energy(phase = "closure", sync = || device.wait())]
        let borrowed = &[self.step];
        #[track_energy(phase = "moved", sync = move || shared.wait())]
        self.advance();
        borrowed[0] + device.index
    }
}

impl Trainer {
    // What a closure borrows is borrowed to the end of the span: under `&mut self` it owns a clone.
    #[track_energy(step, sync = { let device = self.device.clone(); move || device.wait() })]
    fn owned(&mut self) {
        self.advance();
    }
}

fn everything() {}

#[track_energy(step, sync = everything)]
async fn later() -> u32 {
    #[track_energy(phase = "inside", sync = everything)]
    std::future::ready(2).await
}

fn send<T: Send>(_: T) {}

fn main() {
    let mut trainer = Trainer { device: Device::default(), step: 0 };
    assert_eq!(trainer.train(&Device::default(), Arc::default()), 5);
    assert_eq!(trainer.read_only(), 0);
    trainer.owned();
    send(later());
}

use ergometer::{Synchronize, track_energy};

struct Device;

impl Synchronize for Device {
    fn synchronize(&self) {}
}

#[track_energy(run, sync = device)]
fn train(device: &Device) {
    let _ = device;
}

fn main() {
    train(&Device);
}

use ergometer::track_energy;

struct Device;

#[track_energy(run, sync = device)]
fn train(device: Device) {
    #[track_energy(step, sync = 3)]
    for _ in 0..3 {}
    drop(device);
}

fn main() {
    train(Device);
}

use ergometer::track_energy;

#[track_energy(epoch = "train")]
fn epoch() {}

#[track_energy(run("train"))]
fn run() {}

fn main() {
    epoch();
    run();
}

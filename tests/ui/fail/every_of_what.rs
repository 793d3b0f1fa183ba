use ergometer::track_energy;

#[track_energy(step, every = 10)]
fn function() {}

#[track_energy(epoch, every = 2)]
fn epoch() {}

#[track_energy(run)]
fn train(batches: &[u32]) {
    #[track_energy(epoch, every = 2)]
    for _ in 0..3 {
        #[track_energy(step, every = 0)]
        for _ in batches {}
        #[track_energy(step, every)]
        for _ in batches {}
    }
    #[track_energy(step, every = 10)]
    {}
}

fn main() {
    function();
    epoch();
    train(&[]);
}

use ergometer::track_energy;

#[track_energy(epoch, index = rate)]
fn float(rate: f64) {
    let _ = rate;
}

#[track_energy(run)]
fn train(names: &[String]) {
    #[track_energy(epoch, index = name)]
    for name in names {
        drop(name.clone());
    }
}

fn main() {
    float(1.5);
    train(&[]);
}

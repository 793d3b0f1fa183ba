use ergometer::{Meter, track_energy};

#[track_energy(meter = one, report, meter = other, report)]
fn meters(one: &Meter, other: &Meter) {
    let _ = (one, other);
}

#[track_energy(run)]
fn train() {
    #[track_energy(epoch, index = epoch, sync = || (), index = epoch + 1, sync = || ())]
    for epoch in 0..2 {
        let _ = epoch;
    }
}

fn main() {
    train();
}

use ergometer::{Meter, track_energy};

#[track_energy(meter = meter)]
fn counter(meter: &Meter) -> impl Fn(u32) -> u32 + use<> {
    |number| {
        #[track_energy(phase = "count")]
        let next = number + 1;
        next
    }
}

fn main() {
    let meter = Meter::builder().start().unwrap();
    counter(&meter)(1);
}

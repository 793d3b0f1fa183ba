#![deny(warnings)]
use std::future::Future;
use std::sync::Arc;

use ergometer::{Meter, track_energy};

struct Trainer {
    meter: Meter,
    steps: usize,
}

impl Trainer {
    // The meter is not borrowed while the body runs.
    #[track_energy(run, meter = self.meter)]
    fn train(&mut self) -> usize {
        #[track_energy(epoch)]
        for _ in 0..2 {
            self.step();
        }
        let add = |by: usize| {
            #[track_energy(phase = "closure")]
            let sum = by + 1;
            sum
        };
        add(self.steps)
    }

    #[track_energy(step, meter = &self.meter)]
    fn step(&mut self) {
        self.steps += 1;
    }
}

#[track_energy(meter = meter)]
fn closures(meter: Arc<Meter>) -> impl Fn(usize) -> usize {
    move |number| {
        #[track_energy(phase = "called later")]
        let next = number + 1;
        next
    }
}

#[track_energy(meter = meter)]
async fn later(meter: Meter) -> u32 {
    #[track_energy(step)]
    for _ in 0..2 {
        std::future::ready(()).await;
    }
    3
}

#[track_energy(meter = meter)]
fn returned(meter: &Meter) -> impl Future<Output = u32> + use<> {
    later(meter.clone())
}

#[track_energy]
fn statements(meters: &[Meter]) {
    #[track_energy(phase = "all", meter = meters[0])]
    #[track_energy(step, meter = meter)]
    for meter in meters {
        let _ = meter;
    }
}

fn main() {
    let meter = Meter::builder().without_probe().start().unwrap();
    let mut trainer = Trainer { meter: meter.clone(), steps: 0 };
    assert_eq!(trainer.train(), 3);
    assert_eq!(closures(Arc::new(meter.clone()))(1), 2);
    drop(returned(&meter));
    statements(&[meter]);
}

#![deny(warnings)]
use std::sync::Mutex;
use std::thread;

use ergometer::{Meter, track_energy};

#[track_energy(run, meter = meter)]
fn parallel(meter: &Meter, shards: &[Vec<u32>]) -> u32 {
    let total = Mutex::new(0);
    thread::scope(|scope| {
        for (index, shard) in shards.iter().enumerate() {
            let total = &total;
            scope.spawn(move || {
                #[track_energy(phase = format!("shard {index}"))]
                #[track_energy(step, items = number)]
                for &number in shard {
                    *total.lock().unwrap() += number;
                }
            });
        }
    });
    total.into_inner().unwrap()
}

#[track_energy]
fn spawned() -> thread::JoinHandle<u32> {
    thread::spawn(|| {
        #[track_energy(phase = "elsewhere")]
        let one = 1;
        one
    })
}

fn main() {
    let meter = Meter::builder().without_probe().start().unwrap();
    assert_eq!(parallel(&meter, &[vec![1, 2], vec![3]]), 6);
    assert_eq!(spawned().join().unwrap(), 1);
}

//! Some steps alone: in every loop, as statement and value, with all other options, in futures.

#![deny(warnings, unused)]
#![forbid(unsafe_code)]

use ergometer::{Meter, track_energy};

#[track_energy(run)]
fn train(batches: &[Vec<u32>], every: usize) -> u32 {
    let mut total = 0;
    #[track_energy(step, every = every, items = batch.len(), unit = "tokens", report)]
    for batch in batches {
        total += batch.iter().sum::<u32>();
    }
    #[track_energy(phase = "search")]
    #[track_energy(step, every = 3, name = format!("{total}"), sync = || {})]
    #[allow(clippy::never_loop)]
    'outer: while total > 0 {
        #[track_energy(step, every = -1)]
        loop {
            total = total.saturating_sub(5);
            if total < 10 {
                break 'outer;
            }
            if total % 2 == 0 {
                break;
            }
        }
    }
    let value = #[track_energy(step, every = 2_u8)]
    loop {
        break total;
    };
    #[cfg(any())]
    #[track_energy(step, every = no_such_thing)]
    for _ in 0..3 {}
    #[cfg_attr(all(), track_energy(step, every = u64::MAX))]
    for _ in 0..value {}
    #[track_energy(step, every = 7)]
    loop {
        return value;
    }
}

#[track_energy(meter = meter)]
fn measured(meter: &Meter, other: &Meter) {
    #[track_energy(step, every = 4)]
    for _ in 0..10 {}
    #[track_energy(step, every = 4, meter = other)]
    for _ in 0..10 {}
}

#[track_energy]
async fn later(count: u32) -> u32 {
    let mut total = 0;
    #[track_energy(step, every = 5, items = step)]
    for step in 0..count {
        total += std::future::ready(step).await;
    }
    total
}

fn is_send<T: Send>(value: T) -> T {
    value
}

fn main() {
    assert_eq!(train(&[vec![1, 2], vec![30]], 2), 8);
    let meter = Meter::builder().without_probe().start().unwrap();
    measured(&meter, &meter);
    drop(is_send(later(3)));
}

#![deny(warnings)]
use ergometer::track_energy;

#[track_energy(run)]
fn train(batches: &[Vec<u32>]) -> u32 {
    let mut total = 0;
    #[track_energy(epoch, name = "train")]
    for epoch in 0..2 {
        #[track_energy(step, items = batch.len(), unit = "tokens")]
        for batch in batches {
            total += batch.iter().sum::<u32>() + epoch;
        }
    }

    let mut left = 3;
    #[track_energy(phase = "drain")]
    while left > 0 {
        left -= 1;
    }

    let mut stack = vec![1, 2, 3];
    #[track_energy(step, items = top)]
    while let Some(top) = stack.pop() {
        total += top;
    }

    #[track_energy(name = "search")]
    #[track_energy(step)]
    loop {
        total += 1;
        if total % 7 == 0 {
            break;
        }
    }

    #[track_energy(step)]
    for number in [1, 2] {
        use std::cmp::max;
        const LEAST: u32 = 1;
        total += max(number, LEAST);
    }

    #[track_energy(run)]
    for _ in 0..1 {}
    total
}

fn main() {
    train(&[vec![1, 2], vec![3]]);
}

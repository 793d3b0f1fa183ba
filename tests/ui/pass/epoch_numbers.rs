#![deny(warnings)]
use ergometer::track_energy;

struct State {
    epoch: u32,
}

#[track_energy(epoch, index = state.epoch)]
fn once(state: &mut State) {
    state.epoch += 1;
}

#[track_energy(epoch, name = "valid", index = number, items = 3, unit = "batches")]
async fn later(number: u8) -> u8 {
    number
}

#[track_energy(run)]
fn train(start: usize) -> i64 {
    #[track_energy(epoch, index = epoch)]
    for epoch in start..start + 2 {
        let _ = epoch;
    }
    #[track_energy(epoch, name = "valid", index = epoch + 1)]
    for epoch in 0..2 {
        let _ = epoch;
    }
    let mut left = 3_i64;
    #[track_energy(epoch, name = "down", index = left)]
    while left > 0 {
        left -= 1;
    }
    #[track_energy(epoch, index = start as u64 * 2)]
    {
        left += 1;
    }
    left
}

fn main() {
    once(&mut State { epoch: 1 });
    drop(later(1));
    assert_eq!(train(1), 1);
}

#![deny(warnings)]
use ergometer::track_energy;

const UNIT: &str = "tokens";

struct Batch(Vec<u8>);

impl Batch {
    fn tokens(&self) -> u64 {
        self.0.len() as u64
    }
}

#[track_energy(items = batches.len(), unit = "batches")]
fn train(batches: Vec<Batch>) -> u64 {
    let mut total = 0;
    #[track_energy(step, items = batch.tokens(), unit = UNIT)]
    for batch in &batches {
        total += batch.tokens();
    }
    #[track_energy(phase = "pairs", items = total as f64 / 2.0, unit = concat!("pa", "irs"))]
    let pairs = total / 2;
    #[track_energy(step, items = { let half = pairs; half + 1 }, unit = self::UNIT)]
    while total > 100 {
        total -= 1;
    }
    #[track_energy(step, items = if pairs > 1 { 1_usize } else { 2 },)]
    drop(batches);
    total
}

fn main() {
    assert_eq!(train(vec![Batch(vec![1, 2]), Batch(vec![3])]), 3);
}

use ergometer::track_energy;

// What a value option is given is used as any value: here it is gone.
#[track_energy(items = count(rows))]
fn consumed(rows: Vec<u32>) -> usize {
    rows.len()
}

fn count(rows: Vec<u32>) -> usize {
    rows.len()
}

fn main() {
    consumed(vec![]);
}

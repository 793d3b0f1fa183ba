//! What a span costs the thread that opens it, beside the two clock reads it cannot do without.
//!
//! Every iteration does a thousand of what it is named after: read a microsecond as a nanosecond
//! each. Between two of them the meter's thread takes what was left, as it does in a training run.
//! `cargo xtask performance` makes the table from it.

use std::thread::sleep;
use std::time::Duration;

use divan::Bencher;
use divan::counter::ItemsCount;
use ergometer_benches::{Case, Metered, Threads};

const THOUSAND: u32 = 1000;
/// So many fit into a ring beside those that wait in it.
const BURST: u32 = 3000;
/// How long the meter's thread gets for the marks of a burst of all threads.
const REST: Duration = Duration::from_millis(80);

fn main() {
    divan::main();
}

/// A thousand times each case.
#[divan::bench(args = Case::ALL, sample_count = 200, sample_size = 1)]
fn thousand(bencher: Bencher<'_, '_>, case: Case) {
    let metered = case.is_metered().then(Metered::start);
    let meter = metered.as_ref().map(Metered::meter);
    bencher
        .counter(ItemsCount::new(THOUSAND))
        .with_inputs(|| metered.iter().for_each(Metered::rest))
        .bench_local_values(|()| case.run(THOUSAND, meter));
}

/// Threads that leave three thousand spans each, at once.
#[divan::bench(args = [1, 8], sample_count = 100, sample_size = 1)]
fn threads(bencher: Bencher<'_, '_>, count: usize) {
    let metered = Metered::start();
    let threads = Threads::start(count);
    bencher
        .counter(ItemsCount::new(count * BURST as usize))
        .with_inputs(|| {
            metered.rest();
            sleep(REST);
            threads.wake();
        })
        .bench_local_values(|()| threads.run(BURST));
}

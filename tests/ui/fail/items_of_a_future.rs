use ergometer::track_energy;

use std::future::Future;

#[track_energy(items = count, unit = "tokens")]
async fn asynchronous(count: u32) -> u32 {
    count
}

#[track_energy(step, items = 1)]
fn returned() -> impl Future<Output = u32> {
    async { 1 }
}

#[track_energy]
fn block() {
    let future = #[track_energy(phase = "block", items = 1)] async {};
    drop(future);
}

fn main() {
    drop(asynchronous(1));
    drop(returned());
    block();
}

use std::future::Future;
use std::pin::Pin;

use ergometer::track_energy;

#[track_energy(step, sync = || ())]
fn returned() -> impl Future<Output = u32> {
    async { 1 }
}

#[track_energy(sync = || ())]
fn boxed() -> Pin<Box<dyn Future<Output = u32>>> {
    Box::pin(async { 1 })
}

fn main() {
    drop(returned());
    drop(boxed());
}

#![deny(warnings)]
use std::future::Future;
use std::pin::Pin;

use ergometer::track_energy;

#[track_energy]
fn factorial(number: u64) -> u64 {
    if number < 2 { 1 } else { number * factorial(number - 1) }
}

#[track_energy]
async fn countdown(number: u32) -> u32 {
    if number == 0 { 0 } else { Box::pin(countdown(number - 1)).await }
}

#[track_energy]
fn tree(depth: u32) -> Pin<Box<dyn Future<Output = u32>>> {
    Box::pin(async move { if depth == 0 { 1 } else { tree(depth - 1).await + tree(depth - 1).await } })
}

fn main() {
    assert_eq!(factorial(5), 120);
    drop(countdown(3));
    drop(tree(2));
}

#![deny(warnings)]
use std::future::{Future, ready};
use std::pin::Pin;

use ergometer::track_energy;

#[track_energy(step, items = tokens.len(), unit = "tokens")]
async fn asynchronous(tokens: Vec<u32>) -> Vec<u32> {
    ready(()).await;
    tokens
}

#[track_energy(step, items = count)]
fn returned(count: u32) -> impl Future<Output = u32> + Send {
    if count == 0 {
        return ready(1);
    }
    ready(count)
}

#[track_energy(items = text.len(), name = text)]
fn boxed<'a>(text: &'a str) -> Pin<Box<dyn Future<Output = usize> + Send + 'a>> {
    use std::convert::identity;
    Box::pin(async move { identity(text.len()) })
}

#[track_energy(items = 1)]
fn unwritten() -> impl Future<Output = u32> {
    if true {
        todo!()
    }
    async { 1 }
}

#[track_energy]
fn blocks(count: usize) -> impl Future<Output = usize> + Send {
    #[track_energy(phase = "block", items = count, unit = "rows")]
    async move {
        ready(()).await;
        count
    }
}

fn send<T: Send>(_: T) {}

fn main() {
    send(asynchronous(vec![1]));
    send(returned(1));
    send(boxed("a"));
    send(blocks(1));
    let _ = unwritten as fn() -> _;
}

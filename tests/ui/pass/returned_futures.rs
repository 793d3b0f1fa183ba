#![deny(warnings)]
use std::future::Future;
use std::pin::Pin;

use ergometer::track_energy;

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

#[track_energy]
fn block(number: u32) -> impl Future<Output = Result<u32, std::num::ParseIntError>> + Send {
    let text = number.to_string();
    async move {
        let parsed = text.parse()?;
        Ok(parsed)
    }
}

#[track_energy]
fn early(number: u32) -> impl Future<Output = u32> {
    if number > 3 {
        return std::future::ready(number);
    }
    std::future::ready(3)
}

#[track_energy]
fn pinned<'a>(text: &'a str) -> Pin<Box<dyn Future<Output = &'a str> + Send + 'a>> {
    match text {
        "a" => return Box::pin(async { "A" }),
        "b" => pinned("a"),
        _ => Box::pin(async move { text }),
    }
}

#[track_energy(phase = "alias")]
fn alias(text: &str) -> BoxFuture<'_, usize> {
    if text.is_empty() { Box::pin(async { 0 }) } else { Box::pin(async move { text.len() }) }
}

#[track_energy]
fn unfinished() -> BoxFuture<'static, ()> {
    unimplemented!()
}

// What `async-trait` makes of an async method.
#[track_energy]
fn desugared<'life, 'future>(
    text: &'life str,
) -> ::core::pin::Pin<Box<dyn ::core::future::Future<Output = usize> + ::core::marker::Send + 'future>>
where
    'life: 'future,
{
    Box::pin(async move {
        #[track_energy(phase = "inside")]
        let length = text.len();
        length
    })
}

fn send<T: Send>(_: T) {}

fn main() {
    send(block(1));
    send(pinned("a"));
    send(alias(""));
    send(desugared(""));
    drop(early(4));
    let _ = unfinished as fn() -> _;
}

#![deny(warnings)]
use std::error::Error;

use ergometer::track_energy;

#[track_energy]
async fn parse(text: &str) -> Result<u32, Box<dyn Error + Send + Sync>> {
    if text.is_empty() {
        return Err("empty".into());
    }
    Ok(text.parse()?)
}

// The type of `None` is known from the signature alone.
#[track_energy]
async fn inferred() -> Option<Vec<u8>> {
    let mut found = None;
    if found.is_none() {
        found = Some(Vec::new());
    }
    found
}

#[track_energy]
async fn coerced(flag: bool) -> Box<dyn Fn() -> u8 + Send> {
    if flag { Box::new(|| 1) } else { Box::new(|| 2) }
}

#[track_energy]
async fn unused_arguments(mut first: String, second: String) -> usize {
    first.push('a');
    drop(second);
    first.len()
}

#[track_energy]
async fn unit() {}

fn send<T: Send>(_: T) {}

fn main() {
    send(parse("1"));
    send(inferred());
    send(coerced(true));
    send(unused_arguments(String::new(), String::new()));
    send(unit());
}

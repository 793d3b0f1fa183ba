//! No lint of rustc has anything to say about the expansion.
#![deny(
    warnings,
    unused,
    nonstandard_style,
    rust_2018_idioms,
    future_incompatible,
    missing_docs,
    unused_qualifications,
    unused_results,
    unused_lifetimes,
    single_use_lifetimes,
    trivial_casts,
    trivial_numeric_casts,
    let_underscore_drop,
    clippy::all,
    clippy::pedantic
)]
use std::future::Future;
use std::pin::Pin;

use ergometer::track_energy;

#[track_energy]
fn one_expression() -> [u8; 2] {
    [1, 2]
}

#[track_energy]
fn one_block(flag: bool) -> u8 {
    loop {
        if flag {
            break 1;
        }
    }
}

#[track_energy]
async fn later() -> u8 {
    1
}

#[track_energy]
fn future() -> impl Future<Output = u8> {
    async { 1 }
}

#[track_energy]
fn boxed() -> Pin<Box<dyn Future<Output = u8>>> {
    Box::pin(async { 1 })
}

#[track_energy]
fn statements() {
    #[track_energy(step)]
    for _ in 0..1 {
        assert_eq!(one_expression(), [1, 2]);
    }
    #[track_energy(phase = "block")]
    {
        assert_eq!(one_block(true), 1);
    }
    #[track_energy(phase = "let")]
    let number = one_block(true);
    assert_eq!(number, 1);
}

fn main() {
    statements();
    drop((later(), future(), boxed()));
}

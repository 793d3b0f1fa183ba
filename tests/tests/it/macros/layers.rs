//! A future is as large, and lies as deep, as that of the function without the attribute, less a layer.

#![allow(clippy::large_types_passed_by_value, reason = "what is passed is measured")]
#![allow(clippy::unused_async, reason = "one that never waits is looked at")]

use super::futures::{finish, yields};

/// What lives in the future while it waits.
type Weight = [u8; 1024];

async fn plain(weight: Weight) -> usize {
    yields().await;
    weight.len()
}

#[ergometer::track_energy(phase = "annotated")]
async fn annotated(weight: Weight) -> usize {
    yields().await;
    weight.len()
}

#[ergometer::track_energy]
async fn never_waits(weight: Weight) -> usize {
    weight.len()
}

async fn never_waits_plain(weight: Weight) -> usize {
    weight.len()
}

/// Each function calls the next.
macro_rules! chain {
    ($(#[$attribute:meta])? $module:ident: $first:ident $($rest:ident)*) => {
        mod $module {
            chain!(@ [$(#[$attribute])?] $first $($rest)*);
        }
    };
    (@ [$($attribute:tt)*] $one:ident $next:ident $($rest:ident)*) => {
        $($attribute)*
        pub async fn $one(depth: u64) -> u64 {
            $next(depth + 1).await
        }
        chain!(@ [$($attribute)*] $next $($rest)*);
    };
    (@ [$($attribute:tt)*] $last:ident) => {
        $($attribute)*
        pub async fn $last(depth: u64) -> u64 {
            crate::macros::futures::yields().await;
            depth
        }
    };
}

chain!(plain_chain: b8 b9 c0 c1 c2 c3 c4 c5 c6 c7 c8
    c9 d0 d1 d2 d3 d4 d5 d6 d7 d8 d9 e0 e1);
chain!(#[ergometer::track_energy] chain: b8 b9 c0 c1
    c2 c3 c4 c5 c6 c7 c8 c9 d0 d1 d2 d3 d4 d5 d6 d7 d8 d9 e0 e1);

fn send<T: Send>(value: T) -> T {
    value
}

/// What a layer may add: the guard, and the spans that are taken along.
const LAYER: usize = 200;

#[test]
fn a_future_holds_its_arguments_once() {
    let (one, other) = (size_of_val(&plain([0; 1024])), size_of_val(&annotated([0; 1024])));
    assert!(other <= one + LAYER, "{other} bytes for {one}");
    let (one, other) =
        (size_of_val(&never_waits_plain([0; 1024])), size_of_val(&never_waits([0; 1024])));
    assert!(other <= one + LAYER, "{other} bytes for {one}");
    let functions = (finish(send(annotated([0; 1024]))).0, finish(never_waits([0; 1024])).0);
    assert_eq!(functions, (1024, 1024));
}

/// The compiler looks 128 levels deep by default, four for each plain function, and one more for what takes
/// its spans along: chains of 32 and of 25.
#[test]
fn a_chain_of_24_annotated_functions_compiles() {
    let (plain, annotated) = (send(plain_chain::b8(0)), send(chain::b8(0)));
    let (plain_size, size) = (size_of_val(&plain), size_of_val(&annotated));
    assert!(size <= plain_size + 24 * LAYER, "{size} bytes for {plain_size}");
    assert_eq!((finish(plain).0, finish(annotated).0), (23, 23));
}

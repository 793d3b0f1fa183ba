//! What an `async fn` does with its arguments is not changed by their being taken into its body.
#![deny(warnings)]
use std::cell::Cell;
use std::sync::{Mutex, MutexGuard};

use ergometer::track_energy;

#[track_energy]
async fn references<'a>(first: &'a mut Vec<u32>, second: &'a [u32], _third: &str) -> &'a [u32] {
    first.extend(second);
    first
}

#[track_energy]
async fn patterns((left, mut right): (String, String), [first, ..]: [u32; 3], other: &u32) -> usize {
    right.push_str(&left);
    println!("{first}");
    right.len() + *other as usize
}

// Neither is `Sync`, and the future is `Send` all the same: nothing holds a reference to them.
#[track_energy]
async fn not_sync(first: Cell<u32>, second: Cell<u32>) -> u32 {
    let sum = first.into_inner() + second.into_inner();
    std::future::ready(()).await;
    sum
}

#[track_energy]
async fn moved(first: Mutex<u32>, second: String) -> u32 {
    drop(second);
    let held: MutexGuard<'_, u32> = first.lock().unwrap();
    *held
}

struct Model(String);

impl Model {
    #[track_energy]
    async fn consumed(self, other: Self) -> String {
        self.0 + &other.0
    }

    #[track_energy]
    async fn borrowed(&mut self, other: &str) -> &str {
        self.0.push_str(other);
        &self.0
    }
}

fn send<T: Send>(_: T) {}

fn main() {
    send(references(&mut vec![1], &[2], "c"));
    send(patterns((String::new(), String::new()), [1, 2, 3], &4));
    send(not_sync(Cell::new(1), Cell::new(2)));
    drop(moved(Mutex::new(1), String::new()));
    drop(Model("a".into()).consumed(Model("b".into())));
    drop(Model("a".into()).borrowed("b"));
}

#![deny(warnings)]
use std::fmt::Debug;

use ergometer::track_energy;

#[track_energy]
fn longest<'a, T: AsRef<str> + ?Sized>(left: &'a T, right: &'a T) -> &'a str
where
    T: Debug,
{
    let (left, right) = (left.as_ref(), right.as_ref());
    if left.len() >= right.len() { left } else { right }
}

#[track_energy(step, items = N)]
fn sum<const N: usize, T>(numbers: [T; N]) -> T
where
    T: std::iter::Sum,
{
    numbers.into_iter().sum()
}

#[track_energy]
async fn first<'a, 'b, T: Sync>(left: &'a [T], _right: &'b [T]) -> Option<&'a T> {
    left.first()
}

fn apply<F: for<'a> Fn(&'a str) -> &'a str>(function: F) -> usize {
    function("abc").len()
}

#[track_energy]
fn elided(text: &str) -> &str {
    #[track_energy(phase = "cut")]
    let cut = &text[1..];
    cut
}

fn main() {
    assert_eq!(longest("ab", "c"), "ab");
    assert_eq!(sum([1, 2, 3]), 6);
    assert_eq!(apply(elided), 2);
    drop(first(&[1], &[2]));
}

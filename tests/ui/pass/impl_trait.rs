#![deny(warnings)]
use ergometer::track_energy;

#[track_energy]
fn doubled(numbers: impl IntoIterator<Item = u32>) -> impl Iterator<Item = u32> {
    numbers.into_iter().map(|number| number * 2)
}

#[track_energy]
fn adder(by: u32) -> impl Fn(u32) -> u32 {
    move |number| number + by
}

#[track_energy]
fn boxed(by: u32) -> Box<dyn Fn(u32) -> u32> {
    Box::new(move |number| number + by)
}

#[track_energy]
async fn names() -> Result<impl Iterator<Item = &'static str>, std::num::ParseIntError> {
    "1".parse::<u8>()?;
    Ok(["a", "b"].into_iter())
}

#[track_energy]
async fn opaque(text: impl Into<String> + Send) -> impl std::fmt::Display + Send {
    text.into()
}

fn main() {
    assert_eq!(doubled([1, 2]).collect::<Vec<_>>(), [2, 4]);
    assert_eq!(adder(1)(2) + boxed(2)(3), 8);
    drop(names());
    drop(opaque("a"));
}

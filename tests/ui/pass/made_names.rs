#![deny(warnings)]
use std::borrow::Cow;
use std::fmt::Display;
use std::rc::Rc;

use ergometer::track_energy;

struct Layer {
    name: String,
    shared: Rc<str>,
}

impl Layer {
    const KIND: &'static str = "layer";

    #[track_energy(name = self.name)]
    fn forward(&mut self) -> String {
        #[track_energy(phase = self.shared)]
        let shared = self.shared.len();
        #[track_energy(phase = Self::KIND)]
        self.name.push('a');
        format!("{}{shared}", self.name)
    }

    #[track_energy(name = self.name, items = self.name.len())]
    fn consumed(self) -> String {
        self.name
    }
}

#[track_energy(epoch, name = split.as_ref())]
fn generic<T: AsRef<str>>(split: T) -> T {
    #[track_energy(step, name = split)]
    for _ in 0..2 {}
    split
}

#[track_energy(run, name = format!("fold {fold}"))]
fn formatted(fold: impl Display, splits: &[Cow<'_, str>]) -> usize {
    let mut total = 0;
    #[track_energy(epoch, name = split)]
    for split in splits {
        #[track_energy(phase = match split.len() { 5 => "train", _ => "valid" })]
        let length = split.len();
        total += length;
    }
    total
}

#[track_energy(name = text)]
async fn later(text: &str) -> usize {
    text.len()
}

fn main() {
    let mut layer = Layer { name: "encoder".to_owned(), shared: "shared".into() };
    assert_eq!(layer.forward(), "encodera6");
    assert_eq!(layer.consumed(), "encodera");
    assert_eq!(generic("train"), "train");
    assert_eq!(formatted(3, &["train".into(), "valid".to_owned().into()]), 10);
    drop(later("a"));
}

//! No lint of rustc has anything to say about the expansion of the options.
#![forbid(unsafe_code)]
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
    unused_parens,
    unused_braces,
    clippy::all,
    clippy::pedantic
)]
use std::future::Future;

use ergometer::{Meter, track_energy};

struct Trainer {
    meter: Meter,
    name: String,
}

impl Trainer {
    #[track_energy(
        run, name = self.name, items = count, unit = "rows", sync = || (), meter = self.meter, report
    )]
    fn train(&self, count: usize) -> usize {
        let mut total = 0;
        #[track_energy(
            epoch, name = format!("{}-{epoch}", self.name), index = epoch, items = epoch, sync = || ()
        )]
        for epoch in 0..count {
            #[track_energy(phase = self.name, items = epoch * 2, sync = || (), report)]
            let next = epoch + 1;
            #[track_energy(phase = &self.name, items = epoch + 1, sync = || ())]
            {
                total += next;
            }
        }
        total
    }
}

#[track_energy(epoch, name = text, index = number, items = number, sync = || (), report)]
async fn later(text: &str, number: u32) -> usize {
    text.len() + number as usize
}

#[track_energy(name = text, items = 1_u8, report)]
fn future(text: &str) -> impl Future<Output = usize> {
    let length = text.len();
    async move { length }
}

fn main() {
    let meter = Meter::builder().without_probe().start().expect("a meter without sensors");
    let trainer = Trainer { meter, name: "a".to_owned() };
    assert_eq!(trainer.train(2), 3);
    drop((later("a", 1), future("a")));
}

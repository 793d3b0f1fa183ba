#![no_implicit_prelude]
#![deny(warnings)]

use ::std::future::Future;
use ::std::pin::Pin;

#[::ergometer::track_energy(run)]
fn train() -> ::std::result::Result<u32, ::std::num::ParseIntError> {
    let mut total = 0;
    #[::ergometer::track_energy(step, items = number, unit = "numbers")]
    for number in 0..3_u32 {
        #[::ergometer::track_energy(phase = "parse")]
        let parsed: u32 = ::std::primitive::str::parse("1")?;
        total += parsed + number;
    }
    ::std::result::Result::Ok(total)
}

#[::ergometer::track_energy]
async fn later(number: u32) -> u32 {
    number
}

#[::ergometer::track_energy]
fn pinned() -> Pin<::std::boxed::Box<dyn Future<Output = u32>>> {
    other()
}

fn other() -> Pin<::std::boxed::Box<dyn Future<Output = u32>>> {
    ::std::boxed::Box::pin(later(1))
}

fn main() {
    ::std::assert!(::std::matches!(train(), ::std::result::Result::Ok(6)));
    ::std::mem::drop(pinned());
}

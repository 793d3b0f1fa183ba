#![no_implicit_prelude]
#![deny(warnings)]

#[::ergometer::track_energy(epoch, name = text, index = number, items = number, sync = || (), report)]
fn epoch(text: &str, number: u32) -> u32 {
    #[::ergometer::track_energy(phase = text, sync = || ())]
    let next = number + 1;
    next
}

#[::ergometer::track_energy(name = text, items = 1_u8, meter = meter)]
async fn later(meter: &::ergometer::Meter, text: &str) -> usize {
    #[::ergometer::track_energy(step, sync = || ())]
    for _ in [1] {}
    text.len()
}

#[::ergometer::track_energy(name = text, items = 1_u8, meter = meter)]
fn future(
    meter: &::ergometer::Meter,
    text: &str,
) -> impl ::std::future::Future<Output = usize> {
    let length = text.len();
    async move { length }
}

fn main() {
    ::std::assert_eq!(epoch("a", 1), 2);
    let _ = (later, future);
}

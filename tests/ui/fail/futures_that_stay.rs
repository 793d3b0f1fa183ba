use std::rc::Rc;

use ergometer::track_energy;

#[track_energy]
async fn stays(number: Rc<u32>, other: u32) -> u32 {
    std::future::ready(()).await;
    *number + other
}

fn send<T: Send>(_: T) {}

fn main() {
    send(stays(Rc::new(1), 2));
}

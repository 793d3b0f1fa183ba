use ergometer::track_energy;

use std::future::Future;

#[track_energy]
async fn wrong_tail(number: u32) -> String {
    number
}

#[track_energy]
async fn no_tail(number: u32) -> u32 {
    number + 1;
}

#[track_energy]
async fn wrong_return(number: u32) -> u32 {
    if number > 1 {
        return "two";
    }
    number
}

#[track_energy]
fn returned() -> impl Future<Output = u32> {
    async { "one" }
}

fn main() {}

#![deny(warnings)]
use ergometer::track_energy;

#[track_energy(run, report)]
fn train() -> u32 {
    let mut total = 0;
    #[track_energy(epoch, report, name = "train")]
    for number in 0..3 {
        total += number;
    }
    #[track_energy(phase = "save", report)]
    let saved = total;
    saved
}

#[track_energy(report)]
async fn later() -> u32 {
    1
}

#[track_energy(report,)]
fn returned() -> impl std::future::Future<Output = u32> {
    later()
}

fn main() {
    assert_eq!(train(), 3);
    drop(returned());
}

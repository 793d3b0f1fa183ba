#![forbid(unsafe_code, warnings, unreachable_code, unused)]
use ergometer::track_energy;

#[track_energy(run)]
async fn train() -> Result<u32, std::num::ParseIntError> {
    #[track_energy(step, items = 1)]
    for _ in 0..3 {}
    #[track_energy(phase = "parse")]
    let number = "1".parse()?;
    Ok(number)
}

#[track_energy]
fn main() {
    drop(train());
}

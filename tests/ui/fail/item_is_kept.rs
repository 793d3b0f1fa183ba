use ergometer::track_energy;

// One mistake, one message: those who call the functions get none.
#[track_energy(nmae = "model")]
pub fn annotated(number: u32) -> Result<u32, String> {
    #[track_energy(step)]
    for step in 0..number {
        #[track_energy(phase = "forward")]
        let loss = step;
        drop(loss);
    }
    Ok(number)
}

struct Model;

impl Model {
    #[track_energy(epohc)]
    async fn train(&self) -> u32 {
        1
    }
}

fn main() -> Result<(), String> {
    let number: u32 = annotated(1)?;
    drop(Model.train());
    let _ = number;
    Ok(())
}

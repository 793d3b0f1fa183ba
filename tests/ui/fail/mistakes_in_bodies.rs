use ergometer::track_energy;

struct Model;
struct Fault;

#[track_energy(run)]
fn train(model: &Model, batches: &[u32]) -> Result<u32, Fault> {
    #[track_energy(step, items = batch)]
    for &batch in batches {
        model.predict(batch);
        #[track_energy(phase = "parse")]
        let number: u32 = "1".parse()?;
        if number > bacth {
            break 'outer;
        }
    }
    Ok(1)
}

#[track_energy]
fn waits() -> u32 {
    #[track_energy(phase = "wait")]
    let one = std::future::ready(1).await;
    one
}

#[track_energy]
fn dangling() -> &'static str {
    let text = String::new();
    #[track_energy(phase = "cut")]
    let cut = &text;
    cut
}

fn main() {
    let _ = (train, waits, dangling);
}

use ergometer::track_energy;

#[track_energy(run)]
fn train(batches: &[u32]) -> Result<(), u32> {
    #[track_energy(step)]
    batches.iter().for_each(|batch| drop(batch));
    #[track_energy(epoch)]
    batches.iter().try_for_each(|batch| Err(*batch))?;
    #[track_energy(step)]
    let done = batches.iter().try_for_each(|batch| Err(*batch));
    done
}

fn main() {
    drop(train(&[]));
}

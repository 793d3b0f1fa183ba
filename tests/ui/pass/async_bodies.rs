#![deny(warnings)]
use std::future::{Future, ready};

use ergometer::track_energy;

#[track_energy(run)]
async fn train(epochs: u32) -> Result<u32, String> {
    let mut total = 0;
    #[track_energy(epoch)]
    for epoch in 0..epochs {
        #[track_energy(step)]
        for batch in 0..3 {
            #[track_energy(phase = "fetch")]
            let batch = ready(Ok::<_, String>(batch)).await?;
            #[track_energy(phase = "compute")]
            {
                ready(()).await;
                total += batch + epoch;
            }
        }
    }
    #[track_energy(phase = "publish")]
    ready(Ok(total)).await
}

// Not an `async fn`: its async block is rewritten all the same.
#[track_energy]
fn spawner() -> Vec<impl Future<Output = u32> + Send> {
    let one = #[track_energy(phase = "task")] async move {
        #[track_energy(phase = "inside")]
        let value = ready(1).await;
        value
    };
    vec![one]
}

fn send<T: Send>(_: T) {}

fn main() {
    send(train(2));
    send(spawner());
}

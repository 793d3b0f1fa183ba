//! An annotated program is the same program without the feature `macros`: CI builds and runs this with
//! and without it.

use ergometer::track_energy;

struct Trainer {
    batches: Vec<Vec<u32>>,
}

impl Trainer {
    #[track_energy(run)]
    fn train(&self, epochs: u32) -> Result<u64, std::num::TryFromIntError> {
        let mut total = 0;
        let device = || ();
        #[track_energy(epoch, name = "train", index = epoch, sync = device)]
        for epoch in 0..epochs {
            device();
            assert!(epoch < epochs);
            #[track_energy(phase = format!("steps of {epoch}"), report)]
            #[ergometer::track_energy(step, items = batch.len(), unit = "tokens")]
            'batches: for batch in &self.batches {
                #[cfg_attr(all(), track_energy(phase = "forward"), allow(unused_mut))]
                let loss: u32 = batch.iter().sum();
                if loss == 0 {
                    continue 'batches;
                }
                #[track_energy(phase = "optimizer")]
                {
                    total += u64::from(loss);
                    u8::try_from(loss)?;
                }
            }
        }
        Ok(total)
    }
}

#[track_energy(name = format!("{} values", values.len()), items = values.len(), report)]
async fn evaluate(values: &[u32]) -> u32 {
    let mut most = 0;
    #[track_energy(step)]
    for value in values {
        #[track_energy(phase = "wait")]
        let value = std::future::ready(*value).await;
        most = most.max(value);
    }
    most
}

#[test]
fn values_and_control_flow_are_those_of_the_plain_program() {
    let trainer = |batches: &[&[u32]]| Trainer {
        batches: batches.iter().map(|batch| batch.to_vec()).collect(),
    };
    assert_eq!(trainer(&[&[1, 2], &[0], &[3]]).train(2), Ok(12));
    assert!(trainer(&[&[1000]]).train(1).is_err());
}

#[test]
fn futures_are_those_of_the_plain_program() {
    let mut future = std::pin::pin!(evaluate(&[1, 3, 2]));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert_eq!(future.as_mut().poll(&mut context), std::task::Poll::Ready(3));
}

//! What an annotated loop leaves in the record; a process of its own, as the meter is the process's.
#![deny(warnings)]
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use ergometer::record::{Record, SpanNode};
use ergometer::source::DomainKind;
use ergometer::units::Watts;
use ergometer::{Kind, Meter, track_energy};

#[track_energy(run)]
fn train(epochs: usize, batches: &[Vec<u32>]) -> Result<u32, std::num::TryFromIntError> {
    #[track_energy(phase = "setup")]
    let mut total = 0;
    #[track_energy(epoch, name = "train")]
    for _ in 0..epochs {
        #[track_energy(step, items = batch.len(), unit = "tokens")]
        for batch in batches {
            #[track_energy(phase = "forward")]
            let loss = batch.iter().sum::<u32>();
            #[track_energy(phase = "check")]
            u8::try_from(loss)?;
            total += loss;
        }
    }
    Ok(total)
}

#[track_energy]
async fn evaluate() -> u32 {
    #[track_energy(epoch, name = "valid")]
    for _ in 0..1 {
        std::future::ready(()).await;
    }
    3
}

fn finish<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("nothing here waits"),
    }
}

fn tree(nodes: &[SpanNode]) -> String {
    let text = |node: &SpanNode| {
        let kind = serde_json::to_value(node.kind).unwrap();
        let kind = kind.as_str().unwrap();
        format!("{kind}:{} x{} [{}]", node.name, node.count, tree(&node.children))
    };
    let mut texts: Vec<_> = nodes.iter().map(text).collect();
    texts.sort();
    texts.join(", ")
}

fn main() {
    let meter = Meter::builder()
        .without_probe()
        .fixed(DomainKind::Node, Watts::new(100.0))
        .install()
        .unwrap();
    assert_eq!(train(2, &[vec![1, 2], vec![3]]), Ok(12));
    assert!(train(2, &[vec![1], vec![1000]]).is_err());
    assert_eq!(finish(evaluate()), 3);
    let record: Record = meter.finish().unwrap();

    assert_eq!(
        tree(&record.spans),
        "function:evaluate x1 [epoch:valid x1 []], \
         run:train x2 [\
         epoch:train x3 [step:step x6 [phase:check x6 [], phase:forward x6 []]], \
         phase:setup x2 []]"
    );

    let splits: Vec<_> = record.epochs.iter().map(|epoch| epoch.split.as_str()).collect();
    assert_eq!(splits, ["train", "train", "train", "valid"]);
    let steps = record.epochs[0].steps.as_ref().unwrap();
    let items = steps.items.as_ref().unwrap();
    assert_eq!((steps.count, items.count, items.unit.as_str()), (2, 3.0, "tokens"));
    assert!(record.spans.iter().any(|node| node.kind == Kind::Run));
}

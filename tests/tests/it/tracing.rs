//! Spans of `tracing` in the record.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use ergometer::record::{Record, SpanNode};
use ergometer::span::Label;
use ergometer::{EnergyLayer, Kind, Meter};
use tracing::{Dispatch, Instrument as _, field, info_span, instrument};
use tracing_subscriber::prelude::*;

use crate::accounting::{two_domains, work};

/// A meter, and a dispatcher whose spans it measures.
fn traced(layer: EnergyLayer) -> (Meter, Dispatch) {
    let meter = two_domains();
    let layer = layer.with_meter(&meter);
    (meter, Dispatch::new(tracing_subscriber::registry().with(layer)))
}

/// Runs `program` with the spans of `tracing` measured.
fn record(layer: EnergyLayer, program: impl FnOnce(&Meter)) -> Record {
    let (meter, dispatch) = traced(layer);
    tracing::dispatcher::with_default(&dispatch, || program(&meter));
    let record = meter.finish().unwrap();
    let open = record.warnings.iter().find(|line| line.contains("open"));
    assert_eq!(open, None, "every span was closed");
    record
}

/// `kind:name xN [children]`, in the order of the names.
fn tree(nodes: &[SpanNode]) -> String {
    let mut rows: Vec<String> = nodes
        .iter()
        .map(|node| {
            let row = format!("{}:{} x{}", node.kind.as_str(), node.name, node.count);
            if node.children.is_empty() { row } else { format!("{row} [{}]", tree(&node.children)) }
        })
        .collect();
    rows.sort();
    rows.join(", ")
}

fn node<'a>(nodes: &'a [SpanNode], name: &str) -> &'a SpanNode {
    nodes.iter().find(|node| node.name == name).unwrap_or_else(|| panic!("no {name}: {nodes:?}"))
}

mod model {
    use super::*;

    #[instrument(fields(energy.kind = "run"))]
    pub fn train(epochs: u64) {
        for epoch in 0..epochs {
            let span = info_span!(
                "one pass",
                energy.kind = "epoch",
                energy.name = "train",
                energy.index = epoch + 5
            );
            let _entered = span.enter();
            for tokens in [3_usize, 4] {
                step(tokens);
            }
        }
    }

    #[instrument(fields(energy.kind = "step", energy.items = tokens, energy.unit = "tokens"))]
    fn step(tokens: usize) {
        forward();
        unmeasured();
    }

    #[instrument(fields(energy.kind = "phase", energy.items = field::Empty))]
    fn forward() {
        tracing::Span::current().record("energy.items", 2);
        tracing::Span::current().record("energy.items", 0.5);
    }

    #[instrument]
    fn unmeasured() {
        inside();
    }

    #[instrument(fields(energy.name = "deep"))]
    fn inside() {}
}

#[test]
fn fields_make_runs_epochs_and_steps() {
    let record = record(EnergyLayer::new(), |_| model::train(2));
    assert_eq!(
        tree(&record.spans),
        "run:train x1 [epoch:train x2 [step:step x4 [function:deep x4, phase:forward x4]]]"
    );
    let numbers: Vec<u64> = record.epochs.iter().map(|epoch| epoch.index).collect();
    assert_eq!(numbers, [5, 6]);
    let items = record.steps["train"].items.as_ref().unwrap();
    assert_eq!((items.count, items.unit.as_str()), (14.0, "tokens"));
}

#[test]
fn targets_are_modules_and_the_longest_counts() {
    let here = module_path!();
    let layer = EnergyLayer::new()
        .with_target(here, Kind::Phase)
        .with_target(format!("{here}::model"), Kind::Function)
        .with_target(format!("{here}::mod"), Kind::Run);
    let record = record(layer, |_| {
        info_span!("all").in_scope(|| model::train(1));
        info_span!(target: "elsewhere", "not this").in_scope(|| ());
    });
    assert_eq!(
        tree(&record.spans),
        "phase:all x1 [run:train x1 [epoch:train x1 [step:step x2 [function:unmeasured x2 \
         [function:deep x2], phase:forward x2]]]]"
    );
}

#[test]
fn a_span_lasts_from_its_first_enter_to_its_close() {
    let pause = Duration::from_millis(10);
    let record = record(EnergyLayer::new(), |_| {
        let span = info_span!("entered twice", energy.kind = "phase");
        work(pause); // made, and not entered yet
        span.in_scope(|| ());
        work(pause); // between two enters
        span.in_scope(|| info_span!("inside", energy.kind = "phase").in_scope(|| ()));
        info_span!("beside", energy.kind = "phase").in_scope(|| ());
        let begin = std::time::Instant::now();
        drop(span);
        drop(info_span!("never entered", energy.kind = "phase"));
        work(pause.saturating_sub(begin.elapsed()));
    });
    assert_eq!(tree(&record.spans), "phase:beside x1, phase:entered twice x1 [phase:inside x1]");
    let seconds = node(&record.spans, "entered twice").seconds;
    assert!(seconds >= pause.as_secs_f64(), "{seconds}");
    let all = record.total.seconds;
    assert!(seconds <= all - 2.0 * pause.as_secs_f64(), "{seconds} of {all}");
}

#[test]
fn spans_of_the_library_and_of_tracing_are_inside_each_other() {
    let record = record(EnergyLayer::new(), |meter| {
        let run = meter.enter(Label::new(Kind::Run, "outer"));
        let outer = info_span!("traced", energy.kind = "epoch").entered();
        let step = meter.enter(Label::new(Kind::Step, "own"));
        info_span!("innermost", energy.kind = "phase").in_scope(|| ());
        drop(step);
        drop(outer);
        meter.span(Kind::Step).items(1);
        drop(run);
    });
    assert_eq!(
        tree(&record.spans),
        "run:outer x1 [epoch:traced x1 [step:own x1 [phase:innermost x1]], step:step x1]"
    );
}

#[test]
fn a_guard_that_outlives_its_span_loses_nothing() {
    let record = record(EnergyLayer::new(), |meter| {
        let outer = info_span!("outer", energy.kind = "phase").entered();
        let inner = info_span!("inner", energy.kind = "phase").entered();
        let own = meter.enter(Label::new(Kind::Phase, "own"));
        drop(inner.exit());
        meter.enter(Label::new(Kind::Phase, "later")).items(1);
        drop(own);
        drop(outer);
    });
    let outer = node(&record.spans, "outer");
    assert_eq!(tree(&outer.children), "phase:inner x1, phase:own x1 [phase:later x1]");
}

/// Is pending once.
async fn yields() {
    let mut polled = false;
    poll_fn(|_| if std::mem::replace(&mut polled, true) { Poll::Ready(()) } else { Poll::Pending })
        .await;
}

#[instrument(fields(energy.kind = "step", energy.items = items))]
async fn asynchronous(items: u64) {
    yields().await;
    half().instrument(info_span!("second half", energy.kind = "phase")).await;
}

async fn half() {
    yields().await;
}

#[test]
fn futures_that_take_turns_keep_their_spans_apart() {
    let record = record(EnergyLayer::new(), |_| {
        let _run = info_span!("run", energy.kind = "run").entered();
        let mut first = pin!(asynchronous(1));
        let mut second = pin!(asynchronous(2));
        let mut context = Context::from_waker(Waker::noop());
        let mut left = 2;
        while left > 0 {
            // Neither is polled again once it is ready: both need as many polls.
            let ready = [first.as_mut().poll(&mut context), second.as_mut().poll(&mut context)];
            left -= ready.iter().filter(|poll| poll.is_ready()).count();
        }
    });
    assert_eq!(tree(&record.spans), "run:run x1 [step:asynchronous x2 [phase:second half x2]]");
    assert_eq!(record.steps["run"].items.as_ref().unwrap().count, 3.0);
}

#[test]
fn a_span_is_entered_on_several_threads() {
    let record = record(EnergyLayer::new(), |_| {
        let span = info_span!("shared", energy.kind = "phase");
        span.in_scope(|| ());
        thread::scope(|scope| {
            for _ in 0..4 {
                let (span, dispatch) =
                    (span.clone(), tracing::dispatcher::get_default(Clone::clone));
                scope.spawn(move || {
                    tracing::dispatcher::with_default(&dispatch, || {
                        let _entered = span.enter();
                        info_span!("part", energy.kind = "step").in_scope(|| ());
                    });
                });
            }
        });
    });
    assert_eq!(tree(&record.spans), "phase:shared x1 [step:part x4]");
}

#[test]
fn a_parent_that_is_not_entered_here_is_the_parent() {
    let record = record(EnergyLayer::new(), |_| {
        let parent = info_span!("parent", energy.kind = "epoch");
        parent.in_scope(|| ());
        let between = info_span!(parent: &parent, "not measured");
        info_span!("beside", energy.kind = "phase").in_scope(|| {
            info_span!(parent: &between, "child", energy.kind = "step").in_scope(|| ());
            info_span!(parent: None, "root", energy.kind = "phase").in_scope(|| ());
        });
    });
    assert_eq!(
        tree(&record.spans),
        "epoch:parent x1 [step:child x1], phase:beside x1 [phase:root x1]"
    );
}

#[test]
fn without_a_meter_spans_are_tracings_alone() {
    let (meter, dispatch) = traced(EnergyLayer::new());
    let other = Dispatch::new(tracing_subscriber::registry().with(EnergyLayer::new()));
    tracing::dispatcher::with_default(&other, || model::train(1));
    tracing::dispatcher::with_default(&dispatch, || {
        let span = info_span!("over the end", energy.kind = "phase");
        let _entered = span.enter();
        let record = meter.finish().unwrap();
        assert_eq!(tree(&record.spans), "");
    });
    tracing::dispatcher::with_default(&dispatch, || model::train(1));
}

#[test]
fn a_kind_that_is_not_one_is_a_function_and_a_warning() {
    let record = record(EnergyLayer::new(), |_| {
        for _ in 0..2 {
            info_span!("misspelt", energy.kind = "stpe").in_scope(|| {});
        }
        info_span!("empty", energy.kind = "").in_scope(|| {});
        info_span!("function", energy.kind = "function").in_scope(|| {});
    });
    assert_eq!(
        tree(&record.spans),
        "function:empty x1, function:function x1, function:misspelt x2"
    );
    let told: Vec<_> = record.warnings.iter().filter(|line| line.contains("energy.kind")).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("\"stpe\" of the span 'misspelt'"), "{told:?}");
}

#[test]
fn several_layers_of_one_registry_measure_each_span_once_a_meter() {
    let (one, other) = (two_domains(), two_domains());
    let layer = EnergyLayer::new().with_meter(&one);
    let registry = tracing_subscriber::registry()
        .with(layer.clone())
        .with(layer)
        .with(EnergyLayer::new().with_meter(&other))
        .with(EnergyLayer::new());
    tracing::dispatcher::with_default(&Dispatch::new(registry), || {
        let step =
            info_span!("step", energy.kind = "step", energy.items = 3, energy.unit = "tokens");
        step.in_scope(|| {
            step.record("energy.items", 4);
            info_span!("inner", energy.kind = "phase").in_scope(|| {});
        });
        step.in_scope(|| {});
    });
    for meter in [one, other] {
        let record = meter.finish().unwrap();
        assert_eq!(tree(&record.spans), "step:step x1 [phase:inner x1]");
        assert_eq!(record.steps["run"].items.as_ref().unwrap().count, 7.0);
        let open = record.warnings.iter().find(|line| line.contains("open"));
        assert_eq!(open, None);
    }
}

/// As a layer of candle, which has its span from the beginning.
struct Layer {
    span: tracing::Span,
}

impl Layer {
    fn new(name: &'static str) -> Self {
        let span = if name == "outer" {
            tracing::info_span!(target: "held::models", "outer")
        } else {
            tracing::info_span!(target: "held::models", "inner")
        };
        Self { span }
    }

    fn forward(&self, inside: impl FnOnce()) {
        let _entered = self.span.enter();
        work(Duration::from_millis(2));
        inside();
    }
}

#[test]
fn a_span_that_lives_longer_than_its_work_is_measured_at_each_enter() {
    let layer = EnergyLayer::new().with_each_enter_of("held", Kind::Phase);
    let record = record(layer, |meter| {
        let (outer, inner) = (Layer::new("outer"), Layer::new("inner"));
        for _ in 0..3 {
            let _step = meter.span(Kind::Step);
            outer.forward(|| {
                inner.forward(|| ());
                inner.forward(|| ());
            });
        }
        // Idle time is nobody's.
        work(Duration::from_millis(50));
        outer.forward(|| inner.forward(|| outer.forward(|| ())));
        drop(outer);
    });
    assert_eq!(
        tree(&record.spans),
        "phase:outer x1 [phase:inner x1], step:step x3 [phase:outer x3 [phase:inner x6]]"
    );
    let outer = node(&node(&record.spans, "step").children, "outer");
    assert!(outer.seconds < 0.05, "{outer:?}");
}

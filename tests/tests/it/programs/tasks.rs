//! Tasks of tokio: a `JoinSet` of shards, each of which reads its data with `spawn_blocking`.

use std::sync::Arc;

use ergometer::{clock, track_energy};
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinSet, spawn_blocking, yield_now};

use super::{Intervals, assert_between, assert_counts, compute, epochs, node, record_of, sum};

const EPOCHS: usize = 3;
const SHARDS: usize = 12;
const TOKENS: usize = 256;
/// How often a task gives way to others.
const TURNS: usize = 4;

/// What the program timed around its steps, inside of them, and inside of their reads.
#[derive(Default)]
struct Times {
    around: Intervals,
    inside: Intervals,
    reads: Intervals,
}

#[track_energy(phase = "read")]
fn read(times: &Times) {
    times.reads.time(|| compute(50));
}

#[track_energy(step, items = TOKENS, unit = "tokens")]
async fn learn(times: Arc<Times>) {
    let begin = clock::now();
    let step = ergometer::current();
    let reader = Arc::clone(&times);
    spawn_blocking(move || step.scope(|| read(&reader))).await.unwrap();
    for _ in 0..TURNS {
        #[track_energy(phase = "forward")]
        compute(20);
        yield_now().await;
    }
    times.inside.end(begin);
}

#[track_energy(run)]
async fn train(times: Arc<Times>) {
    #[track_energy(epoch, name = "train")]
    for _ in 0..EPOCHS {
        let epoch = ergometer::current();
        let mut tasks = JoinSet::new();
        for _ in 0..SHARDS {
            let times = Arc::clone(&times);
            tasks.spawn(async move {
                let begin = clock::now();
                epoch.future(learn(Arc::clone(&times))).await;
                times.around.end(begin);
            });
        }
        tasks.join_all().await;
    }
}

/// Trains on `runtime` and checks the record.
fn check(test: &str, runtime: &Runtime) {
    let times = Arc::<Times>::default();
    let program = || runtime.block_on(train(Arc::clone(&times)));
    let Some(record) = record_of(test, program) else { return };
    let steps = EPOCHS * SHARDS;
    assert_eq!(epochs(&record), [("train", 1), ("train", 2), ("train", 3)]);
    for epoch in &record.epochs {
        assert_counts(epoch.steps.as_ref().unwrap(), SHARDS, SHARDS * TOKENS);
    }
    let all = &record.steps["train"];
    assert_counts(all, steps, steps * TOKENS);
    // However many steps are open, each moment counts once.
    assert_between(sum(&all.by_domain), times.inside.union(), times.around.union());
    let step = node(&record, &["train", "train", "step"]);
    let [read, forward] = ["read", "forward"].map(|name| {
        let path = ["train", "train", "step", name];
        node(&record, &path)
    });
    assert_eq!((step.count, step.children.len()), (steps as u64, 2));
    assert_eq!((read.count, forward.count), (steps as u64, (TURNS * steps) as u64));
    assert!(read.seconds >= times.reads.total());
    assert!(step.seconds >= times.inside.total() && step.seconds <= times.around.total());
}

#[test]
fn tasks_on_two_workers_are_steps_of_their_epoch() {
    let runtime = Builder::new_multi_thread().worker_threads(2).build().unwrap();
    check("tasks::tasks_on_two_workers_are_steps_of_their_epoch", &runtime);
}

#[test]
fn tasks_that_take_turns_on_one_thread_are_steps_of_their_epoch() {
    let runtime = Builder::new_current_thread().build().unwrap();
    check("tasks::tasks_that_take_turns_on_one_thread_are_steps_of_their_epoch", &runtime);
}

#[track_energy(step)]
async fn endless() {
    loop {
        yield_now().await;
    }
}

/// A training that is given up while a step goes on.
#[track_energy(run)]
async fn give_up() {
    let mut tasks = JoinSet::new();
    tasks.spawn(ergometer::current().future(endless()));
    yield_now().await;
    tasks.shutdown().await;
}

#[test]
fn a_task_that_is_aborted_ends_its_step() {
    let runtime = Builder::new_current_thread().build().unwrap();
    let program = || runtime.block_on(give_up());
    let Some(record) = record_of("tasks::a_task_that_is_aborted_ends_its_step", program) else {
        return;
    };
    assert_eq!(record.steps["run"].count, 1);
    assert_eq!(node(&record, &["give_up", "step"]).count, 1);
}

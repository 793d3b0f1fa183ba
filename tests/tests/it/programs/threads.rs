//! Worker threads: a pool of rayon, whose workers take up other jobs while they wait, and scoped threads.

use std::sync::mpsc;
use std::thread;

use ergometer::record::Record;
use ergometer::track_energy;
use rayon::prelude::*;

use super::{Intervals, assert_between, assert_counts, compute, epochs, node, record_of, sum};

const EPOCHS: usize = 3;
const SHARDS: usize = 24;
const ROWS: usize = 512;
const WORKERS: usize = 4;

/// What the program timed around its steps, inside of them, and inside of the two halves of each.
#[derive(Default)]
struct Times {
    around: Intervals,
    inside: Intervals,
    halves: Intervals,
}

fn pool(workers: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(workers).build().unwrap()
}

#[track_energy(phase = "gradient")]
fn gradient(times: &Times) {
    times.halves.time(|| compute(50));
}

/// A shard, both halves at the same time. While it waits for one its worker may take up another shard.
#[track_energy(step, items = ROWS, unit = "rows")]
fn learn(times: &Times) {
    times.inside.time(|| {
        let step = ergometer::current();
        let half = || step.scope(|| gradient(times));
        rayon::yield_now();
        rayon::join(half, half);
    });
}

#[track_energy(run)]
fn train(times: &Times) {
    #[track_energy(epoch, name = "train")]
    for _ in 0..EPOCHS {
        let epoch = ergometer::current();
        let learn = |_| times.around.time(|| epoch.scope(|| learn(times)));
        (0..SHARDS).into_par_iter().with_max_len(1).for_each(learn);
    }
}

/// The same with a job for each shard.
#[track_energy(run, name = "train")]
fn train_by_jobs(times: &Times) {
    #[track_energy(epoch, name = "train")]
    for _ in 0..EPOCHS {
        let epoch = ergometer::current();
        rayon::scope(|jobs| {
            for _ in 0..SHARDS {
                jobs.spawn(|_| times.around.time(|| epoch.scope(|| learn(times))));
            }
        });
    }
}

fn check(record: &Record, times: &Times) {
    let steps = EPOCHS * SHARDS;
    assert_eq!(epochs(record), [("train", 1), ("train", 2), ("train", 3)]);
    for epoch in &record.epochs {
        assert_counts(epoch.steps.as_ref().unwrap(), SHARDS, SHARDS * ROWS);
    }
    let all = &record.steps["train"];
    assert_counts(all, steps, steps * ROWS);
    // However many steps are open, each moment counts once.
    assert_between(sum(&all.by_domain), times.inside.union(), times.around.union());
    assert!(record.steps_by_name.is_empty(), "{:?}", record.steps_by_name);
    let step = node(record, &["train", "train", "step"]);
    let gradient = node(record, &["train", "train", "step", "gradient"]);
    assert_eq!((step.count, step.children.len()), (steps as u64, 1));
    assert_eq!(gradient.count, 2 * steps as u64);
    assert!(step.seconds >= times.inside.total() && step.seconds <= times.around.total());
    assert!(gradient.seconds >= times.halves.total());
}

#[test]
fn steps_on_a_pool_are_steps_of_their_epoch() {
    let times = Times::default();
    let program = || pool(WORKERS).install(|| train(&times));
    let test = "threads::steps_on_a_pool_are_steps_of_their_epoch";
    let Some(record) = record_of(test, program) else { return };
    check(&record, &times);
}

#[test]
fn a_step_that_a_waiting_worker_takes_up_is_beside_the_one_that_waits() {
    let times = Times::default();
    let program = || pool(1).install(|| train_by_jobs(&times));
    let test = "threads::a_step_that_a_waiting_worker_takes_up_is_beside_the_one_that_waits";
    let Some(record) = record_of(test, program) else { return };
    check(&record, &times);
    let open = times.inside.total() / times.inside.union();
    assert!(open > 1.5, "{open} steps were open at a time");
}

/// Threads load batches while the main thread learns.
#[track_energy(run)]
fn train_beside_loaders(loads: &Intervals, steps: &Intervals) {
    #[track_energy(epoch, name = "train")]
    for _ in 0..EPOCHS {
        let epoch = ergometer::current();
        let (sender, batches) = mpsc::sync_channel(2);
        thread::scope(|threads| {
            for _ in 0..WORKERS {
                let sender = sender.clone();
                threads.spawn(move || {
                    for _ in 0..SHARDS / WORKERS {
                        sender.send(epoch.scope(|| load(loads))).unwrap();
                    }
                });
            }
            drop(sender);
            #[track_energy(step, items = batch, unit = "rows")]
            for batch in batches {
                steps.time(|| compute(80));
            }
        });
    }
}

#[track_energy(phase = "load")]
fn load(loads: &Intervals) -> usize {
    loads.time(|| compute(60));
    ROWS
}

#[test]
fn loaders_on_scoped_threads_are_beside_the_steps() {
    let (loads, times) = (Intervals::default(), Intervals::default());
    let program = || train_beside_loaders(&loads, &times);
    let test = "threads::loaders_on_scoped_threads_are_beside_the_steps";
    let Some(record) = record_of(test, program) else { return };
    let steps = EPOCHS * SHARDS;
    assert_counts(&record.steps["train"], steps, steps * ROWS);
    let epoch = node(&record, &["train_beside_loaders", "train"]);
    let child = |name| epoch.children.iter().find(|node| node.name == name).unwrap();
    let (load, step) = (child("load"), child("step"));
    assert_eq!((load.count, step.count), (steps as u64, steps as u64));
    assert!(load.seconds >= loads.total() && step.seconds >= times.total());
    // Loads and steps share the moments in which both go on.
    let both = sum(&load.by_domain) + sum(&step.by_domain);
    let all = Intervals::default();
    all.0.lock().unwrap().extend(loads.0.lock().unwrap().iter());
    all.0.lock().unwrap().extend(times.0.lock().unwrap().iter());
    assert_between(both, all.union(), epoch.seconds);
}

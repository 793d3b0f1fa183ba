//! Clocks that jump or stand still while Burn's learner trains: the training goes on to its end.
//!
//! What is pretended of a clock happens to the whole process, so each of these runs in one of its own,
//! which is killed when it has not ended in time.

use std::env;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use ergometer::clock::pretend;

use crate::counts;
use crate::training::{EPOCHS, epochs_of, train_with};

/// Set in the process that trains.
const TRAINS: &str = "ERGOMETER_TEST_CLOCKS";
/// A training of two seconds that has not ended by then hangs.
const LIMIT: Duration = Duration::from_mins(2);
const HOUR: i64 = 3_600_000_000_000;

/// Trains in a process of its own, and lets `event` happen in the second epoch.
fn goes_on_after(test: &str, event: fn()) {
    if env::var_os(TRAINS).is_some() {
        return train_through(event);
    }
    let mut child = Command::new(env::current_exe().unwrap())
        .args([&format!("clocks::{test}"), "--exact", "--nocapture"])
        .env(TRAINS, "1")
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if begun.elapsed() > LIMIT {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("the training hangs");
        }
        thread::sleep(Duration::from_millis(10));
    };
    assert!(status.success(), "{status}");
}

fn train_through(event: fn()) {
    let run = train_with(1, |diary| {
        let event = (diary.split == "train").then_some((8, event));
        diary.lasting(Duration::from_millis(50)).interrupted(event)
    });
    for (split, steps) in [("train", 6), ("valid", 3)] {
        let epochs = epochs_of(&run.record, split);
        assert_eq!(epochs.len(), EPOCHS, "{split}");
        assert!(epochs.iter().all(|epoch| counts(epoch).0 == steps), "{split}: {epochs:?}");
    }
}

#[test]
fn a_training_goes_on_when_the_counter_starts_again_at_0() {
    goes_on_after("a_training_goes_on_when_the_counter_starts_again_at_0", pretend::restart);
}

#[test]
fn a_training_goes_on_when_the_counter_jumps_an_hour_ahead() {
    goes_on_after("a_training_goes_on_when_the_counter_jumps_an_hour_ahead", || {
        pretend::jump(HOUR);
    });
}

#[test]
fn a_training_goes_on_when_the_counter_stands_still() {
    goes_on_after("a_training_goes_on_when_the_counter_stands_still", pretend::stand_still);
}

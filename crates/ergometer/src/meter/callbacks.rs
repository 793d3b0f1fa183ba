//! The program's own code, on threads of its own.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::budget::Spent;

/// What is to happen when a budget is used up.
pub(crate) type Callback = Box<dyn FnOnce(Spent) + Send>;

/// For so long the end of a run waits for callbacks that have just begun, so that it can report one that panics.
const PATIENCE: Duration = Duration::from_millis(100);

/// Callbacks that were called. They run on threads of their own, so that one may wait for the meter, or end
/// it, and one that hangs holds up nobody.
#[derive(Clone, Default)]
pub(super) struct Callbacks(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    returned: Condvar,
}

#[derive(Default)]
struct State {
    running: usize,
    warnings: Vec<String>,
}

impl Callbacks {
    /// Calls `callback`, which is dropped when it returns.
    pub(super) fn call(&self, callback: Callback, spent: Spent) {
        let budget = spent.budget;
        self.change(|state| state.running += 1);
        let mine = self.clone();
        let run = move || {
            let panicked = catch_unwind(AssertUnwindSafe(|| callback(spent))).is_err();
            mine.change(|state| {
                state.running -= 1;
                if panicked {
                    let line = format!("what was to happen at the budget of {budget} panicked");
                    state.warnings.push(line);
                }
            });
            mine.0.returned.notify_all();
        };
        if let Err(error) = spawn(run) {
            self.change(|state| {
                state.running -= 1;
                let line = format!("what was to happen at the budget of {budget} did not: {error}");
                state.warnings.push(line);
            });
        }
    }

    /// What was strange about those that have returned, or do so now.
    pub(super) fn warnings(&self) -> Vec<String> {
        let state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        let running = |state: &mut State| state.running > 0;
        let waited = self.0.returned.wait_timeout_while(state, PATIENCE, running);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        std::mem::take(&mut state.warnings)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.state.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

fn spawn(run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name("ergometer budget".to_owned()).spawn(run).map(drop)
}

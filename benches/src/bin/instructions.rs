//! Runs one case, for callgrind: what is counted happens in `counted`.
//!
//! ```text
//! valgrind --tool=callgrind --toggle-collect='*::counted' target/release/instructions span 1000
//! ```

use std::process::ExitCode;

use ergometer::Meter;
use ergometer_benches::{Case, Metered};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let case = arguments.next().and_then(|name| Case::ALL.into_iter().find(|c| c.name() == name));
    let times = arguments.next().and_then(|times| times.parse().ok());
    let (Some(case), Some(times)) = (case, times) else {
        let names = Case::ALL.map(Case::name).join(", ");
        eprintln!("usage: instructions CASE TIMES, where CASE is one of {names}");
        return ExitCode::from(2);
    };
    let metered = case.is_metered().then(Metered::start);
    let meter = metered.as_ref().map(Metered::meter);
    // What happens once a thread is not counted.
    case.run(1, meter);
    counted(case, times, meter);
    ExitCode::SUCCESS
}

#[inline(never)]
fn counted(case: Case, times: u32, meter: Option<&Meter>) {
    case.run(times, meter);
}

//! A run that keeps a journal until it is killed, for the test that kills it.
//!
//! `journal LIBRARY FOLDER HOW` meters the boards of the simulated NVML library at LIBRARY, in epochs
//! of steps, with its journal in FOLDER. It goes on until it is killed, or for about a second and a
//! half, and then ends as HOW says: `killed`, `exit` (`std::process::exit`), `panic`, `drop`, or
//! `fork`, which is `drop` with a forked child that uses its parent's meter;
//! `signalled` goes on until a signal comes, which finishes the run first.

use std::path::Path;
use std::time::{Duration, Instant};
use std::{env, process, thread};

use ergometer::span::Label;
use ergometer::{Devices, Kind, Meter};

/// Nobody needs the process for longer.
const MOST: Duration = Duration::from_mins(1);
const SHORT: Duration = Duration::from_millis(1500);

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [library, folder, how] = arguments.as_slice() else {
        eprintln!("usage: journal LIBRARY FOLDER HOW");
        process::exit(2);
    };
    if let Err(error) = run(Path::new(library), Path::new(folder), how) {
        eprintln!("error: {error}");
        process::exit(2);
    }
}

/// What a child can do with the meter of its parent: 0 if nothing comes of it.
fn use_as_a_child(meter: &Meter) -> u8 {
    let begin = Instant::now();
    // More than the ring of a thread holds.
    for _ in 0..10_000 {
        drop(meter.span(Kind::Step));
    }
    let refused = meter.finish().is_err_and(|error| error.to_string().contains("forked"));
    u8::from(!refused || begin.elapsed() > Duration::from_secs(5))
}

fn run(library: &Path, folder: &Path, how: &str) -> Result<(), Box<dyn std::error::Error>> {
    let nothing = tempfile::tempdir()?;
    let builder = Meter::builder()
        .label("journal")
        .nvml_library(library)
        .devices(Devices::All)
        .sysfs_root(nothing.path())
        .journal(folder);
    let meter =
        if how == "signalled" { builder.finish_on_signal().start()? } else { builder.start()? };
    // Killed, this process cannot tidy up.
    drop(nothing);
    meter.fact("seed", 7);
    if how == "fork" && nvml_sim::forked(|| use_as_a_child(&meter)) != Some(0) {
        return Err("the child failed".into());
    }
    let length = if matches!(how, "killed" | "signalled") { MOST } else { SHORT };
    let end = Instant::now() + length;
    let mut epoch = 0_u32;
    while Instant::now() < end {
        for (split, steps) in [("train", 60), ("valid", 15)] {
            let _epoch = meter.enter(Label::new(Kind::Epoch, split));
            for _ in 0..steps {
                let step = meter.enter(Label::new(Kind::Step, "step").with_unit("tokens"));
                step.items(64_u32);
                thread::sleep(Duration::from_millis(4));
                assert!(how != "panic" || Instant::now() < end, "as asked");
            }
            meter.result("loss", 1.0 / f64::from(epoch + 1));
        }
        epoch += 1;
    }
    match how {
        "exit" => process::exit(0),
        _ => drop(meter),
    }
    // The meter's thread is given the time to write.
    thread::sleep(Duration::from_millis(500));
    Ok(())
}

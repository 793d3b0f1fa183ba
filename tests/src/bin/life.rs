//! A run that gets signals, for the test that sends them.
//!
//! `life FOLDER HOW` keeps its journals in FOLDER, prints a line once it may be signalled, and goes on for a
//! minute at most. HOW says how it lives; see [`run`].

use std::io::{self, BufRead as _, Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{env, process, thread};

use ergometer::source::{Domain, DomainKind, PowerSource, Reading, Request};
use ergometer::units::Watts;
use ergometer::{Kind, Meter, MeterBuilder};
use signal_hook::consts::SIGTERM;
use signal_hook::{flag, low_level};

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Nobody needs the process for longer.
const MOST: Duration = Duration::from_mins(1);
/// What the program's own handler ends it with.
const OWN: i32 = 42;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [folder, how] = arguments.as_slice() else {
        eprintln!("usage: life FOLDER HOW");
        process::exit(2);
    };
    if let Err(error) = run(Path::new(folder), how) {
        eprintln!("error: {error}");
        process::exit(2);
    }
}

fn builder() -> MeterBuilder {
    Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(50.0))
}

fn metered(folder: &Path) -> ergometer::Result<Meter> {
    builder().journal(folder).finish_on_signal().start()
}

fn ready() {
    println!("ready");
    let _ = io::stdout().flush();
}

/// Steps until `end` says so.
fn train(meter: &Meter, end: impl Fn() -> bool) {
    let begin = Instant::now();
    while begin.elapsed() < MOST && !end() {
        let _step = meter.span(Kind::Step);
        thread::sleep(Duration::from_millis(2));
    }
}

fn run(folder: &Path, how: &str) -> Outcome {
    match how {
        // One run.
        "one" => {
            let meter = metered(folder)?;
            ready();
            train(&meter, || false);
        }
        // A second run after a first one.
        "second" => {
            metered(folder)?.finish()?;
            let meter = metered(folder)?;
            ready();
            train(&meter, || false);
        }
        // Three at once.
        "several" => {
            let meters = [metered(folder)?, metered(folder)?, metered(folder)?];
            ready();
            train(&meters[0], || false);
        }
        // In `finish`, which takes half a second.
        "finishing" => {
            let slow = Box::new(SlowToEnd(builder_source()));
            let meter = Meter::builder().without_probe().source(slow);
            let meter = meter.journal(folder).finish_on_signal().start()?;
            train_for(&meter, Duration::from_millis(100));
            ready();
            meter.finish()?;
            // What it would do with the record.
            thread::sleep(MOST);
        }
        // The program's own handler, installed before, later, and after the meter is gone.
        "handler before" => {
            let came = own_handler()?;
            let meter = metered(folder)?;
            ready();
            train(&meter, || came.load(Ordering::Acquire));
            process::exit(OWN);
        }
        "handler later" => {
            let meter = metered(folder)?;
            let came = own_handler()?;
            ready();
            train(&meter, || came.load(Ordering::Acquire));
            process::exit(OWN);
        }
        "dropped, then handler" => {
            drop(metered(folder)?);
            let came = own_handler()?;
            ready();
            let meter = builder().start()?;
            train(&meter, || came.load(Ordering::Acquire));
            process::exit(OWN);
        }
        "dropped" => {
            drop(metered(folder)?);
            ready();
            thread::sleep(MOST);
        }
        "forked" => return forked(folder),
        "forked installs" => return forked_installs(folder),
        "forked at a port" => return forked_at_a_port(),
        _ => return Err(format!("unknown way to live: {how}").into()),
    }
    Ok(())
}

fn train_for(meter: &Meter, time: Duration) {
    let begin = Instant::now();
    train(meter, || begin.elapsed() >= time);
}

fn own_handler() -> io::Result<Arc<AtomicBool>> {
    let came = Arc::default();
    flag::register(SIGTERM, Arc::clone(&came))?;
    Ok(came)
}

/// A signal to a forked child is none to its parent.
fn forked(folder: &Path) -> Outcome {
    let meter = metered(folder)?;
    train_for(&meter, Duration::from_millis(100));
    let child = || {
        let sent = low_level::raise(SIGTERM);
        // For the parent's listener to hear of it, if it could.
        thread::sleep(Duration::from_millis(300));
        u8::from(sent.is_err())
    };
    if nvml_sim::forked(child) != Some(0) {
        return Err("the child failed".into());
    }
    train_for(&meter, Duration::from_millis(300));
    let record = meter.finish()?;
    if !record.run.finished {
        return Err("the parent took its child's signal for its own".into());
    }
    Ok(())
}

/// What is advised in a forked child is what helps.
fn forked_installs(folder: &Path) -> Outcome {
    let meter = builder().journal(folder).install()?;
    let child = || {
        let begin = Instant::now();
        let advice = meter.finish().err().and_then(|error| error.remedy().map(str::to_owned));
        let advised = advice.is_some_and(|advice| advice.contains("start a meter in this process"));
        let own = builder().install().and_then(|own| {
            drop(ergometer::span("in the child"));
            own.finish()
        });
        let counted = own.is_ok_and(|record| record.spans.len() == 1);
        u8::from(!advised || !counted || begin.elapsed() > Duration::from_secs(10))
    };
    if nvml_sim::forked(child) != Some(0) {
        return Err("the child failed".into());
    }
    drop(ergometer::span("in the parent"));
    let record = meter.finish()?;
    let names: Vec<_> = record.spans.iter().map(|span| span.name.as_str()).collect();
    if names != ["in the parent"] {
        return Err(format!("the parent has {names:?}").into());
    }
    // Whoever reads this knows that the process ended by itself.
    io::stdin().lock().lines().next().transpose()?;
    Ok(())
}

fn builder_source() -> ergometer::source::fixed::Fixed {
    ergometer::source::fixed::Fixed::new(DomainKind::Node, Watts::new(50.0), 0.1)
        .unwrap_or_else(|error| panic!("{error}"))
}

/// Takes half a second for its last read.
struct SlowToEnd(ergometer::source::fixed::Fixed);

impl PowerSource for SlowToEnd {
    fn domains(&self) -> &[Domain] {
        self.0.domains()
    }

    fn read(&mut self, request: Request, readings: &mut Vec<Reading>) {
        if request == Request::Last {
            thread::sleep(Duration::from_millis(500));
        }
        self.0.read(request, readings);
    }
}

/// A child holds a copy of the socket at which its parent listened; the address is free all the same.
fn forked_at_a_port() -> Outcome {
    let meter = builder().prometheus(([127, 0, 0, 5], 0)).start()?;
    let address = meter.prometheus().ok_or("no address")?;
    let (mut here, mut lives) = io::pipe()?;
    let (mut end, mut ends) = io::pipe()?;
    let parent = thread::spawn(move || {
        here.read_exact(&mut [0])?;
        drop(meter);
        let again = builder().prometheus(address).start();
        ends.write_all(b"e")?;
        again.map(drop).map_err(io::Error::other)
    });
    let child = || {
        let ended = lives.write_all(b"l").and_then(|()| end.read_exact(&mut [0]));
        u8::from(ended.is_err())
    };
    let child = nvml_sim::forked(child);
    parent.join().map_err(|_| "the thread panicked")??;
    if child == Some(0) { Ok(()) } else { Err("the child failed".into()) }
}

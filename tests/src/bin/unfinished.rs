//! A run that the program does not finish, for the test that looks at what is left of it.
//!
//! `unfinished HOW [FOLDER]` trains for a moment under a meter that keeps its record in FOLDER, if one is given, and
//! then ends as HOW says; see [`run`]. Its energy is 100 W times its time.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use std::{env, io, process, thread};

use ergometer::source::{Domain, DomainKind, PowerSource, Reading, Request, fixed::Fixed};
use ergometer::units::Watts;
use ergometer::{Kind, Meter, MeterBuilder};

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Nobody needs the process for longer.
const MOST: Duration = Duration::from_mins(1);

fn main() -> Outcome {
    let mut arguments = env::args().skip(1);
    let how = arguments.next().unwrap_or_default();
    let mut builder = Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(100.0));
    if let Some(folder) = arguments.next().map(PathBuf::from) {
        builder = builder.output(folder);
    }
    run(&how, builder)
}

/// A hundred steps, of which the last may go wrong.
fn train(meter: &Meter, mut last: impl FnMut() -> Outcome) -> Outcome {
    let _epoch = meter.span(Kind::Epoch);
    for step in 0..100 {
        let _step = meter.span(Kind::Step);
        thread::sleep(Duration::from_millis(1));
        if step == 99 {
            last()?;
        }
    }
    Ok(())
}

fn fails() -> Outcome {
    Err("the loss is NaN".into())
}

fn panics() -> Outcome {
    panic!("as asked")
}

fn run(how: &str, builder: MeterBuilder) -> Outcome {
    match how {
        "fails" => {
            let meter = builder.start()?;
            train(&meter, fails)?;
            meter.finish()?;
        }
        "panics" => {
            let meter = builder.start()?;
            train(&meter, panics)?;
            meter.finish()?;
        }
        "dropped" => {
            let meter = builder.start()?;
            train(&meter, || Ok(()))?;
        }
        "run" => {
            let meter = builder.start()?;
            meter.run(|| train(&meter, || Ok(())))?;
        }
        "run fails" => {
            let meter = builder.start()?;
            if meter.run(|| train(&meter, fails)).is_err() {
                // Which drops nothing.
                process::exit(1);
            }
        }
        "run panics" => {
            let meter = builder.start()?;
            meter.run(|| train(&meter, panics))?;
        }
        "finished" => {
            let meter = builder.install()?;
            drop(ergometer::span("work"));
            meter.budget("1 MWh".parse()?, |_| ())?;
            train(&meter, || Ok(()))?;
            println!("{}", meter.finish()?.to_json()?);
        }
        // Its source hangs from the second read on.
        "hung" => {
            let source = Fixed::new(DomainKind::Gpu, Watts::new(100.0), 0.1)?;
            let hangs = Box::new(Hangs { source, reads: 0 });
            let meter = builder.source(hangs).start()?;
            train(&meter, || Ok(()))?;
        }
        "signal" => {
            let meter = builder.finish_on_signal().start()?;
            println!("ready");
            io::stdout().flush()?;
            let end = Instant::now() + MOST;
            while Instant::now() < end {
                train(&meter, || Ok(()))?;
            }
        }
        _ => return Err(format!("unknown way to end: {how}").into()),
    }
    Ok(())
}

struct Hangs {
    source: Fixed,
    reads: u32,
}

impl PowerSource for Hangs {
    fn domains(&self) -> &[Domain] {
        self.source.domains()
    }

    fn read(&mut self, request: Request, readings: &mut Vec<Reading>) {
        self.reads += 1;
        if self.reads > 1 {
            thread::sleep(MOST);
        }
        self.source.read(request, readings);
    }
}

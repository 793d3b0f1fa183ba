//! A run to which one fault happens, for `cargo xtask reliability`.
//!
//! `fault KIND FOLDER` trains for about two seconds over a source that counts [`WATTS`] by the system's clock,
//! with its journal in FOLDER/journal. After each step it prints what it has done so far as a line of JSON:
//! that is the truth its record is held against, whatever happens to it. The fault comes after a second. A run
//! that gets to its end writes its record to FOLDER/record.json. `fault ranks FOLDER` runs a thousand ranks
//! of five steps each, and writes the record of each.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

use ergometer::clock::{self, pretend};
use ergometer::energy::Method;
use ergometer::source::{Domain, DomainKind, PowerSource, Reading, Request, Sensor, Value};
use ergometer::span::Label;
use ergometer::units::{Joules, Watts};
use ergometer::{Kind, Meter, MeterBuilder};

type Outcome = Result<(), Box<dyn std::error::Error>>;

const WATTS: f64 = 200.0;
const BEFORE: Duration = Duration::from_secs(1);
const AFTER: Duration = Duration::from_millis(1200);
/// Nobody needs the process for longer.
const MOST: Duration = Duration::from_mins(1);
const RANKS: u32 = 1000;
/// Ranks that run at the same time.
const AT_ONCE: u32 = 25;
const EPOCHS_AT_ONCE: u32 = 50_000;
const HOUR: i64 = 3_600_000_000_000;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let done = match arguments.as_slice() {
        [kind, folder] if kind == "ranks" => ranks(Path::new(folder)),
        [kind, folder] => run(kind, Path::new(folder)),
        _ => Err("usage: fault KIND FOLDER".into()),
    };
    if let Err(error) = done {
        eprintln!("error: {error}");
        process::exit(2);
    }
}

/// What a source does when it is read the fifth time.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ill {
    No,
    Hangs,
    Panics,
    /// Each reading takes half a second.
    Slow,
}

/// Counts [`WATTS`] by the system's clock.
struct Counter {
    domain: [Domain; 1],
    begun: Instant,
    reads: u32,
    ill: Ill,
}

impl Counter {
    fn boxed(id: &str, ill: Ill) -> Box<dyn PowerSource> {
        let sensor = Sensor {
            counter_period_s: Some(0.0),
            counter_quantum: Some(Joules::new(1e-6)),
            power_period_s: None,
            power_window_s: None,
            relative_error: 0.01,
            absolute_error: Watts::ZERO,
        };
        let domain = Domain {
            id: id.to_owned(),
            kind: DomainKind::Gpu,
            label: id.to_owned(),
            source: "counter".to_owned(),
            method: Method::Counter,
            sensor,
            pci_address: None,
            power_limit: None,
            note: None,
        };
        Box::new(Self { domain: [domain], begun: Instant::now(), reads: 0, ill })
    }
}

impl PowerSource for Counter {
    fn domains(&self) -> &[Domain] {
        &self.domain
    }

    fn read(&mut self, _: Request, readings: &mut Vec<Reading>) {
        self.reads += 1;
        match self.ill {
            Ill::Hangs if self.reads == 5 => thread::sleep(MOST),
            Ill::Slow if self.reads >= 5 => thread::sleep(Duration::from_millis(500)),
            Ill::Panics => assert!(self.reads < 5, "as asked"),
            _ => {}
        }
        let joules = Joules::new(WATTS * self.begun.elapsed().as_secs_f64());
        readings.push(Reading::new(0, clock::now(), Value::Energy(joules)));
    }
}

/// What the program has done.
struct Done {
    begun: Instant,
    steps: u64,
    epochs: u64,
}

impl Done {
    /// One write, so that a killed program leaves whole lines.
    fn say(&self) {
        let seconds = self.begun.elapsed().as_secs_f64();
        let Self { steps, epochs, .. } = self;
        let line = format!(
            "{{\"steps\":{steps},\"epochs\":{epochs},\"seconds\":{seconds},\"joules\":{}}}\n",
            WATTS * seconds
        );
        // Nobody to tell it to is no reason to stop.
        let _ = io::stdout().write_all(line.as_bytes());
    }

    fn train(&mut self, meter: &Meter, length: Duration) {
        let end = Instant::now() + length;
        while Instant::now() < end {
            let _epoch = meter.enter(Label::new(Kind::Epoch, "train"));
            self.epochs += 1;
            for _ in 0..20 {
                let step = meter.enter(Label::new(Kind::Step, "step").with_unit("tokens"));
                step.items(64_u32);
                thread::sleep(Duration::from_millis(4));
                drop(step);
                self.steps += 1;
                self.say();
            }
        }
    }
}

fn builder(kind: &str, folder: &Path) -> Result<MeterBuilder, Box<dyn std::error::Error>> {
    let mut builder = Meter::builder().label("fault").journal(folder.join("journal"));
    if kind == "probe-hangs" {
        // A file that answers nobody, where the processor's counter would be.
        let zone = folder.join("sys/class/powercap/intel-rapl:0");
        fs::create_dir_all(&zone)?;
        fs::write(zone.join("name"), "package-0\n")?;
        let made = Command::new("mkfifo").arg(zone.join("energy_uj")).status()?;
        if !made.success() {
            return Err("mkfifo failed".into());
        }
        builder = builder.sysfs_root(folder.join("sys")).nvml_library("/nowhere/libnvidia-ml.so.1");
    } else {
        builder = builder.without_probe();
    }
    if matches!(kind, "sigterm" | "sigint") {
        builder = builder.finish_on_signal();
    }
    let ill = match kind {
        "source-hangs" => Ill::Hangs,
        "source-panics" => Ill::Panics,
        "source-slow" => Ill::Slow,
        _ => Ill::No,
    };
    builder = builder.source(Counter::boxed("true", Ill::No));
    if ill != Ill::No {
        builder = builder.source(Counter::boxed("ill", ill));
    }
    Ok(builder)
}

/// What a child can do with the meter of its parent: 0 if nothing comes of it.
fn use_as_a_child(meter: &Meter) -> u8 {
    for _ in 0..10_000 {
        drop(meter.span(Kind::Step));
    }
    u8::from(meter.finish().is_ok())
}

/// The fault, where it is this program's to make; the others are made by whoever started it.
fn happen(kind: &str, folder: &Path, meter: &Meter, done: &mut Done) -> Outcome {
    let ballast = folder.join("journal/ballast");
    match kind {
        "panic" => panic!("as asked"),
        "exit" => process::exit(0),
        "abort" => process::abort(),
        "clock-restarts" => pretend::restart(),
        "clock-ahead" => pretend::jump(HOUR),
        "clock-back" => pretend::jump(-2_000_000_000),
        "clock-stands" => pretend::stand_still(),
        "sleep" => pretend::sleep(Duration::from_hours(1)),
        "wall-set" => pretend::set_wall(HOUR),
        "folder-removed" => fs::remove_dir_all(folder.join("journal"))?,
        "fork" if nvml_sim::forked(|| use_as_a_child(meter)) != Some(0) => {
            return Err("the child failed".into());
        }
        "disk-full" | "disk-full-for-a-second" => {
            // Until nothing more fits in.
            let _ = fs::write(&ballast, vec![0_u8; 1 << 20]);
        }
        "books-lag" => {
            for _ in 0..EPOCHS_AT_ONCE {
                let _epoch = meter.enter(Label::new(Kind::Epoch, "short"));
                drop(meter.span(Kind::Step));
            }
            done.steps += u64::from(EPOCHS_AT_ONCE);
            done.epochs += u64::from(EPOCHS_AT_ONCE);
            done.say();
        }
        _ => {}
    }
    if kind == "disk-full-for-a-second" {
        done.train(meter, AFTER);
        fs::remove_file(&ballast)?;
        done.train(meter, AFTER);
        process::abort();
    }
    Ok(())
}

fn run(kind: &str, folder: &Path) -> Outcome {
    let builder = builder(kind, folder)?;
    let meter = builder.start()?;
    let mut done = Done { begun: Instant::now(), steps: 0, epochs: 0 };
    done.say();
    done.train(&meter, BEFORE);
    happen(kind, folder, &meter, &mut done)?;
    let ended_by_others = matches!(kind, "killed" | "sigterm" | "sigint");
    done.train(&meter, if ended_by_others { MOST } else { AFTER });
    if kind == "dropped" {
        done.say();
        drop(meter);
        return Ok(());
    }
    done.say();
    meter.finish()?.write(folder.join("record.json"))?;
    Ok(())
}

fn ranks(folder: &Path) -> Outcome {
    for first in (0..RANKS).step_by(AT_ONCE as usize) {
        let ranks = (first..first + AT_ONCE).map(|rank| {
            let file = folder.join(format!("{rank}.json"));
            thread::spawn(move || -> ergometer::Result<()> {
                let meter = Meter::builder()
                    .label("ranks")
                    .rank(rank, RANKS)
                    .group("thousand")
                    .without_probe()
                    .source(Counter::boxed(&format!("true-{rank}"), Ill::No))
                    .start()?;
                let epoch = meter.enter(Label::new(Kind::Epoch, "train"));
                for _ in 0..5 {
                    let _step = meter.span(Kind::Step);
                    thread::sleep(Duration::from_millis(10));
                }
                drop(epoch);
                meter.finish()?.write(file)
            })
        });
        let ranks: Vec<_> = ranks.collect();
        for rank in ranks {
            rank.join().map_err(|_| "a rank panicked")??;
        }
    }
    Ok(())
}

//! What the meter says of windows whose energy is known exactly.
//!
//! `cargo xtask accuracy` runs it and writes what it prints to `docs/accuracy.md`.
//!
//! One run meters simulated boards of several generations and curves through the real NVML wrapper.
//! Windows of several lengths are then laid over it at random, and what the record says of each is
//! compared with the integral of the board's curve over exactly that time.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs, process, thread};

use ergometer::clock::{self, Timestamp};
use ergometer::run::Record;
use ergometer::run::record::{Energy, Epoch};
use ergometer::span::Label;
use ergometer::{Kind, Meter};
use nvml_sim::{Machine, monotonic_ns};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// Generations of boards, as the simulated library knows them, and what the table calls them.
const GENERATIONS: [(&str, &str); 4] = [
    ("h100", "H100-like: power 100/25 ms, counter 100 ms"),
    ("a100", "A100-like: power 100/25 ms, counter 100 ms"),
    ("v100", "V100-like: power 20/10 ms, counter 20 ms"),
    ("rtx", "RTX-like: power a 1 s average, counter 100 ms"),
];

/// Curves between 100 W and 400 W, and what the table calls them.
const CURVES: [(&str, &str); 6] = [
    ("square:100:400:130ms", "square 130 ms"),
    ("square:100:400:730ms", "square 730 ms"),
    ("square:100:400:1900ms", "square 1.9 s"),
    ("sine:100:400:130ms", "sine 130 ms"),
    ("sine:100:400:730ms", "sine 730 ms"),
    ("sine:100:400:1900ms", "sine 1.9 s"),
];

/// Lengths of the windows, seconds.
const LENGTHS: [f64; 6] = [0.01, 0.03, 0.1, 0.3, 1.0, 3.0];

/// Settings, all on the command line.
struct Settings {
    library: PathBuf,
    seed: u64,
    seconds: f64,
    windows: u32,
}

fn settings() -> Result<Settings, String> {
    let mut settings = Settings { library: PathBuf::new(), seed: 1, seconds: 90.0, windows: 200 };
    let mut arguments = env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{name} has no value"))?;
        let bad = || format!("{name} {value} is no number");
        match name.as_str() {
            "--library" => settings.library = value.into(),
            "--seed" => settings.seed = value.parse().map_err(|_| bad())?,
            "--seconds" => settings.seconds = value.parse().map_err(|_| bad())?,
            "--windows" => settings.windows = value.parse().map_err(|_| bad())?,
            _ => return Err(format!("{name} is not known")),
        }
    }
    if settings.library.as_os_str().is_empty() {
        return Err("--library names no simulated NVML library".to_owned());
    }
    Ok(settings)
}

fn main() {
    let done = settings().and_then(|settings| run(&settings).map_err(|error| error.to_string()));
    if let Err(error) = done {
        eprintln!("error: {error}");
        process::exit(2);
    }
}

/// A board of every generation under every curve, each with updates at a time of its own.
fn machine(rng: &mut StdRng) -> String {
    let mut text = format!("boards={}", GENERATIONS.len() * CURVES.len());
    for (g, (generation, _)) in GENERATIONS.iter().enumerate() {
        for (c, (curve, _)) in CURVES.iter().enumerate() {
            let board = g * CURVES.len() + c;
            let phase = |rng: &mut StdRng| rng.random_range(0..100_000);
            let (power, counter) = match *generation {
                "h100" | "a100" => ("power=100ms/25ms", "counter=100ms"),
                "v100" => ("power=20ms/10ms", "counter=20ms"),
                _ => ("usage=100ms/1s", "counter=100ms"),
            };
            let (p, q) = (phase(rng), phase(rng));
            let _ = write!(text, "\n{board}.generation={generation};{board}.curve={curve}");
            let _ = write!(text, "\n{board}.{power}@{p}us;{board}.{counter}@{q}us");
        }
    }
    text
}

/// A window: when, and of what length.
struct Window {
    start: Timestamp,
    end: Timestamp,
    length: usize,
}

fn run(settings: &Settings) -> Result<(), Box<dyn std::error::Error>> {
    let mut rng = StdRng::seed_from_u64(settings.seed);
    let folder = tempfile::tempdir()?;
    let library = folder.path().join("libnvidia-ml.so.1");
    fs::copy(&settings.library, &library)?;
    let text = machine(&mut rng);
    fs::write(folder.path().join("libnvidia-ml.so.1.conf"), &text)?;

    let meter = meter(&library, folder.path())?;
    let begin = clock::now();
    thread::sleep(Duration::from_secs_f64(settings.seconds));
    let end = clock::now();
    let mut windows = Vec::new();
    let label = Label::new(Kind::Epoch, "window");
    for (length, seconds) in LENGTHS.iter().enumerate() {
        for _ in 0..settings.windows {
            let room = end.since(begin).as_secs_f64() - seconds;
            let start = begin.after(Duration::from_secs_f64(rng.random_range(0.0..room)));
            let end = start.after(Duration::from_secs_f64(*seconds));
            meter.enter_at(label, start).close_at(end);
            windows.push(Window { start, end, length });
        }
    }
    let record = meter.finish()?;
    windows.sort_by_key(|window| (window.length, window.start));
    report(settings, &Machine::parse(&text)?, &record, &windows)
}

fn meter(library: &Path, nothing: &Path) -> ergometer::Result<Meter> {
    // Only the boards: no sensor of this machine.
    Meter::builder().nvml_library(library).sysfs_root(nothing).proc_root(nothing).start()
}

/// `CLOCK_MONOTONIC` at the origin of the meter's clock, nanoseconds.
fn origin() -> u64 {
    // The two clocks are one; the shortest of a few round trips tells their offset best.
    let trip = || {
        let before = monotonic_ns();
        let at = clock::now().as_nanos();
        let after = monotonic_ns();
        (after - before, before.midpoint(after) - at)
    };
    (0..100).map(|_| trip()).min().map_or(0, |(_, offset)| offset)
}

/// What was said of one board in windows of one length.
#[derive(Default)]
struct Cell {
    errors: Vec<f64>,
    covered: u32,
    covered_without_gain: u32,
}

impl Cell {
    fn take(&mut self, said: &Energy, truth: f64) {
        let error = (said.joules.get() - truth).abs();
        self.errors.push(error / truth);
        let gain = said.parts.gain.get();
        let all = said.standard_uncertainty.get();
        let rest = (all * all - gain * gain).max(0.0).sqrt();
        self.covered += u32::from(error <= 2.0 * all);
        self.covered_without_gain += u32::from(error <= 2.0 * rest);
    }

    /// The error that a share `q` of the windows stays below.
    fn quantile(&self, q: f64) -> f64 {
        let mut errors = self.errors.clone();
        errors.sort_by(f64::total_cmp);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range")]
        let index = ((errors.len() as f64 - 1.0) * q).round() as usize;
        errors[index]
    }

    fn row(&self) -> String {
        let share = |count: u32| f64::from(count) / self.errors.len() as f64 * 100.0;
        format!(
            "{} | {} | {} | {:.0} % | {:.0} %",
            percent(self.quantile(0.5)),
            percent(self.quantile(0.95)),
            percent(self.quantile(1.0)),
            share(self.covered),
            share(self.covered_without_gain)
        )
    }
}

fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent < 1.0 { format!("{percent:.2} %") } else { format!("{percent:.1} %") }
}

fn report(
    settings: &Settings,
    machine: &Machine,
    record: &Record,
    windows: &[Window],
) -> Result<(), Box<dyn std::error::Error>> {
    if record.epochs.len() != windows.len() {
        return Err(format!("{} windows gave {} rows", windows.len(), record.epochs.len()).into());
    }
    // Rows come in the order in which they were booked; by length and start they are told apart.
    let mut rows: Vec<_> = record.epochs.iter().collect();
    rows.sort_by(|a, b| {
        let length =
            |row: &Epoch| LENGTHS.partition_point(|length| *length < 0.99 * row.usage.seconds);
        length(a).cmp(&length(b)).then(a.start_s.total_cmp(&b.start_s))
    });
    let origin = origin();
    println!(
        "Seed {}, {} windows of each length within {} s.",
        settings.seed, settings.windows, settings.seconds
    );
    for (g, (_, generation)) in GENERATIONS.iter().enumerate() {
        println!("\n### {generation}\n");
        println!(
            "| curve | window | median | p95 | worst | within ±2u | without the gain's part |"
        );
        println!("|---|---:|---:|---:|---:|---:|---:|");
        for (c, (_, curve)) in CURVES.iter().enumerate() {
            let board = g * CURVES.len() + c;
            let domain = record
                .domains
                .iter()
                .position(|row| row.domain.id.ends_with(&format!("{board:012x}")))
                .ok_or("a board is missing")?;
            let mut cells: [Cell; LENGTHS.len()] = Default::default();
            for (window, epoch) in windows.iter().zip(&rows) {
                let said = epoch.usage.by_domain[domain].ok_or("a board gave nothing")?;
                let monotonic = |at: Timestamp| origin + at.as_nanos();
                let truth = machine.boards[board]
                    .curve
                    .joules(monotonic(window.start), monotonic(window.end));
                cells[window.length].take(&said, truth);
            }
            for (cell, length) in cells.iter().zip(LENGTHS) {
                let window = if length < 1.0 {
                    format!("{:.0} ms", length * 1e3)
                } else {
                    format!("{length:.0} s")
                };
                println!("| {curve} | {window} | {} |", cell.row());
            }
            if let Some(note) = &record.domains[domain].domain.note {
                eprintln!(
                    "{board} {curve}: {note} {:?} {:?} {} {:?}",
                    record.domains[domain].readings,
                    record.domains[domain].failed_readings,
                    record.domains[domain].domain.sensor.counter_period_s.unwrap_or(0.0),
                    (
                        record.domains[domain].domain.sensor.power_period_s,
                        &record.domains[domain].warnings
                    )
                );
            }
        }
    }
    for line in &record.warnings {
        eprintln!("{line}");
    }
    Ok(())
}

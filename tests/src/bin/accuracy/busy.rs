//! Boards beside threads that keep all processors busy: slow drivers, slow counters, and boards that go away.

use std::error::Error;
use std::fmt::Write as _;
use std::hint::black_box;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{fs, thread};

use ergometer::Record;
use ergometer::clock;
use ergometer::record::Epoch;
use nvml_sim::Machine;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::{Clocks, LENGTHS, Settings, Tally, Window, draw, library, meter, percent, window_name};

/// A run: what the table calls its driver, what a call takes, and whether other threads are busy.
const RUNS: [(&str, &str, bool); 4] = [
    ("quick, nothing else runs", "0ms", false),
    ("quick", "0ms", true),
    ("0.5 ms", "500us", true),
    ("2.4 ms", "2400us", true),
];

/// Counters: milliseconds, and what else the board shows.
const COUNTERS: [(u32, &str); 4] =
    [(20, "20ms/10ms"), (100, "100ms/25ms"), (250, "100ms/25ms"), (1000, "100ms/25ms")];

/// Each counter has a board under each of these.
const CURVES: [&str; 2] = ["square:100:400:730ms", "sine:100:400:1900ms"];

/// Share of the run after which a board goes away, and that after which it is back.
const AWAY: (f64, f64) = (0.3, 0.5);

/// A metered run.
struct Run {
    machine: Machine,
    record: Record,
    windows: Vec<Window>,
    clocks: Clocks,
    /// Share of one core that the meter's threads used: in the first half of the run, and in the second.
    cores: [f64; 2],
}

/// Prints the tables.
pub(super) fn run(settings: &Settings) -> Result<(), Box<dyn Error>> {
    let mut cores = Vec::new();
    println!("| driver | counter | window | median | p95 | worst | covered | without gain |");
    println!("|---|---|---:|---:|---:|---:|---:|---:|");
    for (driver, latency, busy) in RUNS {
        eprintln!("==> driver {driver}, {} s", settings.seconds);
        let run = play(settings, &boards(settings, latency), None, busy)?;
        for (index, (millis, _)) in COUNTERS.iter().enumerate() {
            let boards: Vec<_> =
                (0..CURVES.len()).map(|curve| index * CURVES.len() + curve).collect();
            run.rows(&format!("{driver} | {millis} ms"), &boards)?;
        }
        cores.push((driver, run.cores));
    }
    eprintln!("==> boards lost and back, {} s", settings.seconds);
    let text = boards(settings, RUNS[0].1);
    let lost = text.replace("reload=no", "lost=yes");
    let run = play(settings, &text.replace(";reload=no", ""), Some(&lost), true)?;
    for (index, (millis, _)) in COUNTERS.iter().enumerate() {
        let boards: Vec<_> = (0..CURVES.len()).map(|curve| index * CURVES.len() + curve).collect();
        run.rows(&format!("quick, lost and back | {millis} ms"), &boards)?;
    }
    cores.push(("quick, lost and back", run.cores));
    println!("\n| driver | threads of the meter: first half | second half |");
    println!("|---|---:|---:|");
    for (driver, [first, second]) in cores {
        println!("| {driver} | {} | {} |", percent(first), percent(second));
    }
    Ok(())
}

/// A board for each counter and curve, whose updates come at times of their own.
fn boards(settings: &Settings, latency: &str) -> String {
    let mut rng = StdRng::seed_from_u64(settings.seed);
    let mut text = format!("boards={};reload=no", COUNTERS.len() * CURVES.len());
    let _ = write!(text, ";generation=h100;spin=yes;latency={latency}");
    for (index, (counter, power)) in COUNTERS.iter().enumerate() {
        for (at, curve) in CURVES.iter().enumerate() {
            let board = index * CURVES.len() + at;
            let mut phase = || rng.random_range(0..1_000_000);
            let _ =
                write!(text, ";{board}.curve={curve};{board}.counter={counter}ms@{}us", phase());
            let _ = write!(text, ";{board}.power={power}@{}us", phase());
        }
    }
    text
}

/// Meters boards of these settings, beside `busy` threads or alone; in the middle they are replaced by `away`.
fn play(
    settings: &Settings,
    text: &str,
    away: Option<&str>,
    busy: bool,
) -> Result<Run, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let library = library(settings, folder.path(), text)?;
    let conf = folder.path().join("libnvidia-ml.so.1.conf");
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let threads = if busy { thread::available_parallelism()?.get() } else { 0 };
        for _ in 0..threads {
            scope.spawn(|| work(&over));
        }
        let run = metered(settings, text, &library, &|share| {
            let replaced = away.filter(|_| (AWAY.0..AWAY.1).contains(&share));
            fs::write(&conf, replaced.unwrap_or(text))
        });
        over.store(true, Ordering::Relaxed);
        run
    })
}

fn metered(
    settings: &Settings,
    text: &str,
    library: &Path,
    change: &dyn Fn(f64) -> std::io::Result<()>,
) -> Result<Run, Box<dyn Error>> {
    let mut rng = StdRng::seed_from_u64(settings.seed);
    let nothing = library.parent().ok_or("the library has no folder")?;
    let meter = meter(library, nothing, super::OVERHEAD)?;
    let first = Clocks::both();
    let begin = clock::now();
    let mut cores = [0.0; 2];
    let mut done = 0.0;
    for (core, half) in cores.iter_mut().zip([0.5, 1.0]) {
        let (before, since) = (used()?, Instant::now());
        for share in [AWAY.0, AWAY.1, half] {
            if share > done && share <= half {
                thread::sleep(Duration::from_secs_f64(settings.seconds * (share - done)));
                done = share;
                change(done)?;
            }
        }
        *core = (used()? - before) / since.elapsed().as_secs_f64();
    }
    let windows = draw(settings, &mut rng, &meter, begin);
    let clocks = Clocks::between(first, Clocks::both());
    let record = meter.finish()?;
    Ok(Run { machine: Machine::parse(text)?, record, windows, clocks, cores })
}

impl Run {
    /// Prints a row for each length of windows, over all of `boards`.
    fn rows(&self, title: &str, boards: &[usize]) -> Result<(), Box<dyn Error>> {
        let rows: Vec<&Epoch> = super::sorted(&self.record, &self.windows)?;
        let mut tallies: [Tally; LENGTHS.len()] = Default::default();
        for &board in boards {
            let domain = super::domain(&self.record, board)?;
            for (window, epoch) in self.windows.iter().zip(&rows) {
                // Nothing is stated of what nobody saw.
                let Some(stated) = epoch.usage.by_domain[domain] else { continue };
                let curve = &self.machine.boards[board].curve;
                let (from, to) = (self.clocks.boards(window.start), self.clocks.boards(window.end));
                tallies[window.length].take(&stated, curve.joules(from, to));
            }
            let note = self.record.domains[domain].domain.note.as_deref();
            eprintln!("{title}: {}", note.unwrap_or(""));
            for line in &self.record.domains[domain].warnings {
                eprintln!("  {line}");
            }
        }
        for (tally, length) in tallies.iter().zip(LENGTHS) {
            println!("| {title} | {} | {} |", window_name(length), tally.row());
        }
        Ok(())
    }
}

/// Keeps a processor busy until all is `over`.
fn work(over: &AtomicBool) {
    let mut number = 1_u64;
    while !over.load(Ordering::Relaxed) {
        for _ in 0..1000 {
            number = number.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
        }
        black_box(number);
    }
}

/// Seconds of a processor that the meter's threads of this process have used; they are called after it.
fn used() -> std::io::Result<f64> {
    let mut nanos = 0_u64;
    for thread in fs::read_dir("/proc/self/task")? {
        let folder = thread?.path();
        if fs::read_to_string(folder.join("comm"))?.starts_with("ergometer") {
            let stat = fs::read_to_string(folder.join("schedstat"))?;
            nanos +=
                stat.split_whitespace().next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
        }
    }
    Ok(nanos as f64 * 1e-9)
}

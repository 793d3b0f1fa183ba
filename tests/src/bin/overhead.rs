//! What the meter's threads take of a processor.
//!
//! `overhead LIBRARY SECONDS [SETTINGS]` meters eight boards of the simulated NVML library at LIBRARY and a
//! powercap tree of two packages and two memories, at default rates. Three times SECONDS each — on an otherwise
//! idle machine, while somebody looks at live figures, and beside threads that keep all processors busy — it
//! prints the share of one core that the meter's threads used and how often they woke, as the kernel counts
//! both, and what so many wakes alone take: those of a thread that wakes ten times a second and does nothing. SETTINGS are further ones of the simulated library, as `latency=500us;spin=yes`. What the simulated library does in place of a driver is in it.

use std::fmt::Write as _;
use std::hint::black_box;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

use ergometer::{Devices, Meter};

/// After so long the boards' periods are known so well that their updates are seldom watched.
const SETTLED: Duration = Duration::from_mins(2);
const TIMES: usize = 3;
/// What the meter's threads are called begins so; and the thread that wakes for nothing.
const METERS: &str = "ergometer";
const IDLER: &str = "idler";

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (library, seconds, more) = match arguments.as_slice() {
        [library, seconds] => (library, seconds, ""),
        [library, seconds, more] => (library, seconds, more.as_str()),
        _ => {
            eprintln!("usage: overhead LIBRARY SECONDS [SETTINGS]");
            process::exit(2);
        }
    };
    let seconds = seconds.parse().unwrap_or(20);
    if let Err(error) = run(Path::new(library), Duration::from_secs(seconds), more) {
        eprintln!("error: {error}");
        process::exit(1);
    }
}

fn run(library: &Path, length: Duration, more: &str) -> Result<(), Box<dyn std::error::Error>> {
    // In memory where there is such a folder, as the kernel's own files are.
    let memory = Path::new("/dev/shm");
    let parent = if memory.is_dir() { memory.to_owned() } else { env::temp_dir() };
    let folder = tempfile::tempdir_in(parent)?;
    let copy = folder.path().join("libnvidia-ml.so.1");
    fs::copy(library, &copy)?;
    // Each board's registers are updated at moments of their own.
    let mut settings = "boards=8;generation=h100;curve=square:100:400:730ms;reload=no".to_owned();
    for board in 0..8 {
        let (counter, power) = (board * 37 % 100, (board * 37 + 61) % 100);
        write!(settings, ";{board}.counter=100ms@{counter}ms")?;
        write!(settings, ";{board}.power=100ms/25ms@{power}ms")?;
    }
    write!(settings, ";{more}")?;
    fs::write(folder.path().join("libnvidia-ml.so.1.conf"), settings)?;
    let powercap = folder.path().join("sys/class/powercap");
    for package in 0..2 {
        zone(&powercap.join(format!("intel-rapl:{package}")), &format!("package-{package}"))?;
        zone(&powercap.join(format!("intel-rapl:{package}:0")), "dram")?;
    }

    // Counters that move: one that does not at the start is not used, and one that stands still costs more later.
    let (started, over) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
    let moving = moving(&powercap, Arc::clone(&started), Arc::clone(&over))?;
    let idler = idler(Arc::clone(&over))?;
    let meter = Meter::builder()
        .nvml_library(&copy)
        .devices(Devices::All)
        .sysfs_root(folder.path().join("sys"))
        .start()?;
    started.store(true, Ordering::Relaxed);
    if meter.domains().len() != 12 {
        return Err(format!("12 domains were to be metered: {:?}", meter.domains()).into());
    }
    // What happens once, and the search for the boards' own periods, are not what a run goes on with.
    thread::sleep(SETTLED);
    measure("idle", length)?;
    let looked = Arc::<AtomicBool>::default();
    let looking = looking(meter.clone(), Arc::clone(&looked));
    measure("looked at", length)?;
    looked.store(true, Ordering::Relaxed);
    let _ = looking.join();
    let count = thread::available_parallelism()?.get();
    let busy: Vec<_> = (0..count).map(|_| busy(Arc::clone(&over))).collect();
    measure("busy", length)?;
    over.store(true, Ordering::Relaxed);
    for thread in busy.into_iter().chain([moving, idler]) {
        let _ = thread.join();
    }
    meter.finish()?;
    Ok(())
}

/// Prints what the meter's threads take, `TIMES` times.
fn measure(machine: &str, length: Duration) -> std::io::Result<()> {
    for _ in 0..TIMES {
        let (meters, idler, begin) = (threads(METERS)?, threads(IDLER)?, Instant::now());
        thread::sleep(length);
        let (meters, idler) = (threads(METERS)?.since(&meters), threads(IDLER)?.since(&idler));
        let seconds = begin.elapsed().as_secs_f64();
        let core = |nanos: f64| 100.0 * nanos * 1e-9 / seconds;
        let waking = meters.wakes * idler.nanos / idler.wakes;
        println!(
            "{machine}: core {:.4} %, waking {:.4} %, wakes {:.1} a second",
            core(meters.nanos),
            core(waking),
            meters.wakes / seconds
        );
    }
    Ok(())
}

/// Moves the counters of the powercap tree until all is `over`: a thousand times a second until the meter has `started`, and
/// twenty times from then on.
fn moving(
    powercap: &Path,
    started: Arc<AtomicBool>,
    over: Arc<AtomicBool>,
) -> std::io::Result<thread::JoinHandle<()>> {
    let zones = (0..2)
        .flat_map(|package| [format!("intel-rapl:{package}"), format!("intel-rapl:{package}:0")]);
    let files = zones
        .map(|zone| fs::OpenOptions::new().write(true).open(powercap.join(zone).join("energy_uj")));
    let files: Vec<fs::File> = files.collect::<Result<_, _>>()?;
    Ok(thread::spawn(move || {
        let mut energy = 1_000_000_u64;
        while !over.load(Ordering::Relaxed) {
            // Registers of their own: two that show the same value are taken for one.
            for (number, file) in (0_u64..).zip(&files) {
                let _ =
                    file.write_all_at(format!("{}\n", energy + number * 1_000_000).as_bytes(), 0);
            }
            energy += 10_000;
            let pause = if started.load(Ordering::Relaxed) { 50 } else { 1 };
            thread::sleep(Duration::from_millis(pause));
        }
    }))
}

/// Looks ten times a second at live figures until all is `over`.
fn looking(meter: Meter, over: Arc<AtomicBool>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        while !over.load(Ordering::Relaxed) {
            black_box(meter.live());
            thread::sleep(Duration::from_millis(100));
        }
    })
}

/// Keeps a processor busy until all is `over`.
fn busy(over: Arc<AtomicBool>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let mut number = 1_u64;
        while !over.load(Ordering::Relaxed) {
            for _ in 0..1000 {
                number = number.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
            }
            black_box(number);
        }
    })
}

/// Wakes ten times a second and does nothing until all is `over`.
fn idler(over: Arc<AtomicBool>) -> std::io::Result<thread::JoinHandle<()>> {
    thread::Builder::new().name(IDLER.to_owned()).spawn(move || {
        while !over.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(100));
        }
    })
}

fn zone(folder: &Path, name: &str) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join("name"), format!("{name}\n"))?;
    fs::write(folder.join("energy_uj"), "1000000\n")?;
    fs::write(folder.join("max_energy_range_uj"), "262143328850\n")
}

/// What threads have used since they began.
#[derive(Default)]
struct Used {
    nanos: f64,
    wakes: f64,
}

impl Used {
    /// What they have used since then.
    fn since(&self, before: &Self) -> Self {
        Self { nanos: self.nanos - before.nanos, wakes: self.wakes - before.wakes }
    }
}

/// The threads of this process whose names begin so.
fn threads(name: &str) -> std::io::Result<Used> {
    let mut used = Used::default();
    for thread in fs::read_dir("/proc/self/task")? {
        let folder = thread?.path();
        if !fs::read_to_string(folder.join("comm"))?.starts_with(name) {
            continue;
        }
        let stat = fs::read_to_string(folder.join("schedstat"))?;
        let mut fields = stat.split_whitespace().map(|field| field.parse().unwrap_or(0.0));
        used.nanos += fields.next().unwrap_or(0.0);
        // Time waited, then times run.
        used.wakes += fields.nth(1).unwrap_or(0.0);
    }
    Ok(used)
}

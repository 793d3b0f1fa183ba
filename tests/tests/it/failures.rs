//! Hardware that fails in the middle of a run, and the training that does not notice.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use ergometer::clock;
use ergometer::record::DomainRecord;
use ergometer::record::Record;
use ergometer::source::{Domain, DomainKind, PowerSource, Reading, Request};
use ergometer::span::Label;
use ergometer::{Devices, Kind, Meter};
use nvml_sim::AMPLE_SHARE;

use crate::accounting::{Steady, assert_conserved};
use crate::nvml::{BOARD_0, BOARD_1, Simulated, domain};
use crate::rapl::{Tree, break_zone};

const BOARD_2: &str = "nvml:GPU-00000000-0000-4000-8000-000000000002";

/// Watts of each board, and of each package.
const BOARD: f64 = 300.0;
const PACKAGE: f64 = 80.0;

/// A step of training: always the same work, about a millisecond.
fn compute() -> Duration {
    let begin = Instant::now();
    let mut number = 1.0_f64;
    for _ in 0..100_000 {
        number = std::hint::black_box(number * 1.000_001 + 1e-9);
    }
    assert!(number > 1.0);
    begin.elapsed()
}

/// How long steps took, metered and bare by turns: whatever else the machine does slows both.
#[derive(Default)]
struct Pace {
    metered: Vec<Duration>,
    bare: Vec<Duration>,
}

impl Pace {
    /// The median metered step over the median bare one.
    fn ratio(&self) -> f64 {
        let median = |times: &[Duration]| {
            let mut times = times.to_vec();
            times.sort();
            times[times.len() / 2].as_secs_f64()
        };
        median(&self.metered) / median(&self.bare)
    }
}

/// Trains for `length`, in one epoch.
fn train(meter: &Meter, split: &'static str, length: Duration) -> Pace {
    let mut pace = Pace::default();
    let end = Instant::now() + length;
    let _epoch = meter.enter(Label::new(Kind::Epoch, split));
    while Instant::now() < end {
        let begin = Instant::now();
        let step = meter.enter(Label::new(Kind::Step, "step").with_unit("tokens"));
        step.items(8_u8);
        drop(meter.enter(Label::new(Kind::Phase, "forward")));
        compute();
        drop(step);
        pace.metered.push(begin.elapsed());
        pace.bare.push(compute());
        // Leaves the machine to other tests.
        thread::sleep(Duration::from_millis(8));
    }
    pace
}

/// The registers of two packages, advanced as time goes until the sender is dropped; when it sends
/// something the second turns unreadable.
fn drive_packages(tree: &Tree, orders: &Receiver<()>) {
    let begin = Instant::now();
    let mut zones = vec!["intel-rapl:0", "intel-rapl:1"];
    loop {
        match orders.recv_timeout(Duration::from_millis(2)) {
            Ok(()) => {
                break_zone(&tree.folder("intel-rapl:1"));
                zones.pop();
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        for (zone, start) in zones.iter().zip([1_000_000.0, 7_000_000.0]) {
            let micro = start + PACKAGE * begin.elapsed().as_secs_f64() * 1e6;
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            tree.set(zone, micro as u64);
        }
    }
}

fn joules(row: &DomainRecord) -> f64 {
    row.energy.unwrap().joules.get()
}

fn says(lines: &[String], word: &str) -> bool {
    lines.iter().any(|line| line.contains(word))
}

/// What the boards do, in seconds after the driver was started: the first is lost, the second's driver
/// is loaded anew, the third hangs for 5 s. Meanwhile a package turns unreadable.
const FAILURES: &str = "boards=3;curve=constant:300;0.lost-after=+4s;1.reset-at=+4500ms;\
                        2.hang=+4s..+9s";

#[test]
fn a_board_lost_a_counter_reset_a_package_unreadable_and_a_source_that_hangs_leave_a_whole_record()
{
    let tree = Tree::new().zone("intel-rapl:0", "package-0", 1_000_000).zone(
        "intel-rapl:1",
        "package-1",
        7_000_000,
    );
    let machine = Simulated::new(FAILURES);
    let (packages, orders) = mpsc::channel();
    thread::scope(|scope| {
        let driven = &tree;
        scope.spawn(move || drive_packages(driven, &orders));
        // Dropped here also when the test panics.
        let packages = packages;
        let started = Instant::now();
        let meter = Meter::builder()
            .nvml_library(machine.library())
            .overhead(AMPLE_SHARE)
            .devices(Devices::All)
            .sysfs_root(tree.sys())
            .proc_root(tree.proc())
            .start()
            .unwrap();
        let until =
            |seconds: f64| Duration::from_secs_f64(seconds).saturating_sub(started.elapsed());
        let before = train(&meter, "before", until(3.8));
        packages.send(()).unwrap();
        let during = train(&meter, "during", until(9.2));
        let after = train(&meter, "after", until(10.5));
        let finishing = Instant::now();
        let record = meter.finish().unwrap();
        assert!(finishing.elapsed() < Duration::from_secs(5), "{:?}", finishing.elapsed());
        drop(packages);

        let (quiet, failing) = (before.ratio(), during.ratio());
        assert!(
            failing < 1.5 * quiet.max(1.0),
            "a step takes {failing} of a bare one, not {quiet}"
        );
        let longest = during.metered.iter().max().unwrap();
        assert!(*longest < Duration::from_secs(2), "a step waited for hardware: {longest:?}");

        all_spans_are_there(
            &record,
            &[("before", &before), ("during", &during), ("after", &after)],
        );
        what_was_lost_is_said(&record);
    });
}

fn all_spans_are_there(record: &Record, epochs: &[(&str, &Pace)]) {
    assert_eq!(record.epochs.len(), epochs.len());
    assert_conserved(record);
    let mut steps = 0;
    for (row, (split, pace)) in record.epochs.iter().zip(epochs) {
        let count = pace.metered.len() as u64;
        assert_eq!((row.split.as_str(), row.steps.as_ref().unwrap().count), (*split, count));
        assert_eq!(record.steps[*split].items.as_ref().unwrap().count, 8.0 * count as f64);
        steps += count;
    }
    let counts = record.spans.iter().map(|epoch| {
        let step = &epoch.children[0];
        (epoch.count, step.count, step.children[0].count)
    });
    let phases: u64 = counts
        .map(|(epoch, step, phase)| {
            assert_eq!((epoch, step), (1, phase));
            phase
        })
        .sum();
    assert_eq!(phases, steps);
    assert!(!says(&record.warnings, "open"), "{:?}", record.warnings);
}

fn what_was_lost_is_said(record: &Record) {
    let seconds = record.run.seconds;
    let near = |row: &DomainRecord, watts: f64, share: f64| {
        let off = joules(row) / (watts * seconds) - 1.0;
        assert!(off.abs() < share, "{}: {off:+.4}\n{record}", row.domain.id);
    };

    // Of the package that nothing happened to nothing is missing, and nothing said.
    let untouched = domain(record, "rapl:package-0");
    near(untouched, PACKAGE, 0.02);
    assert_eq!((untouched.failed_readings, untouched.warnings.len()), (0, 0), "{untouched:?}");

    let unreadable = domain(record, "rapl:package-1");
    assert!(says(&unreadable.warnings, "cannot be read"), "{unreadable:?}");
    partly(unreadable, PACKAGE, seconds);

    let lost = domain(record, BOARD_0);
    assert!(says(&lost.warnings, "fell off the bus"), "{lost:?}");
    partly(lost, BOARD, seconds);

    // Power bridges the moment of a reset; after a hang the counter tells what was drawn meanwhile.
    let reset = domain(record, BOARD_1);
    assert!(says(&reset.warnings, "as when the driver is reloaded"), "{reset:?}");
    near(reset, BOARD, 0.05);
    let hung = domain(record, BOARD_2);
    let slow = record.warnings.iter().find(|line| line.contains("to answer once"));
    assert!(slow.is_some_and(|line| line.contains(BOARD_2)), "{:?}", record.warnings);
    near(hung, BOARD, 0.05);
}

/// A domain that was read for about 4 s of the run has the energy of that time, no more than a moment
/// longer, and says for how much of the time it was not observed.
fn partly(row: &DomainRecord, watts: f64, seconds: f64) {
    let energy = row.energy.unwrap();
    let observed = energy.joules.get() / watts;
    assert!((2.5..6.5).contains(&observed), "{observed} s: {row:?}");
    assert!((energy.coverage - observed / seconds).abs() < 0.2, "{row:?}");
    assert!(says(&row.warnings, "not observed for a while"), "{row:?}");
}

/// Answers once, then not until the other end of the channel is dropped.
struct Hanging {
    source: Box<dyn PowerSource>,
    released: Receiver<()>,
    reads: u32,
}

impl PowerSource for Hanging {
    fn domains(&self) -> &[Domain] {
        self.source.domains()
    }

    fn read(&mut self, request: Request, readings: &mut Vec<Reading>) {
        self.reads += 1;
        if self.reads > 1 {
            let _ = self.released.recv();
        }
        self.source.read(request, readings);
    }
}

#[test]
fn a_source_that_hangs_to_the_end_is_not_waited_for_and_named() {
    let (release, released) = mpsc::channel();
    let hanging =
        Hanging { source: Steady::boxed("hanging", DomainKind::Gpu, 300.0), released, reads: 0 };
    let begin = clock::now();
    let meter = Meter::builder()
        .without_probe()
        .source(Box::new(hanging))
        .source(Steady::boxed("going", DomainKind::CpuPackage, 40.0))
        .start()
        .unwrap();
    let pace = train(&meter, "train", Duration::from_millis(300));
    let record = meter.finish().unwrap();
    let took = clock::now().since(begin);
    drop(release);
    assert!(took < Duration::from_secs(6), "{took:?}");
    assert_eq!(record.steps["train"].count, pace.metered.len() as u64);
    let named = |line: &String| line.contains("'hanging' has hung") && line.contains("kept");
    assert!(record.warnings.iter().any(named), "{:?}", record.warnings);
    let going = joules(domain(&record, "going"));
    assert!((going / (40.0 * record.run.seconds) - 1.0).abs() < 1e-6, "{going} J");
}

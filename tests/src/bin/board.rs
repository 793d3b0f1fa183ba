//! A real board under a load that is switched at known times.
//!
//! `board SECONDS FOLDER COMMAND...` meters the machine's boards while COMMAND works on one of them: it reads lines
//! of a kind of work and its seconds, and writes a line when that is done (`docs/measurements/load.py`). Each kind
//! first runs alone, for seconds at a time, which gives its power with next to no error from the moments of updates.
//! Then kinds follow each other as the phases of a training step do, for SECONDS; as halves of a square wave; and as
//! bursts. What the record reports for each phase is printed beside its time × the power of its kind alone, with
//! what the meter's threads took in the second half. Each run's record is written to FOLDER.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, process};

use ergometer::record::SpanNode;
use ergometer::span::Label;
use ergometer::{Kind, Meter, Record};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// Work of one kind for this long, under this label.
type Phase = (&'static str, &'static str, f64);

/// A step of a training; lengths vary by a tenth.
const STEP: [Phase; 4] = [
    ("data", "spin", 0.015),
    ("forward", "matmul", 0.090),
    ("backward", "tensor", 0.180),
    ("optimizer", "copy", 0.040),
];
const SQUARE: [Phase; 2] = [("low", "spin", 0.060), ("high", "tensor", 0.060)];
/// Bursts, each with what is between it and the next.
const BURSTS: [Phase; 8] = [
    ("burst of 10 ms", "tensor", 0.010),
    ("between", "spin", 0.990),
    ("burst of 30 ms", "tensor", 0.030),
    ("between", "spin", 0.970),
    ("burst of 100 ms", "tensor", 0.100),
    ("between", "spin", 0.900),
    ("burst of 300 ms", "tensor", 0.300),
    ("between", "spin", 0.700),
];
const KINDS: [&str; 4] = ["spin", "matmul", "tensor", "copy"];
/// How long a kind runs alone, seconds.
const ALONE: f64 = 5.0;
/// How much of a phase's length is random.
const JITTER: f64 = 0.1;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [seconds, folder, command @ ..] = arguments.as_slice() else {
        eprintln!("usage: board SECONDS FOLDER COMMAND...");
        process::exit(2);
    };
    let done = seconds.parse().map_err(Into::into).and_then(|s| run(s, Path::new(folder), command));
    if let Err(error) = done {
        eprintln!("error: {error}");
        process::exit(1);
    }
}

fn run(seconds: f64, folder: &Path, command: &[String]) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(folder)?;
    let mut load = Load::start(command)?;
    for kind in KINDS {
        load.work(kind, 1.0)?;
    }
    let mut rng = StdRng::seed_from_u64(1);
    let alone = KINDS.map(|kind| (kind, kind, ALONE));
    let runs: [(&str, &[Phase], f64, f64); 5] = [
        ("alone", &alone, 2.0 * ALONE * KINDS.len() as f64, 0.0),
        ("steps", &STEP, seconds, JITTER),
        ("square", &SQUARE, seconds / 2.0, JITTER),
        ("bursts", &BURSTS, seconds, 0.0),
        ("alone-again", &alone, ALONE * KINDS.len() as f64, 0.0),
    ];
    let mut records = BTreeMap::new();
    for (name, phases, seconds, jitter) in runs {
        let meter = boards_only(folder, name)?;
        let begin = Instant::now();
        let (mut before, mut since) = (threads()?, begin);
        while begin.elapsed().as_secs_f64() < seconds {
            // What is learnt in the first half is not what a run goes on with.
            if since == begin && begin.elapsed().as_secs_f64() > seconds / 2.0 {
                (before, since) = (threads()?, Instant::now());
            }
            let _step = meter.span(Kind::Step);
            for (label, kind, length) in phases {
                let length = length * (1.0 + jitter * rng.random_range(-1.0..=1.0));
                let _phase = meter.span(Label::new(Kind::Phase, label));
                load.work(kind, length)?;
            }
        }
        let (after, elapsed) = (threads()?, since.elapsed().as_secs_f64());
        let core = (after.0 - before.0) * 100.0 / elapsed;
        println!(
            "{name}: threads {core:.3} % of a core, {:.1} wakes/s",
            (after.1 - before.1) / elapsed
        );
        let record = meter.finish()?;
        fs::write(folder.join(format!("{name}.json")), record.to_json()?)?;
        records.insert(name, (record, phases));
    }
    let powers = |name| powers(&records[name].0);
    let (before, after) = (powers("alone"), powers("alone-again"));
    let power = |kind: &str| f64::midpoint(before[kind], after[kind]);
    for kind in KINDS {
        println!("{kind} alone: {:.1} W before, {:.1} W after", before[kind], after[kind]);
    }
    for name in ["steps", "square", "bursts"] {
        let (record, phases) = &records[name];
        report(name, record, phases, &power);
    }
    Ok(())
}

/// A meter of nothing but the boards.
fn boards_only(folder: &Path, label: &str) -> Result<Meter, Box<dyn Error>> {
    let nothing = folder.join("nothing");
    fs::create_dir_all(&nothing)?;
    let meter = Meter::builder().label(label).sysfs_root(&nothing).proc_root(&nothing).start()?;
    if meter.domains().is_empty() {
        return Err(format!("no board can be read: {:#?}", meter.sources()).into());
    }
    Ok(meter)
}

/// The nodes of the phases.
fn phases(record: &Record) -> impl Iterator<Item = &SpanNode> {
    record.spans.iter().flat_map(|step| &step.children)
}

fn joules(node: &SpanNode) -> f64 {
    node.by_domain.iter().map(|part| part.get()).sum()
}

/// Mean power of each phase, W.
fn powers(record: &Record) -> BTreeMap<&str, f64> {
    phases(record).map(|node| (node.name.as_str(), joules(node) / node.seconds)).collect()
}

fn report(name: &str, record: &Record, known: &[Phase], power: &impl Fn(&str) -> f64) {
    println!("\n{name}");
    println!("| phase | count | seconds | expected (J) | record (J) | ± 2u | error | error / 2u |");
    println!("|---|---:|---:|---:|---:|---:|---:|---:|");
    let (mut expected_sum, mut sum) = (0.0, 0.0);
    for node in phases(record) {
        let Some((_, kind, _)) = known.iter().find(|(label, ..)| *label == node.name) else {
            continue;
        };
        let expected = node.seconds * power(kind);
        let (got, wide) = (joules(node), 2.0 * node.standard_uncertainty.get());
        println!(
            "| {} | {} | {:.3} | {expected:.1} | {got:.1} | {wide:.1} | {:+.2} % | {:.2} |",
            node.name,
            node.count,
            node.seconds,
            100.0 * (got / expected - 1.0),
            (got - expected).abs() / wide
        );
        (expected_sum, sum) = (expected_sum + expected, sum + got);
    }
    println!("all phases: {sum:.1} J, expected {expected_sum:.1} J");
    for row in &record.domains {
        println!(
            "{}: {} readings, {} failed; counter {:?}, integrated {:?}",
            row.domain.id,
            row.readings,
            row.failed_readings,
            row.counter_joules,
            row.integrated_joules
        );
        for line in row.domain.note.iter().chain(&row.warnings) {
            println!("  {line}");
        }
    }
    for (name, fact) in &record.facts {
        println!("{name}: {fact}");
    }
    for warning in &record.warnings {
        println!("warning: {warning}");
    }
}

/// The program that works on the board; it is ended with this one.
struct Load {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Load {
    fn start(command: &[String]) -> Result<Self, Box<dyn Error>> {
        let (program, arguments) = command.split_first().ok_or("no load is named")?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().ok_or("the load has no output")?);
        Ok(Self { child, input, output })
    }

    /// Has `kind` done for `seconds` and waits for that.
    fn work(&mut self, kind: &str, seconds: f64) -> Result<(), Box<dyn Error>> {
        let input = self.input.as_mut().ok_or("the load has no input")?;
        writeln!(input, "{kind} {seconds:.6}")?;
        input.flush()?;
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            return Err("the load ended".into());
        }
        Ok(())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}

/// Seconds of a processor and wakes of the meter's threads of this process since they began.
fn threads() -> std::io::Result<(f64, f64)> {
    let mut used = (0.0, 0.0);
    for thread in fs::read_dir("/proc/self/task")? {
        let folder = thread?.path();
        if !fs::read_to_string(folder.join("comm"))?.starts_with("ergometer") {
            continue;
        }
        let stat = fs::read_to_string(folder.join("schedstat"))?;
        let mut fields = stat.split_whitespace().map(|field| field.parse().unwrap_or(0.0));
        used.0 += Duration::from_nanos(1).as_secs_f64() * fields.next().unwrap_or(0.0);
        // Time waited, then times run.
        used.1 += fields.nth(1).unwrap_or(0.0);
    }
    Ok(used)
}

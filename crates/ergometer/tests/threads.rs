//! Threads that come and go by the thousand; a program of its own, since it looks at its memory.

use std::thread;

use ergometer::source::DomainKind;
use ergometer::span::Label;
use ergometer::units::Watts;
use ergometer::{Kind, Meter, Span};

const TASK: Label = Label::new(Kind::Phase, "task").with_unit("tokens");
/// Rings of threads that have ended are kept until the meter's thread has taken what is in them, within a second. How many
/// that are depends on how fast threads come: many come before memory is looked at, so that as many were kept then.
const WARM_UP: u32 = 10_000;
const THREADS: u32 = 20_000;
/// A ring that stayed with each thread would be 4 GiB, one page of each 80 MiB.
const MOST_MIB: f64 = 48.0;

fn leave_spans(threads: u32) {
    for _ in 0..threads {
        thread::spawn(|| drop(Span::enter(TASK))).join().unwrap();
    }
}

/// Memory that the process holds, where that can be read.
fn resident_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok()? / 1024.0)
}

#[test]
fn threads_by_the_thousand_are_all_in_the_record_and_leave_no_memory() {
    let meter = Meter::builder()
        .without_probe()
        .fixed(DomainKind::Node, Watts::new(100.0))
        .install()
        .unwrap();
    leave_spans(WARM_UP);
    let before = resident_mib();
    leave_spans(THREADS);
    let grown = resident_mib().zip(before).map(|(after, before)| after - before);
    let record = meter.finish().unwrap();
    assert_eq!(record.spans.len(), 1);
    assert_eq!(record.spans[0].count, u64::from(WARM_UP + THREADS));
    assert!(grown.is_none_or(|mib| mib < MOST_MIB), "{grown:?} MiB more");
}

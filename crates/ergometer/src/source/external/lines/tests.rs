//! Lines whose energy is a closed form of their times.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::*;
use crate::source::DomainKind;
use crate::timeline::Timeline;

/// Seconds since 1970.
fn wall() -> f64 {
    clock::date().as_nanosecond() as f64 * 1e-9
}

/// A file of a folder of its own.
fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wall.csv");
    fs::write(&path, text).unwrap();
    (folder, path)
}

fn append(path: &Path, text: &str) {
    let mut file = fs::OpenOptions::new().append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// So many lines, half a second apart up to half a second before now, of what `value` says at these seconds before now.
fn rows(count: u32, value: impl Fn(f64) -> String) -> String {
    let now = wall();
    let line = |i: u32| {
        let age = f64::from(count - i) * 0.5;
        format!("{:.6},{}\n", now - age, value(age))
    };
    (0..count).map(line).collect()
}

fn read(lines: &mut Lines, request: Request) -> Vec<Reading> {
    let mut readings = Vec::new();
    lines.read(request, &mut readings);
    readings
}

/// Joules between the first and the last of the readings, and what of that time was not observed.
fn energy(lines: &Lines, readings: &[Reading]) -> (f64, f64, f64) {
    let valued: Vec<_> = readings
        .iter()
        .filter(|reading| matches!(reading.value, Value::Power(_) | Value::Energy(_)))
        .collect();
    let (first, last) = (valued[0].at, valued[valued.len() - 1].at);
    let mut line = Timeline::of(&lines.domains()[0], first);
    for reading in readings {
        line.push(reading);
    }
    line.close(last);
    let drawn = line.between(first, last);
    (drawn.joules, drawn.unobserved, last.since(first).as_secs_f64())
}

#[test]
fn constant_power_is_power_times_time_and_a_step_is_where_its_lines_are() {
    let (_folder, path) = file(&rows(16, |_| "100".to_owned()));
    let mut lines = Lines::open(&External::file(&path), 1).unwrap();
    let readings = read(&mut lines, Request::Last);
    assert_eq!(readings.len(), 16);
    let (joules, unobserved, seconds) = energy(&lines, &readings);
    assert!((seconds - 7.5).abs() < 1e-3 && unobserved == 0.0);
    assert!((joules - 750.0).abs() < 0.1, "{joules}");
    assert_eq!(lines.warnings(), Vec::<String>::new());

    // 100 W up to 4 s ago, 400 W since: by the trapezoidal rule the step lies in the middle of its lines.
    let step = |age: f64| if age > 4.1 { "100" } else { "400" }.to_owned();
    let (_folder, path) = file(&rows(16, step));
    let mut lines = Lines::open(&External::file(&path), 1).unwrap();
    let readings = read(&mut lines, Request::Last);
    let (joules, ..) = energy(&lines, &readings);
    let expected = 100.0 * 3.75 + 400.0 * 3.75;
    assert!((joules - expected).abs() < 0.1, "{joules}");
    assert_eq!(lines.domains()[0].kind, DomainKind::Node);
}

#[test]
fn a_counter_gives_its_difference_from_any_origin_and_goes_on_after_a_restart() {
    let text = format!("time,joules\n{}", rows(12, |age| format!("{}", 5e9 - 250.0 * age)));
    let (_folder, path) = file(&text);
    let mut lines = Lines::open(&External::file(&path), 1).unwrap();
    assert_eq!(lines.domains()[0].method, Method::Counter);
    let mut readings = read(&mut lines, Request::Routine);
    let (joules, ..) = energy(&lines, &readings);
    assert!((joules - 250.0 * 5.5).abs() < 0.01, "{joules}");
    // The device starts again at 0: what it counted between two lines is lost, and nothing is negative.
    std::thread::sleep(Duration::from_millis(2));
    append(&path, &format!("{:.6},3\n", wall()));
    std::thread::sleep(Duration::from_millis(2));
    append(&path, &format!("{:.6},13\n", wall()));
    readings.extend(read(&mut lines, Request::Routine));
    assert!(readings.iter().any(|one| matches!(&one.value, Value::Restarted(_))), "{readings:?}");
    let Some(Value::Energy(last)) = readings.last().map(|one| one.value.clone()) else { panic!() };
    assert!((last.get() - (250.0 * 5.5 + 10.0)).abs() < 0.01, "{last}");
}

#[test]
fn a_counter_of_watt_hours_is_exact_where_it_moves_and_says_how_well_it_is_placed() {
    // 1200 W: a watt-hour each 3 s, shown every half second.
    let hours = |age: f64| format!("{}", 3600.0 * ((1200.0 * (1e6 - age)) / 3600.0).floor());
    let (_folder, path) = file(&format!("time,joules\n{}", rows(17, hours)));
    let mut lines = Lines::open(&External::file(&path), 1).unwrap();
    let readings = read(&mut lines, Request::Routine);
    let moved: Vec<(f64, f64)> = readings
        .iter()
        .filter_map(|one| match one.value {
            Value::Energy(joules) => Some((joules.get(), one.within.as_secs_f64())),
            _ => None,
        })
        .collect();
    assert!((3..=4).contains(&moved.len()), "{moved:?}");
    for (index, (joules, within)) in moved.iter().enumerate().skip(2) {
        assert!(
            (joules - 3600.0 * index as f64).abs() < 1e-6 && (within - 0.5).abs() < 1e-3,
            "{moved:?}"
        );
    }
}

#[test]
fn lines_that_cannot_be_used_are_left_out_and_counted_with_the_reason() {
    let now = wall();
    let good = |age: f64| format!("{:.3},60\n", now - age);
    let text = [
        good(3600.0), // from before the start
        good(3.0),
        "connection refused\u{1b}[2J\n".to_owned(),
        good(2.0),
        good(2.5), // goes back
        good(-40.0),
        format!("{:.3},-5\n", now - 1.5),
        good(1.0),
    ]
    .concat();
    let (_folder, path) = file(&text);
    let mut lines = Lines::open(&External::file(&path), 1).unwrap();
    let readings = read(&mut lines, Request::Last);
    let powers = readings.iter().filter(|one| matches!(one.value, Value::Power(_))).count();
    assert_eq!(powers, 3, "{readings:?}");
    let (joules, ..) = energy(&lines, &readings);
    assert!((joules - 120.0).abs() < 0.1, "{joules}");
    let warnings = lines.warnings();
    let [warning] = &warnings[..] else { panic!("{warnings:?}") };
    for part in [
        "external:node: of 7 lines 3 were used",
        "2 lines were not understood, the first 'connection refused",
        "1 line was dated up to 40 s in the future",
        "1 line was not later",
    ] {
        assert!(warning.contains(part), "{part}: {warning}");
    }
    assert!(!warning.contains('\u{1b}'), "{warning:?}");
}

#[test]
fn a_line_that_comes_long_after_its_time_is_late() {
    let (_folder, path) = file(&rows(2, |_| "60".to_owned()));
    let mut lines = Lines::open(&External::file(&path), 1).unwrap();
    lines.opened = lines.opened.before(Duration::from_mins(1));
    append(&path, &format!("{:.3},60\n", wall() - 30.0));
    read(&mut lines, Request::Last);
    let warnings = lines.warnings();
    assert!(warnings[0].contains("1 line was up to 30 s late"), "{warnings:?}");
}

#[test]
fn what_writes_nothing_that_is_of_now_is_not_used_and_the_reason_says_what_it_wrote() {
    let open = |text: &str| {
        let (_folder, path) = file(text);
        let mut feed = Lines {
            domains: [domain(&External::file(&path), 1)],
            place: path.display().to_string(),
            feed: Feed::open(&External::file(&path).origin).unwrap(),
            columns: Columns::default(),
            opened: clock::checked_now(),
            last: None,
            period: None,
            counter: Counter::default(),
            left_out: LeftOut::default(),
            held: Vec::new(),
            read: clock::checked_now(),
            ended: None,
            warnings: Vec::new(),
            witness: None,
        };
        feed.wait(Deadline::after(Duration::from_millis(30)))
    };
    assert!(open("").unwrap_err().contains("no line that is of now"));
    let yesterday = format!("{:.3},60\n", wall() - 86_400.0);
    assert!(open(&yesterday).is_err());
    let wrong = open("W: 60\n").unwrap_err();
    assert!(wrong.contains("1 line was not understood, the first 'W: 60'"), "{wrong}");
    let ahead = open(&format!("{:.3},60\n", wall() + 3600.0)).unwrap_err();
    assert!(ahead.contains("3600 s in the future"), "{ahead}");
    assert_eq!(open(&format!("{:.3},60\n", wall() - 1.0)), Ok(()));
    let missing = Lines::open(&External::file("/nowhere/wall.csv"), 1).err().unwrap();
    assert!(missing.contains("/nowhere/wall.csv cannot be read"), "{missing}");
}

#[cfg(unix)]
#[test]
fn a_command_is_read_and_its_end_is_a_reading_that_is_missing() {
    let line = format!("echo {:.6},60; exit 7", wall());
    let secret = format!("{line} # password");
    let mut lines = Lines::open(&External::command(secret).of(DomainKind::Gpu), 2).unwrap();
    assert_eq!(lines.domains()[0].id, "external:gpu-2");
    assert!(!format!("{:?}", lines.domains()).contains("password"));
    // It may have ended before it was read first.
    let mut readings = read(&mut lines, Request::Routine);
    let mut deadline = Deadline::after(Duration::from_secs(20));
    while lines.ended.is_none() && !deadline.has_passed() {
        lines.read(Request::Routine, &mut readings);
    }
    assert_eq!(readings[0].value, Value::Power(Watts::new(60.0)));
    assert!(
        matches!(&readings[1].value, Value::Missing(why) if why.contains("the command")),
        "{readings:?}"
    );
    // It is reported once; then nothing is read, which is not a power of 0.
    assert_eq!(read(&mut lines, Request::Last), Vec::new());
}

#[test]
fn a_line_of_a_whole_second_stands_for_its_middle_and_never_for_the_future() {
    let (_folder, path) = file(&format!("{:.0},60\n", wall().floor() - 1.0));
    let mut lines = Lines::open(&External::file(&path), 1).unwrap();
    append(&path, &format!("{:.0},60\n", wall().floor()));
    let readings = read(&mut lines, Request::Routine);
    assert_eq!(readings.len(), 2);
    for reading in &readings {
        assert!(reading.at <= clock::checked_now() && reading.within >= Duration::from_millis(500));
    }
    let apart = readings[1].at.since(readings[0].at).as_secs_f64();
    assert!((0.49..=1.01).contains(&apart), "{apart}");
}

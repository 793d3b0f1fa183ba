//! Settings in, machine out.

#![allow(clippy::float_cmp, reason = "figures that are passed on, not worked out")]

use proptest::prelude::*;

use super::*;

fn only(settings: &str) -> Board {
    Machine::parse_since(settings, 5_000 * MS).unwrap().boards.remove(0)
}

#[test]
fn settings_for_all_and_for_one_board() {
    let machine = Machine::parse(
        "boards=2;curve=square:100:400:730ms;power=100ms/25ms\ncounter=none;1.counter=20ms;1.lost=yes",
    )
    .unwrap();
    let [first, second] = &machine.boards[..] else { panic!("two boards") };
    assert_eq!(
        first.curve,
        Curve::Square { low: 100.0, high: 400.0, period_ns: 730 * MS, duty: 0.5 }
    );
    assert_eq!((first.counter_ns, second.counter_ns), (None, Some(20 * MS)));
    assert_eq!((first.lost, second.lost), (false, true));
}

#[test]
fn what_is_not_understood_is_named() {
    for (text, named) in [
        ("curve=triangle:1:2:3ms", "triangle"),
        ("curve=square:1:2:0ms", "0ms"),
        ("curve=square:1:2:3ms:1.5", "1.5"),
        ("curve=noise:1:2:0ms:4", "0ms"),
        ("curve=noise:1:2:9999999999s:4", "9999999999s"),
        ("curve=trace:/nowhere.csv", "/nowhere.csv"),
        ("bords=2", "bords"),
        ("boards=99999999999", "99999999999"),
        ("gain=NaN", "NaN"),
        ("curve=constant:inf", "inf"),
        ("limit=1e300", "1e300"),
        ("boards=0;bords=2", "bords"),
        ("3.lost=yes", "'3'"),
        ("lost=maybe", "maybe"),
        ("boards", "boards"),
        ("generation=z80", "z80"),
        ("architecture=mos", "mos"),
        ("brand=acorn", "acorn"),
        ("counter=100ms@soon", "soon"),
        ("power=100ms@37ms", "100ms"),
        ("hang=+1s", "+1s"),
        ("errors=every:0:timeout", "every:0"),
        ("errors=every:3:boredom", "boredom"),
        ("garbage=3", "'3'"),
        ("utilisation=12", "12"),
        ("mig-instances=8", "'8'"),
        ("compute=9", "'9'"),
    ] {
        let error = Machine::parse(text).unwrap_err().to_string();
        assert!(error.contains(named), "{text}: {error}");
    }
}

#[test]
fn a_generation_is_less_than_any_other_setting() {
    let machine = Machine::parse(
        "boards=2;limit=123;power=20ms/20ms;1.generation=pascal;generation=h100;1.limit=77",
    )
    .unwrap();
    let [first, second] = &machine.boards[..] else { panic!("two boards") };
    assert_eq!(
        (&first.name[..], &second.name[..]),
        ("NVIDIA H100 80GB HBM3", "Tesla P100-SXM2-16GB")
    );
    assert_eq!((first.limit, second.limit), (123.0, 77.0));
    assert_eq!((first.counter_ns, second.counter_ns), (Some(100 * MS), None));
    for board in [first, second] {
        assert_eq!(board.power.unwrap().window_ns, 20 * MS);
    }
}

#[test]
fn each_generation_has_its_sensors() {
    for (name, power, usage, average, counter, limit) in [
        ("h100", Some((100, 25)), Some((100, 1000)), Some((100, 1000)), Some(100), 700.0),
        ("a100", Some((100, 25)), Some((100, 25)), None, Some(100), 400.0),
        ("v100", Some((20, 10)), Some((20, 10)), None, Some(20), 300.0),
        ("rtx", None, Some((100, 1000)), Some((100, 1000)), Some(100), 350.0),
        ("pascal", Some((20, 10)), Some((20, 10)), None, None, 300.0),
        ("vgpu", None, None, None, None, 0.0),
    ] {
        let board = only(&format!("generation={name}"));
        let millis = |sensor: Option<Sensor>| {
            sensor.map(|sensor| (sensor.period_ns / MS, sensor.window_ns / MS))
        };
        assert_eq!(millis(board.power), power, "{name}");
        assert_eq!(millis(board.usage), usage, "{name}");
        assert_eq!(millis(board.average), average, "{name}");
        assert_eq!(board.counter_ns.map(|nanos| nanos / MS), counter, "{name}");
        assert_eq!(board.limit, limit, "{name}");
        assert_eq!(board.product.vgpu, name == "vgpu");
        assert_eq!(board.faults, Faults::default(), "{name}");
    }
}

#[test]
fn moments_are_absolute_or_after_init() {
    let faults = only("stuck-after=7s;reset-at=+7s;lost-after=8000000000ns;hang=+1s..9s").faults;
    assert_eq!(faults.stuck_after, Some(7_000 * MS));
    assert_eq!(faults.reset_at, Some(12_000 * MS));
    assert_eq!(faults.lost_after, Some(8_000 * MS));
    assert_eq!(faults.hang, Some((6_000 * MS, 9_000 * MS)));
    assert_eq!(only("start=+250ms").start_ns, 5_250 * MS);
}

#[test]
fn phases_users_and_faults_are_read() {
    let board = only(
        "power=100ms/25ms@37ms;counter=100ms@61ms;utilisation=12:30,13:60;counter-gain=0.5;\
         disturb=16ms;latency=2ms;power-latency=1ms;errors=every:3:unknown;garbage=every:7",
    );
    assert_eq!(board.power.unwrap().phase_ns, 37 * MS);
    assert_eq!((board.counter_ns, board.counter_phase_ns), (Some(100 * MS), 61 * MS));
    assert_eq!(
        board.utilisation,
        Some(vec![Process { pid: 12, sm: 30 }, Process { pid: 13, sm: 60 }])
    );
    assert_eq!(board.counter_gain, Some(0.5));
    assert_eq!(
        board.faults,
        Faults {
            disturb_ns: Some(16 * MS),
            latency_ns: 2 * MS,
            power_latency_ns: MS,
            errors: Some(Errors { every: 3, kind: ErrorKind::Unknown }),
            garbage: Some(7),
            ..Faults::default()
        }
    );
    assert_eq!(only("disturb=none;errors=none;garbage=none;hang=none").faults, Faults::default());
    assert_eq!(only("utilisation=none").utilisation, Some(Vec::new()));
}

/// Settings with what else may stand in their places.
fn pair() -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec![
        "boards",
        "init",
        "generation",
        "curve",
        "power",
        "usage",
        "average",
        "counter",
        "gain",
        "counter-gain",
        "start",
        "limit",
        "mig",
        "mig-instances",
        "utilisation",
        "compute",
        "hang",
        "lost-after",
        "disturb",
        "latency",
        "errors",
        "garbage",
        "0.curve",
        "7.limit",
        ".",
        "x",
    ]);
    let value = prop_oneof![
        3 => prop::sample::select(vec![
            "2", "none", "h100", "constant:250", "square:1:2:3ms", "sine:1:2:3s", "ramp:0:9:1us",
            "noise:1:2:10ms:4", "100ms/25ms@37ms", "12:30,13:60", "+1s..9s", "every:3:timeout",
            "every:7", "8.6", "-1", "1e308", "NaN", "99999999999999999999", "18446744073709551615s",
            "18446744073709551615ns", "noise:1:2:4503599627370496ns:1", "square:1e308:-1e308:1ns:1",
        ]).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    (key, value).prop_map(|(key, value)| format!("{key}={value}"))
}

proptest! {
    #[test]
    fn whatever_the_settings_it_is_a_machine_or_a_reason(
        pairs in prop::collection::vec(pair(), 0..5),
        at in any::<u64>(),
    ) {
        match Machine::parse_since(&pairs.join(";"), at) {
            Ok(machine) => {
                for board in &machine.boards {
                    prop_assert!(board.limit.is_finite() && board.gain.is_finite());
                    // All of a boot and any part of it.
                    for (from, to) in [(0, at), (at / 2, at), (at, at)] {
                        let joules = board.curve.joules(from, to);
                        prop_assert!(joules.is_finite(), "{joules} J in {from}..{to} of {board:?}");
                    }
                }
            }
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }

    #[test]
    fn any_numbers_are_a_trace_or_refused(
        rows in prop::collection::vec((any::<f64>(), any::<f64>()), 0..6),
    ) {
        let lines: Vec<String> = rows.iter().map(|(s, watts)| format!("{s},{watts}")).collect();
        if let Ok(levels) = crate::curve::Levels::trace(&lines.join("\n")) {
            prop_assert!(levels.joules().is_finite() && levels.period_ns() > 0);
        }
    }
}

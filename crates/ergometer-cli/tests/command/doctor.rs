//! `ergometer doctor`.

use nvml_sim::Installed;

use crate::program::{argument, checked, ends_with, ergometer, text};

#[test]
fn every_source_says_why_it_is_not_there_and_what_would_help() {
    let output = ends_with(0, &["doctor", "--seconds", "0.1"]);
    let printed = text(&output.stdout);
    for source in ["nvml", "rapl", "perf", "hwmon", "cpu-model"] {
        let line = printed.lines().find(|line| line.starts_with(source));
        assert!(line.is_some_and(|line| line.contains("unavailable: ")), "{source}: {printed}");
    }
    assert!(printed.matches("remedy: ").count() >= 5, "{printed}");
    assert!(printed.contains("would have no energy"), "{printed}");
    assert!(!printed.contains('\u{1b}'), "colour in a pipe: {printed}");
}

#[test]
fn what_is_required_and_not_measured_is_exit_code_1() {
    for what in ["gpu", "cpu", "dram", "gpu,dram"] {
        let output = ends_with(1, &["doctor", "--seconds", "0.1", "--require", what]);
        assert!(text(&output.stdout).contains("required and not measured: "), "{what}");
    }
    // A stated power is not a sensor.
    let stated = ["doctor", "--seconds", "0.1", "--fixed", "gpu=250", "--require", "gpu"];
    ends_with(1, &stated);
    ends_with(2, &["doctor", "--require", "tpu"]);
}

#[test]
fn a_board_is_shown_with_its_rate_resolution_uncertainty_and_power() {
    let machine = Installed::new("boards=2;generation=h100;curve=constant:300");
    let library = machine.library();
    let doctor = |more: &[&str]| {
        let arguments = [&["doctor", "--require", "gpu"][..], more].concat();
        let mut command = ergometer(&arguments);
        text(&checked(0, command.env("ERGOMETER_NVML_LIBRARY", argument(&library))).stdout)
    };
    let printed = doctor(&[]);
    let nvml = printed.lines().find(|line| line.starts_with("nvml")).unwrap();
    assert!(nvml.contains("available: nvml:GPU-"), "{nvml}");
    let boards: Vec<&str> = printed.lines().filter(|line| line.contains("gpu ")).collect();
    assert_eq!(boards.len(), 2, "{printed}");
    for board in boards {
        for part in ["nvml", "counter", "1.00 mJ", "± 10.0 %", " W"] {
            assert!(board.contains(part), "{part}: {board}");
        }
    }
    let found: serde_json::Value = serde_json::from_str(&doctor(&["--json"])).unwrap();
    assert_eq!(found["domains"].as_array().unwrap().len(), 2);
    assert_eq!(found["missing"].as_array().unwrap().len(), 0);
    let watts = found["domains"][0]["mean_power"].as_f64().unwrap();
    assert!((watts - 300.0).abs() < 45.0, "{watts}");
    assert!(found["sources"][1]["availability"]["remedy"].is_string(), "{found}");
}

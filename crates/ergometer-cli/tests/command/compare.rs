//! `ergometer compare`.

use std::fs;
use std::path::Path;

use ergometer::Record;
use ergometer::units::Joules;

use crate::program::{argument, ends_with, json, prints, text};
use crate::records::{meter, record};

/// A record of `joules` in `folder`, from sensors with a gain error of 5 % and nothing else.
fn of_joules(folder: &Path, name: &str, joules: f64) -> String {
    fs::create_dir_all(folder).unwrap();
    let (path, mut record) = record(folder, name, meter("run", 50.0));
    let scale = joules / record.total.energy.unwrap().joules.get();
    let scaled = |energy: &mut ergometer::energy::Energy| {
        energy.joules = energy.joules * scale;
        energy.parts = ergometer::energy::Uncertainty {
            gain: energy.joules * 0.05,
            ..ergometer::energy::Uncertainty::default()
        };
        energy.standard_uncertainty = energy.parts.standard();
    };
    record.total.energy.iter_mut().for_each(scaled);
    record.total.by_domain.iter_mut().flatten().for_each(scaled);
    for row in &mut record.domains {
        row.energy.iter_mut().for_each(scaled);
    }
    for steps in record.steps.values_mut() {
        steps.by_domain = vec![Joules::new(joules)];
    }
    record.write(&path).unwrap();
    argument(&path).to_owned()
}

#[test]
fn a_rise_beyond_the_interval_fails_and_noise_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let base = of_joules(folder.path(), "base.json", 1000.0);
    // Two single runs are known to about ± 5.5 % of each other, at an assumed 2 % each.
    for (joules, code) in [(900.0, 0), (1000.0, 0), (1040.0, 0), (1090.0, 0), (1200.0, 1)] {
        let new = of_joules(folder.path(), "new.json", joules);
        let output = ends_with(code, &["compare", &base, &new, "--fail-above", "5%"]);
        let printed = text(&output.stdout);
        let verdict = if code == 0 { "passed: " } else { "failed: energy rose" };
        assert!(printed.contains(verdict), "{joules}: {printed}");
        assert!(printed.contains("is assumed"), "{printed}");
    }
}

#[test]
fn the_same_sensors_cancel_and_the_interval_is_that_of_the_runs() {
    let folder = tempfile::tempdir().unwrap();
    let base = of_joules(folder.path(), "base.json", 1000.0);
    let new = of_joules(folder.path(), "new.json", 1100.0);
    let found = json(&["compare", "--json", "--run-spread", "1%", &base, &new]);
    let energy = &found["metrics"][0];
    assert_eq!(energy["metric"], "energy");
    assert!((energy["relative"].as_f64().unwrap() - 0.1).abs() < 1e-9);
    let half = 1.1 * 1.959_964 * 0.01 * 2.0_f64.sqrt();
    let low = energy["interval_95"]["low"].as_f64().unwrap();
    assert!((low - (0.1 - half)).abs() < 1e-6, "{low}");
    // Three steps of 1000 J in all, and of 1100 J.
    let step = &found["metrics"][3];
    assert_eq!(step["metric"], "energy-per-step");
    assert!((step["base"].as_f64().unwrap() - 1000.0 / 3.0).abs() < 1e-6, "{step}");
    assert_eq!(found["results"][0]["name"], "loss");
}

#[test]
fn repeated_runs_say_themselves_how_much_they_differ() {
    let folder = tempfile::tempdir().unwrap();
    let side = |name: &str, all: &[f64]| {
        let folder = folder.path().join(name);
        for (index, joules) in all.iter().enumerate() {
            of_joules(&folder, &format!("{index}.json"), *joules);
        }
        argument(&folder).to_owned()
    };
    let quiet = side("quiet", &[999.0, 1000.0, 1001.0]);
    let higher = side("higher", &[1079.0, 1080.0, 1081.0]);
    ends_with(1, &["compare", &quiet, &higher, "--fail-above", "5%"]);
    // The same means, but the runs scatter: no change can be shown.
    let noisy = side("noisy", &[900.0, 1000.0, 1100.0]);
    let scattered = side("scattered", &[980.0, 1080.0, 1180.0]);
    let printed =
        text(&ends_with(0, &["compare", &noisy, &scattered, "--fail-above", "5%"]).stdout);
    assert!(printed.contains("within noise") && !printed.contains("is assumed"), "{printed}");
}

#[test]
fn what_cannot_be_compared_is_an_error_and_what_differs_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let (a, _) = record(folder.path(), "a.json", meter("one", 50.0));
    let (b, _) = record(folder.path(), "b.json", meter("two", 60.0));
    let printed = prints(&["compare", argument(&a), argument(&b)]);
    assert!(printed.contains("different labels: one | two"), "{printed}");
    let (none, _) = record(folder.path(), "none.json", ergometer::Meter::builder().without_probe());
    assert!(Record::read(&none).unwrap().total.energy.is_none());
    let arguments = ["compare", argument(&a), argument(&none), "--fail-above", "5%"];
    let error = text(&ends_with(2, &arguments).stderr);
    assert!(error.contains("a side has no energy"), "{error}");
    ends_with(2, &["compare", argument(&a), argument(&b), "--fail-above", "much"]);
}

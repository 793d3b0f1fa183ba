//! `report --format folded`, `flamegraph` and `svg`.

use std::fs;
use std::path::Path;

use crate::made::{HOSTILE, file, made, month, report, total};
use crate::markup::assert_well_formed;
use crate::program::{argument, ends_with, prints, text};

#[test]
fn folded_stacks_sum_to_the_run_in_millijoules_and_have_one_frame_a_span() {
    let folder = tempfile::tempdir().unwrap();
    let record = made(HOSTILE);
    let path = file(folder.path(), "run.json", &record);
    let stacks = report(&path, "folded");
    let mut sum = 0.0;
    for line in stacks.lines() {
        let (stack, count) = line.rsplit_once(' ').unwrap();
        let count: u64 = count.parse().unwrap_or_else(|_| panic!("{line}"));
        assert!(stack.split(';').all(|frame| !frame.is_empty()) && count > 0, "{line}");
        assert!(stack.split(';').count() <= 4, "a name has become a frame: {line}");
        sum += count as f64 / 1e3;
    }
    let rounding = 5e-4 * stacks.lines().count() as f64;
    assert!((sum - total(&record)).abs() <= rounding, "{sum} J of {} J", total(&record));
    assert!(stacks.contains(";epoch train;step;phase forward "), "{stacks}");
    let svg = report(&path, "flamegraph");
    assert_well_formed(&svg);
    assert!(svg.contains("phase forward: ") && !svg.contains("<script"), "{svg}");
}

#[test]
fn each_plot_is_one_drawing_that_needs_nothing_else() {
    // Left there to be looked at.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let records = [("plot-small", made(HOSTILE)), ("plot-month", month())];
    for (name, record) in records {
        let path = file(folder, &format!("{name}.json"), &record);
        for plot in ["power", "domains", "epochs", "steps", "phases", "forecasts"] {
            let arguments = ["report", argument(&path), "--format", "svg", "--plot", plot];
            if plot == "forecasts" && name == "plot-small" {
                let error = text(&ends_with(2, &arguments).stderr);
                assert!(error.contains("--plot forecasts"), "{error}");
                continue;
            }
            let svg = prints(&arguments);
            fs::write(folder.join(format!("{name}-{plot}.svg")), &svg).unwrap();
            assert_well_formed(&svg);
            assert!(
                svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"760\""),
                "{svg}"
            );
            assert_eq!(svg.matches("<svg").count(), 1, "{plot}");
            // A file has no page whose colour it could take.
            assert!(!svg.contains("currentColor") && !svg.contains("var("), "{plot}");
            assert_eq!(svg.matches("http").count(), 1, "{plot}");
            assert!(!svg.contains("<script") && !svg.contains("NaN"), "{plot}");
        }
    }
}

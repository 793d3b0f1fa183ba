//! What all forms of `report` have in common.

use std::fs;

use ergometer::source::DomainKind;
use ergometer::units::Watts;
use ergometer::{Kind, Meter};

use crate::made::{file, made, report};
use crate::program::{argument, ends_with, ergometer, prints, text, wait_for};

#[test]
fn a_form_of_one_record_refuses_several_and_a_record_without_energy_has_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "run.json", &made("one"));
    for format in ["flamegraph", "model-card", "svg", "tensorboard"] {
        let arguments = ["report", argument(&path), argument(&path), "--format", format];
        let error = text(&ends_with(2, &arguments).stderr);
        assert!(error.contains(format) && error.contains("merge"), "{error}");
    }
    let unread = Meter::builder().without_probe().start().unwrap().finish().unwrap();
    let path = file(folder.path(), "unread.json", &unread);
    for format in ["folded", "flamegraph", "model-card", "sci"] {
        let error = text(&ends_with(2, &["report", argument(&path), "--format", format]).stderr);
        assert!(error.contains("no energy") && error.contains("ergometer report"), "{error}");
    }
    let error = text(&ends_with(2, &["report", argument(&path), "--format", "svg"]).stderr);
    assert!(error.contains("nothing to show") && error.contains("ergometer report"), "{error}");
    for format in ["html", "latex", "perfetto", "codecarbon"] {
        assert!(!report(&path, format).contains("NaN"), "{format}");
    }
}

/// The forms that the command has, as its help lists them.
fn forms() -> Vec<String> {
    let help = prints(&["report", "--help"]);
    let (_, listed) = help.split_once("Possible values:").unwrap();
    let names = listed.lines().take_while(|line| !line.trim_start().starts_with("[default"));
    let names = names.filter_map(|line| line.trim_start().strip_prefix("- "));
    names.map(|line| line.split(':').next().unwrap().to_owned()).collect()
}

#[test]
fn every_form_shows_the_run_so_far_from_the_journal_of_a_run_that_goes_on() {
    let forms = forms();
    for form in ["table", "json", "html", "svg", "tensorboard", "sci"] {
        assert!(forms.iter().any(|known| known == form), "{form} is not in {forms:?}");
    }
    let folder = tempfile::tempdir().unwrap();
    let meter = Meter::builder()
        .label("going on")
        .without_probe()
        .fixed(DomainKind::Gpu, Watts::new(300.0))
        .journal(folder.path())
        .start()
        .unwrap();
    // An epoch that has ended, and one that is open with a step.
    let step = || meter.span(Kind::Step).items(8_u32);
    let epoch = meter.span(Kind::Epoch);
    step();
    drop(epoch);
    let open = meter.span(Kind::Epoch);
    step();
    let journal = wait_for("a journal with the open epoch", || {
        let path = meter.journal()?;
        let record = ergometer::Record::recover(path).ok()?;
        (record.epochs.len() == 2 && record.run.seconds > 0.2 && record.power.is_some())
            .then(|| path.to_owned())
    });
    for form in &forms {
        let log = folder.path().join(format!("{form}.out"));
        let arguments =
            ["report", argument(&journal), "--format", form, "--output", argument(&log)];
        let output = ergometer(&arguments).output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{form}: {said}");
        assert!(said.contains("the run is going on"), "{form}: {said}");
        let bytes = if log.is_dir() {
            fs::read(fs::read_dir(&log).unwrap().next().unwrap().unwrap().path()).unwrap()
        } else {
            fs::read(&log).unwrap()
        };
        assert!(!text(&bytes).contains("NaN") && bytes.len() > 20, "{form}: {}", text(&bytes));
        if form == "html" {
            let page = text(&bytes);
            assert!(page.contains("not finished: this is the run as far as it is known"), "{page}");
            assert!(page.contains("Power over time of 1 gpu"), "{page}");
        }
    }
    drop(open);
    let record = meter.finish().unwrap();
    assert_eq!(record.epochs.len(), 2, "reading disturbed the run");
}

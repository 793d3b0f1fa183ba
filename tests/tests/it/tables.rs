//! Reports fit the terminal: names are shortened before numbers, and prose is wrapped.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use ergometer::record::Record;
use ergometer::source::DomainKind;
use ergometer::span::Label;
use ergometer::units::{Joules, Watts};
use ergometer::{Kind, Meter, MeterBuilder};

use crate::accounting::Steady;

const WIDTHS: [usize; 4] = [60, 80, 120, 200];

/// Nine domains on each of two machines, of which one is shared.
fn builder(rank: u32) -> MeterBuilder {
    let mut builder = Meter::builder().label("a rather long label").without_probe().rank(rank, 2);
    for board in 0..8 {
        let id = format!("GPU-{rank}-8c1b3f0e-{board}");
        builder = builder.source(Steady::boxed(&id, DomainKind::Gpu, 412.5));
    }
    builder.source(Steady::boxed("package-0", DomainKind::CpuPackage, 87.5)).group("tables")
}

/// Epochs of two kinds of steps, with phases inside phases.
fn train(meter: &Meter) {
    for split in ["train", "valid"] {
        for _ in 0..15 {
            let _epoch = meter.enter(Label::new(Kind::Epoch, split));
            for name in ["generator update", "discriminator update"] {
                let step = meter.enter(Label::new(Kind::Step, name).with_unit("tokens"));
                step.items(123_456_u32);
                let _model = meter.enter(Label::new(Kind::Phase, "transformer.encoder"));
                let _layer = meter.enter(Label::new(Kind::Phase, "transformer.encoder.layers.7"));
                drop(
                    meter.enter(Label::new(Kind::Phase, "transformer.encoder.layers.7.attention")),
                );
            }
        }
    }
}

/// A merged run of two ranks, of which each was resumed, on machines with long names.
fn large() -> Record {
    let folder = tempfile::tempdir().unwrap();
    let ranks = (0..2).map(|rank| {
        let journals = folder.path().join(rank.to_string());
        let first = builder(rank).journal(&journals).start().unwrap();
        train(&first);
        first.finish().unwrap();
        let meter = builder(rank).journal(&journals).resume_latest(&journals).start().unwrap();
        train(&meter);
        let mut record = meter.finish().unwrap();
        for row in &mut record.domains {
            row.domain.label = format!("NVIDIA H100 80GB HBM3 at {}", row.domain.id);
            row.idle_power = Some(Watts::new(61.5));
            row.above_idle = Some(Joules::new(12.5));
        }
        record
    });
    Record::merge(ranks.collect::<Vec<_>>()).unwrap()
}

/// `12.3 ± 4.5`: figures with their uncertainty.
fn figures(text: &str) -> BTreeSet<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let figures = words.windows(3).filter(|words| words[1] == "±");
    figures.map(|words| words.join(" ")).collect()
}

#[test]
fn no_line_is_wider_than_the_terminal_and_no_figure_is_lost() {
    let record = large();
    assert!(record.domains.len() > 8 && record.ranks.len() == 2 && !record.earlier.is_empty());
    let wide = format!("{record:200}");
    let titles = ["Energy", "Ranks", "Parts", "Epochs", "Joules per step", "Spans", "Footprint"];
    for width in WIDTHS {
        let text = format!("{record:width$}");
        for line in text.lines() {
            assert!(line.chars().count() <= width, "{width}: {line}\n{text}");
        }
        for title in titles {
            assert!(
                text.lines().any(|line| line.starts_with(title)),
                "{width}: no {title}\n{text}"
            );
        }
        let lost: Vec<_> = figures(&wide).difference(&figures(&text)).cloned().collect();
        assert!(lost.is_empty(), "{width}: {lost:?}\n{text}");
        // Columns that have no room are below, and none is twice.
        assert_eq!(text.matches("mean power").count(), 1, "{width}: {text}");
    }
    assert!(wide.contains("NVIDIA H100 80GB HBM3 at GPU-0-8c1b3f0e-7"), "{wide}");
    let narrow = format!("{record:80}");
    assert!(narrow.contains("gpu NVIDI") && narrow.contains('…'), "{narrow}");
}

#[test]
fn a_report_has_the_width_that_the_environment_states() {
    for width in WIDTHS {
        let output = Command::new(env!("CARGO_BIN_EXE_unfinished"))
            .arg("run")
            .env("COLUMNS", width.to_string())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(text.contains("\nEnergy\n"), "{text}");
        let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= width, "{width}: {text}");
        assert!(width > 120 || widest > width / 2, "{width}: {text}");
    }
}

#[test]
fn markdown_is_not_padded_and_its_notes_are_wrapped() {
    let text = large().to_markdown();
    let rows = text.lines().filter(|line| line.starts_with('|'));
    assert!(rows.clone().count() > 60);
    assert!(rows.clone().all(|row| !row.contains("   ")), "{text}");
    let notes = text.lines().filter(|line| !line.starts_with(['|', '#']));
    assert!(notes.clone().all(|line| line.chars().count() <= 120), "{text}");
}

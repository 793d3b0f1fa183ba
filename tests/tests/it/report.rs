//! Every form of the record says what the record says.

use ergometer::energy::Method;
use ergometer::footprint::Site;
use ergometer::record::{Distribution, Record};
use ergometer::source::DomainKind;
use ergometer::span::Label;
use ergometer::units::{Joules, Watts};
use ergometer::{ErrorKind, Kind, Meter};

use crate::accounting::Steady;
use crate::child;

/// A short run with two domains, two epochs and a phase.
fn run() -> Record {
    let meter = Meter::builder()
        .label("a | b")
        .without_probe()
        .source(Steady::boxed("gpu-0", DomainKind::Gpu, 300.0))
        .fixed(DomainKind::Node, Watts::new(50.0))
        .region("DE")
        .start()
        .unwrap();
    for split in ["train", "valid"] {
        let _epoch = meter.enter(Label::new(Kind::Epoch, split));
        for _ in 0..3 {
            let step = meter.enter(Label::new(Kind::Step, "step").with_unit("tokens"));
            step.items(10_u8);
            drop(meter.enter(Label::new(Kind::Phase, "forward")));
        }
    }
    meter.result("loss", 1.25);
    meter.fact("seed", 7);
    meter.finish().unwrap()
}

#[test]
fn json_gives_the_same_record_back() {
    let record = run();
    let again = Record::from_json(&record.to_json().unwrap()).unwrap();
    assert_eq!(record, again);
    assert_eq!(again.schema, Record::SCHEMA);
}

#[test]
fn json_of_another_version_is_refused() {
    let json = run().to_json().unwrap().replace(Record::SCHEMA, "ergometer-record/99");
    let error = Record::from_json(&json).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Format);
    assert!(error.to_string().contains("ergometer-record/99"), "{error}");
    assert_eq!(Record::from_json("{}").unwrap_err().kind(), ErrorKind::Format);
    assert_eq!(Record::from_json("no json").unwrap_err().kind(), ErrorKind::Format);
}

#[test]
fn a_record_of_a_later_version_with_kinds_and_fields_that_are_not_known_is_read_and_merged() {
    let record = run();
    let mut json: serde_json::Value = serde_json::from_str(&record.to_json().unwrap()).unwrap();
    json["weather"] = "sunny".into();
    json["run"]["moon"] = 0.5.into();
    let domain = &mut json["domains"][0];
    domain["kind"] = "optical-engine".into();
    domain["method"] = "calorimetry".into();
    domain["source"] = "thermometer".into();
    domain["colour"] = "blue".into();
    domain["energy"]["method"] = "calorimetry".into();
    json["spans"][0]["kind"] = "daydream".into();
    let later = Record::from_json(&json.to_string()).unwrap();
    assert_eq!(later.domains[0].domain.kind, DomainKind::Other);
    assert_eq!(later.domains[0].energy.unwrap().method, Method::Unknown);
    assert!(!Method::Unknown.is_measured(), "nobody knows whether a sensor was read");
    assert_eq!(later.total.energy, record.total.energy);
    assert!(later.to_string().contains("thermometer"), "{later}");
    let again = Record::from_json(&later.to_json().unwrap()).unwrap();
    assert_eq!(again, later);
    let merged = Record::merge([later]).unwrap();
    assert_eq!(merged.domains.len(), record.domains.len());
    assert!(merged.domains.iter().any(|row| row.domain.kind == DomainKind::Other));
}

#[test]
fn the_table_shows_value_method_and_uncertainty_and_where_constants_come_from() {
    let record = run();
    let table = record.to_string();
    for part in ["±", "counter", "assumed", "train 1", "valid 1", "PUE 1.54", "Germany", "2024"] {
        assert!(table.contains(part), "{part} is missing in\n{table}");
    }
    assert!(table.contains("measured and modelled or assumed"), "{table}");
    assert!(!table.contains("ASSUMED"), "a region was given");
    assert!(table.lines().all(|line| line.chars().count() <= 200), "{table}");
}

#[test]
fn a_single_span_is_in_the_table_unless_the_tables_above_have_it() {
    let has_spans = |kind| {
        let meter = Meter::builder().without_probe().start().unwrap();
        drop(meter.enter(Label::new(kind, "alone")));
        let table = meter.finish().unwrap().to_string();
        table.lines().any(|line| line == "Spans")
    };
    assert!(has_spans(Kind::Function) && has_spans(Kind::Phase) && has_spans(Kind::Run));
    assert!(!has_spans(Kind::Epoch) && !has_spans(Kind::Step));
}

#[test]
fn markdown_has_the_same_tables() {
    let record = run();
    let markdown = record.to_markdown();
    assert!(markdown.starts_with("# a \\| b: "), "{markdown}");
    assert!(markdown.contains("## Epochs"));
    assert!(markdown.contains("| train 1 "), "{markdown}");
    let rules = markdown.lines().filter(|line| line.starts_with("|--") || line.starts_with("|:-"));
    assert!(rules.count() >= 4, "{markdown}");
}

#[test]
fn csv_holds_every_joule() {
    let record = run();
    let csv = record.to_csv().unwrap();
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let rows: Vec<std::collections::BTreeMap<String, String>> =
        reader.deserialize().map(Result::unwrap).collect();
    let joules = |scope: &str, domain: &str| -> f64 {
        rows.iter()
            .filter(|row| row["scope"] == scope && row["domain"] == domain)
            .map(|row| row["joules"].parse::<f64>().unwrap())
            .sum()
    };
    for (index, row) in record.domains.iter().enumerate() {
        let id = &row.domain.id;
        let total = record.total.by_domain[index].unwrap().joules.get();
        assert!((joules("run", id) - total).abs() <= 1e-12 * total);
        let parts =
            joules("steps", id) + joules("between_steps", id) + joules("outside_epochs", id);
        assert!((parts - total).abs() <= 1e-9 * total.max(1.0), "{parts} {total}");
    }
    assert!(rows.iter().any(|row| row["name"] == "epoch:train/step:step/phase:forward"));
}

#[test]
fn a_record_is_written_in_the_form_its_extension_says() {
    let dir = tempfile::tempdir().unwrap();
    let record = run();
    for name in ["r.json", "r.md", "r.csv"] {
        record.write(dir.path().join(name)).unwrap();
    }
    let json = std::fs::read_to_string(dir.path().join("r.json")).unwrap();
    assert_eq!(Record::from_json(&json).unwrap(), record);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 3, "nothing else is left behind");

    let unknown = record.write(dir.path().join("r.txt")).unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::InvalidSetting);
    let nowhere = record.write(dir.path().join("no such folder/r.json")).unwrap_err();
    assert_eq!(nowhere.kind(), ErrorKind::Io);
}

/// The same run on a machine on which nothing could be read.
fn unread() -> Record {
    fn empty(node: &mut ergometer::record::SpanNode) {
        node.by_domain.fill(Joules::ZERO);
        (node.exclusive, node.standard_uncertainty) = (Joules::ZERO, Joules::ZERO);
        node.children.iter_mut().for_each(empty);
    }
    fn steps(steps: &mut ergometer::record::Steps) {
        steps.by_domain.fill(Joules::ZERO);
        let Distribution { mean, min, max, p50, p95, .. } = &mut steps.joules;
        *mean = 0.0;
        for figure in [min, max, p50, p95] {
            *figure = Some(0.0);
        }
        if let Some(items) = &mut steps.items {
            items.joules_per_item = Joules::ZERO;
        }
    }
    let mut record = run();
    record.domains.iter_mut().for_each(|row| (row.energy, row.mean_power) = (None, None));
    record.total.energy = None;
    record.total.by_domain.fill(None);
    for epoch in &mut record.epochs {
        epoch.usage.energy = None;
        epoch.usage.by_domain.fill(None);
        epoch.between_steps.fill(Joules::ZERO);
        epoch.steps.iter_mut().for_each(steps);
    }
    record.outside_epochs.fill(Joules::ZERO);
    record.steps.values_mut().for_each(steps);
    record.spans.iter_mut().for_each(empty);
    record.footprint = Site::current().footprint(None, record.run.seconds, 0);
    record
}

#[test]
fn what_was_not_read_is_never_shown_as_zero() {
    let record = unread();
    for text in [record.to_string(), record.to_markdown()] {
        let zero = ["0 J", "0 Wh", "0 W", "0 g", "$0.00"];
        for line in text.lines() {
            let shown = zero.iter().find(|zero| line.contains(&format!(" {zero} ")));
            assert_eq!(shown, None, "{line}");
        }
        assert!(text.contains("n/a"), "{text}");
    }
    let csv = record.to_csv().unwrap();
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let rows: Vec<std::collections::BTreeMap<String, String>> =
        reader.deserialize().map(Result::unwrap).collect();
    assert!(rows.len() > 10);
    assert!(rows.iter().all(|row| row["joules"].is_empty()), "{csv}");
}

#[test]
fn a_diverged_loss_does_not_spoil_the_record() {
    let mut record = run();
    record.results.insert("loss".to_owned(), f64::NAN);
    let again = Record::from_json(&record.to_json().unwrap()).unwrap();
    assert!(!again.results.contains_key("loss"));
    assert!(again.warnings.iter().any(|text| text.contains("'loss' is NaN")), "{again:?}");
}

#[test]
fn every_number_is_read_back_to_its_last_bit() {
    let mut record = run();
    for number in 1..500_u32 {
        record.run.seconds = f64::from(number).sqrt() * 1e-3;
        assert_eq!(Record::from_json(&record.to_json().unwrap()).unwrap(), record);
    }
}

/// A name that is Markdown, HTML, a formula and a terminal command.
const HOSTILE: &str = "=1+1|<b>`x`</b>\n# y \u{1b}[2J";

#[test]
fn text_from_outside_is_text_in_every_form() {
    let meter = Meter::builder()
        .label(HOSTILE)
        .without_probe()
        .source(Steady::boxed(HOSTILE, DomainKind::Gpu, 300.0))
        .start()
        .unwrap();
    {
        let _epoch = meter.enter(Label::new(Kind::Epoch, HOSTILE));
        let _step = meter.span(Kind::Step);
    }
    meter.result(HOSTILE, 1.0);
    let record = meter.finish().unwrap();

    let markdown = record.to_markdown();
    assert!(markdown.starts_with(r"# =1+1\|&lt;b>\`x\`&lt;/b> # y "), "{markdown}");
    assert!(!markdown.contains("<b>") && !markdown.contains('\u{1b}'), "{markdown}");
    assert_eq!(markdown.lines().filter(|line| line.starts_with("# ")).count(), 1, "{markdown}");
    // Each row of a table has as many cells as its header.
    let mut header = 0;
    for line in markdown.lines() {
        let cells = line.replace(r"\|", "").matches('|').count();
        header = if cells == 0 || header == 0 { cells } else { header };
        assert_eq!(cells, header, "{line}");
    }

    let table = record.to_string();
    assert!(table.contains("=1+1|<b>`x`</b> # y \u{fffd}[2J"), "{table}");
    assert!(table.chars().all(|sign| sign == '\n' || !sign.is_control()), "{table:?}");

    let csv = record.to_csv().unwrap();
    let mut rows = csv::Reader::from_reader(csv.as_bytes());
    for row in rows.records() {
        let row = row.unwrap();
        assert!(!row.iter().any(|cell| cell.starts_with(['=', '+', '@'])), "{row:?}");
    }
    assert!(csv.contains(&format!("'{HOSTILE}")), "{csv}");
    assert_eq!(Record::from_json(&record.to_json().unwrap()).unwrap(), record);
}

#[test]
fn secrets_on_the_command_line_are_not_in_the_record_nor_readable_in_the_journal() {
    let name =
        "report::secrets_on_the_command_line_are_not_in_the_record_nor_readable_in_the_journal";
    if !child::is_one() {
        // To the test's own runner the arguments are names of other tests.
        child::passes(child::of(name, &[]).args(["HF_TOKEN=s3cret", "https://me:s3cret@host/"]));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let node = || Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(50.0));
    let meter = node().journal(folder.path()).start().unwrap();
    let journal = meter.journal().unwrap().to_owned();
    let record = meter.finish().unwrap();
    let shown = &record.run.command;
    assert_eq!(shown[shown.len() - 2..], ["HF_TOKEN=***", "https://me:***@host/"]);
    let text = std::fs::read_to_string(&journal).unwrap();
    assert!(text.contains("HF_TOKEN=***") && !text.contains("s3cret"), "{text}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(&journal).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let record = node().without_command_line().start().unwrap().finish().unwrap();
    assert_eq!(record.run.command.len(), 1, "the program's name alone");
}

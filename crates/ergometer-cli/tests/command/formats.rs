//! `report --format …` for other programs: each form is checked by its own rules, and by its real reader where
//! there is one. The readers are Python packages (`huggingface_hub`, `codecarbon`, `tensorboard`): a test says so
//! where one is missing. `ERGOMETER_PYTHON` names another interpreter than `python3`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ergometer::forecast::{Forecast, Interval};
use ergometer::record::power::{LongSpan, PowerHistory};
use ergometer::source::DomainKind;
use ergometer::span::Label;
use ergometer::units::{Joules, Watts};
use ergometer::{Kind, Meter, Record};
use serde_json::Value;

use crate::program::{argument, ends_with, json, prints, text};

/// A name that is markup, a formula and a path in the forms.
const HOSTILE: &str = "=a;b</text><script>&\"'_%{\\";

/// A record of two boards and the processors with epochs, steps, phases and results.
fn made(label: &str) -> Record {
    let meter = Meter::builder()
        .label(label)
        .region("DE")
        .without_probe()
        .fixed(DomainKind::Gpu, Watts::new(300.0))
        .fixed(DomainKind::Gpu, Watts::new(250.0))
        .fixed(DomainKind::CpuPackage, Watts::new(80.0))
        .start()
        .unwrap();
    for _ in 0..3 {
        for split in ["train", "valid"] {
            let _epoch = meter.enter(Label::new(Kind::Epoch, split));
            for _ in 0..4 {
                let step = meter.span(Kind::Step);
                step.items(64_u32);
                for name in ["forward", HOSTILE] {
                    let _phase = meter.enter(Label::new(Kind::Phase, name));
                    std::thread::sleep(std::time::Duration::from_millis(4));
                }
            }
        }
    }
    meter.result("loss", 0.25);
    meter.finish().unwrap()
}

/// The record in a file of `folder`.
fn file(folder: &Path, name: &str, record: &Record) -> PathBuf {
    let path = folder.join(name);
    record.write(&path).unwrap();
    path
}

fn total(record: &Record) -> f64 {
    record.total.energy.unwrap().joules.get()
}

fn report(path: &Path, format: &str) -> String {
    prints(&["report", argument(path), "--format", format])
}

/// The output of a Python program that has `module`; `None`, with a line on stderr, where it is missing.
pub fn python(module: &str, program: &str, arguments: &[&str]) -> Option<String> {
    let python = std::env::var("ERGOMETER_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has = Command::new(&python).args(["-c", &format!("import {module}")]).output();
    if !has.is_ok_and(|output| output.status.success()) {
        eprintln!("not checked by its reader: {python} has no `{module}`");
        return None;
    }
    let output = Command::new(&python).args(["-c", program]).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    Some(text(&output.stdout))
}

/// Whether every element of XML, or of HTML written like it, is closed where it should be.
fn assert_well_formed(document: &str) {
    const VOID: [&str; 2] = ["meta", "br"];
    let mut open: Vec<&str> = Vec::new();
    let mut rest = document;
    while let Some(start) = rest.find('<') {
        assert!(!rest[..start].contains('>'), "a stray '>' in {:?}", &rest[..start]);
        let end = start + rest[start..].find('>').expect("a tag that ends");
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if tag.starts_with('!') || tag.starts_with('?') {
            continue;
        }
        assert_eq!(tag.matches('"').count() % 2, 0, "attributes in pairs of quotes: {tag}");
        let name = tag.trim_start_matches('/').split([' ', '/', '\n']).next().unwrap();
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "in {open:?}");
        } else if name == "style" {
            // Its content is not markup.
            let end = rest.find("</style>").expect("an end of the style");
            rest = &rest[end + "</style>".len()..];
        } else if !tag.ends_with('/') && !VOID.contains(&name) {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?} left open");
}

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
fn a_trace_has_what_its_viewers_require_and_counters_with_the_energy() {
    let folder = tempfile::tempdir().unwrap();
    let record = made("trace");
    let path = file(folder.path(), "run.json", &record);
    let trace = json(&["report", argument(&path), "--format", "perfetto"]);
    let events = trace["traceEvents"].as_array().unwrap();
    let (mut slices, mut counters) =
        (BTreeMap::<u64, Vec<(f64, f64)>>::new(), BTreeMap::<&str, Vec<(f64, f64)>>::new());
    for event in events {
        assert!(
            event["pid"].is_u64() && event["tid"].is_u64() && event["name"].is_string(),
            "{event}"
        );
        let at = || event["ts"].as_f64().unwrap();
        match event["ph"].as_str().unwrap() {
            "M" => assert!(event["args"].is_object()),
            "X" => {
                let length = event["dur"].as_f64().unwrap();
                assert!(at() >= 0.0 && length >= 0.0, "{event}");
                slices
                    .entry(event["tid"].as_u64().unwrap())
                    .or_default()
                    .push((at(), at() + length));
            }
            "C" => {
                let watts = event["args"]["W"].as_f64().unwrap();
                counters.entry(event["name"].as_str().unwrap()).or_default().push((at(), watts));
            }
            other => panic!("{other}"),
        }
    }
    // Slices of a thread are inside each other or apart.
    for slices in slices.values() {
        for (a, b) in slices.iter().flat_map(|a| slices.iter().map(move |b| (a, b))) {
            let apart = a.1 <= b.0 + 1e-3 || b.1 <= a.0 + 1e-3;
            let inside = (a.0 <= b.0 && b.1 <= a.1) || (b.0 <= a.0 && a.1 <= b.1);
            assert!(apart || inside, "{a:?} {b:?}");
        }
    }
    assert_eq!(slices[&1].len(), 6, "a slice for each epoch");
    assert_eq!(counters.len(), 3);
    for row in &record.domains {
        let points = &counters[format!("{} power (W)", row.domain.id).as_str()];
        let joules: f64 =
            points.windows(2).map(|pair| pair[0].1 * (pair[1].0 - pair[0].0) * 1e-6).sum();
        let energy = row.energy.unwrap().joules.get();
        assert!((joules / energy - 1.0).abs() < 1e-4, "{joules} J of {energy} J");
    }
}

#[test]
fn a_latex_table_has_a_cell_for_each_column_and_no_command_from_a_name() {
    let folder = tempfile::tempdir().unwrap();
    let paths = [("a.json", made(HOSTILE)), ("b.json", made("b"))]
        .map(|(name, record)| file(folder.path(), name, &record));
    let table = prints(&["report", argument(&paths[0]), argument(&paths[1]), "--format", "latex"]);
    let rows: Vec<&str> = table.lines().filter(|line| line.ends_with(r"\\")).collect();
    assert_eq!(rows.len(), 3, "{table}");
    for row in rows {
        assert_eq!(row.replace(r"\&", "").matches('&').count(), 7, "{row}");
    }
    let plain = table.replace(r"\{", "").replace(r"\}", "");
    assert_eq!(plain.matches('{').count(), plain.matches('}').count(), "{table}");
    assert!(!table.contains(r"</text") && table.contains(r"\textless{}"), "{table}");
}

#[test]
fn a_model_card_has_grams() {
    let folder = tempfile::tempdir().unwrap();
    let record = made(HOSTILE);
    let path = file(folder.path(), "run.json", &record);
    let card = prints(&[
        "report",
        argument(&path),
        "--format",
        "model-card",
        "--training-type",
        "fine-tuning",
    ]);
    let grams = record.footprint.co2e.unwrap().value.get();
    let line = card.lines().find_map(|line| line.strip_prefix("  emissions: ")).unwrap();
    assert!((line.parse::<f64>().unwrap() - grams).abs() < 1e-8, "{line} for {grams} g");
    let readme = folder.path().join("README.md");
    fs::write(&readme, &card).unwrap();
    let program = "import sys, json\nfrom huggingface_hub import ModelCard\n\
        card = ModelCard(open(sys.argv[1]).read())\n\
        print(json.dumps(card.data.to_dict()['co2_eq_emissions']))";
    let Some(read) = python("huggingface_hub", program, &[argument(&readme)]) else { return };
    let read: Value = serde_json::from_str(&read).unwrap();
    let keys: Vec<&String> = read.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        ["emissions", "geographical_location", "hardware_used", "source", "training_type"]
    );
    assert!((read["emissions"].as_f64().unwrap() - grams).abs() < 1e-8, "{read}");
    assert_eq!(read["geographical_location"], "Germany");
}

#[test]
fn emissions_csv_has_codecarbons_columns_and_units() {
    let folder = tempfile::tempdir().unwrap();
    let record = made(HOSTILE);
    let path = file(folder.path(), "run.json", &record);
    let written = report(&path, "codecarbon");
    let mut reader = csv::Reader::from_reader(written.as_bytes());
    let columns: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let row: BTreeMap<String, String> = reader.deserialize().next().unwrap().unwrap();
    let number =
        |name: &str| row[name].parse::<f64>().unwrap_or_else(|_| panic!("{name}: {row:?}"));
    let close = |a: f64, b: f64| assert!((a / b - 1.0).abs() < 1e-9, "{a} for {b}");
    let facility = total(&record) / 3.6e6 * record.footprint.site.pue.value;
    close(number("energy_consumed"), facility);
    close(number("cpu_energy") + number("gpu_energy"), facility);
    close(number("emissions"), record.footprint.co2e.unwrap().value.get() / 1e3);
    close(number("gpu_power"), 550.0 * record.footprint.site.pue.value);
    assert_eq!((row["ram_energy"].as_str(), row["country_name"].as_str()), ("", "Germany"));
    assert_eq!(row["project_name"], format!("'{HOSTILE}"));
    let emissions = folder.path().join("emissions.csv");
    fs::write(&emissions, &written).unwrap();
    let program = "import sys, json, dataclasses, pandas\n\
        from codecarbon.output_methods.emissions_data import EmissionsData\n\
        names = [field.name for field in dataclasses.fields(EmissionsData)]\n\
        row = pandas.read_csv(sys.argv[1]).iloc[0]\n\
        data = EmissionsData(**{name: row[name] for name in names})\n\
        print(json.dumps([names, float(data.emissions), float(data.energy_consumed)]))";
    let Some(read) = python("codecarbon", program, &[argument(&emissions)]) else { return };
    let read: Value = serde_json::from_str(&read).unwrap();
    assert_eq!(read[0], serde_json::to_value(&columns).unwrap());
    close(read[2].as_f64().unwrap(), facility);
}

#[test]
fn the_score_is_operational_and_embodied_per_unit() {
    let folder = tempfile::tempdir().unwrap();
    let record = made("sci");
    let path = file(folder.path(), "run.json", &record);
    let grams = record.footprint.co2e.unwrap().value.get();
    let close =
        |a: &Value, b: f64| assert!((a.as_f64().unwrap() / b - 1.0).abs() < 1e-9, "{a} for {b}");
    let score = json(&["report", argument(&path), "--format", "sci"]);
    assert!(score["embodied_g"].is_null(), "{score}");
    close(&score["sci_g_per_unit"], grams);
    close(
        &score["operational_g"],
        score["energy_kwh"].as_f64().unwrap() * score["intensity_g_per_kwh"].as_f64().unwrap(),
    );
    let more = [
        "--per",
        "item",
        "--embodied-kg",
        "1500",
        "--lifetime-years",
        "4",
        "--reserved-share",
        "0.25",
    ];
    let score = json(&[&["report", argument(&path), "--format", "sci"][..], &more].concat());
    // 3 epochs of 4 steps of 64 items; validation is not one.
    let embodied = 1.5e6 * record.run.seconds / (4.0 * 365.25 * 86_400.0) * 0.25;
    close(&score["embodied_g"], embodied);
    close(&score["functional_units"], 768.0);
    close(&score["sci_g_per_unit"], (grams + embodied) / 768.0);
    let error =
        ends_with(2, &["report", argument(&path), "--format", "sci", "--embodied-kg", "1500"]);
    assert!(text(&error.stderr).contains("--lifetime-years"), "{}", text(&error.stderr));
    let wrong = [
        "report",
        argument(&path),
        "--format",
        "sci",
        "--embodied-kg",
        "1",
        "--lifetime-years",
        "0",
    ];
    assert!(text(&ends_with(2, &wrong).stderr).contains("years above 0"));
}

#[test]
fn an_event_file_has_its_checksums_and_is_read_by_tensorboard() {
    let folder = tempfile::tempdir().unwrap();
    let record = made("events");
    let path = file(folder.path(), "run.json", &record);
    let log = folder.path().join("log");
    prints(&["report", argument(&path), "--format", "tensorboard", "--output", argument(&log)]);
    let events = fs::read_dir(&log).unwrap().next().unwrap().unwrap().path();
    assert!(argument(&events).contains("events.out.tfevents."), "{events:?}");
    let bytes = fs::read(&events).unwrap();
    let (mut at, mut count) = (0, 0);
    while at < bytes.len() {
        let length = u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
        let length = usize::try_from(length).unwrap();
        let event = &bytes[at + 12..at + 12 + length];
        let sum = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        let masked =
            |bytes: &[u8]| crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8);
        assert_eq!(sum(at + 8), masked(&bytes[at..at + 8]));
        assert_eq!(sum(at + 12 + length), masked(event));
        at += 16 + length;
        count += 1;
    }
    assert!(count > 6, "{count} events");
    let error = ends_with(2, &["report", argument(&path), "--format", "tensorboard"]);
    assert!(text(&error.stderr).contains("--output"), "{}", text(&error.stderr));
    let program = "import sys, json\n\
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator\n\
        log = EventAccumulator(sys.argv[1]); log.Reload()\n\
        print(json.dumps({tag: [[e.step, e.value] for e in log.Scalars(tag)] for tag in log.Tags()['scalars']}))";
    let Some(read) = python("tensorboard", program, &[argument(&log)]) else { return };
    let read: Value = serde_json::from_str(&read).unwrap();
    let joules = read["run/energy_j"][0][1].as_f64().unwrap();
    assert!((joules / total(&record) - 1.0).abs() < 1e-6, "{joules} J");
    let train = read["train/joules_per_item"].as_array().unwrap();
    assert_eq!(
        train.iter().map(|event| event[0].as_u64().unwrap()).collect::<Vec<_>>(),
        [4, 8, 12]
    );
    let power = read[format!("power_w/{}", record.domains[0].domain.id)].as_array().unwrap();
    assert_eq!(power.len(), record.power.unwrap().ends_s.len());
}

/// Eight boards over thirty days, with sixty epochs, forecasts and a gap; made by hand from a small record.
fn month() -> Record {
    let mut record = made("pretraining of a month");
    let seconds = 30.0 * 86_400.0;
    let stretch = seconds / record.run.seconds;
    let board = record.domains[0].clone();
    let package = record.domains[2].clone();
    record.domains = (0..8).map(|_| board.clone()).chain([package]).collect();
    for (index, row) in record.domains.iter_mut().enumerate() {
        if index < 8 {
            row.domain.id = format!("nvml:GPU-{index}");
            row.domain.label = format!("NVIDIA H100 80GB HBM3, {index}");
        }
    }
    record.machine.accelerators = vec!["NVIDIA H100 80GB HBM3".to_owned(); 8];
    record.run.seconds = seconds;
    let intervals = 800;
    let ends_s: Vec<f64> =
        (1..=intervals).map(|k| seconds * f64::from(k) / f64::from(intervals)).collect();
    let watts = |domain: usize| {
        let at = |k: &f64| {
            let day = k / 86_400.0;
            let phase = day + domain as f64 * 0.4;
            let level = if (day / 0.5).fract() < 0.9 { 610.0 } else { 180.0 };
            let gap = domain == 3 && (12.0..14.0).contains(&day);
            (!gap).then(|| {
                Watts::new(if domain == 8 { 240.0 } else { level + 40.0 * (9.0 * phase).sin() })
            })
        };
        ends_s.iter().map(at).collect::<Vec<_>>()
    };
    let power = PowerHistory {
        watts: (0..9).map(watts).collect(),
        spans: vec![LongSpan {
            kind: Kind::Phase,
            name: "load corpus".to_owned(),
            start_s: 0.0,
            seconds: 40_000.0,
        }],
        ends_s,
    };
    let mut whole = Joules::ZERO;
    for (index, row) in record.domains.iter_mut().enumerate() {
        let energy = row.energy.as_mut().unwrap();
        energy.joules = power.joules(index, 0.0, seconds);
        energy.parts.gain = energy.joules * 0.05;
        energy.standard_uncertainty = energy.joules * 0.05;
        row.mean_power = Some(Watts::new(energy.joules.get() / seconds));
        whole += energy.joules;
    }
    let by_domain: Vec<_> = record.domains.iter().map(|row| row.energy).collect();
    let mut sum = by_domain[0].unwrap();
    sum.joules = whole;
    sum.standard_uncertainty = whole * 0.02;
    record.total = ergometer::energy::Usage { seconds, energy: Some(sum), by_domain };
    let (first, spans) = (record.epochs[0].clone(), record.spans.clone());
    record.epochs = (0..60_u32)
        .map(|k| {
            let mut epoch = first.clone();
            if k % 2 == 0 { "train" } else { "valid" }.clone_into(&mut epoch.split);
            epoch.index = u64::from(k / 2 + 1);
            epoch.start_s = 86_400.0 * f64::from(k / 2) + if k % 2 == 0 { 0.0 } else { 76_000.0 };
            epoch.usage.seconds = if k % 2 == 0 { 75_000.0 } else { 10_000.0 };
            epoch.usage.by_domain = vec![None; 9];
            let joules = (0..9).map(|domain| {
                power.joules(domain, epoch.start_s, epoch.start_s + epoch.usage.seconds)
            });
            let joules: Joules = joules.sum();
            let mut energy = sum;
            energy.joules = joules;
            energy.standard_uncertainty = joules * 0.05;
            epoch.usage.energy = Some(energy);
            epoch.between_steps = vec![Joules::ZERO; 9];
            epoch.steps.iter_mut().for_each(|steps| steps.by_domain = vec![joules / 9.0; 9]);
            epoch
        })
        .collect();
    record.outside_epochs = vec![Joules::ZERO; 9];
    record.spans = spans.into_iter().map(|node| scaled(node, stretch)).collect();
    for steps in record.steps.values_mut() {
        steps.by_domain = vec![whole / 9.0; 9];
    }
    record.forecasts = forecasts(seconds, whole.get());
    record.footprint = record.footprint.site.footprint(record.total.energy.as_ref(), seconds, 8);
    record.power = Some(power);
    record
}

/// A forecast at each twentieth of a run that takes this long and draws this much.
fn forecasts(seconds: f64, joules_in_all: f64) -> Vec<Forecast> {
    let interval = |value: f64, share: f64| Interval {
        value,
        low: value * (1.0 - share),
        high: value * (1.0 + share),
    };
    (1..=20_u32)
        .map(|k| {
            let progress = f64::from(k) / 20.0;
            let joules =
                interval(joules_in_all * (1.0 + 0.08 * (1.0 - progress)), 0.15 * (1.0 - progress));
            let at_s = seconds * progress;
            // Later versions may add to a forecast.
            let forecast = serde_json::json!({
                "progress": progress,
                "at_s": at_s,
                "joules": joules,
                "seconds": interval(seconds, 0.05 * (1.0 - progress)),
            });
            serde_json::from_value::<Forecast>(forecast).unwrap()
        })
        .collect()
}

/// A span with nine domains, and figures of a longer run.
fn scaled(mut node: ergometer::record::SpanNode, by: f64) -> ergometer::record::SpanNode {
    let joules: Joules = node.by_domain.iter().copied().sum();
    node.by_domain = vec![joules * by / 9.0; 9];
    node.exclusive = node.exclusive * by;
    node.standard_uncertainty = node.standard_uncertainty * by;
    node.seconds *= by;
    node.children = node.children.into_iter().map(|child| scaled(child, by)).collect();
    node
}

#[test]
fn the_page_is_one_file_without_scripts_that_needs_nothing_else() {
    // Left there to be looked at.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let small = file(folder, "small.json", &made(HOSTILE));
    let large = file(folder, "month.json", &month());
    let page = report(&small, "html");
    let month = report(&large, "html");
    let both = prints(&["report", argument(&small), argument(&large), "--format", "html"]);
    for (name, page) in [("small", &page), ("month", &month), ("both", &both)] {
        fs::write(folder.join(format!("{name}.html")), page).unwrap();
        assert_well_formed(page);
        for forbidden in [
            "<script",
            "<link",
            "<img",
            "<iframe",
            "src=",
            "url(",
            "@import",
            "javascript:",
            "onclick",
        ] {
            assert!(!page.contains(forbidden), "{name} has {forbidden}");
        }
        // The one address is the name of SVG; links stay on the page.
        assert_eq!(
            page.matches("http").count(),
            page.matches("http://www.w3.org/2000/svg").count(),
            "{name}"
        );
        assert!(page.split("href=\"").skip(1).all(|rest| rest.starts_with('#')), "{name}");
        for part in [
            "lang=\"en\"",
            "<main>",
            "<h1>",
            "name=\"viewport\"",
            "prefers-color-scheme: dark",
            "@media print",
        ] {
            assert!(page.contains(part), "{name} lacks {part}");
        }
        let drawings = page.matches("<svg").count();
        let described = page.matches("role=\"img\" aria-label=").count()
            + page.matches("aria-hidden=\"true\"").count();
        assert_eq!(
            drawings, described,
            "each drawing of {name} is described, or beside its figure"
        );
    }
    for part in [
        "Power over time",
        "Energy by domain",
        "Energy by epoch",
        "Energy of a step",
        "Forecasts, and what came",
        "Energy by phase",
        "What this means",
        "Footprint",
        "How far these figures can be trusted",
        "New York",
        "Uptime Institute",
        "load corpus",
        "epochs are shaded",
    ] {
        assert!(month.contains(part), "{part}");
    }
    assert!(
        page.len() < 400_000 && month.len() < 1_500_000,
        "{} and {} bytes",
        page.len(),
        month.len()
    );
    assert!(both.contains("href=\"#run-1\"") && both.contains("id=\"run-1\""));
}

#[test]
fn a_form_of_one_record_refuses_several_and_a_record_without_energy_has_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "run.json", &made("one"));
    for format in ["flamegraph", "model-card", "tensorboard"] {
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
    for format in ["html", "latex", "perfetto", "codecarbon"] {
        assert!(!report(&path, format).contains("NaN"), "{format}");
    }
}

//! The report from hand-made records, in every form it takes.

pub mod records;

use ergometer::Record;
use ergometer::units::{Currency, Joules, Watts};

use self::records::{on_flex, record, report, report_on, steps, two_models};
use super::*;
use crate::bench_models::csv_rows::{self, Row};
use crate::bench_models::run::hardware;
use crate::bench_models::steady::Steady;
use crate::bench_models::table::{self, Style};
use crate::bench_models::{files, notes};

fn row<'a>(table: &'a str, start: &str) -> &'a str {
    table
        .lines()
        .find(|line| line.trim_start_matches(['│', '|', ' ']).starts_with(start))
        .unwrap_or_else(|| panic!("no row {start} in\n{table}"))
}

#[test]
fn the_papers_row_stands_below_the_measured_one_and_is_marked() {
    let table = table::costs(&two_models(), Style::Terminal(200)).to_string();
    let measured = row(&table, "transformer tiny");
    assert!(measured.contains("40 ± 12"), "{measured}");
    assert!(measured.contains("modelled"), "{measured}");
    // 4000 J at the PUE of 1.54: 0.00171 kWh ± 30 %.
    assert!(measured.contains("0.00171 ± 0.00051"), "{measured}");
    assert!(measured.contains("A CPU with 2 threads @"), "{measured}");
    assert!(measured.contains("n/a (no GPU)"), "{measured}");
    let printed = row(&table, "Transformer");
    assert!(printed.contains("1,415.78") && printed.contains("P100x8"), "{printed}");
    assert!(printed.contains("$41–140") && printed.contains("2019"), "{printed}");
    assert!(row(&table, "ELMo").contains("517.66"));
    let order: Vec<usize> = ["transformer tiny", "Transformer", "elmo tiny", "ELMo"]
        .map(|start| table.find(row(&table, start)).unwrap())
        .into();
    assert!(order.is_sorted(), "{table}");
}

/// 4000 J at the PUE of 1.54: 0.001711 kWh, at this price.
fn priced(price: &str) -> Record {
    let mut record = record(1, 4000.0);
    let site = record.footprint.site.clone().with_price(price).unwrap();
    record.footprint = site.footprint(record.total.energy.as_ref(), 100.0, 0);
    record
}

#[test]
fn electricity_is_shown_in_the_currency_of_its_price() {
    for (price, shown) in [("30 EUR", " 0.051 EUR "), ("30", " $0.051 ")] {
        let report = report(vec![(Model::Transformer, priced(price))]);
        let table = table::costs(&report, Style::Markdown).to_string();
        assert!(row(&table, "transformer tiny").contains(shown), "{table}");
    }
}

#[test]
fn the_mean_over_runs_in_two_currencies_is_not_known() {
    let model = Model::Transformer;
    let runs = |prices: [&str; 2]| report(prices.map(|price| (model, priced(price))).into());
    // 0.001711 kWh at 30 and at 50 EUR.
    let euros = &runs(["30 EUR", "50 EUR"]).models[0].mean;
    assert!((euros.electricity.unwrap().mean / (40.0 * 4e3 * 1.54 / 3.6e6) - 1.0).abs() < 1e-9);
    let mixed = runs(["30 EUR", "30 USD"]);
    assert_eq!(mixed.models[0].mean.electricity, None);
    let table = table::costs(&mixed, Style::Markdown).to_string();
    assert!(!table.contains("0.051"), "{table}");
}

#[test]
fn the_cost_in_a_report_of_before_there_were_currencies_is_in_us_dollars() {
    let report = report(vec![(Model::Transformer, priced("30"))]);
    let mut json: serde_json::Value = serde_json::from_str(&report.to_json().unwrap()).unwrap();
    let mean = json["models"][0]["mean"].as_object_mut().unwrap();
    let spread = mean.remove("electricity").unwrap();
    mean.insert("electricity_usd".to_owned(), spread);
    let old: Report = serde_json::from_value(json).unwrap();
    let table = table::costs(&old, Style::Markdown).to_string();
    assert!(row(&table, "transformer tiny").contains(" $0.051 "), "{table}");
}

#[test]
fn tables_fit_the_terminal_and_have_every_figure() {
    let report = two_models();
    for width in [60, 80, 120, 200] {
        let style = Style::Terminal(width);
        let tables = table::all(&report, style);
        let text: String = tables.iter().map(|(_, table)| table.to_string()).collect();
        let too_wide = text.lines().find(|line| line.chars().count() > width);
        assert_eq!(too_wide, None, "{width}: {text}");
        for figure in ["0.00171 ± 0.00051", "1,415.78", "$41–140", "(4.0 ± 1.2) kJ", "6.91 → 0.450"]
        {
            assert!(text.contains(figure), "{width}: {figure} is not in\n{text}");
        }
    }
}

#[test]
fn energy_has_its_uncertainty_and_method_and_steps_are_those_of_training() {
    let table = table::training(&two_models(), Style::Markdown).to_string();
    let row = row(&table, "transformer tiny");
    assert!(row.contains("(4.0 ± 1.2) kJ, modelled"), "{row}");
    // 2800 J in 100 steps of training, 7000 tokens in 70 s.
    let cells: Vec<&str> = row.split('|').map(str::trim).collect();
    assert_eq!(cells[4..7], ["28.0", "0.400", "100"], "{row}");
    assert_eq!(cells[7..9], ["exact match 0.0200 → 0.910", "6.91 → 0.450"], "{row}");
    assert!(table.contains("J/token") && table.contains("tokens/s"), "{table}");
}

#[test]
fn notes_say_what_could_not_be_read_and_why() {
    let notes = notes::of(&two_models());
    assert!(
        notes.contains("rapl: unavailable: no powercap tree in /sys; run on bare metal"),
        "{notes}"
    );
    assert!(!notes.contains("cpu-model: available"), "{notes}");
    assert!(notes.contains("PUE 1.54 (Uptime Institute"), "{notes}");
    assert!(notes.contains("training loss 6.91 → 0.450"), "{notes}");
}

#[test]
fn json_holds_every_required_field_and_reads_back() {
    let report = two_models();
    let json = report.to_json().unwrap();
    // Bit for bit, without printing two reports when it is not.
    assert!(serde_json::from_str::<Report>(&json).unwrap() == report);
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    for pointer in [
        "/site",
        "/machine/cpu",
        "/software/rustc",
        "/sources/0/availability/reason",
        "/models/0/paper/source",
        "/models/0/runs/0/record",
        "/models/0/runs/0/seed",
        "/models/0/runs/0/git_commit",
        "/site/pue/source",
        "/site/carbon/year",
        "/models/0/runs/0/footprint/site/electricity_price/source",
        "/models/0/runs/0/footprint/co2e/standard_uncertainty",
        "/models/0/runs/0/domains/0/method",
        "/models/0/runs/0/domains/0/energy/standard_uncertainty",
        "/models/0/runs/0/epochs/0/usage/energy/joules",
        "/models/0/runs/0/epochs/1/usage/seconds",
        "/models/0/runs/0/steps/train/joules/p95",
        "/models/0/runs/0/steps/train/items/joules_per_item",
    ] {
        assert!(value.pointer(pointer).is_some(), "{pointer} is missing in {json}");
    }
    assert_eq!(value["schema"], "ergometer-bench/1");
    assert_eq!(value["models"][0]["runs"][0]["epochs"][0]["split"], "train");
    assert_eq!(value["models"][0]["runs"][0]["steps"]["valid"]["count"], 10);
}

#[test]
fn csv_reads_back_with_plain_numbers() {
    let csv = csv_rows::of(&two_models()).unwrap();
    let rows: Vec<Row> =
        csv::Reader::from_reader(&csv[..]).deserialize().collect::<Result<_, _>>().unwrap();
    assert_eq!(rows.len(), 4);
    assert_eq!(rows[0].origin, "run");
    assert_eq!(rows[0].energy_j, Some(4000.0));
    assert_eq!(rows[0].standard_uncertainty_j, Some(600.0));
    assert_eq!(rows[0].joules_per_item, Some(0.4));
    assert_eq!(rows[0].cloud_low_usd, None);
    assert_eq!(rows[0].electricity_currency, Some(Currency::USD));
    assert_eq!((rows[1].electricity_cost, rows[1].electricity_currency), (None, None));
    assert_eq!((rows[1].power_w, rows[1].co2e_lb), (Some(1415.78), Some(26.0)));
    assert_eq!(rows[3].origin, "Strubell et al. 2019");
}

#[test]
fn csv_has_the_cost_of_electricity_with_its_currency() {
    let csv = csv_rows::of(&report(vec![(Model::Elmo, priced("30 EUR"))])).unwrap();
    let row: Row = csv::Reader::from_reader(&csv[..]).deserialize().next().unwrap().unwrap();
    assert_eq!(row.electricity_currency, Some(Currency::EUR));
    assert!((row.electricity_cost.unwrap() / (30.0 * 4e3 * 1.54 / 3.6e6) - 1.0).abs() < 1e-9);
}

/// Two epochs of training of which the first was slow, with the operations of each.
fn warming_up() -> Record {
    let mut record = record(1, 4000.0);
    let mut second = record.epochs[0].clone();
    second.index = 2;
    second.steps = Some(steps(100, 40.0, 1000.0, 7000.0));
    record.epochs.insert(1, second);
    record.steps.insert("train".to_owned(), steps(200, 110.0, 3800.0, 14_000.0));
    let flops = [("training_flops", 5e12), ("training_flops_first_epoch", 3e12)];
    record.results.extend(flops.map(|(name, value)| (name.to_owned(), value)));
    record
}

#[test]
fn the_first_epoch_is_left_out_as_warm_up_and_said_to_be() {
    let report = report(vec![(Model::Elmo, warming_up())]);
    let steady = Steady::of(&report.models[0].runs[0]).unwrap();
    assert_eq!((steady.steps, steady.left_out), (100, 100));
    let mean = &report.models[0].mean;
    let means = [
        (mean.joules_per_step, 10.0),
        (mean.items_per_second, 175.0),
        // 2e12 operations in 40 s and 1000 J.
        (mean.flops_per_second, 5e10),
        (mean.flops_per_joule, 2e9),
    ];
    for (spread, expected) in means {
        assert!((spread.unwrap().mean / expected - 1.0).abs() < 1e-9, "{spread:?} {expected}");
    }
    let notes = notes::of(&report);
    let remark =
        "warm-up left out: the first epoch's 100 steps of 28.0 J; the 100 after them took 10.0 J";
    assert!(notes.contains(remark), "{notes}");
    // A single epoch has its warm-up in it, and nothing to leave it out for.
    let steady = Steady::of(&two_models().models[0].runs[0]).unwrap();
    assert_eq!((steady.steps, steady.left_out, steady.flops), (100, 0, None));
}

#[test]
fn operations_and_projections_stand_in_tables_of_their_own() {
    let mut report = report(vec![(Model::Elmo, warming_up())]);
    report.models[0].peak = Some(Peak { flops_per_second: 2e11, size: 1024 });
    let tables = table::terminal(&report);
    let operations = row(&tables, "elmo tiny");
    assert!(!operations.is_empty());
    assert!(tables.contains("2.00e10") && tables.contains("25 %"), "{tables}");
    // 4.76e18 to 5.10e18 operations at 2e9 a joule, and the PUE of 1.54.
    let projection = report.models[0].projection.as_ref().unwrap();
    assert!(projection.projected);
    assert!((projection.facility_kwh.high / (5.0972e18 / 2e9 / 3.6e6 * 1.54) - 1.0).abs() < 1e-3);
    assert!((projection.hours.low / (4.7648e18 / 5e10 / 3600.0) - 1.0).abs() < 1e-3);
    assert!((projection.standard_uncertainty - 0.15).abs() < 1e-9);
    for cell in ["projected", "as printed", "recomputed", "274.8", "262"] {
        assert!(tables.contains(cell), "{cell} is not in {tables}");
    }
    assert!(notes::of(&report).contains("± 30 % from the measured one's uncertainty"));
    // Without operations, or without energy, nothing is projected.
    assert!(two_models().models[0].projection.is_none());
    assert!(!table::terminal(&two_models()).contains("projected"));
}

#[test]
fn a_projected_cost_has_the_currency_of_its_price() {
    for (price, value, shown) in [("0.3 EUR", 0.3, " EUR "), ("0.12", 0.12, " $")] {
        let mut record = warming_up();
        record.footprint = priced(price).footprint;
        let report = report(vec![(Model::Elmo, record)]);
        let projection = report.models[0].projection.as_ref().unwrap();
        let expected = projection.facility_kwh.high * value;
        assert!((projection.electricity.unwrap().high / expected - 1.0).abs() < 1e-9);
        let tables = table::all(&report, Style::Markdown);
        let (_, table) = tables.iter().find(|(title, _)| title.contains("Projected")).unwrap();
        let table = table.to_string();
        assert!(row(&table, "ELMo").contains(shown), "{table}");
    }
}

#[test]
fn what_the_machine_drew_before_a_run_stands_in_the_notes() {
    let mut record = record(1, 4000.0);
    record.domains[0].idle_power = Some(Watts::new(12.0));
    record.domains[0].above_idle = Some(Joules::new(2800.0));
    let notes = notes::of(&report(vec![(Model::Elmo, record)]));
    assert!(notes.contains("12.0 W before the run; 2,800 J above that"), "{notes}");
    assert!(!super::super::notes::of(&two_models()).contains("before the run"));
}

#[test]
fn models_stand_in_the_order_asked_for_whichever_ran_first() {
    let report = report(vec![(Model::Elmo, record(1, 1.0)), (Model::Transformer, record(1, 1.0))]);
    assert_eq!(
        report.models.iter().map(|model| model.model).collect::<Vec<_>>(),
        [Model::Transformer, Model::Elmo]
    );
}

#[test]
fn backends_stand_side_by_side_in_the_order_asked_for() {
    let on = |model, backend| Subject { model, size: Size::Tiny, backend };
    let runs = [
        (on(Model::Gpt2, Backend::Vulkan), record(1, 2000.0)),
        (on(Model::Gpt2, Backend::Flex), record(1, 4000.0)),
        (on(Model::Elmo, Backend::Vulkan), record(1, 1000.0)),
    ];
    let report = report_on(None, &[Backend::Flex, Backend::Vulkan], runs.to_vec());
    let titles: Vec<String> = report.models.iter().map(ModelReport::title).collect();
    assert_eq!(titles, ["elmo tiny on vulkan", "gpt2 tiny", "gpt2 tiny on vulkan"]);
    let table = table::training(&report, Style::Markdown).to_string();
    // 70 % of the joules in 7000 tokens of training.
    for (title, joules_per_token) in [("gpt2 tiny ", "0.400"), ("gpt2 tiny on vulkan", "0.200")] {
        assert!(row(&table, title).contains(joules_per_token), "{table}");
    }
    // What is compared is the same model on the same backend.
    let changes = Comparison::between(report.benchmark(), report.benchmark(), "itself", 0.02);
    assert_eq!(changes.len(), 3);
    let flex = report_on(None, &[Backend::Flex], runs[1..2].to_vec());
    let changes = Comparison::between(report.benchmark(), flex.benchmark(), "flex", 0.02);
    assert_eq!(changes.len(), 1);
    // A report from before there were several reads as one of the processor.
    let mut json: serde_json::Value = serde_json::from_str(&flex.to_json().unwrap()).unwrap();
    json["models"][0].as_object_mut().unwrap().remove("backend");
    json["settings"].as_object_mut().unwrap().remove("backends");
    let old: Report = serde_json::from_value(json).unwrap();
    assert_eq!(old.models[0].subject(), runs[1].0);
}

#[test]
fn reports_of_one_machine_become_one() {
    let one = |model, joules| report(vec![(model, record(1, joules))]);
    let mut second = one(Model::Bert, 2000.0);
    second.failures.push("gpt2: failed".to_owned());
    let whole = Report::merged(vec![one(Model::Gpt2, 1000.0), second.clone()]).unwrap();
    let titles: Vec<String> = whole.models.iter().map(ModelReport::title).collect();
    assert_eq!(titles, ["gpt2 tiny", "bert tiny"]);
    assert_eq!(whole.failures, ["gpt2: failed"], "a failure is not lost");
    second.machine.cpu = Some("another".to_owned());
    assert!(Report::merged(vec![one(Model::Gpt2, 1000.0), second]).is_err());
    assert!(Report::merged(Vec::new()).is_err());
}

#[test]
fn repeats_make_one_row_with_the_spread_below() {
    let model = Model::Transformer;
    let report = report(vec![(model, record(1, 3000.0)), (model, record(2, 5000.0))]);
    assert_eq!(report.models.len(), 1);
    let mean = &report.models[0].mean;
    let spread = mean.joules.unwrap();
    assert_eq!((spread.runs, spread.mean), (2, 4000.0));
    assert!((spread.standard_deviation.unwrap() - 2_f64.sqrt() * 1000.0).abs() < 1e-9);
    // A model's error is the same in each run: the mean is no more certain than one run.
    let energy = mean.energy.unwrap();
    assert!((energy.standard_uncertainty.get() - 600.0).abs() < 1e-9);
    assert!(notes::of(&report).contains("(4,000 ± 13,000) J (sd 1,400)"), "{}", notes::of(&report));
    assert!(table::training(&report, Style::Terminal(200)).to_string().contains("(mean of 2)"));
}

#[test]
fn accelerators_are_the_hardware_only_of_a_run_that_used_them() {
    let mut record = record(1, 4000.0);
    record.machine.accelerators = vec!["Board".to_owned(), "Board".to_owned()];
    let metered = "A CPU with 2 threads @ 3.00 GHz Turbo (metered, not used: 2 × Board)";
    assert_eq!(hardware(&record), metered);
    record.facts.insert("backend".to_owned(), "cuda".to_owned());
    record.facts.insert("accelerators".to_owned(), "2".to_owned());
    assert_eq!(hardware(&record), "2 × Board");
}

#[test]
fn a_run_without_any_energy_says_so_instead_of_showing_zero() {
    let mut record = record(1, 4000.0);
    record.total.energy = None;
    record.domains[0].energy = None;
    let report = report(vec![(Model::Elmo, record)]);
    assert_eq!(report.models[0].mean.joules, None);
    let table = table::costs(&report, Style::Markdown).to_string();
    assert!(row(&table, "elmo tiny").contains("not metered"), "{table}");
}

#[test]
fn all_files_are_written_where_they_are_said_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let written = files::write(&two_models(), folder.path()).unwrap();
    let names = ["report.json", "report.md", "report.csv", "report.html"]
        .map(|name| folder.path().join(name));
    assert_eq!(written[..4], names);
    let markdown = std::fs::read_to_string(&names[1]).unwrap();
    assert!(markdown.contains("| transformer tiny") && markdown.contains("Strubell et al. 2019"));
}

#[test]
fn simulated_energies_are_called_so_in_every_form() {
    let report = report_on(
        Some("h100x4"),
        &[Backend::Flex],
        vec![on_flex((Model::Elmo, record(1, 6000.0)))],
    );
    let json: serde_json::Value = serde_json::from_str(&report.to_json().unwrap()).unwrap();
    assert_eq!(json["simulated"], true);
    assert_eq!(json["settings"]["simulate"], "h100x4");
    let folder = tempfile::tempdir().unwrap();
    let written = files::write(&report, folder.path()).unwrap();
    let read = |number: usize| std::fs::read_to_string(&written[number]).unwrap();
    for text in [
        json["notice"].as_str().unwrap(),
        notes::notice(&report).lines().next().unwrap(),
        read(1).lines().next().unwrap(),
        read(3).split("role=\"note\">").nth(1).unwrap(),
    ] {
        assert!(text.contains("SIMULATED") && text.contains("DO NOT PUBLISH"), "{text}");
        assert!(text.contains("h100x4"), "{text}");
    }
    assert!(read(2).lines().nth(1).unwrap().starts_with("run on SIMULATED GPUs,"));
}

#[test]
fn a_report_of_real_figures_has_no_notice() {
    let report = two_models();
    assert!(!report.simulated && report.notice.is_none() && notes::notice(&report).is_empty());
    // Reports from before there was a simulation read as real ones.
    let mut json: serde_json::Value = serde_json::from_str(&report.to_json().unwrap()).unwrap();
    for key in ["simulated", "notice"] {
        json.as_object_mut().unwrap().remove(key);
    }
    json["settings"].as_object_mut().unwrap().remove("simulate");
    assert!(serde_json::from_value::<Report>(json).unwrap() == report);
}

//! `report --format latex`, `model-card`, `codecarbon` and `sci`: what is published beside a model.
//!
//! Each form is checked by its own rules, and by its real reader where there is one: `huggingface_hub`, and
//! `codecarbon` with pandas.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use crate::made::{HOSTILE, file, made, report, total};
use crate::program::{argument, ends_with, json, prints, text};
use crate::python::python;

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
fn electricity_has_the_currency_of_its_price_in_latex_and_on_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let row = |table: &str, label: &str| {
        let line = table.lines().find(|line| line.trim_start().starts_with(label)).unwrap();
        let cells: Vec<_> = line.split(" & ").map(|cell| cell.trim().to_owned()).collect();
        cells[6].clone()
    };
    let priced = |name: &str, price: &str| {
        let mut record = made(name);
        let site = record.footprint.site.clone().with_price(price).unwrap();
        // 100 kJ at a PUE of 1.54: 0.04278 kWh, with 5 %.
        let energy = record.total.energy.as_mut().unwrap();
        energy.joules = ergometer::units::Joules::new(1e5);
        energy.standard_uncertainty = ergometer::units::Joules::new(2500.0);
        record.footprint = site.footprint(record.total.energy.as_ref(), 1.0, 0);
        file(folder.path(), &format!("{name}.json"), &record)
    };
    let [euros, more, dollars] = [("euros", "0.31 EUR"), ("more", "0.62 EUR"), ("dollars", "0.31")]
        .map(|(name, price)| priced(name, price));
    let latex = |paths: &[&std::path::Path]| {
        let paths = paths.iter().map(|path| argument(path));
        prints(&["report", "--format", "latex"].into_iter().chain(paths).collect::<Vec<_>>())
    };
    let one = latex(&[&euros, &more]);
    assert!(one.contains("& Electricity (EUR) & Cloud (USD)"), "{one}");
    assert_eq!(row(&one, "euros"), r"$0.01326 \pm 0.00066$");
    let both = latex(&[&euros, &dollars]);
    assert!(both.contains("& Electricity & Cloud"), "{both}");
    assert_eq!(row(&both, "euros"), r"$0.01326 \pm 0.00066$ EUR");
    assert_eq!(row(&both, "dollars"), r"$0.01326 \pm 0.00066$ USD");
    assert!(latex(&[&dollars]).contains("& Electricity (USD) &"));
    // And on the page.
    let page = report(&euros, "html").replace('\u{a0}', " ");
    assert!(page.contains("<dd>0.01326 ± 0.00066 EUR</dd>"), "the figure at the head");
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

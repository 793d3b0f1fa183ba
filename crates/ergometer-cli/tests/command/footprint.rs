//! `ergometer footprint`: the paper's own rows.

#![allow(clippy::float_cmp, reason = "rounded to what is printed")]

use ergometer::footprint::strubell::Training;

use crate::program::{ends_with, json, prints, text};

#[test]
fn the_papers_table_3_comes_out_of_the_calculator() {
    for row in Training::TABLE_3.iter().filter(|row| row.power.is_some()) {
        let watts = row.power.unwrap().get().to_string();
        let hours = row.hours.to_string();
        let (model, _) = row.hardware.split_once('x').unwrap();
        let gpus = format!("{}x{model}", row.accelerators);
        let found = json(&[
            "footprint",
            "--watts",
            &watts,
            "--hours",
            &hours,
            "--gpus",
            &gpus,
            "--preset",
            "strubell2019",
            "--json",
        ]);
        let rounded = |value: &serde_json::Value| value.as_f64().unwrap().round();
        assert_eq!(Some(rounded(&found["facility_kwh"])), row.facility_kwh, "{row:?}");
        assert_eq!(Some(rounded(&found["co2e_lb"])), row.co2e_pounds, "{row:?}");
        let cloud = [row.cloud.0.get(), row.cloud.1.get()];
        assert_eq!([0, 1].map(|end| rounded(&found["cloud_usd"][end])), cloud, "{row:?}");
    }
}

#[test]
fn an_energy_is_as_good_as_a_power_and_constants_are_cited() {
    let by_power =
        json(&["footprint", "--watts", "500", "--hours", "4", "--price", "0.2", "--json"]);
    let by_energy = json(&["footprint", "--kwh", "2", "--price", "0.2", "--json"]);
    let close = |name: &str| {
        let (a, b) = (by_power[name].as_f64().unwrap(), by_energy[name].as_f64().unwrap());
        assert!((a - b).abs() < 1e-9 * a, "{name}: {a}, {b}");
    };
    ["it_kwh", "facility_kwh", "co2e_g", "electricity_cost"].into_iter().for_each(close);
    // 2 kWh × 1.54 × 0.31.
    let euros = json(&["footprint", "--kwh", "2", "--price", "0.31 EUR", "--json"]);
    assert_eq!(euros["electricity_currency"], "EUR");
    assert!((euros["electricity_cost"].as_f64().unwrap() - 0.9548).abs() < 1e-9, "{euros}");
    assert_eq!(by_power["electricity_currency"], "USD");
    let printed = prints(&["footprint", "--kwh", "2", "--region", "FR"]);
    for part in ["PUE 1.54 (Uptime Institute", "France", "life-cycle", "one passenger"] {
        assert!(printed.contains(part), "{part}: {printed}");
    }
    assert!(prints(&["footprint", "--kwh", "2"]).contains("ASSUMED"));
}

#[test]
fn wrong_input_says_what_would_be_right() {
    for (arguments, remedy) in [
        (&["footprint"][..], "--kwh"),
        (&["footprint", "--watts", "5"], "--hours"),
        (&["footprint", "--watts=-5", "--hours", "1"], "0 or more"),
        (&["footprint", "--kwh", "1", "--gpus", "8xP100"], "--hours"),
        (&["footprint", "--kwh", "1", "--hours", "1", "--gpus", "8xB300"], "V100"),
        (&["footprint", "--kwh", "1", "--region", "Germny"], "DE (Germany)"),
        (&["footprint", "--kwh", "1", "--pue", "0.5"], "at least 1"),
        (&["footprint", "--kwh", "1", "--preset", "new"], "strubell2019"),
    ] {
        let error = text(&ends_with(2, arguments).stderr);
        assert!(error.starts_with("error: ") && error.contains(remedy), "{remedy}: {error}");
    }
}

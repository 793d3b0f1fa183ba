//! The paper's Tables 1, 3 and 4, reproduced by the library's own functions.

use std::time::Duration;

use ergometer::energy::Energy;
use ergometer::energy::{Method, Uncertainty};
use ergometer::footprint::strubell::{Project, Training};
use ergometer::footprint::{AcceleratorPrice, CarbonIntensity, ElectricityPrice, Familiar, Site};
use ergometer::record::Record;
use ergometer::source::DomainKind;
use ergometer::units::{Currency, GramsCo2e, Joules, KilowattHours, Money, UsDollars, Watts};
use ergometer::{ErrorKind, Meter, MeterBuilder};

/// A result agrees with a printed figure if it rounds to it.
#[track_caller]
fn rounds_to(value: f64, printed: f64) {
    assert_eq!(value.round(), printed, "{value} does not round to {printed}");
}

fn hours(hours: f64) -> Duration {
    Duration::from_secs_f64(hours * 3600.0)
}

fn facility(power: Watts, duration: Duration) -> KilowattHours {
    Site::strubell2019().facility_energy(power, duration)
}

#[test]
fn table_3_energy_and_gases() {
    let site = Site::strubell2019();
    let mut rows = 0;
    for row in Training::TABLE_3 {
        let (Some(power), Some(kwh), Some(pounds)) = (row.power, row.facility_kwh, row.co2e_pounds)
        else {
            continue;
        };
        let energy = facility(power, hours(row.hours));
        rounds_to(energy.get(), kwh);
        rounds_to(site.co2e(energy).pounds(), pounds);
        rows += 1;
    }
    assert_eq!(rows, 5);
}

#[test]
fn table_3_cloud_cost() {
    for row in Training::TABLE_3 {
        let rent = row.price().rent(f64::from(row.accelerators), row.hours);
        rounds_to(rent.low.get(), row.cloud.0.get());
        // 32 633 · 4.50 = 146 848.5 was rounded down in print.
        let high = rent.high.get();
        assert!((high - row.cloud.1.get()).abs() <= 0.5, "{}: {high}", row.model);
    }
}

#[test]
fn the_three_corrections_are_needed() {
    let bert = Training::find("BERT base", "V100x64").unwrap();
    let power = bert.power.unwrap();
    assert_ne!(Some(facility(power, hours(bert.hours_printed)).get().round()), bert.facility_kwh);

    let tpu = Training::find("BERT base", "TPUv2x16").unwrap();
    assert_ne!(f64::from(tpu.accelerators) * tpu.hours * 1.46, tpu.cloud.0.get());

    let nas = Training::find("NAS", "TPUv2x1").unwrap();
    assert_ne!((nas.hours_printed * 1.35).round(), nas.cloud.0.get());
    // 979 million steps at 10 h for 300 000.
    rounds_to(979e6 / 300e3 * 10.0, nas.hours);
}

#[test]
fn test_vectors_to_a_hundredth() {
    let site = Site::strubell2019();
    for (watts, h, kwh, pounds) in [
        (1415.78, 12.0, 26.843, 25.608),
        (1515.43, 84.0, 201.128, 191.876),
        (517.66, 336.0, 274.815, 262.174),
        (12_041.51, 79.2, 1506.826, 1437.512),
        (1515.43, 274_120.0, 656_347.281, 626_155.306),
        (216.96, 239_942.0, 82_251.350, 78_467.788),
    ] {
        let energy = facility(Watts::new(watts), hours(h));
        assert!((energy.get() - kwh).abs() < 0.01, "{watts} W: {}", energy.get());
        assert!((site.co2e(energy).pounds() - pounds).abs() < 0.01);
    }
}

#[test]
fn table_4_project() {
    let site = Site::strubell2019();
    for row in Project::TABLE_4 {
        let rent = site.accelerator.as_ref().unwrap().rent(1.0, row.hours);
        // The last row is printed in thousands.
        let unit = if row.models == 4789 { 1000.0 } else { 1.0 };
        rounds_to(rent.low.get() / unit, row.cloud.0 / unit);
        rounds_to(rent.high.get() / unit, row.cloud.1 / unit);
        let energy = facility(Project::POWER, hours(row.hours));
        rounds_to(site.electricity_cost(energy).unwrap().get(), row.electricity);
    }
}

#[test]
fn table_1_models_and_familiar_consumption() {
    let site = Site::strubell2019();
    let pounds = |power, h| site.co2e(facility(power, hours(h))).pounds();
    let big = Training::find("Transformer big", "P100x8").unwrap();
    let nas = Training::find("NAS", "P100x8").unwrap();
    let computed = [
        pounds(Project::POWER, Project::TABLE_4[0].hours),
        pounds(Project::POWER, Project::TABLE_4[2].hours),
        pounds(big.power.unwrap(), big.hours),
        pounds(nas.power.unwrap(), nas.hours),
    ];
    for (pounds, (_, printed)) in computed.into_iter().zip(Training::TABLE_1) {
        rounds_to(pounds, printed);
    }
    // "as much carbon as five cars in their lifetimes".
    let [.., car] = Familiar::ALL;
    let times = car.times_in(GramsCo2e::from_pounds(computed[3]));
    assert!(car.name.starts_with("car") && (4.9..5.0).contains(&times), "{times}");
}

/// Patterson et al. 2021, appendix D: the corrected search on TPU v2.
#[test]
fn patterson_2021_correction_of_nas() {
    let hours_run = 6.8 * 24.0;
    let grid = CarbonIntensity { grams_per_kwh: 431.0, ..CarbonIntensity::world() };
    let site = Site::current().with_pue(1.10).unwrap().with_carbon(grid).unwrap();
    let energy = site.facility_energy(Watts::new(200.0 * 208.0), hours(hours_run));
    let grams = site.co2e(energy);
    rounds_to(grams.kilograms(), 3219.0);
    assert!((grams.kilograms() - 3218.0).abs() < 1.0);
}

fn energy(joules: f64) -> Energy {
    let parts = Uncertainty { gain: Joules::new(joules * 0.05), ..Uncertainty::default() };
    Energy {
        joules: Joules::new(joules),
        standard_uncertainty: parts.standard(),
        parts,
        method: Method::Counter,
        coverage: 1.0,
    }
}

#[test]
fn today_transformer_base_costs_what_the_facts_say() {
    let joules = 1415.78 * 12.0 * 3600.0;
    let footprint = Site::current().footprint(Some(&energy(joules)), 12.0 * 3600.0, 8);
    let kwh = footprint.facility_energy.unwrap();
    assert!((kwh.value.get() - 26.16).abs() < 0.005, "{}", kwh.value.get());
    assert!((footprint.co2e.unwrap().value.kilograms() - 11.99).abs() < 0.005);
    let relative = kwh.standard_uncertainty / kwh.value;
    assert!((relative - 0.05).abs() < 1e-12);
    assert!(footprint.site.carbon.assumed);
}

#[test]
fn what_was_not_read_has_no_footprint() {
    let footprint = Site::current().footprint(None, 10.0, 0);
    assert_eq!(footprint.it_energy, None);
    assert_eq!(footprint.facility_energy, None);
    assert_eq!(footprint.co2e, None);
    assert_eq!(footprint.electricity_cost, None);
    assert_eq!(footprint.cloud_cost, None);
}

/// A short run of a machine at 360 W.
fn short(meter: MeterBuilder) -> Record {
    let meter = meter.without_probe().fixed(DomainKind::Node, Watts::new(360.0)).start().unwrap();
    std::thread::sleep(Duration::from_millis(50));
    meter.finish().unwrap()
}

#[test]
fn pue_is_applied_once_and_both_energies_are_in_the_record() {
    let record = short(Meter::builder().region("DE").pue(1.5));
    let footprint = &record.footprint;
    let (it, facility) = (footprint.it_energy.unwrap(), footprint.facility_energy.unwrap());
    let metered = record.total.energy.unwrap().joules.to_kwh();
    assert!((it.value / metered - 1.0).abs() < 1e-12);
    assert!((facility.value / it.value - 1.5).abs() < 1e-12);
    // Gases and cost come from the facility's energy, and PUE is in that already.
    let grams = facility.value.get() * footprint.site.carbon.grams_per_kwh;
    assert!((footprint.co2e.unwrap().value.get() / grams - 1.0).abs() < 1e-12);
    let price = footprint.site.electricity_price.as_ref().unwrap();
    assert_eq!((price.currency, price.place.as_str()), (Currency::EUR, "DE"));
    let cost = facility.value.get() * price.value.get();
    assert!((footprint.electricity_cost.unwrap().value.get() / cost - 1.0).abs() < 1e-12);
    let table = record.to_string();
    for part in ["IT energy", "facility energy", "PUE 1.5 ", " EUR ", "DE, industry", "Eurostat"] {
        assert!(table.contains(part), "{part} is missing in\n{table}");
    }
}

#[test]
fn without_a_region_the_world_is_assumed_and_every_report_says_so() {
    let assumed = short(Meter::builder());
    assert!(assumed.footprint.site.carbon.assumed);
    assert_eq!(assumed.footprint.site.carbon.place, "World");
    let stated = short(Meter::builder().region("DE"));
    assert!(!stated.footprint.site.carbon.assumed);
    for (record, says) in [(&assumed, true), (&stated, false)] {
        for text in [record.to_string(), record.to_markdown()] {
            assert_eq!(text.contains("ASSUMED, no region was given"), says, "{text}");
        }
    }
}

#[test]
fn a_price_that_is_none_is_refused() {
    for price in [f64::NAN, f64::INFINITY, -0.1] {
        let stated = ElectricityPrice::stated(Money::new(price), Currency::EUR);
        let error = Site::current().with_electricity_price(stated).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidSetting, "{price}");
        let bad = AcceleratorPrice { low: UsDollars::new(price), ..AcceleratorPrice::p100() };
        assert!(Site::current().with_accelerator(bad).is_err(), "{price}");
    }
    let turned = AcceleratorPrice { high: UsDollars::new(0.1), ..AcceleratorPrice::p100() };
    assert!(Site::current().with_accelerator(turned).is_err());
    assert!(Site::current().with_accelerator(AcceleratorPrice::v100()).is_ok());
}

#[test]
fn market_based_gases_and_water_stand_beside_the_others_and_change_none() {
    let plain = short(Meter::builder().region("DE").pue(1.5));
    assert_eq!((plain.footprint.co2e_market, plain.footprint.water), (None, None));
    assert!(!plain.to_json().unwrap().contains("co2e_market"));
    let record = short(Meter::builder().region("DE").pue(1.5).market("residual").wue(1.8));
    let footprint = &record.footprint;
    let (it, facility) =
        (footprint.it_energy.unwrap().value.get(), footprint.facility_energy.unwrap().value.get());
    let close = |value: f64, expected: f64| {
        assert!((value / expected - 1.0).abs() < 1e-12, "{value} {expected}");
    };
    close(footprint.co2e.unwrap().value.get(), facility * footprint.site.carbon.grams_per_kwh);
    close(footprint.co2e_market.unwrap().value.get(), facility * 724.56);
    // WUE is per kilowatt-hour of IT energy: the PUE is not in it.
    close(footprint.water.unwrap().value.get(), it * 1.8);
    assert_eq!(footprint.site.carbon, plain.footprint.site.carbon);
    let table = record.to_string();
    for part in ["CO2e, market", "residual mix of DE (Germany)", "water", "WUE 1.8 l/kWh"] {
        assert!(table.contains(part), "{part} is missing in\n{table}");
    }
    assert_eq!(Record::from_json(&record.to_json().unwrap()).unwrap(), record);
    // Two parts of a run: every sum is one.
    let whole = record.whole().footprint;
    assert_eq!((whole.co2e_market, whole.water), (footprint.co2e_market, footprint.water));
}

#[test]
fn a_record_of_before_currencies_and_rents_reads_as_it_was_written() {
    let record = short(Meter::builder().site(Site::strubell2019()));
    let mut old: serde_json::Value = serde_json::from_str(&record.to_json().unwrap()).unwrap();
    let price = &mut old["footprint"]["site"]["electricity_price"];
    for new in ["currency", "payer"] {
        price.as_object_mut().unwrap().remove(new).unwrap_or_else(|| panic!("no {new}"));
    }
    assert_eq!(price.as_object().unwrap().len(), 3, "value, source and year: {price}");
    let read = Record::from_json(&old.to_string()).unwrap();
    assert_eq!(read, record);
    assert_eq!(read.footprint.currency(), Some(Currency::USD));
    assert!(read.to_string().contains("NVIDIA P100"), "the price that it was worked out with");
}

#[test]
fn without_a_price_the_report_says_what_to_write() {
    let record = short(Meter::builder().region("CH"));
    assert_eq!((record.footprint.electricity_cost, record.footprint.electricity()), (None, None));
    let text = record.to_markdown();
    assert!(
        text.contains("no price is known")
            && text.contains("0.31 EUR")
            && text.contains("LU (Luxembourg)"),
        "{text}"
    );
    let stated = short(Meter::builder().region("CH").price("0.27 CHF"));
    let cost = stated.footprint.electricity().unwrap();
    assert!(cost.ends_with(" CHF"), "{cost}");
    let error =
        Meter::builder().without_probe().region("CH").price("industry").start().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownRegion);
}

#[test]
fn files_of_the_users_own_set_the_place() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let grids = write(
        "grids.csv",
        "code,g_per_kwh,year,source\nDE,300,2026,operator\ncampus,12,2026,plant\n",
    );
    let record = short(Meter::builder().grid(&grids).region("campus"));
    let carbon = &record.footprint.site.carbon;
    assert_eq!((carbon.grams_per_kwh, carbon.source.as_str(), carbon.year), (12.0, "plant", 2026));
    let error =
        Meter::builder().without_probe().grid(folder.path().join("none.csv")).start().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    let hours =
        write("hours.csv", "# source: operator\n2026-07-01 10:00,300\n2026-07-01 11:00,100\n");
    let record = short(Meter::builder().region("DE").carbon_series(&hours));
    let mean = record.footprint.mean_intensity.unwrap();
    assert!((mean - 100.0).abs() < 1e-9, "{mean}: the run is after the last value");
    assert_eq!(record.footprint.site.carbon.source, "operator");
    assert_eq!(
        record.footprint.site.electricity_price.as_ref().unwrap().place,
        "DE",
        "the region sets the price"
    );
}

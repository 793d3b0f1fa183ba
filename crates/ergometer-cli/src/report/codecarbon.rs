//! `--format codecarbon`: `CodeCarbon`'s `emissions.csv`, a row for each record.
//!
//! Columns and units are those of `CodeCarbon` 3: kilograms, kilowatt-hours and watts, energy and power times the
//! PUE. What ergometer does not know is empty. `energy_consumed` is everything that was metered; the three parts
//! have packages, boards and memory, and a platform, module or node is in none of them.

use ergometer::Record;
use ergometer::source::DomainKind;

use crate::outcome::Stop;

/// The columns, in `CodeCarbon`'s order.
const COLUMNS: [&str; 38] = [
    "timestamp",
    "project_name",
    "run_id",
    "experiment_id",
    "duration",
    "emissions",
    "emissions_rate",
    "cpu_power",
    "gpu_power",
    "ram_power",
    "cpu_energy",
    "gpu_energy",
    "ram_energy",
    "energy_consumed",
    "water_consumed",
    "country_name",
    "country_iso_code",
    "region",
    "cloud_provider",
    "cloud_region",
    "os",
    "python_version",
    "codecarbon_version",
    "cpu_count",
    "cpu_model",
    "gpu_count",
    "gpu_model",
    "longitude",
    "latitude",
    "ram_total_size",
    "tracking_mode",
    "cpu_utilization_percent",
    "gpu_utilization_percent",
    "ram_utilization_percent",
    "ram_used_gb",
    "on_cloud",
    "pue",
    "wue",
];

/// The file.
pub fn csv(records: &[Record]) -> Result<String, Stop> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let failed = |error: csv::Error| Stop::new(format!("the rows cannot be written: {error}"));
    writer.write_record(COLUMNS).map_err(failed)?;
    for record in records {
        let cells = COLUMNS.map(|column| cell(record, column));
        writer.write_record(cells).map_err(failed)?;
    }
    let bytes = writer
        .into_inner()
        .map_err(|error| Stop::new(format!("the rows cannot be written: {error}")))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn cell(record: &Record, column: &str) -> String {
    let whole = record.whole();
    let (machine, site) = (&record.machine, &whole.footprint.site);
    let number = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
    let energy = |kind| joules(record, kind).map(|joules| joules * site.pue.value / 3.6e6);
    let power = |kind| {
        let seconds = Some(whole.seconds).filter(|seconds| *seconds > 0.0);
        joules(record, kind).zip(seconds).map(|(joules, seconds)| joules * site.pue.value / seconds)
    };
    let kilograms = whole.footprint.co2e.map(|gases| gases.value.get() / 1e3);
    let carbon = &site.carbon;
    let cloud = carbon.code.split_once(':').filter(|_| !carbon.assumed);
    let is_country = !carbon.assumed && cloud.is_none() && carbon.code.len() <= 3;
    match column {
        "timestamp" => ended(record),
        "project_name" => text(&record.run.label),
        "run_id" => text(&record.run.id),
        "experiment_id" => text(record.run.group.as_deref().unwrap_or_default()),
        "duration" => whole.seconds.to_string(),
        "emissions" => number(kilograms),
        "emissions_rate" => {
            number(kilograms.filter(|_| whole.seconds > 0.0).map(|kg| kg / whole.seconds))
        }
        "cpu_power" => number(power(DomainKind::CpuPackage)),
        "gpu_power" => number(power(DomainKind::Gpu)),
        "ram_power" => number(power(DomainKind::Dram)),
        "cpu_energy" => number(energy(DomainKind::CpuPackage)),
        "gpu_energy" => number(energy(DomainKind::Gpu)),
        "ram_energy" => number(energy(DomainKind::Dram)),
        "energy_consumed" => number(whole.footprint.facility_energy.map(|one| one.value.get())),
        "country_name" if is_country => text(&carbon.place),
        "country_iso_code" if is_country && carbon.code.len() == 3 => text(&carbon.code),
        "region" if !is_country && cloud.is_none() && !carbon.assumed => text(&carbon.code),
        "cloud_provider" => text(cloud.map_or("", |(provider, _)| provider)),
        "cloud_region" => text(cloud.map_or("", |(_, region)| region)),
        "os" => text(machine.os.as_deref().unwrap_or_default()),
        "cpu_count" => number(machine.logical_cpus.map(f64::from)),
        "cpu_model" => text(machine.cpu.as_deref().unwrap_or_default()),
        // None may also be one whose driver could not be asked.
        "gpu_count" if !machine.accelerators.is_empty() => machine.accelerators.len().to_string(),
        "gpu_model" => text(&super::boards(&machine.accelerators).join(", ")),
        "ram_total_size" => {
            number(machine.memory_bytes.map(|bytes| bytes as f64 / f64::from(1 << 30)))
        }
        "tracking_mode" => {
            let process = record.domains.iter().any(|row| row.domain.id.ends_with("/process"));
            if process { "process" } else { "machine" }.to_owned()
        }
        "on_cloud" => if cloud.is_some() { "Y" } else { "N" }.to_owned(),
        "pue" => site.pue.value.to_string(),
        "water_consumed" => number(whole.footprint.water.map(|water| water.value.get())),
        "wue" => number(site.wue.as_ref().map(|wue| wue.value)),
        _ => String::new(),
    }
}

/// Joules of all domains of a kind over all parts of the run; `None` if one of its parts has none.
fn joules(record: &Record, kind: DomainKind) -> Option<f64> {
    let before = record.earlier.iter().map(|part| &part.domains);
    let parts = before.chain([&record.domains]).map(|rows| {
        let rows = rows.iter().filter(|row| row.domain.kind == kind);
        rows.filter_map(|row| row.energy).map(|energy| energy.joules.get()).reduce(|a, b| a + b)
    });
    parts.sum()
}

/// The end of the run, as `CodeCarbon` writes it.
fn ended(record: &Record) -> String {
    let Ok(started) = record.run.started.parse::<jiff::Timestamp>() else { return String::new() };
    let length = jiff::SignedDuration::try_from_secs_f64(record.run.seconds).unwrap_or_default();
    let ended = started.checked_add(length).unwrap_or(started);
    ended.strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

/// A cell that no spreadsheet takes for a formula.
fn text(text: &str) -> String {
    match text.chars().next() {
        Some('=' | '+' | '-' | '@' | '\t' | '\r' | '\n') => format!("'{text}"),
        _ => text.to_owned(),
    }
}

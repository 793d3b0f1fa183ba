//! The lines below the tables: what was metered and what not, the constants, the files.

use std::fmt::Write as _;
use std::path::PathBuf;

use ergometer::footprint::Site;
use ergometer::source::{Availability, SourceReport};

use super::conditions::Conditions;
use super::figure::{plus_minus, significant};
use super::model_report::ModelReport;
use super::projection::Projection;
use super::report::Report;
use super::run::Run;
use super::spread::Spread;
use super::steady::Steady;
use super::{checks, comparison, curve, table};

/// One line a power source: what it gives, or why it gives nothing and what would change that.
pub fn sources(sources: &[SourceReport]) -> String {
    let mut lines = String::from("power sources:\n");
    for source in sources {
        line(&mut lines, &source_line(source));
        for remark in &source.remarks {
            line(&mut lines, &format!("  {remark}"));
        }
    }
    lines
}

fn source_line(source: &SourceReport) -> String {
    let name = &source.source;
    match &source.availability {
        Availability::Available if source.domains.is_empty() => format!("{name}: available"),
        Availability::Available => format!("{name}: available ({})", source.domains.join(", ")),
        Availability::Unavailable { reason, remedy } if remedy.is_empty() => {
            format!("{name}: unavailable: {reason}")
        }
        Availability::Unavailable { reason, remedy } => {
            format!("{name}: unavailable: {reason}; {remedy}")
        }
    }
}

/// What has to be known before anything else is read; nothing for a report of real figures.
pub fn notice(report: &Report) -> String {
    report.notice.as_ref().map_or_else(String::new, |notice| format!("{notice}\n"))
}

/// All that has to be known to read the tables.
pub fn of(report: &Report) -> String {
    let mut lines = String::new();
    line(
        &mut lines,
        "energy, power and kWh: ± 2 standard uncertainties; whole run, data loading and \
         validation included. J/step, J/item, items/s and FLOPs: training steps only, without the first epoch \
         where there is another.",
    );
    if report.models.iter().flat_map(|model| &model.runs).any(|run| !curve::of(run).is_empty()) {
        line(
            &mut lines,
            "held-out loss against energy: energy of the epochs up to then, training and validation; what lies outside \
             the epochs is not in it.",
        );
    }
    machine(&mut lines, report);
    for source in &report.sources {
        if matches!(source.availability, Availability::Unavailable { .. }) {
            line(&mut lines, &source_line(source));
        }
    }
    for model in &report.models {
        for run in &model.runs {
            let seed = run.seed.map_or_else(String::new, |seed| format!(", seed {seed}"));
            let what = format!("{}{seed}", model.subject());
            let loss = table::change(run.train_loss);
            line(&mut lines, &format!("{what}: training loss {loss}, {}", table::quality(run)));
            for remark in of_run(run).into_iter().chain(checks::of(run)) {
                line(&mut lines, &format!("{what}: {remark}"));
            }
            for warning in &run.warnings {
                line(&mut lines, &format!("{what}: {warning}"));
            }
        }
        for spread in spreads(model).into_iter().chain(checks::of_repeats(model)) {
            line(&mut lines, &spread);
        }
        if let Some(projection) = &model.projection {
            line(&mut lines, &projected(projection));
        }
    }
    for constant in constants(report) {
        line(&mut lines, &constant);
    }
    line(
        &mut lines,
        "rows marked Strubell et al. 2019 are as printed there: the paper's hardware, PUE 1.58, \
         0.954 lb CO2e/kWh (direct), its cloud prices",
    );
    for note in comparison::lines(&report.comparisons) {
        line(&mut lines, &note);
    }
    for failure in &report.failures {
        line(&mut lines, &format!("failed: {failure}"));
    }
    lines
}

/// What the machine was like, and its own peak.
fn machine(lines: &mut String, report: &Report) {
    for remark in &report.remarks {
        line(lines, remark);
    }
    let states: Vec<String> = report.conditions.iter().map(Conditions::words).collect();
    for states in states.chunks(2) {
        if let [before, after] = states
            && !before.is_empty()
        {
            line(lines, &format!("machine before: {before}; after: {after}"));
        }
    }
    let peaks = report.models.iter().filter_map(|model| {
        let peak = model.peak?;
        let rate = significant(peak.flops_per_second / 1e9, 3);
        Some(format!(
            "peak{}: {rate} GFLOP/s, a product of {1} × {1} matrices in single precision",
            model.subject().backend_words(),
            peak.size
        ))
    });
    let mut shown = Vec::new();
    for peak in peaks {
        if !shown.contains(&peak) {
            line(lines, &peak);
            shown.push(peak);
        }
    }
}

/// What the machine drew before a run, and what was left out of its steps.
fn of_run(run: &Run) -> Vec<String> {
    let mut remarks = Vec::new();
    let domains = || run.domains.iter().filter(|domain| domain.energy.is_some());
    let idle: Option<f64> = domains().map(|domain| Some(domain.idle_power?.get())).sum();
    let above: Option<f64> = domains().map(|domain| Some(domain.above_idle?.get())).sum();
    if let (Some(idle), Some(above), true) = (idle, above, domains().next().is_some()) {
        let (idle, above) = (significant(idle, 3), significant(above, 3));
        remarks.push(format!("{idle} W before the run; {above} J above that"));
    }
    if let Some(steady) = Steady::of(run).filter(|steady| steady.left_out > 0)
        && let (Some(warm), Some(left_out)) =
            (steady.joules_per_step(), steady.left_out_joules_per_step)
    {
        remarks.push(format!(
            "warm-up left out: the first epoch's {} steps of {} J; the {} after them took {} J",
            steady.left_out,
            significant(left_out, 3),
            steady.steps,
            significant(warm, 3)
        ));
    }
    let fingerprint = |name: &str| run.facts.get(name);
    if let (Some(losses), Some(data)) =
        (fingerprint("losses fingerprint"), fingerprint("data fingerprint"))
    {
        remarks.push(format!("losses {losses}, data {data}"));
    }
    remarks
}

fn projected(projection: &Projection) -> String {
    format!(
        "projected {}: {}; energies ± {} % from the measured one's uncertainty",
        projection.name,
        projection.basis,
        significant(projection.standard_uncertainty * 200.0, 2)
    )
}

/// The site's constants, each with its source and year.
fn constants(report: &Report) -> Vec<String> {
    let Site { pue, carbon, electricity_price, .. } = &report.site;
    let assumed = if carbon.assumed { ", assumed: state yours with --region" } else { "" };
    let mut lines = vec![
        format!("PUE {} ({}, {})", pue.value, pue.source, pue.year),
        format!(
            "grid {} g CO2e/kWh, {} ({}; {}, {}{assumed})",
            carbon.grams_per_kwh,
            carbon.place,
            carbon.kind.as_str(),
            carbon.source,
            carbon.year
        ),
        electricity_price.as_ref().map_or_else(
            || {
                "no price of electricity is known for this place; --region states another"
                    .to_owned()
            },
            |price| format!("electricity {}", price.describe()),
        ),
    ];
    let mut runs = report.models.iter().flat_map(|model| &model.runs);
    let rented = runs.find(|run| run.cloud_usd().is_some());
    if let Some(accelerator) = rented.and_then(|run| run.footprint.accelerator_price()) {
        lines.push(format!(
            "cloud {} {}–{} a {} and hour ({}, {})",
            accelerator.name,
            accelerator.low,
            accelerator.high,
            accelerator.unit.as_str(),
            accelerator.source,
            accelerator.year
        ));
    }
    lines
}

/// What repeats differ by, one line a quantity; nothing for a single run.
fn spreads(model: &ModelReport) -> Vec<String> {
    let mean = &model.mean;
    let quantities: [(&str, Option<Spread>); 5] = [
        ("s", mean.seconds),
        ("J", mean.joules),
        ("J/step", mean.joules_per_step),
        ("items/s", mean.items_per_second),
        ("quality", mean.quality),
    ];
    let parts: Vec<String> = quantities
        .into_iter()
        .filter_map(|(unit, spread)| {
            let spread = spread?;
            let mean = plus_minus(spread.mean, spread.half_interval()?);
            let deviation = significant(spread.standard_deviation?, 2);
            Some(format!("({mean}) {unit} (sd {deviation})"))
        })
        .collect();
    if parts.is_empty() {
        return Vec::new();
    }
    vec![format!("{}, 95 % interval between runs: {}", model.title(), parts.join(", "))]
}

/// Where the files are.
pub fn written(files: &[PathBuf]) -> String {
    let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    format!("written: {}\n", files.join(", "))
}

fn line(lines: &mut String, line: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(lines, "  {line}");
}

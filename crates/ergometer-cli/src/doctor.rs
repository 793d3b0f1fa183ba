//! `ergometer doctor`: what can be metered on this machine, and what would change that.

use std::fmt::Write as _;
use std::thread;
use std::time::Duration;

use clap::ValueEnum;
use ergometer::Record;
use ergometer::record::DomainRecord;
use ergometer::report::Column;
use ergometer::source::{Availability, DomainKind, SourceReport};
use ergometer::units::Watts;
use serde::Serialize;

use crate::metering::{MeteringArgs, length};
use crate::outcome::{CHECK_FAILED, Outcome, Stop};
use crate::table::{ABSENT, indented, or_absent, spread, table, wrapped};

/// Show every power source of this machine: what it measures or, if it is unavailable, the reason and the remedy
///
/// Then the domains that a run would have, by which method and with what uncertainty, and the power that
/// each shows now.
#[derive(Debug, clap::Args)]
pub struct Doctor {
    #[command(flatten)]
    metering: MeteringArgs,
    /// Exit with 1 unless a sensor measures this; may be repeated, or a list: `gpu,dram`
    #[arg(long, value_enum, value_name = "WHAT", value_delimiter = ',')]
    require: Vec<Required>,
    /// How long to read the sensors
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = length)]
    seconds: Duration,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum Required {
    Gpu,
    Cpu,
    Dram,
}

impl Required {
    /// Whether a domain of this kind has it: it is that, or contains it.
    fn is_in(self, kind: DomainKind) -> bool {
        use DomainKind::{CpuPackage, Dram, Gpu, Module, Node, Psys};
        match self {
            Self::Gpu => matches!(kind, Gpu | Module | Node),
            Self::Cpu => matches!(kind, CpuPackage | Psys | Module | Node),
            Self::Dram => matches!(kind, Dram | Psys | Module | Node),
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Gpu => "gpu",
            Self::Cpu => "cpu",
            Self::Dram => "dram",
        }
    }
}

/// What `--json` prints.
#[derive(Serialize)]
struct Findings<'a> {
    machine: &'a ergometer::record::Machine,
    sources: &'a [SourceReport],
    domains: &'a [DomainRecord],
    /// What `--require` named and no sensor measures.
    missing: &'a [Required],
}

impl Doctor {
    pub fn run(self) -> Result<Outcome, Stop> {
        // This is not a run: the environment's folders are for runs.
        let meter = self.metering.builder()?.without_environment().label("doctor").start()?;
        thread::sleep(self.seconds);
        let record = meter.finish()?;
        let missing: Vec<Required> =
            self.require.iter().copied().filter(|one| !is_measured(&record, *one)).collect();
        let outcome = if self.json {
            Outcome::json(&Findings {
                machine: &record.machine,
                sources: &record.sources,
                domains: &record.domains,
                missing: &missing,
            })?
        } else {
            Outcome::of(text(&record, &missing))
        };
        Ok(if missing.is_empty() { outcome } else { outcome.with_code(CHECK_FAILED) })
    }
}

/// Whether a sensor gave an energy of what is required.
fn is_measured(record: &Record, required: Required) -> bool {
    record.domains.iter().any(|row| {
        required.is_in(row.domain.kind)
            && row.energy.is_some_and(|energy| energy.method.is_measured())
    })
}

fn text(record: &Record, missing: &[Required]) -> String {
    let mut text = String::new();
    let machine = &record.machine;
    let place: Vec<String> = [machine.os.clone(), machine.cpu.clone()]
        .into_iter()
        .flatten()
        .chain((machine.virtual_machine == Some(true)).then(|| "virtual machine".to_owned()))
        .collect();
    text += &wrapped(&place.join(", "));
    text.push('\n');
    for source in &record.sources {
        add_source(&mut text, source);
    }
    if record.domains.is_empty() {
        text.push_str("\nA run here would have no energy: nothing can be read.\n");
    } else {
        let columns = [Column::name("domain"), Column::name("source"), Column::exact("method")];
        let figures = ["rate", "resolution", "uncertainty", "power now"];
        let rows = record.domains.iter().map(domain);
        let _ = write!(text, "\nA run here would meter\n{}", table(columns, figures, rows));
        text += &wrapped(
            "uncertainty: ± of the sensor or model over a long run, two standard uncertainties",
        );
    }
    for row in &record.domains {
        for remark in row.domain.note.iter().chain(&row.warnings) {
            text += &wrapped(&format!("{}: {remark}", row.domain.id));
        }
    }
    for warning in &record.warnings {
        text += &wrapped(warning);
    }
    for required in missing {
        let _ = writeln!(text, "required and not measured: {}", required.as_str());
    }
    text
}

fn add_source(text: &mut String, report: &SourceReport) {
    let name = &report.source;
    let (good, bad) = (
        anstyle::AnsiColor::Green.on_default().bold(),
        anstyle::AnsiColor::Yellow.on_default().bold(),
    );
    let _ = match &report.availability {
        Availability::Available if report.domains.is_empty() => {
            writeln!(text, "{name:<10} {good}not needed{good:#}")
        }
        Availability::Available => {
            let domains = indented(&format!("available: {}", report.domains.join(", ")), 11);
            let domains = domains.trim_start_matches("available");
            writeln!(text, "{name:<10} {good}available{good:#}{domains}")
        }
        Availability::Unavailable { reason, remedy } => {
            let reason = indented(&format!("unavailable: {reason}"), 11);
            let reason = reason.trim_start_matches("unavailable");
            let remedy = indented(&format!("remedy: {remedy}"), 11);
            writeln!(text, "{name:<10} {bad}unavailable{bad:#}{reason}\n{:11}{remedy}", "")
        }
    };
    for remark in &report.remarks {
        let _ = writeln!(text, "{:11}{}", "", indented(remark, 11));
    }
}

fn domain(row: &DomainRecord) -> Vec<String> {
    let domain = &row.domain;
    let sensor = &domain.sensor;
    let seconds = |period: f64| format!("{} ms", (period * 1e5).round() / 100.0);
    // Both, where there are both: they are read apart.
    let rates: Vec<String> =
        [("counter", sensor.counter_period_s), ("power", sensor.power_period_s)]
            .into_iter()
            .filter_map(|(what, period)| Some(format!("{what} {}", seconds(period?))))
            .collect();
    let mut uncertainty = format!("± {}", spread(2.0 * sensor.relative_error));
    if sensor.absolute_error > Watts::ZERO {
        let _ = write!(uncertainty, " ± {}", sensor.absolute_error * 2.0);
    }
    vec![
        domain.to_string(),
        domain.source.clone(),
        domain.method.as_str().to_owned(),
        if rates.is_empty() { ABSENT.to_owned() } else { rates.join(", ") },
        or_absent(sensor.counter_quantum, |joules| joules.to_string()),
        uncertainty,
        or_absent(row.mean_power, |watts| watts.to_string()),
    ]
}

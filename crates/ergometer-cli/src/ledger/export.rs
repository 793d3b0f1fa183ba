//! The ledger as Parquet files, for what asks many records at once.
//!
//! Five tables of flat columns with units in their names: `runs`, `epochs`, `steps`, `spans` and `trials`. They join
//! by `run_id` and `part`. `docs/ledger.md` has queries.

mod sheet;

use std::path::Path;

use ergometer::Record;
use ergometer::record::{SpanNode, Steps};
use ergometer::source::DomainKind;
use ergometer::units::Joules;

use super::cache::Found;
use super::{Counted, Part};
use crate::journals;
use crate::outcome::{Stop, note};
use sheet::{Cell, Sheet, Type};

use Type::{Count, Flag, Moment, Number, Text};

const RUNS: &[(&str, Type)] = &[
    ("run_id", Text),
    ("part", Count),
    ("label", Text),
    ("model", Text),
    ("started", Moment),
    ("host", Text),
    ("machine_id", Text),
    ("cpu", Text),
    ("git_commit", Text),
    ("finished", Flag),
    ("exit_code", Count),
    ("failed", Flag),
    ("seconds", Number),
    ("accelerators", Count),
    ("accelerator_hours", Number),
    ("it_joules", Number),
    ("standard_uncertainty_joules", Number),
    ("method", Text),
    ("facility_kwh", Number),
    ("co2e_g", Number),
    ("co2e_market_g", Number),
    ("water_l", Number),
    // Amounts of two currencies have no sum: add by `electricity_currency`.
    ("electricity_cost", Number),
    ("electricity_currency", Text),
    ("cloud_low_usd", Number),
    ("cloud_high_usd", Number),
    ("file", Text),
];

const EPOCHS: &[(&str, Type)] = &[
    ("run_id", Text),
    ("part", Count),
    ("split", Text),
    // Null in a row for the epochs after the first 4096, which are summed up.
    ("epoch", Count),
    ("epochs", Count),
    ("start_s", Number),
    ("seconds", Number),
    ("joules", Number),
    ("standard_uncertainty_joules", Number),
    ("gpu_joules", Number),
    ("cpu_joules", Number),
    ("dram_joules", Number),
    ("other_joules", Number),
    ("steps", Count),
    ("steps_joules", Number),
    ("between_steps_joules", Number),
    ("items", Number),
    ("items_unit", Text),
];

const STEPS: &[(&str, Type)] = &[
    ("run_id", Text),
    ("part", Count),
    ("split", Text),
    ("steps", Count),
    ("seconds", Number),
    ("joules", Number),
    ("gpu_joules", Number),
    ("cpu_joules", Number),
    ("dram_joules", Number),
    ("other_joules", Number),
    ("mean_joules", Number),
    ("min_joules", Number),
    ("p50_joules", Number),
    ("p95_joules", Number),
    ("max_joules", Number),
    ("mean_seconds", Number),
    ("p50_seconds", Number),
    ("p95_seconds", Number),
    ("items", Number),
    ("items_unit", Text),
    ("joules_per_item", Number),
    ("items_per_second", Number),
];

const SPANS: &[(&str, Type)] = &[
    ("run_id", Text),
    ("part", Count),
    ("path", Text),
    ("depth", Count),
    ("kind", Text),
    ("name", Text),
    ("spans", Count),
    ("seconds", Number),
    ("joules", Number),
    ("exclusive_joules", Number),
    ("standard_uncertainty_joules", Number),
];

/// What a run was given and what it came to: hyperparameters and results.
const TRIALS: &[(&str, Type)] = &[
    ("run_id", Text),
    ("part", Count),
    ("name", Text),
    ("is_result", Flag),
    ("number", Number),
    ("text", Text),
];

struct Sheets {
    runs: Sheet,
    epochs: Sheet,
    steps: Sheet,
    spans: Sheet,
    trials: Sheet,
}

/// Writes the parts that count to `folder`. Epochs, spans and trials are those of records; of the parts before an
/// interruption only the row of the run is known.
pub fn write(folder: &Path, parts: &[Counted<'_>], files: &[Found]) -> Result<(), Stop> {
    let sheet = |name: &'static str, columns| Sheet::create(folder, name, columns);
    let mut sheets = Sheets {
        runs: sheet("runs", RUNS)?,
        epochs: sheet("epochs", EPOCHS)?,
        steps: sheet("steps", STEPS)?,
        spans: sheet("spans", SPANS)?,
        trials: sheet("trials", TRIALS)?,
    };
    for counted in parts {
        let path = counted.file.map(|file| files[file].path.as_path());
        sheets.runs.push(run(counted, path))?;
        let Some(path) = path else { continue };
        // It was read for the sums, by this command or one before; now it may be another, or gone.
        match journals::record_in(path) {
            Ok(record) if record.run.id == counted.part.run_id => {
                sheets.record(&record, counted)?;
            }
            Ok(_) => {
                note(format!(
                    "'{}' was changed meanwhile: its epochs are left out",
                    path.display()
                ));
            }
            Err(error) => note(format!("its epochs are left out: {error}")),
        }
    }
    let Sheets { runs, epochs, steps, spans, trials } = sheets;
    for sheet in [runs, epochs, steps, spans, trials] {
        sheet.close()?;
    }
    Ok(())
}

fn run(counted: &Counted<'_>, file: Option<&Path>) -> Vec<Cell> {
    let Part {
        run_id,
        label,
        model,
        host,
        machine_id,
        cpu,
        started,
        finished,
        exit_code,
        git_commit,
        seconds,
        joules,
        uncertainty_joules,
        method,
        facility_kwh,
        co2e_g,
        electricity,
        co2e_market_g,
        water_l,
        cloud_low_usd,
        cloud_high_usd,
        accelerators,
    } = counted.part;
    vec![
        Cell::text(run_id),
        number_of(counted),
        Cell::text(label),
        Cell::maybe_text(model.as_deref()),
        Cell::moment(started),
        Cell::maybe_text(host.as_deref()),
        Cell::maybe_text(machine_id.as_deref()),
        Cell::maybe_text(cpu.as_deref()),
        Cell::maybe_text(git_commit.as_deref()),
        Cell::Flag(Some(*finished)),
        Cell::Count(exit_code.map(i64::from)),
        Cell::Flag(Some(counted.part.failed())),
        Cell::number(*seconds),
        Cell::Count(Some(i64::from(*accelerators))),
        Cell::number(counted.part.accelerator_hours()),
        Cell::Number(*joules),
        Cell::Number(*uncertainty_joules),
        Cell::maybe_text(method.as_deref()),
        Cell::Number(*facility_kwh),
        Cell::Number(*co2e_g),
        Cell::Number(*co2e_market_g),
        Cell::Number(*water_l),
        Cell::Number(electricity.map(|(cost, _)| cost)),
        Cell::maybe_text(electricity.as_ref().map(|(_, currency)| currency.as_str())),
        Cell::Number(*cloud_low_usd),
        Cell::Number(*cloud_high_usd),
        Cell::maybe_text(file.map(|file| file.display().to_string()).as_deref()),
    ]
}

fn number_of(counted: &Counted<'_>) -> Cell {
    Cell::Count(i64::try_from(counted.number).ok())
}

/// The columns by kind of domain.
fn by_kind(record: &Record, joules: impl Iterator<Item = Option<Joules>>) -> [Cell; 4] {
    let mut sums = [None; 4];
    for (row, joules) in record.domains.iter().zip(joules) {
        let place = match row.domain.kind {
            DomainKind::Gpu => 0,
            DomainKind::CpuPackage => 1,
            DomainKind::Dram => 2,
            _ => 3,
        };
        if let Some(joules) = joules {
            *sums[place].get_or_insert(0.0) += joules.get();
        }
    }
    sums.map(Cell::Number)
}

/// Joules by domain of the record; `None` of one that was not read.
fn read<'a>(record: &'a Record, joules: &'a [Joules]) -> impl Iterator<Item = Option<Joules>> + 'a {
    record.domains.iter().zip(joules).map(|(row, joules)| row.energy.map(|_| *joules))
}

/// The sum over the domains that were read; null if none was.
fn sum(record: &Record, joules: &[Joules]) -> Cell {
    let read: Vec<Joules> = read(record, joules).flatten().collect();
    Cell::Number((!read.is_empty()).then(|| read.iter().map(|joules| joules.get()).sum()))
}

/// The number and unit of a step's items.
fn items(steps: Option<&Steps>) -> [Cell; 2] {
    let items = steps.and_then(|steps| steps.items.as_ref());
    let unit = items.map(|items| items.unit.as_str());
    [Cell::Number(items.map(|items| items.count)), Cell::maybe_text(unit)]
}

impl Sheets {
    fn record(&mut self, record: &Record, counted: &Counted<'_>) -> Result<(), Stop> {
        let id = || [Cell::text(&counted.part.run_id), number_of(counted)];
        let rows = record.epochs.iter().map(|epoch| {
            let at = (Some(epoch.index), 1, Some(epoch.start_s));
            let inner = (epoch.steps.as_ref(), &epoch.between_steps);
            (&epoch.split, at, &epoch.usage, inner)
        });
        let more = record.more_epochs.iter().map(|(split, more)| {
            (
                split,
                (None, more.count, None),
                &more.usage,
                (more.steps.as_ref(), &more.between_steps),
            )
        });
        for (split, (index, count, start), usage, (steps, between)) in rows.chain(more) {
            let mut row = id().to_vec();
            row.extend([Cell::text(split), Cell::count(index), Cell::count(Some(count))]);
            row.extend([Cell::Number(start), Cell::number(usage.seconds)]);
            row.push(Cell::Number(usage.energy.map(|energy| energy.joules.get())));
            row.push(Cell::Number(usage.energy.map(|energy| energy.standard_uncertainty.get())));
            let joules = usage.by_domain.iter().map(|energy| energy.map(|energy| energy.joules));
            row.extend(by_kind(record, joules));
            row.push(Cell::count(Some(steps.map_or(0, |steps| steps.count))));
            row.push(steps.map_or(Cell::Number(None), |steps| sum(record, &steps.by_domain)));
            row.push(sum(record, between));
            row.extend(items(steps));
            self.epochs.push(row)?;
        }
        for (split, steps) in &record.steps {
            // The steps of each rank are in those of all.
            let of_rank =
                split.rsplit_once('@').is_some_and(|(all, _)| record.steps.contains_key(all));
            if !of_rank || record.ranks.is_empty() {
                self.steps.push(of_steps(record, &id(), split, steps))?;
            }
        }
        for node in &record.spans {
            self.span(record, &id(), (node, "", 0))?;
        }
        for (name, value) in &record.facts {
            let number = value.trim().parse::<f64>().ok().filter(|number| number.is_finite());
            let [run, part] = id();
            let row = vec![
                run,
                part,
                Cell::text(name),
                Cell::Flag(Some(false)),
                Cell::Number(number),
                Cell::text(value),
            ];
            self.trials.push(row)?;
        }
        for (name, value) in &record.results {
            let [run, part] = id();
            let flag = Cell::Flag(Some(true));
            let row =
                vec![run, part, Cell::text(name), flag, Cell::number(*value), Cell::Text(None)];
            self.trials.push(row)?;
        }
        Ok(())
    }

    fn span(
        &mut self,
        record: &Record,
        id: &[Cell; 2],
        (node, above, depth): (&SpanNode, &str, i64),
    ) -> Result<(), Stop> {
        let path =
            if above.is_empty() { node.name.clone() } else { format!("{above}/{}", node.name) };
        let joule =
            |joules: Joules| Cell::Number(record.total.energy.is_some().then(|| joules.get()));
        let [run, part] = id.clone();
        self.spans.push(vec![
            run,
            part,
            Cell::text(&path),
            Cell::Count(Some(depth)),
            Cell::text(node.kind.as_str()),
            Cell::text(&node.name),
            Cell::count(Some(node.count)),
            Cell::number(node.seconds),
            sum(record, &node.by_domain),
            joule(node.exclusive),
            joule(node.standard_uncertainty),
        ])?;
        let mut inside = node.children.iter();
        inside.try_for_each(|child| self.span(record, id, (child, &path, depth + 1)))
    }
}

fn of_steps(record: &Record, id: &[Cell; 2], split: &str, steps: &Steps) -> Vec<Cell> {
    let (joules, seconds) = (&steps.joules, &steps.duration_s);
    let rates = steps.items.as_ref();
    let mut row = id.to_vec();
    row.extend([Cell::text(split), Cell::count(Some(steps.count)), Cell::number(steps.seconds)]);
    let is_read = record.total.energy.is_some();
    let joule = |value: f64| Cell::Number(is_read.then_some(value));
    row.push(sum(record, &steps.by_domain));
    row.extend(by_kind(record, read(record, &steps.by_domain)));
    row.extend([joule(joules.mean), Cell::Number(joules.min), Cell::Number(joules.p50)]);
    row.extend([Cell::Number(joules.p95), Cell::Number(joules.max)]);
    row.extend([Cell::number(seconds.mean), Cell::Number(seconds.p50), Cell::Number(seconds.p95)]);
    row.extend(items(Some(steps)));
    row.push(rates.map_or(Cell::Number(None), |items| joule(items.joules_per_item.get())));
    row.push(Cell::Number(rates.map(|items| items.per_second)));
    row
}

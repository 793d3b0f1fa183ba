//! `ergometer report`: records, and journals of runs that are going on, in any form.

mod codecarbon;
mod latex;
mod model_card;
mod perfetto;
mod sci;
mod tensorboard;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use ergometer::Record;
use ergometer_page::plot::{self, Plot};
use ergometer_page::{Page, boards, flame, hardware, methods};

use crate::journals;
use crate::outcome::{Outcome, Stop};

/// Show records, or the run so far from journals of runs that are going on
#[derive(Debug, clap::Args)]
pub struct Report {
    /// Records (`.json`) and journals
    #[arg(required = true, value_name = "RECORD|JOURNAL")]
    paths: Vec<PathBuf>,
    /// Form of the report
    #[arg(long, value_enum, default_value_t = Format::Table, conflicts_with = "json")]
    format: Format,
    /// What `--format svg` shows
    #[arg(long, value_enum, default_value_t = Plot::Power)]
    plot: Plot,
    /// The same as `--format json`
    #[arg(long)]
    json: bool,
    /// File to write instead of stdout; for `tensorboard` also a folder
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Kind of training in a model card, as `pre-training` or `fine-tuning`; else the fact `training_type`
    #[arg(long, value_name = "TEXT")]
    training_type: Option<String>,
    #[command(flatten)]
    sci: sci::SciArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Tables for a terminal
    Table,
    /// The whole record; several records are a list
    Json,
    /// Tables for a model card or an appendix
    Markdown,
    /// Every energy, a row each; of several records with a column for the file
    Csv,
    /// One page with charts, without scripts: needs no network and can be printed
    Html,
    /// A table as in the paper, a row for each record
    Latex,
    /// Metadata of a Hugging Face model card (emissions in grams)
    ModelCard,
    /// The columns of codecarbon's emissions.csv
    Codecarbon,
    /// Software Carbon Intensity, ISO/IEC 21031, as JSON; see --per and --embodied-kg
    Sci,
    /// Folded stacks of the spans, in millijoules
    Folded,
    /// The same drawn as a flame graph (SVG)
    Flamegraph,
    /// One plot for a paper (SVG); see --plot
    Svg,
    /// A trace for ui.perfetto.dev and Chrome's tracing page
    Perfetto,
    /// Scalars for tensorboard, an event file; needs --output
    Tensorboard,
}

impl Report {
    pub fn run(self) -> Result<Outcome, Stop> {
        let records: Vec<Record> =
            self.paths.iter().map(|path| journals::read(path)).collect::<Result<_, _>>()?;
        let text = match if self.json { Format::Json } else { self.format } {
            Format::Table => joined(&records, ToString::to_string),
            Format::Markdown => joined(&records, Record::to_markdown),
            Format::Json => json(&records)?,
            Format::Csv => self.csv(&records)?,
            Format::Html => Page::of(records).to_html(),
            Format::Latex => latex::table(&records),
            Format::ModelCard => {
                model_card::metadata(self.only(&records)?, self.training_type.as_deref())?
            }
            Format::Codecarbon => codecarbon::csv(&records)?,
            Format::Sci => self.scores(&records)?,
            Format::Folded => {
                let folded = |record| flame::folded(record).ok_or_else(|| without_energy(record));
                records.iter().map(folded).collect::<Result<String, _>>()?
            }
            Format::Flamegraph => {
                let record = self.only(&records)?;
                flame::flamegraph(record).ok_or_else(|| without_energy(record))?
            }
            Format::Svg => self.plot(&records)?,
            Format::Perfetto => perfetto::trace(&records)?,
            Format::Tensorboard => return self.tensorboard(&records),
        };
        let Some(path) = self.output else { return Ok(Outcome::of(text)) };
        write(&path, text.as_bytes())?;
        Ok(Outcome::of(""))
    }

    /// The record of a form that is of one run.
    fn only<'a>(&self, records: &'a [Record]) -> Result<&'a Record, Stop> {
        let [record] = records else {
            return Err(Stop::new(format!(
                "`--format {}` is of one record, not of {}",
                name(&self.format),
                records.len()
            ))
            .with_remedy("give one, or join the ranks of a run with `ergometer merge`"));
        };
        Ok(record)
    }

    fn plot(&self, records: &[Record]) -> Result<String, Stop> {
        let record = self.only(records)?;
        plot::svg(record, self.plot).ok_or_else(|| {
            let plot = name(&self.plot);
            Stop::new(format!("'{}' has nothing to show as `--plot {plot}`", record.run.label))
                .with_remedy(
                    "`ergometer report` shows what it has, and why it lacks what it has not",
                )
        })
    }

    fn scores(&self, records: &[Record]) -> Result<String, Stop> {
        let scores: Vec<_> =
            records.iter().map(|record| self.sci.score(record)).collect::<Result<_, _>>()?;
        let text = match &scores[..] {
            [score] => serde_json::to_string_pretty(score),
            all => serde_json::to_string_pretty(all),
        };
        let failed = |error| Stop::new(format!("the score cannot be written as JSON: {error}"));
        Ok(text.map_err(failed)? + "\n")
    }

    fn tensorboard(&self, records: &[Record]) -> Result<Outcome, Stop> {
        let record = self.only(records)?;
        let Some(output) = &self.output else {
            return Err(Stop::new("an event file is not text for a terminal")
                .with_remedy("give a folder for TensorBoard with --output"));
        };
        let path = tensorboard::path(output, record);
        if let Some(folder) = path.parent().filter(|folder| *folder != Path::new("")) {
            std::fs::create_dir_all(folder).map_err(|error| unwritten(folder, &error))?;
        }
        write(&path, &tensorboard::events(record)?)?;
        Ok(Outcome::of(""))
    }

    fn csv(&self, records: &[Record]) -> Result<String, Stop> {
        if let [record] = records {
            return Ok(record.to_csv()?);
        }
        let mut writer = csv::Writer::from_writer(Vec::new());
        let failed =
            |error: csv::Error| Stop::new(format!("the records are not valid CSV: {error}"));
        for (index, (path, record)) in self.paths.iter().zip(records).enumerate() {
            let text = record.to_csv()?;
            let rows = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
            for (line, row) in rows.into_records().enumerate() {
                if line == 0 && index > 0 {
                    continue;
                }
                let file = path.display().to_string();
                let first = if line == 0 { "record" } else { &file };
                let row = row.map_err(failed)?;
                writer.write_record(std::iter::once(first).chain(row.iter())).map_err(failed)?;
            }
        }
        let bytes = writer
            .into_inner()
            .map_err(|error| Stop::new(format!("the records are not valid CSV: {error}")))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Stop> {
    std::fs::write(path, bytes).map_err(|error| unwritten(path, &error))
}

fn unwritten(path: &Path, error: &std::io::Error) -> Stop {
    Stop::new(format!("'{}' cannot be written: {error}", path.display()))
        .with_remedy("give a path in a folder that exists and that you may write to")
}

/// The word for a value on the command line.
fn name(value: &impl ValueEnum) -> String {
    value.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

fn without_energy(record: &Record) -> Stop {
    Stop::new(format!("'{}' has no energy to draw", record.run.label))
        .with_remedy("see `ergometer report` for why nothing was read")
}

fn joined(records: &[Record], show: impl Fn(&Record) -> String) -> String {
    records.iter().map(show).collect::<Vec<_>>().join("\n")
}

/// One record as it is in its file; several as a list of those.
fn json(records: &[Record]) -> Result<String, Stop> {
    if let [record] = records {
        return Ok(record.to_json()?);
    }
    let mut text = String::from("[\n");
    for (index, record) in records.iter().enumerate() {
        let comma = if index + 1 < records.len() { "," } else { "" };
        let _ = writeln!(text, "{}{comma}", record.to_json()?.trim_end());
    }
    Ok(text + "]\n")
}

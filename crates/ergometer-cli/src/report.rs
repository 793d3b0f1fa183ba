//! `ergometer report`: records, and journals of runs that are going on, in any form.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::ValueEnum;
use ergometer::Record;

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
    /// The same as `--format json`
    #[arg(long)]
    json: bool,
    /// File to write instead of stdout
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
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
        };
        let Some(path) = self.output else { return Ok(Outcome::of(text)) };
        std::fs::write(&path, text).map_err(|error| {
            Stop::new(format!("'{}' cannot be written: {error}", path.display()))
        })?;
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

//! The report's files: `report.json`, `report.md`, `report.csv`, `report.html`.

use std::path::{Path, PathBuf};

use super::report::Report;
use super::table::{self, Style};
use super::{csv_rows, html, notes};
use crate::stop::{Doing, Stop};

/// Writes the report in each format under `out` and gives the files' paths, the records' among
/// them.
pub fn write(report: &Report, out: &Path) -> Result<Vec<PathBuf>, Stop> {
    let json = report.to_json()? + "\n";
    let csv = csv_rows::of(report).doing("turn the report into CSV")?;
    let files = [
        ("report.json", json.into_bytes()),
        ("report.md", markdown(report).into_bytes()),
        ("report.csv", csv),
        ("report.html", html::of(report).into_bytes()),
    ];
    let mut written = Vec::new();
    for (name, content) in files {
        let path = out.join(name);
        std::fs::write(&path, content).doing(format!("write {}", path.display()))?;
        written.push(path);
    }
    let runs = report.models.iter().flat_map(|model| &model.runs);
    written.extend(runs.map(|run| run.record.clone()));
    Ok(written)
}

/// The report as Markdown.
fn markdown(report: &Report) -> String {
    let notes: Vec<String> =
        notes::of(report).lines().map(|line| format!("* {}", line.trim_start())).collect();
    let mut tables = String::new();
    for (heading, table) in table::all(report, Style::Markdown) {
        tables = format!("{tables}## {heading}\n\n{table}\n\n");
    }
    let notice = report.notice.as_ref().map_or_else(String::new, |line| format!("**{line}**\n\n"));
    format!(
        "{notice}# What training the example models cost\n\n{tables}## Notes\n\n{}\n",
        notes.join("\n"),
    )
}

//! The report's files: `report.json`, `report.md`, `report.csv`, `report.html`.

use std::path::{Path, PathBuf};

use super::report::Report;
use super::{csv_rows, html, page};
use crate::stop::{Doing, Stop};

/// Writes the report in each format under `out` and gives the files' paths, the records' among
/// them.
pub fn write(report: &Report, out: &Path) -> Result<Vec<PathBuf>, Stop> {
    let json = report.to_json()? + "\n";
    let csv = csv_rows::of(report).doing("turn the report into CSV")?;
    let files = [
        ("report.json", json.into_bytes()),
        ("report.md", page::of(report).into_bytes()),
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

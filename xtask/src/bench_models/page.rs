//! The report as a page: when and on what it was measured, what was trained, the tables, the notes.

use std::fmt::Write as _;
use std::path::Path;

use super::figure::{fixed, significant};
use super::notes;
use super::report::Report;
use super::run::Run;
use super::table::{self, Style, Table};

/// The report as Markdown.
pub fn of(report: &Report) -> String {
    let mut page = String::new();
    if let Some(notice) = &report.notice {
        let _ = write!(page, "**{notice}**\n\n");
    }
    page += "# What training the example models cost\n\n";
    page += &origin(report);
    let _ = write!(page, "\n## What was trained\n\n{}\n", trained(report));
    for (heading, table) in table::all(report, Style::Markdown) {
        let _ = write!(page, "## {heading}\n\n{table}\n");
    }
    page += "## Notes\n\n";
    for line in notes::of(report).lines() {
        let _ = writeln!(page, "* {}", line.trim_start());
    }
    page
}

/// When, from which sources and on which machine.
fn origin(report: &Report) -> String {
    let date = report.written.split('T').next().unwrap_or_default();
    let software = &report.software;
    let short = |commit: &String| commit.chars().take(12).collect::<String>();
    let mut commits: Vec<String> =
        runs(report).filter_map(|run| run.git_commit.as_ref()).map(short).collect();
    commits.dedup();
    let mut lines = vec![format!("Written by `cargo xtask bench-models` on {date}.")];
    if !commits.is_empty() {
        let changed = if software.git_modified == Some(true) { ", with changes" } else { "" };
        lines.push(format!("Commit {}{changed}.", commits.join(", ")));
    }
    let versions = [
        software.rustc.clone(),
        software.burn.as_ref().map(|version| format!("Burn {version}")),
        software.ergometer.as_ref().map(|version| format!("ergometer {version}")),
    ];
    let versions: Vec<String> = versions.into_iter().flatten().collect();
    if !versions.is_empty() {
        lines.push(format!("Built with {}.", versions.join(", ")));
    }
    let machine = &report.machine;
    let parts = [
        machine.cpu.clone(),
        machine.logical_cpus.map(|count| format!("{count} logical processors")),
        machine.memory_bytes.map(|bytes| {
            format!("{} GiB of memory", significant(bytes as f64 / 1024_f64.powi(3), 2))
        }),
        machine.virtual_machine.and_then(|is| is.then(|| "a virtual machine".to_owned())),
        machine.os.clone(),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    lines.push(format!("Machine: {}.", parts.join(", ")));
    lines.join("\n") + "\n"
}

fn runs(report: &Report) -> impl Iterator<Item = &Run> {
    report.models.iter().flat_map(|model| &model.runs)
}

/// Each model's text, size and length of training.
fn trained(report: &Report) -> Table {
    let head = ["model", "text", "parameters", "epochs", "steps", "items", "seeds"];
    let mut table = table::empty(Style::Markdown, &head);
    for model in &report.models {
        let Some(run) = model.runs.first() else { continue };
        let fact = |name: &str| run.facts.get(name).cloned();
        let parameters = fact("parameters").and_then(|count| count.parse::<f64>().ok());
        let epochs = run.epochs.iter().filter(|epoch| epoch.split == "train").count();
        let seeds: Vec<String> =
            model.runs.iter().filter_map(|run| Some(run.seed?.to_string())).collect();
        table.add_row(vec![
            model.title(),
            fact("corpus").map_or_else(String::new, |text| corpus(&text)),
            parameters.map_or_else(String::new, |count| fixed(count, 0)),
            epochs.to_string(),
            run.training_steps().map_or_else(String::new, |steps| fixed(steps.count as f64, 0)),
            run.training_items().map_or_else(String::new, |items| {
                format!("{} {}", significant(items.count, 3), items.unit)
            }),
            seeds.join(", "),
        ]);
    }
    table
}

/// The files of a corpus without the folders above the one that they are in.
fn corpus(text: &str) -> String {
    let name = |path: &str| {
        let parts: Vec<_> = Path::new(path).components().rev().take(2).collect();
        let parts: Vec<_> =
            parts.iter().rev().map(|part| part.as_os_str().to_string_lossy()).collect();
        parts.join("/")
    };
    text.split(' ').map(name).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench_models::choices::Model;
    use crate::bench_models::report::tests::records::{record, report};

    #[test]
    fn a_page_has_its_date_machine_commit_and_texts_and_no_folder_of_the_machine() {
        let mut record = record(1, 4000.0);
        for (name, value) in [("corpus", "/home/me/data/sotu/train.txt"), ("parameters", "809856")]
        {
            record.facts.insert(name.to_owned(), value.to_owned());
        }
        let mut report = report(vec![(Model::Bert, record)]);
        report.written = "2026-11-26T15:00:00Z".to_owned();
        report.remarks.push("other programs ran on the machine".to_owned());
        let page = of(&report);
        for part in [
            "on 2026-11-26.",
            "Commit 0123abc.",
            "Machine: A CPU with 2 threads @ 3.00 GHz Turbo",
            "| bert tiny | sotu/train.txt | 809,856 | 1 | 100 | 7,000 tokens | 1 |",
            "* other programs ran on the machine",
            "## Cost, in the form of Strubell et al. (2019), Table 3",
        ] {
            assert!(page.contains(part), "{part} is not in\n{page}");
        }
        assert!(!page.contains("/home/me"), "{page}");
    }
}

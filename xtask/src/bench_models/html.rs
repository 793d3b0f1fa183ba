//! The report as a page: costs beside the paper's, quality against energy, and the page of each model's run.

use ergometer::record::Record;
use ergometer_page::chart::{self, Chart, Outcome, Range};
use ergometer_page::{Page, Section};

use super::model_report::ModelReport;
use super::notes;
use super::paper;
use super::report::Report;
use super::run::Run;
use super::table::{self, Style};

/// Kinds of figures beside each other, in the order of the chart's colours.
const KINDS: [&str; 3] = [
    "measured here",
    "the published training on this machine, projected",
    "as printed by Strubell et al. (2019)",
];

/// The page. Of a model with several runs the first is shown whole, and all of them in the sums.
pub fn of(report: &Report) -> String {
    let mut lines: Vec<String> =
        notes::of(report).lines().map(|line| line.trim().to_owned()).collect();
    let mut records = Vec::new();
    for run in report.models.iter().filter_map(|model| model.runs.first()) {
        match Record::read(&run.record) {
            Ok(record) => records.push(record),
            Err(error) => lines.push(format!("not shown: {error}")),
        }
    }
    let mut page = Page::of(records).titled("What training the example models cost");
    if let Some(notice) = &report.notice {
        page = page.with_notice(notice);
    }
    let mut drawn = [beside_the_paper(report), against_energy(report)].into_iter();
    for (title, table) in table::all(report, Style::Markdown) {
        page = page.with(Section::table(title, table.columns(), table.rows()));
        // Costs, then training: each table with its chart.
        if let Some(section) = drawn.next().flatten() {
            page = page.with(section);
        }
    }
    page.with(Section::list("Notes", &lines)).to_html()
}

/// Energy of each model's training, of the published one, and as printed.
fn beside_the_paper(report: &Report) -> Option<Section> {
    let rows: Vec<Range> = report.models.iter().flat_map(ranges).collect();
    let chart = chart::ranges("Facility energy", "kWh × PUE, logarithmic", &KINDS, &rows)?;
    let mut caption =
        "Line of what was measured: two standard uncertainties. Line of what is projected: from the shortest to the \
         longest published schedule."
            .to_owned();
    let unknown = report.models.iter().filter_map(|model| model.paper.as_ref());
    let unknown: Vec<&str> =
        unknown.filter(|row| row.facility_kwh.is_none()).map(|row| row.model.as_str()).collect();
    if !unknown.is_empty() {
        caption = format!("{caption} No power is printed for {}.", unknown.join(", "));
    }
    Some(Section::charts("Energy beside the paper's", &[(chart, caption)]))
}

fn ranges(model: &ModelReport) -> Vec<Range> {
    let mut rows = Vec::new();
    let relative = model.mean.energy.map_or(0.0, |energy| {
        2.0 * energy.standard_uncertainty.get() / energy.joules.get().max(f64::MIN_POSITIVE)
    });
    if let Some(kwh) = model.mean.facility_kwh.map(|spread| spread.mean) {
        let (low, high) = (kwh * (1.0 - relative), kwh * (1.0 + relative));
        rows.push(Range { name: model.title(), kind: 0, low, high, figure: Some(kwh) });
    }
    if let Some(projection) = &model.projection {
        let (low, high) = (projection.facility_kwh.low, projection.facility_kwh.high);
        rows.push(Range { name: projection.name.clone(), kind: 1, low, high, figure: None });
    }
    let printed = model.paper.as_ref().and_then(|row| Some((row, row.facility_kwh?)));
    if let Some((row, kwh)) = printed {
        let name = format!("{}, {} ({})", row.model, row.hardware, paper::CITATION);
        rows.push(Range { name, kind: 2, low: kwh, high: kwh, figure: None });
    }
    // What drew nothing that could be read has no place on a logarithmic scale.
    rows.retain(|row| row.high > 0.0);
    rows
}

/// What each run reached with how much energy, a chart for each measure of quality.
fn against_energy(report: &Report) -> Option<Section> {
    let runs =
        || report.models.iter().flat_map(|model| model.runs.iter().map(move |run| (model, run)));
    let mut measures: Vec<&str> = Vec::new();
    for (_, run) in runs() {
        if let Some(quality) = &run.quality
            && !measures.contains(&quality.name.as_str())
        {
            measures.push(&quality.name);
        }
    }
    let chart = |measure: &str| -> Option<(Chart, String)> {
        let outcomes: Vec<Outcome> = runs()
            .filter(|(_, run)| run.quality.as_ref().is_some_and(|one| one.name == measure))
            .filter_map(|(model, run)| outcome(model, run))
            .collect();
        let caption = "Dot: the end of a run, with two standard uncertainties of its energy. Triangle at the axis: \
                       the first measurement of its quality.";
        Some((chart::quality(&measure.replace('_', " "), &outcomes)?, caption.to_owned()))
    };
    let charts: Vec<_> = measures.into_iter().filter_map(chart).collect();
    if charts.is_empty() { None } else { Some(Section::charts("Quality against energy", &charts)) }
}

fn outcome(model: &ModelReport, run: &Run) -> Option<Outcome> {
    let (energy, quality) = (run.energy?, run.quality.as_ref()?);
    Some(Outcome {
        name: model.title(),
        joules: energy.joules.get(),
        spread: 2.0 * energy.standard_uncertainty.get(),
        first: quality.first,
        last: quality.last,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench_models::Model;
    use crate::bench_models::report::tests::records::{record, report};

    /// Two models whose records are in files, as after a benchmark.
    fn written(folder: &std::path::Path) -> Report {
        let runs = [(Model::Transformer, 4000.0), (Model::Elmo, 6000.0), (Model::Gpt2, 9000.0)];
        let runs: Vec<_> = runs.map(|(model, joules)| (model, record(1, joules))).into();
        let mut report = report(runs.clone());
        for (model, (name, (_, record))) in
            report.models.iter_mut().zip(["transformer", "elmo", "gpt2"].into_iter().zip(runs))
        {
            let path = folder.join(format!("{name}.json"));
            record.write(&path).unwrap();
            model.runs[0].record = path;
        }
        report
    }

    #[test]
    fn the_page_has_costs_beside_the_papers_quality_against_energy_and_each_run() {
        let folder = tempfile::tempdir().unwrap();
        let page = of(&written(folder.path()));
        for part in [
            "<h2>Energy beside the paper&#39;s</h2>",
            "<h2>Quality against energy</h2>",
            // 4000 J at the PUE of 1.54, with 30 %; and Table 3.
            "transformer tiny, measured here: 0.0017 (between 0.0012 and 0.0022)",
            "Transformer base, P100x8 (Strubell et al. 2019), as printed by Strubell et al. (2019): 27",
            "No power is printed for GPT-2.",
            "exact match over energy. transformer tiny: from 0.0200 to 0.9100 with 4.0000 kJ",
            "0.00171 ± 0.00051",
            "id=\"run-2\"",
            "rapl: unavailable: no powercap tree in /sys; run on bare metal",
        ] {
            let part = part.replace("&#39;", "'");
            assert!(page.contains(&part), "{part} is not in {page}");
        }
        assert_eq!(page.matches("<article").count(), 3);
        assert!(!page.contains("<script") && !page.contains("not shown:"));
    }

    #[test]
    fn a_record_that_is_gone_is_named_and_the_rest_is_shown() {
        let folder = tempfile::tempdir().unwrap();
        let report = written(folder.path());
        std::fs::remove_file(&report.models[1].runs[0].record).unwrap();
        let page = of(&report);
        assert_eq!(page.matches("<article").count(), 2);
        assert!(page.contains("not shown:") && page.contains("elmo.json"), "{page}");
        // Without energy there is nothing to draw, and nothing is 0.
        let mut record = record(1, 4000.0);
        record.total.energy = None;
        record.domains[0].energy = None;
        record.footprint = ergometer::footprint::Site::current().footprint(None, 100.0, 0);
        let unread = super::super::report::tests::records::report(vec![(Model::Gpt2, record)]);
        let page = of(&unread);
        assert!(
            !page.contains("beside the paper's</h2>") && !page.contains("Quality against"),
            "{page}"
        );
        assert!(page.contains("not metered"), "{page}");
    }
}

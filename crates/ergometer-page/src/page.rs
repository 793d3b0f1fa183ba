//! One self-contained page: an overview of several records, and an article for each.

use ergometer::record::Record;
use ergometer::report::Column;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::article::article;
use crate::chart::Chart;
use crate::element::{bar, drawing, end, table};
use crate::figure::{ABSENT, duration, energy, gases, significant};

/// A page with an article for each record.
///
/// ```
/// # fn main() -> ergometer::Result<()> {
/// let record = ergometer::Meter::builder().label("a run").without_probe().start()?.finish()?;
/// let page = ergometer_page::Page::of(vec![record]).to_html();
/// assert!(page.contains("<h1>a run</h1>"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Page {
    title: String,
    notice: Option<String>,
    sections: Vec<Section>,
    records: Vec<Record>,
}

/// What stands above the articles, under a heading.
///
/// ```
/// use ergometer_page::{Page, Section};
///
/// let remarks = Section::list("Remarks", &["trained on one GPU".to_owned()]);
/// let page = Page::of(Vec::new()).titled("Two runs").with(remarks).to_html();
/// assert!(page.contains("<li>trained on one GPU</li>"));
/// ```
#[derive(Debug)]
pub struct Section {
    title: String,
    content: Markup,
}

impl Section {
    /// Charts, each with a sentence on how to read it.
    #[must_use]
    pub fn charts(title: impl Into<String>, charts: &[(Chart, String)]) -> Self {
        let content =
            html! { @for (chart, caption) in charts { (drawing(chart, &html! { (caption) })) } };
        Self { title: title.into(), content }
    }

    /// A table; each row has a cell for each column.
    #[must_use]
    pub fn table(title: impl Into<String>, columns: &[Column], rows: &[Vec<String>]) -> Self {
        Self { title: title.into(), content: table(columns, rows) }
    }

    /// A list of sentences.
    #[must_use]
    pub fn list(title: impl Into<String>, lines: &[String]) -> Self {
        Self { title: title.into(), content: html! { ul { @for line in lines { li { (line) } } } } }
    }
}

impl Page {
    /// The page of these records.
    #[must_use]
    pub fn of(records: Vec<Record>) -> Self {
        let title = match &records[..] {
            [record] => record.run.label.clone(),
            _ => format!("{} runs", records.len()),
        };
        Self { title, notice: None, sections: Vec::new(), records }
    }

    /// The same with another title, shown above everything.
    #[must_use]
    pub fn titled(self, title: impl Into<String>) -> Self {
        Self { title: title.into(), ..self }
    }

    /// The same with what has to be known before anything else is read.
    #[must_use]
    pub fn with_notice(self, notice: impl Into<String>) -> Self {
        Self { notice: Some(notice.into()), ..self }
    }

    /// The same with a further section above the articles.
    #[must_use]
    pub fn with(mut self, section: Section) -> Self {
        self.sections.push(section);
        self
    }

    /// The file.
    #[must_use]
    pub fn to_html(&self) -> String {
        let several = self.records.len() > 1 || !self.sections.is_empty();
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="generator" content=(concat!("ergometer ", env!("CARGO_PKG_VERSION")));
                    title { (self.title) ": energy of training" }
                    style { (PreEscaped(include_str!("style.css"))) }
                }
                body {
                    main {
                        @if several { h1 { (self.title) } }
                        @if let Some(notice) = &self.notice { p.notice role="note" { (notice) } }
                        @for section in &self.sections {
                            section { h2 { (section.title) } (section.content) }
                        }
                        @if self.records.len() > 1 {
                            nav aria-label="Runs" {
                                @if !self.sections.is_empty() { h2 { "Runs" } }
                                (overview(&self.records))
                            }
                        }
                        @for (index, record) in self.records.iter().enumerate() {
                            (article(record, index))
                        }
                    }
                }
            }
        };
        page.into_string() + "\n"
    }
}

/// `loss 0.2500; accuracy 0.9100`.
fn results(record: &Record) -> String {
    let one = |(name, value): (&String, &f64)| format!("{name} {}", significant(*value, 4));
    record.results.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// Several runs beside each other, each a link to its article.
fn overview(records: &[Record]) -> Markup {
    let wholes: Vec<_> = records.iter().map(Record::whole).collect();
    let ends = wholes.iter().filter_map(|whole| whole.energy).map(|energy| end(&energy));
    let most = ends.fold(0.0, f64::max);
    html! {
        div.scroll tabindex="0" {
            table {
                thead { tr { th { "run" } th.figure { "time" } th.figure { "energy" } th { } th.figure { "CO2e" } th { "results" } } }
                tbody {
                    @for (index, (record, whole)) in records.iter().zip(&wholes).enumerate() {
                        tr {
                            td { a href={ "#run-" (index) } { (record.run.label) } }
                            td.figure { (duration(whole.seconds)) }
                            td.figure { (whole.energy.as_ref().map_or(ABSENT.to_owned(), energy)) }
                            td { @if let Some(energy) = whole.energy { (bar(&energy, most, index)) } }
                            td.figure { (gases(record)) }
                            td.long { (results(record)) }
                        }
                    }
                }
            }
        }
    }
}

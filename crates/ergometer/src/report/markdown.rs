//! The record as Markdown, for a model card or a paper's appendix.

use std::fmt::Write as _;

use super::columns::{Table, paragraph};
use super::escape::markdown as escaped;
use super::sections::{headline, notes, sections};
use crate::record::Record;

/// Columns of a paragraph; a row of a table has to be one line.
const WIDTH: usize = 120;

impl Record {
    /// The same sections as the terminal's, as Markdown.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let mut text = format!("# {}\n", escaped(&headline(self)));
        for section in sections(self) {
            let rows =
                section.rows.iter().map(|row| row.iter().map(|cell| escaped(cell)).collect());
            let table = Table::new(section.columns, rows).markdown();
            let _ = write!(text, "\n## {}\n\n{table}", escaped(&section.title));
        }
        text.push('\n');
        for note in notes(self) {
            let _ = writeln!(text, "- {}", paragraph(&escaped(&note), 2, WIDTH));
        }
        text
    }
}

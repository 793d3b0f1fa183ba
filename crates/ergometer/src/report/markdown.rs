//! The record as Markdown, for a model card or a paper's appendix.

use std::fmt::Write as _;

use comfy_table::Table;
use comfy_table::presets::ASCII_MARKDOWN;

use super::escape::markdown as escaped;
use super::sections::{headline, notes, sections};
use crate::record::Record;

impl Record {
    /// The same sections as the terminal's, as Markdown.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let mut text = format!("# {}\n", escaped(&headline(self)));
        for section in sections(self) {
            let mut table = Table::new();
            table
                .load_style(ASCII_MARKDOWN)
                .set_header(section.columns)
                .add_rows(section.rows.iter().map(|row| row.iter().map(|cell| escaped(cell))));
            let _ = writeln!(text, "\n## {}\n\n{table}", escaped(&section.title));
        }
        text.push('\n');
        for note in notes(self) {
            let _ = writeln!(text, "- {}", escaped(&note));
        }
        text
    }
}

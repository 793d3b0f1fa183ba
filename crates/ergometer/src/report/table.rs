//! The record as tables for a terminal.

use std::fmt;

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{ContentArrangement, Table};

use super::sections::{headline, notes, sections};
use crate::printable::line;
use crate::record::Record;

/// Columns that a table may take: the width of a usual terminal or log.
const WIDTH: u16 = 120;

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", line(&headline(self)))?;
        for section in sections(self) {
            let mut table = Table::new();
            table
                .load_style(UTF8_HORIZONTAL_ONLY)
                .set_content_arrangement(ContentArrangement::Dynamic)
                .set_width(WIDTH)
                .set_header(section.columns)
                .add_rows(section.rows.iter().map(|row| row.iter().map(|cell| line(cell))));
            writeln!(f, "\n{}\n{table}", line(&section.title))?;
        }
        writeln!(f)?;
        for note in notes(self) {
            writeln!(f, "{}", line(&note))?;
        }
        Ok(())
    }
}

//! The record as tables for a terminal.

use std::fmt;

use super::columns::{Table, paragraph};
use super::sections::{headline, notes, sections};
use super::width::width;
use crate::printable::line;
use crate::record::Record;

/// Tables that fit the terminal: `{record:80}` prints them for 80 columns, `{record}` for those that the environment
/// variable `COLUMNS` states, or else for those of the terminal, or 120 where there is none.
impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = f.width().unwrap_or_else(width);
        writeln!(f, "{}", paragraph(&line(&headline(self)), 2, width))?;
        for section in sections(self) {
            let table = Table::new(section.columns, section.rows);
            let title = paragraph(&line(&section.title), 2, width);
            write!(f, "\n{title}\n{}", table.fit(width))?;
        }
        writeln!(f)?;
        for note in notes(self) {
            writeln!(f, "{}", paragraph(&line(&note), 2, width))?;
        }
        Ok(())
    }
}

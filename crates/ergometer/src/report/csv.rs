//! The record as CSV: one row per energy.
//!
//! | column | what |
//! |---|---|
//! | `scope` | `run`, `epoch`, `more_epochs`, `between_steps`, `outside_epochs`, `steps`, `steps_by_name`, `steps_inside_steps` or `span` |
//! | | steps of several names, or inside other steps, have one row for all and one for each name |
//! | `name` | the run's label, the split, the split and the steps' name, or the path of span labels joined by `/` |
//! | `index` | number of the epoch within its split; empty elsewhere |
//! | `domain` | the domain's id |
//! | `method` | `counter`, `integrated`, `modelled` or `assumed` |
//! | `seconds` | length of the interval, or of all of them; empty for remainders |
//! | `count` | intervals in the row |
//! | `joules` | energy; empty when nothing was read |
//! | `standard_uncertainty_j` | one standard deviation; empty where it is not kept per domain |
//!
//! A name that a spreadsheet would take for a formula (`=..`, `+..`, `-..`, `@..`) is prefixed with `'`.

use serde::Serialize;

use super::escape::csv as cell;
use crate::energy::Usage;
use crate::error::{Error, ErrorKind, Result};
use crate::record::{NamedSteps, Record, SpanNode};
use crate::units::Joules;

#[derive(Serialize)]
struct CsvRow<'a> {
    scope: &'a str,
    name: &'a str,
    index: Option<u64>,
    domain: &'a str,
    method: &'a str,
    seconds: Option<f64>,
    count: u64,
    joules: Option<f64>,
    standard_uncertainty_j: Option<f64>,
}

impl Record {
    /// Every energy of the record as CSV with a header, one row per scope and domain.
    ///
    /// Columns: `scope` (`run`, `epoch`, `more_epochs`, `steps`, `between_steps`, `outside_epochs`,
    /// `span`), `name`, `index`, `domain`, `method`, `seconds`, `count`, `joules`,
    /// `standard_uncertainty_j`. A cell is empty where the value does not exist.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Format`] if the record cannot be expressed as CSV; every record of a meter can.
    pub fn to_csv(&self) -> Result<String> {
        let mut rows = Rows { record: self, writer: csv::Writer::from_writer(Vec::new()) };
        rows.all().map_err(|error| {
            Error::new(ErrorKind::Format, format!("the record cannot be written as CSV: {error}"))
                .with_source(error)
        })?;
        let bytes = rows.writer.into_inner().map_err(|error| {
            Error::new(ErrorKind::Format, format!("the record cannot be written as CSV: {error}"))
        })?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

struct Rows<'a> {
    record: &'a Record,
    writer: csv::Writer<Vec<u8>>,
}

type Written = std::result::Result<(), csv::Error>;

impl Rows<'_> {
    fn all(&mut self) -> Written {
        let record = self.record;
        self.usage("run", &record.run.label, None, 1, &record.total)?;
        for epoch in &record.epochs {
            self.usage("epoch", &epoch.split, Some(epoch.index), 1, &epoch.usage)?;
            if let Some(steps) = &epoch.steps {
                let (seconds, count) = (Some(steps.seconds), steps.count);
                let name = &epoch.split;
                self.joules("steps", name, Some(epoch.index), seconds, count, &steps.by_domain)?;
            }
            self.named(&epoch.split, Some(epoch.index), &epoch.steps_by_name)?;
            let (name, index) = (&epoch.split, Some(epoch.index));
            self.joules("between_steps", name, index, None, 1, &epoch.between_steps)?;
        }
        for (split, more) in &record.more_epochs {
            self.usage("more_epochs", split, None, more.count, &more.usage)?;
            if let Some(steps) = &more.steps {
                let (seconds, count) = (Some(steps.seconds), steps.count);
                self.joules("steps", split, None, seconds, count, &steps.by_domain)?;
            }
            self.named(split, None, &more.steps_by_name)?;
            self.joules("between_steps", split, None, None, more.count, &more.between_steps)?;
        }
        let label = &record.run.label;
        self.joules("outside_epochs", label, None, None, 1, &record.outside_epochs)?;
        for node in &record.spans {
            self.span(node, "")?;
        }
        Ok(())
    }

    fn named(&mut self, split: &str, index: Option<u64>, rows: &[NamedSteps]) -> Written {
        for row in rows {
            let scope = if row.inside_steps { "steps_inside_steps" } else { "steps_by_name" };
            let name = format!("{split}/{}", row.name);
            let (seconds, count) = (Some(row.steps.seconds), row.steps.count);
            self.joules(scope, &name, index, seconds, count, &row.steps.by_domain)?;
        }
        Ok(())
    }

    fn usage(
        &mut self,
        scope: &str,
        name: &str,
        index: Option<u64>,
        count: u64,
        usage: &Usage,
    ) -> Written {
        for (row, energy) in self.record.domains.iter().zip(&usage.by_domain) {
            self.writer.serialize(CsvRow {
                scope,
                name: &cell(name),
                index,
                domain: &cell(&row.domain.id),
                method: row.domain.method.as_str(),
                seconds: Some(usage.seconds),
                count,
                joules: energy.map(|energy| energy.joules.get()),
                standard_uncertainty_j: energy.map(|energy| energy.standard_uncertainty.get()),
            })?;
        }
        Ok(())
    }

    fn joules(
        &mut self,
        scope: &str,
        name: &str,
        index: Option<u64>,
        seconds: Option<f64>,
        count: u64,
        by_domain: &[Joules],
    ) -> Written {
        for (row, joules) in self.record.domains.iter().zip(by_domain) {
            self.writer.serialize(CsvRow {
                scope,
                name: &cell(name),
                index,
                domain: &cell(&row.domain.id),
                method: row.domain.method.as_str(),
                seconds,
                count,
                joules: row.energy.map(|_| joules.get()),
                standard_uncertainty_j: None,
            })?;
        }
        Ok(())
    }

    fn span(&mut self, node: &SpanNode, above: &str) -> Written {
        let own = format!("{}:{}", node.kind.as_str(), node.name);
        let path = if above.is_empty() { own } else { format!("{above}/{own}") };
        self.joules("span", &path, None, Some(node.seconds), node.count, &node.by_domain)?;
        for child in &node.children {
            self.span(child, &path)?;
        }
        Ok(())
    }
}

//! Prints the energy of single spans to standard error.

use std::collections::HashSet;
use std::io::{self, Write as _};

use crate::energy::Uncertainty;
use crate::printable;
use crate::span::mark::Mark;
use crate::timeline::{Drawn, Timeline};
use crate::units::{Joules, Watts};

/// The spans to report, and the lines about those that have ended.
#[derive(Default)]
pub(crate) struct SpanReports {
    asked: HashSet<u64>,
    lines: Vec<String>,
}

impl SpanReports {
    /// Reports `span` when its energy is known.
    pub(crate) fn ask(&mut self, span: u64) {
        self.asked.insert(span);
    }

    pub(crate) fn close(
        &mut self,
        mark: &Mark,
        seconds: f64,
        amount: &[Drawn],
        timelines: &[Timeline],
    ) {
        if self.asked.is_empty() || !self.asked.remove(&mark.id) {
            return;
        }
        let span = match mark.folded {
            0 | 1 => format!("{} '{}'", mark.label.kind.as_str(), mark.label.name),
            count => format!("{count} {}s '{}'", mark.label.kind.as_str(), mark.label.name),
        };
        let energy = if timelines.iter().all(Timeline::is_empty) {
            "no sensor could be read".to_owned()
        } else {
            let joules: f64 = amount.iter().map(|drawn| drawn.joules).sum();
            let parts = Uncertainty::across_all(amount.iter().map(|drawn| drawn.parts));
            // Two standard uncertainties, as in reports.
            let spread = Joules::new(2.0 * parts.standard().get());
            let power = if seconds > 0.0 {
                format!(", {}", Watts::new(joules / seconds))
            } else {
                String::new()
            };
            format!("{} ± {spread}{power}", Joules::new(joules))
        };
        self.lines.push(format!("ergometer: {span}: {seconds:.3} s, {energy}"));
    }

    /// Prints the lines that are ready. A closed output is not an error of the program.
    pub(crate) fn print(&mut self) {
        for line in self.lines.drain(..) {
            let _ = writeln!(io::stderr(), "{}", printable::line(&line));
        }
    }
}

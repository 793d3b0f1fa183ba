//! What a reader of the tables has to know.

use super::methods;
use crate::record::{Record, SpanNode};
use crate::report::figure;
use crate::source::Availability;
use crate::units::Joules;

/// Notes that a reader of the tables needs, one line each.
pub(in crate::report) fn notes(record: &Record) -> Vec<String> {
    let mut notes =
        vec!["± is two standard uncertainties: about 95 % of true values lie within.".to_owned()];
    if record.spans.iter().any(has_inclusive) {
        notes.push(
            "spans that were open at the same time share the energy of that time, so that sums add up; \
             inclusive is the machine's whole energy in each span's time."
                .to_owned(),
        );
    }
    if let Some(seconds) = record.run.idle_seconds {
        notes.push(format!(
            "idle power is the mean over {} before the run; above idle is the run's energy minus that \
             power over the run's duration.",
            figure::duration(seconds)
        ));
    }
    let methods = methods(record);
    let measured = methods.iter().filter(|method| method.is_measured()).count();
    if methods.is_empty() {
        notes.push("nothing could be read: this run has no energy.".to_owned());
    } else if measured == 0 {
        let words: Vec<&str> = methods.iter().map(|method| method.as_str()).collect();
        notes.push(format!("no sensor was read: every energy here is {}.", words.join(" or ")));
    } else if measured < methods.len() {
        notes.push(
            "the total adds measured and modelled or assumed energy; see the column 'method'."
                .to_owned(),
        );
    }
    for row in &record.domains {
        if let (Some(counter), Some(samples)) = (row.counter_joules, row.integrated_joules)
            && counter > Joules::ZERO
        {
            let off = 100.0 * (samples / counter - 1.0);
            notes.push(format!(
                "{}: {counter} by its counter, {samples} by its power samples ({off:+.1} %)",
                row.domain.id
            ));
        }
        if let Some(note) = &row.domain.note {
            notes.push(format!("{}: {note}", row.domain.id));
        }
        notes.extend(row.warnings.iter().map(|warning| format!("{}: {warning}", row.domain.id)));
    }
    for source in &record.sources {
        if let Availability::Unavailable { reason, remedy } = &source.availability {
            notes.push(format!("{} unavailable: {reason}; {remedy}", source.source));
        }
        notes.extend(source.remarks.iter().map(|remark| format!("{}: {remark}", source.source)));
    }
    for (name, value) in &record.results {
        notes.push(format!("{name} = {}", figure::significant(*value)));
    }
    notes.extend(record.warnings.iter().map(|warning| format!("warning: {warning}")));
    notes
}

fn has_inclusive(node: &SpanNode) -> bool {
    node.inclusive.is_some() || node.children.iter().any(has_inclusive)
}

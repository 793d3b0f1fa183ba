//! The constant powers that the user states.

use crate::source::fixed::{self, Fixed};
use crate::source::{Availability, DomainKind, PowerSource as _, SourceReport};
use crate::units::Watts;

/// The stated powers that are used, and the report on them if any were stated. `measured` returns the name
/// of the source that replaces the stated power of a kind, if any. Accelerators are stated by name and number.
pub(super) fn stated(
    powers: &[(DomainKind, Watts)],
    accelerators: &[(String, u32)],
    measured: impl Fn(DomainKind) -> Option<String>,
) -> (Vec<Fixed>, Option<SourceReport>) {
    if powers.is_empty() && accelerators.is_empty() {
        return (Vec::new(), None);
    }
    let mut sources: Vec<Fixed> = Vec::new();
    let mut remarks = Vec::new();
    for &(kind, watts) in powers {
        let word = kind.as_str();
        let fixed = match Fixed::new(kind, watts, fixed::DEFAULT_ERROR) {
            Ok(fixed) => fixed,
            Err(error) => {
                remarks.push(error.to_string());
                continue;
            }
        };
        if let Some(outer) = powers.iter().find(|(outer, _)| outer.contains(kind)) {
            let outer = outer.0.as_str();
            remarks.push(format!("{word} at {watts} is not used: it lies in the stated {outer}"));
            continue;
        }
        if let Some(source) = measured(kind) {
            remarks.push(format!("{word} at {watts} is not used: {source} measures it"));
            continue;
        }
        let before = sources.iter().filter(|source| source.domains()[0].kind == kind).count();
        sources.push(if before == 0 { fixed } else { fixed.with_number(before + 1) });
    }
    for (name, count) in accelerators {
        let outer = powers.iter().find(|(outer, _)| outer.contains(DomainKind::Gpu));
        let outer = outer.map(|(outer, _)| format!("it lies in the stated {}", outer.as_str()));
        let measured = || measured(DomainKind::Gpu).map(|source| format!("{source} measures it"));
        match (fixed::assumed(name, *count), outer.or_else(measured)) {
            (Ok(_), Some(why)) => remarks.push(format!("{name} is not used: {why}")),
            (Ok(assumed), None) => sources.extend(assumed),
            (Err(error), _) => remarks.push(error.to_string()),
        }
    }
    let availability = if sources.is_empty() {
        Availability::Unavailable {
            reason: remarks.join("; "),
            remedy: "state powers between 0 W and 100 kW, of what nothing measures".to_owned(),
        }
    } else {
        Availability::Available
    };
    let domains = sources.iter().map(|source| source.domains()[0].id.clone()).collect();
    let report = SourceReport { source: fixed::NAME.to_owned(), availability, domains, remarks };
    (sources, Some(report))
}

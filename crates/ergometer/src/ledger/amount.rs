//! The energy of an interval in every domain.

use crate::timeline::Drawn;
use crate::units::Joules;

/// Energy of an interval in every domain.
pub(crate) type Amount = Vec<Drawn>;

pub(super) fn add_amount(sum: &mut Vec<Drawn>, amount: &[Drawn]) {
    if sum.is_empty() {
        sum.extend_from_slice(amount);
        return;
    }
    for (sum, drawn) in sum.iter_mut().zip(amount) {
        sum.joules += drawn.joules;
        sum.parts = sum.parts.plus(&drawn.parts);
        sum.unobserved += drawn.unobserved;
        sum.edges_linear += drawn.edges_linear;
    }
}

/// The energy of spans that share a mark: the energy of the mark's interval, times the share of that time
/// in which a span was open. The power while none was open is assumed to be the same; `gaps` includes how
/// much it may differ.
pub(super) fn shared_amount(amount: &mut [Drawn], share: f64) {
    /// Relative standard uncertainty of the power inside the spans, if nothing is known about it.
    const UNLIKE: f64 = 0.35;
    for drawn in amount {
        let unlike = UNLIKE * (1.0 - share) * share * drawn.joules;
        drawn.joules *= share;
        drawn.unobserved *= share;
        drawn.parts = drawn.parts.scaled(share);
        drawn.edges_linear *= share;
        drawn.parts.gaps += Joules::new(unlike);
    }
}

//! Familiar consumption for comparison: Table 1 of Strubell, Ganesh and McCallum (2019).

use crate::units::GramsCo2e;

/// A familiar consumption, and the CO2e that it causes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Familiar {
    /// Its name.
    pub name: &'static str,
    /// Pounds of CO2 equivalent, as printed.
    pub pounds: f64,
}

/// The upper half of Table 1.
pub const FAMILIAR: [Familiar; 4] = [
    Familiar { name: "air travel, one passenger, New York to San Francisco", pounds: 1984.0 },
    Familiar { name: "human life, average, one year", pounds: 11_023.0 },
    Familiar { name: "American life, average, one year", pounds: 36_156.0 },
    Familiar { name: "car, average, fuel included, one lifetime", pounds: 126_000.0 },
];

/// `gases` as a multiple of each familiar consumption.
///
/// ```
/// use ergometer::{footprint::equivalents::equivalents, units::GramsCo2e};
/// let (flight, times) = equivalents(GramsCo2e::from_pounds(3968.0)).next().unwrap();
/// assert!(flight.name.contains("New York"));
/// assert!((times - 2.0).abs() < 1e-12);
/// ```
pub fn equivalents(gases: GramsCo2e) -> impl Iterator<Item = (Familiar, f64)> {
    FAMILIAR.into_iter().map(move |familiar| (familiar, gases.pounds() / familiar.pounds))
}

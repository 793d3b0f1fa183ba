//! Familiar consumption for comparison: Table 1 of Strubell, Ganesh and McCallum (2019).

use crate::units::GramsCo2e;

/// A familiar consumption, and the CO2e that it causes.
///
/// ```
/// use ergometer::{footprint::Familiar, units::GramsCo2e};
/// let [flight, ..] = Familiar::ALL;
/// assert!(flight.name.contains("New York"));
/// assert!((flight.times_in(GramsCo2e::from_pounds(3968.0)) - 2.0).abs() < 1e-12);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Familiar {
    /// Its name.
    pub name: &'static str,
    /// Pounds of CO2 equivalent, as printed.
    pub pounds: f64,
}

impl Familiar {
    /// The upper half of Table 1.
    pub const ALL: [Self; 4] = [
        Self { name: "air travel, one passenger, New York to San Francisco", pounds: 1984.0 },
        Self { name: "human life, average, one year", pounds: 11_023.0 },
        Self { name: "American life, average, one year", pounds: 36_156.0 },
        Self { name: "car, average, fuel included, one lifetime", pounds: 126_000.0 },
    ];

    /// How many times its CO2e goes into `gases`.
    #[must_use]
    pub fn times_in(&self, gases: GramsCo2e) -> f64 {
        gases.pounds() / self.pounds
    }
}

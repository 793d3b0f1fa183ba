//! Direct carbon intensity of generation in the United States and some of its subregions.
//!
//! Source: US EPA, eGRID2023 revision 2 (June 2025), output emission rates in lb CO2e/MWh; public
//! domain.

use super::{Cited, GramsPerKwh, Grid, IntensityKind};

pub(super) struct Subregion {
    pub code: &'static str,
    pub name: &'static str,
    /// As printed: lb CO2e/MWh.
    pub pounds_per_mwh: f64,
}

impl Subregion {
    pub(super) fn grid(&self) -> Grid {
        Grid {
            code: self.code.to_owned(),
            name: self.name.to_owned(),
            intensity: Cited::new(
                GramsPerKwh::from_pounds(self.pounds_per_mwh / 1000.0),
                "US EPA eGRID2023 revision 2",
                2023,
            ),
            kind: IntensityKind::Direct,
            assumed: false,
        }
    }
}

const fn row(code: &'static str, name: &'static str, pounds_per_mwh: f64) -> Subregion {
    Subregion { code, name, pounds_per_mwh }
}

#[rustfmt::skip]
pub(super) const SUBREGIONS: [Subregion; 5] = [
    row("US-eGRID", "United States, all subregions", 770.884),
    row("US-CAMX", "United States, WECC California", 429.983),
    row("US-MROW", "United States, MRO West", 926.443),
    row("US-PRMS", "United States, Puerto Rico miscellaneous", 1548.53),
    row("US-RFCE", "United States, RFC East", 599.170),
];

//! Residual mixes: the market-based intensity of electricity that no contract or certificate covers.
//!
//! Source: Association of Issuing Bodies, European Residual Mixes 2024 (30 May 2025), CO2 of generation. Austria has
//! none, because all of its electricity is disclosed.

/// ISO 3166-1 code of the country, g CO2/kWh.
#[rustfmt::skip]
pub(super) static RESIDUAL_2024: &[(&str, f64)] = &[
    ("BE", 131.73), ("BG", 379.53), ("CY", 613.08), ("CZ", 584.07), ("DE", 724.56), ("DK", 421.89),
    ("EE", 611.96), ("ES", 292.2), ("FI", 405.59), ("FR", 23.52), ("GR", 367.07), ("HR", 573.17),
    ("HU", 318.64), ("IE", 365.61), ("IT", 441.2), ("LT", 567.91), ("LU", 213.07), ("LV", 504.22),
    ("MT", 398.45), ("NL", 382.47), ("PL", 808.3), ("PT", 501.76), ("RO", 233.02), ("SE", 85.52),
    ("SI", 429.45), ("SK", 334.33),
];

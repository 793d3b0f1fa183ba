//! Prices of electricity by place.
//!
//! * European Union, households: Eurostat `nrg_pc_204` (updated 12 August 2026), second half of 2025, consumption of
//!   2500 to 4999 kWh a year, all taxes included.
//! * European Union, industry: Eurostat `nrg_pc_205`, second half of 2024, consumption of 20 to 70 `GWh` a year, without
//!   taxes and levies, as compiled by Lokshin (2026) for a study of computing.
//! * United States: US Energy Information Administration. The country: Electric Power Monthly, 2024. The states:
//!   Electric Power Annual (17 October 2024), average revenue per kilowatt-hour, 2023; the stored copy that was read
//!   ends before Wyoming.
//!
//! Places that are not here have no price that could be read in a free source.

/// ISO code of the place, price of a kilowatt-hour for households and for industry.
#[rustfmt::skip]
pub(super) static EUROPEAN_UNION: &[(&str, f64, f64)] = &[
    ("AT", 0.3272, 0.1467),
    ("BE", 0.3499, 0.1152),
    ("BG", 0.1355, 0.1422),
    ("CY", 0.2774, 0.1702),
    ("CZ", 0.3217, 0.1586),
    ("DE", 0.3869, 0.1427),
    ("DK", 0.3312, 0.119),
    ("EE", 0.2303, 0.1185),
    ("ES", 0.2669, 0.104),
    ("FI", 0.2254, 0.0526),
    ("FR", 0.2561, 0.0942),
    ("GR", 0.2381, 0.152),
    ("HR", 0.1658, 0.1892),
    ("HU", 0.1082, 0.1618),
    ("IE", 0.4042, 0.2098),
    ("IT", 0.2966, 0.1491),
    ("LT", 0.1955, 0.1233),
    ("LU", 0.2665, 0.1174),
    ("LV", 0.2452, 0.1011),
    ("MT", 0.1282, 0.1016),
    ("NL", 0.2558, 0.1192),
    ("PL", 0.2709, 0.1092),
    ("PT", 0.2435, 0.1002),
    ("RO", 0.2893, 0.1438),
    ("SE", 0.2711, 0.0627),
    ("SI", 0.2121, 0.1352),
    ("SK", 0.1853, 0.1512),
];

/// The country, US dollars.
pub(super) const UNITED_STATES: (f64, f64) = (0.1648, 0.0813);

/// The same for states, in US cents.
#[rustfmt::skip]
pub(super) static STATES: &[(&str, f64, f64)] = &[
    ("US-AK", 23.90, 18.70),
    ("US-AL", 14.63, 7.11),
    ("US-AR", 12.25, 6.87),
    ("US-AZ", 14.02, 8.11),
    ("US-CA", 29.51, 18.64),
    ("US-CO", 14.30, 8.50),
    ("US-CT", 29.88, 15.69),
    ("US-DC", 16.45, 10.85),
    ("US-DE", 15.73, 7.85),
    ("US-FL", 15.21, 9.39),
    ("US-GA", 13.69, 6.88),
    ("US-HI", 42.39, 35.28),
    ("US-IA", 13.31, 6.91),
    ("US-ID", 11.05, 7.17),
    ("US-IL", 15.71, 8.20),
    ("US-IN", 14.94, 8.24),
    ("US-KS", 13.38, 7.64),
    ("US-KY", 12.65, 6.55),
    ("US-LA", 11.55, 5.88),
    ("US-MA", 29.61, 17.88),
    ("US-MD", 16.60, 9.94),
    ("US-ME", 27.42, 12.30),
    ("US-MI", 18.84, 8.16),
    ("US-MN", 14.73, 9.20),
    ("US-MO", 12.58, 7.90),
    ("US-MS", 13.23, 6.96),
    ("US-MT", 12.54, 7.80),
    ("US-NC", 12.93, 7.15),
    ("US-ND", 11.01, 7.37),
    ("US-NE", 11.20, 7.63),
    ("US-NH", 28.15, 15.76),
    ("US-NJ", 17.70, 11.68),
    ("US-NM", 13.85, 5.75),
    ("US-NV", 16.67, 10.36),
    ("US-NY", 22.25, 6.87),
    ("US-OH", 15.38, 7.03),
    ("US-OK", 12.08, 6.26),
    ("US-OR", 12.73, 7.52),
    ("US-PA", 18.10, 7.75),
    ("US-RI", 27.02, 18.98),
    ("US-SC", 13.68, 6.68),
    ("US-SD", 12.32, 8.01),
    ("US-TN", 12.19, 6.23),
    ("US-TX", 14.46, 6.60),
    ("US-UT", 11.20, 6.99),
    ("US-VA", 14.26, 8.92),
    ("US-VT", 20.82, 11.27),
    ("US-WA", 10.98, 6.35),
    ("US-WI", 16.88, 8.68),
    ("US-WV", 14.05, 7.24),
];

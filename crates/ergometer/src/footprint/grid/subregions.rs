//! eGRID subregions: the grids of the United States that electricity is drawn from.
//!
//! Source: EPA, eGRID2023 revision 2 (12 June 2025, public domain), annual CO2e total output emission rate: the
//! first five as lb/MWh of the summary tables, the others as kg/MWh of the Power Profiler (version 14.3).

use crate::units::GRAMS_PER_POUND;

/// Code, name, g CO2e/kWh.
#[rustfmt::skip]
pub(super) static SUBREGIONS: &[(&str, &str, f64)] = &[
    ("US-eGRID", "United States", GRAMS_PER_POUND * 0.770_884),
    ("US-CAMX", "eGRID subregion CAMX (California)", GRAMS_PER_POUND * 0.429_983),
    ("US-RFCE", "eGRID subregion RFCE (Mid-Atlantic)", GRAMS_PER_POUND * 0.599_170),
    ("US-MROW", "eGRID subregion MROW (Upper Midwest)", GRAMS_PER_POUND * 0.926_443),
    ("US-PRMS", "eGRID subregion PRMS (Puerto Rico)", GRAMS_PER_POUND * 1.548_53),
    ("US-AKGD", "eGRID subregion AKGD (ASCC Alaska Grid)", 410.557),
    ("US-AKMS", "eGRID subregion AKMS (ASCC Miscellaneous)", 236.961),
    ("US-AZNM", "eGRID subregion AZNM (WECC Southwest)", 320.327),
    ("US-ERCT", "eGRID subregion ERCT (ERCOT All)", 334.135),
    ("US-FRCC", "eGRID subregion FRCC (FRCC All)", 355.978),
    ("US-HIMS", "eGRID subregion HIMS (HICC Miscellaneous)", 514.062),
    ("US-HIOA", "eGRID subregion HIOA (HICC Oahu)", 679.922),
    ("US-MROE", "eGRID subregion MROE (MRO East)", 637.291),
    ("US-NEWE", "eGRID subregion NEWE (NPCC New England)", 246.386),
    ("US-NWPP", "eGRID subregion NWPP (WECC Northwest)", 288.157),
    ("US-NYCW", "eGRID subregion NYCW (NPCC NYC/Westchester)", 392.701),
    ("US-NYLI", "eGRID subregion NYLI (NPCC Long Island)", 539.481),
    ("US-NYUP", "eGRID subregion NYUP (NPCC Upstate NY)", 110.123),
    ("US-RFCM", "eGRID subregion RFCM (RFC Michigan)", 442.704),
    ("US-RFCW", "eGRID subregion RFCW (RFC West)", 415.522),
    ("US-RMPA", "eGRID subregion RMPA (WECC Rockies)", 472.896),
    ("US-SPNO", "eGRID subregion SPNO (SPP North)", 393.607),
    ("US-SPSO", "eGRID subregion SPSO (SPP South)", 397.157),
    ("US-SRMV", "eGRID subregion SRMV (SERC Mississippi Valley)", 336.454),
    ("US-SRMW", "eGRID subregion SRMW (SERC Midwest)", 566.357),
    ("US-SRSO", "eGRID subregion SRSO (SERC South)", 383.749),
    ("US-SRTV", "eGRID subregion SRTV (SERC Tennessee Valley)", 409.74),
    ("US-SRVC", "eGRID subregion SRVC (SERC Virginia/Carolina)", 270.493),
];

//! States and provinces with a figure of their own.
//!
//! All are of the plants themselves (direct), an annual mean:
//!
//! * United States: EPA, eGRID2023 revision 2, CO2e of the generation *in* the state, 2023 (public domain). A state's
//!   sockets draw from a grid of several states, which is a subregion (`super::subregions`).
//! * Canada: Environment and Climate Change Canada, "Emission factors and reference values" 3.0 (October 2025), from
//!   the National Inventory Report 1990-2023: intensity of consumption, 2023 (Open Government Licence - Canada).
//! * Australia: National Greenhouse Accounts Factors 2025, scope 2, location-based (CC BY 4.0). The capital shares the
//!   grid of New South Wales; Western Australia is its main grid (SWIS), the Northern Territory its own (DKIS).

/// A state of the United States, Canada or Australia.
pub(super) struct State {
    /// ISO 3166-2: `US-TX`.
    pub code: &'static str,
    pub name: &'static str,
    pub grams_per_kwh: f64,
}

const fn state(code: &'static str, name: &'static str, grams_per_kwh: f64) -> State {
    State { code, name, grams_per_kwh }
}

impl State {
    /// What its figure is, who published it, and for which year.
    pub(super) fn source(&self) -> (&'static str, u16) {
        match self.country() {
            "US" => ("EPA eGRID2023 rev 2, CO2e of the generation in the state", 2023),
            "CA" => {
                ("Environment and Climate Change Canada, reference values 3.0, consumption", 2023)
            }
            _ => ("Australian National Greenhouse Accounts Factors 2025, scope 2", 2025),
        }
    }

    pub(super) fn country(&self) -> &'static str {
        self.code.split_at(2).0
    }
}

/// States by their code.
#[rustfmt::skip]
pub(super) static STATES: &[State] = &[
    state("US-AK", "Alaska", 369.5),
    state("US-AL", "Alabama", 323.9),
    state("US-AR", "Arkansas", 452.9),
    state("US-AZ", "Arizona", 312.6),
    state("US-CA", "California", 179.1),
    state("US-CO", "Colorado", 494.9),
    state("US-CT", "Connecticut", 245.3),
    state("US-DC", "District of Columbia", 179.2),
    state("US-DE", "Delaware", 319.4),
    state("US-FL", "Florida", 357.9),
    state("US-GA", "Georgia", 325.4),
    state("US-HI", "Hawaii", 632.6),
    state("US-IA", "Iowa", 287.7),
    state("US-ID", "Idaho", 142.4),
    state("US-IL", "Illinois", 215.2),
    state("US-IN", "Indiana", 664.8),
    state("US-KS", "Kansas", 332.6),
    state("US-KY", "Kentucky", 792.4),
    state("US-LA", "Louisiana", 346.1),
    state("US-MA", "Massachusetts", 376.5),
    state("US-MD", "Maryland", 236.9),
    state("US-ME", "Maine", 143.7),
    state("US-MI", "Michigan", 361.7),
    state("US-MN", "Minnesota", 341.2),
    state("US-MO", "Missouri", 659.8),
    state("US-MS", "Mississippi", 375.7),
    state("US-MT", "Montana", 482.6),
    state("US-NC", "North Carolina", 284.1),
    state("US-ND", "North Dakota", 588.7),
    state("US-NE", "Nebraska", 465.3),
    state("US-NH", "New Hampshire", 125.3),
    state("US-NJ", "New Jersey", 213.3),
    state("US-NM", "New Mexico", 350.9),
    state("US-NV", "Nevada", 292.1),
    state("US-NY", "New York", 211.6),
    state("US-OH", "Ohio", 484.6),
    state("US-OK", "Oklahoma", 294.3),
    state("US-OR", "Oregon", 165.6),
    state("US-PA", "Pennsylvania", 293.9),
    state("US-RI", "Rhode Island", 381.0),
    state("US-SC", "South Carolina", 254.2),
    state("US-SD", "South Dakota", 152.2),
    state("US-TN", "Tennessee", 299.9),
    state("US-TX", "Texas", 349.8),
    state("US-UT", "Utah", 644.7),
    state("US-VA", "Virginia", 244.8),
    state("US-VT", "Vermont", 23.7),
    state("US-WA", "Washington", 120.9),
    state("US-WI", "Wisconsin", 527.8),
    state("US-WV", "West Virginia", 893.1),
    state("US-WY", "Wyoming", 831.6),
    state("CA-AB", "Alberta", 438.0),
    state("CA-BC", "British Columbia", 18.0),
    state("CA-MB", "Manitoba", 2.5),
    state("CA-NB", "New Brunswick", 234.0),
    state("CA-NL", "Newfoundland and Labrador", 17.0),
    state("CA-NS", "Nova Scotia", 581.0),
    state("CA-NT", "Northwest Territories", 420.0),
    state("CA-NU", "Nunavut", 800.0),
    state("CA-ON", "Ontario", 59.0),
    state("CA-PE", "Prince Edward Island", 234.0),
    state("CA-QC", "Quebec", 1.9),
    state("CA-SK", "Saskatchewan", 631.0),
    state("CA-YT", "Yukon", 74.0),
    state("AU-ACT", "Australian Capital Territory", 640.0),
    state("AU-NSW", "New South Wales", 640.0),
    state("AU-NT", "Northern Territory", 560.0),
    state("AU-QLD", "Queensland", 670.0),
    state("AU-SA", "South Australia", 220.0),
    state("AU-TAS", "Tasmania", 200.0),
    state("AU-VIC", "Victoria", 780.0),
    state("AU-WA", "Western Australia", 500.0),
];

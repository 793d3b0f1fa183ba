//! Suggestions for a place without a figure.
//!
//! A name is first looked up as a place, and the answer names the grids around it, or the nearest ones. Only a name that
//! is not a place is compared by spelling. Codes of cloud regions are compared only with each other.

use super::cloud::REGIONS;
use super::countries::COUNTRIES;
use super::google::GOOGLE;
use super::places::{ALIASES, CITIES, MOSTLY_IN};
use super::states::STATES;
use super::subregions::SUBREGIONS;
use super::{Country, code_of, known, nearest, shown};
use crate::error::{Error, ErrorKind};

/// The lowest Jaro–Winkler similarity of a suggested name.
const NEAR: f64 = 0.84;
/// The same for codes of cloud regions, which have much in common.
const NEAR_CODE: f64 = 0.93;
const OFFERED: usize = 4;

pub(super) fn unknown(wanted: &str) -> Error {
    let around = around(wanted);
    let country = super::nearest::country(wanted);
    let remedy = if !around.is_empty() {
        format!("no figure is known for it; it is on the grid of {}", around.join(", or of "))
    } else if let Some(code) = country {
        let has_figure = |code: &str| known(code).is_some();
        let places = nearest(code, has_figure).join(", ");
        format!("no figure is known for it; the nearest places with one are {places}; {OWN}")
    } else {
        let near = near(wanted);
        if near.is_empty() {
            format!(
                "give an ISO country code (DE), a state (US-TX, CA-QC, AU-NSW), an eGRID subregion (US-CAMX), or a cloud \
                 region (gcp:europe-west3, aws:us-east-1, azure:westeurope); {OWN}"
            )
        } else {
            format!("did you mean {}?", near.join(", "))
        }
    };
    Error::new(ErrorKind::UnknownRegion, format!("unknown region '{wanted}'")).with_remedy(remedy)
}

/// What to do where no figure is known.
const OWN: &str = "or add yours: `--grid FILE`, ERGOMETER_GRID or `Grids::from_csv`";

/// No residual mix is known for `place`.
pub(super) fn no_residual_mix(place: &str, code: Option<&str>) -> Error {
    let message = format!("no residual mix is known for '{place}'");
    let known = |code: &str| super::RESIDUAL_2024.iter().any(|row| row.0 == code);
    let places = code.map(|code| nearest(code, known)).unwrap_or_default();
    let own = "give the intensity of the contract or of the residual mix in g/kWh, as 0 for a contract of renewable \
               electricity";
    let remedy = match places.join(", ").as_str() {
        "" => own.to_owned(),
        places => format!("{own}; the nearest places with a known one are {places}"),
    };
    Error::new(ErrorKind::UnknownRegion, message).with_remedy(remedy)
}

/// The grids around a place without a figure, the nearest first.
fn around(wanted: &str) -> Vec<String> {
    let wanted =
        wanted.strip_prefix("US-").or_else(|| wanted.strip_prefix("us-")).unwrap_or(wanted);
    let is = |name: &str| name.to_lowercase() == wanted.to_lowercase();
    let mut found = Vec::new();
    // Their postal codes are not codes of countries (`CA`, `GA`), so they need the `US-` before them.
    let postal = STATES.iter().find(|row| row.code.strip_prefix("US-").is_some_and(is));
    let city = CITIES.iter().find(|(city, _)| is(city));
    let named = |name: &str| STATES.iter().find(|row| row.country() == "US" && row.name == name);
    if let Some(state) = postal.or_else(|| city.and_then(|(_, state)| named(state))) {
        found.extend(google(|place| city.is_some_and(|(city, _)| *city == place)));
        found.push(shown(state.code));
        let subregion = MOSTLY_IN.iter().find(|(name, _)| *name == state.name);
        found.extend(subregion.and_then(|(_, code)| egrid(code)));
        found.extend(egrid("US-eGRID"));
        return found;
    }
    found.extend(google(is));
    let cloud = REGIONS.iter().find(|row| is(row.place)).map(|row| row.grid);
    let alias = ALIASES.iter().find(|(name, _)| is(name)).map(|(_, code)| *code);
    if let Some(code) = alias.or(cloud) {
        found.push(egrid(code).unwrap_or_else(|| shown(code)));
    }
    found
}

fn google(is: impl Fn(&str) -> bool) -> impl Iterator<Item = String> {
    let rows = GOOGLE.iter().filter(move |row| is(row.place));
    rows.map(|row| format!("gcp:{} ({})", row.name, row.place)).take(2)
}

fn egrid(code: &str) -> Option<String> {
    let (code, place, _) = SUBREGIONS.iter().find(|row| row.0 == code)?;
    Some(format!("{code} ({place})"))
}

fn of_country(row: &Country) -> String {
    format!("{} ({})", code_of(row), row.name)
}

/// Names of similar spelling, the most similar first.
fn near(wanted: &str) -> Vec<String> {
    let wanted = wanted.to_lowercase();
    let region = wanted.split_once(':').map_or(wanted.as_str(), |(_, region)| region).trim();
    // Names of countries have no digits.
    let is_code = wanted.contains(':') || region.contains(|sign: char| sign.is_ascii_digit());
    let codes = GOOGLE.iter().map(|row| (format!("gcp:{}", row.name), row.name)).chain(
        REGIONS.iter().map(|row| (format!("{}:{}", row.provider.prefix(), row.name), row.name)),
    );
    let codes = codes.map(|(shown, name)| (strsim::jaro_winkler(region, name), NEAR_CODE, shown));
    let named = COUNTRIES
        .iter()
        .flat_map(|row| {
            [
                (of_country(row), row.name),
                (of_country(row), row.alpha3),
                (of_country(row), row.alpha2),
            ]
        })
        .chain(STATES.iter().map(|row| (shown(row.code), row.name)))
        .chain(SUBREGIONS.iter().map(|&(code, ..)| (code.to_owned(), code)))
        .filter(|_| !is_code);
    let named = named
        .map(|(shown, name)| (strsim::jaro_winkler(&wanted, &name.to_lowercase()), NEAR, shown));
    let mut near: Vec<(f64, String)> = codes
        .chain(named)
        .filter(|(similarity, limit, _)| similarity >= limit)
        .map(|(similarity, _, shown)| (similarity, shown))
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut offered: Vec<String> = Vec::new();
    for (_, shown) in near {
        if !offered.contains(&shown) && offered.len() < OFFERED {
            offered.push(shown);
        }
    }
    offered
}

#[cfg(test)]
mod tests {
    use super::super::CarbonIntensity;
    use super::*;

    fn remedy(wanted: &str) -> String {
        let error = CarbonIntensity::find(wanted).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnknownRegion);
        error.remedy().unwrap().to_owned()
    }

    #[test]
    fn a_place_without_a_figure_is_answered_with_the_grids_around_it() {
        for (place, expected) in [
            (
                "Northern Virginia",
                &[
                    "gcp:us-east4 (Northern Virginia)",
                    "US-VA (Virginia)",
                    "US-SRVC (eGRID subregion SRVC (SERC Virginia/Carolina))",
                    "US-eGRID (United States)",
                ][..],
            ),
            ("KS", &["US-KS (Kansas)", "US-eGRID (United States)"]),
            (
                "Los Angeles",
                &[
                    "gcp:us-west2 (Los Angeles)",
                    "US-CA (California)",
                    "US-CAMX (eGRID subregion CAMX (California))",
                    "US-eGRID (United States)",
                ],
            ),
            ("frankfurt", &["gcp:europe-west3 (Frankfurt)", "DE (Germany)"]),
            (
                "Columbus",
                &[
                    "gcp:us-east5 (Columbus)",
                    "US-OH (Ohio)",
                    "US-RFCW (eGRID subregion RFCW (RFC West))",
                    "US-eGRID (United States)",
                ],
            ),
            ("Dublin", &["IE (Ireland)"]),
            ("England", &["GB (United Kingdom)"]),
            ("DEUTSCHLAND", &["DE (Germany)"]),
            ("ÖSTERREICH", &["AT (Austria)"]),
            ("Québec", &["CA-QC (Quebec)"]),
            ("Karnataka", &["IN (India)"]),
        ] {
            let remedy = remedy(place);
            let grids = remedy.split_once("it is on the grid of ").unwrap().1;
            assert_eq!(grids.split(", or of ").collect::<Vec<_>>(), expected, "{place}");
        }
    }

    #[test]
    fn no_place_is_offered_for_its_spelling_alone() {
        for (wanted, never) in [
            ("Andorra", "Angola"),
            ("us-east-9", "("),
            ("eastus9", "Estonia"),
            ("aws:eu-central-9", "("),
        ] {
            let remedy = remedy(wanted);
            assert!(
                !remedy.contains(never) || remedy.contains("ISO country code"),
                "{wanted}: {remedy}"
            );
        }
    }

    #[test]
    fn a_misspelt_place_is_answered_with_its_neighbours() {
        assert!(remedy("Germny").contains("DE (Germany)"));
        assert!(remedy("europe-west33").contains("gcp:europe-west3"));
        assert!(remedy("us-east-9").contains("aws:us-east-1"));
        assert!(remedy("azure:eastus9").contains("azure:eastus"));
        assert!(remedy("§").contains("ISO country code"));
    }

    #[test]
    fn every_name_leads_to_a_grid() {
        for (name, code) in ALIASES {
            assert!(CarbonIntensity::find(code).is_ok(), "{code} of {name}");
            assert!(CarbonIntensity::find(name).is_err(), "{name} has a figure of its own");
        }
        let is_state = |name: &str| STATES.iter().any(|row| row.name == name);
        for (state, code) in MOSTLY_IN {
            assert!(egrid(code).is_some() && is_state(state), "{state}");
        }
        for (city, state) in CITIES {
            assert!(GOOGLE.iter().any(|row| row.place == *city), "{city}");
            assert!(is_state(state), "{state}");
        }
    }

    #[test]
    fn a_country_without_a_figure_is_answered_with_the_nearest_ones() {
        for (place, near) in
            [("Andorra", "ES (Spain)"), ("LI", "CH (Switzerland)"), ("Monaco", "IT (Italy)")]
        {
            let remedy = remedy(place);
            assert!(remedy.contains("nearest") && remedy.contains(near), "{place}: {remedy}");
            assert!(remedy.contains("--grid"), "{remedy}");
        }
    }
}

//! Suggestions for a place without a figure.
//!
//! A name is first looked up as a place, and the answer names the grids around it. Only a name that is not
//! a place is compared by spelling. Codes of cloud regions are compared only with each other.

use super::cloud::REGIONS;
use super::countries::COUNTRIES;
use super::google::GOOGLE;
use super::places::{ALIASES, CITIES, STATES, SUBREGIONS};
use super::{Country, EGRID_2023};
use crate::error::{Error, ErrorKind};

/// The lowest Jaro–Winkler similarity of a suggested name.
const NEAR: f64 = 0.84;
/// The same for codes of cloud regions, which have much in common.
const NEAR_CODE: f64 = 0.93;
const OFFERED: usize = 4;

pub(super) fn unknown(wanted: &str) -> Error {
    let around = around(wanted);
    let remedy = if around.is_empty() {
        let near = near(wanted);
        if near.is_empty() {
            "give an ISO country code (DE), US-eGRID, or a cloud region (gcp:europe-west3, aws:us-east-1, \
             azure:westeurope)"
                .to_owned()
        } else {
            format!("did you mean {}?", near.join(", "))
        }
    } else {
        format!("no figure is known for it; it is on the grid of {}", around.join(", or of "))
    };
    Error::new(ErrorKind::UnknownRegion, format!("unknown region '{wanted}'")).with_remedy(remedy)
}

/// The grids around a place without a figure, the nearest first.
fn around(wanted: &str) -> Vec<String> {
    let wanted =
        wanted.strip_prefix("US-").or_else(|| wanted.strip_prefix("us-")).unwrap_or(wanted);
    let is = |name: &str| name.to_lowercase() == wanted.to_lowercase();
    let mut found = Vec::new();
    let state = STATES.iter().find(|(name, code)| is(name) || is(code)).map(|(name, _)| *name);
    let city = CITIES.iter().find(|(city, _)| is(city));
    if let Some(state) = state.or(city.map(|(_, state)| *state)) {
        let lies_in = |place: &str| {
            place == state
                || CITIES.contains(&(place, state)) && city.is_none_or(|(city, _)| *city == place)
        };
        let subregion = SUBREGIONS.iter().find(|(name, _)| *name == state);
        found.extend(subregion.and_then(|(_, code)| egrid(code)));
        found.extend(google(lies_in));
        found.extend(egrid("US-eGRID"));
        return found;
    }
    found.extend(google(is));
    let cloud = REGIONS.iter().find(|row| is(row.place)).map(|row| row.grid);
    let alias = ALIASES.iter().find(|(name, _)| is(name)).map(|(_, code)| *code);
    if let Some(code) = alias.or(cloud) {
        let row = COUNTRIES.iter().find(|row| row.alpha2 == code);
        found.extend(row.map(shown).or_else(|| egrid(code)));
    }
    found
}

fn google(is: impl Fn(&str) -> bool) -> impl Iterator<Item = String> {
    let rows = GOOGLE.iter().filter(move |row| is(row.place));
    rows.map(|row| format!("gcp:{} ({})", row.name, row.place)).take(2)
}

fn egrid(code: &str) -> Option<String> {
    let (code, place, _) = EGRID_2023.iter().find(|row| row.0 == code)?;
    Some(format!("{code} ({place})"))
}

fn code_of(row: &Country) -> &'static str {
    if row.alpha2.is_empty() { row.alpha3 } else { row.alpha2 }
}

fn shown(row: &Country) -> String {
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
            [(shown(row), row.name), (shown(row), row.alpha3), (shown(row), row.alpha2)]
        })
        .chain(EGRID_2023.iter().map(|&(code, ..)| (code.to_owned(), code)))
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
            ("Virginia", &["gcp:us-east4 (Northern Virginia)", "US-eGRID (United States)"][..]),
            ("US-VA", &["gcp:us-east4 (Northern Virginia)", "US-eGRID (United States)"]),
            (
                "California",
                &[
                    "US-CAMX (eGRID subregion CAMX (California))",
                    "gcp:us-west2 (Los Angeles)",
                    "US-eGRID (United States)",
                ],
            ),
            ("TX", &["gcp:us-south1 (Dallas)", "US-eGRID (United States)"]),
            ("Kansas", &["US-eGRID (United States)"]),
            ("frankfurt", &["gcp:europe-west3 (Frankfurt)", "DE (Germany)"]),
            ("Columbus", &["gcp:us-east5 (Columbus)", "US-eGRID (United States)"]),
            ("Dublin", &["IE (Ireland)"]),
            ("England", &["GB (United Kingdom)"]),
            ("DEUTSCHLAND", &["DE (Germany)"]),
            ("ÖSTERREICH", &["AT (Austria)"]),
        ] {
            let remedy = remedy(place);
            let grids = remedy.split_once("it is on the grid of ").unwrap().1;
            assert_eq!(grids.split(", or of ").collect::<Vec<_>>(), expected, "{place}");
        }
    }

    #[test]
    fn no_place_is_offered_for_its_spelling_alone() {
        for (wanted, never) in [
            ("Virginia", "Virgin Islands"),
            ("us-east-9", "("),
            ("eastus9", "Estonia"),
            ("aws:eu-central-9", "("),
            ("California", "Caledonia"),
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
        for (state, code) in SUBREGIONS {
            assert!(
                egrid(code).is_some() && STATES.iter().any(|(name, _)| name == state),
                "{state}"
            );
        }
        for (city, state) in CITIES {
            assert!(GOOGLE.iter().any(|row| row.place == *city), "{city}");
            assert!(STATES.iter().any(|(name, _)| name == state), "{state}");
        }
    }
}

//! Carbon intensity of electricity by place.

mod countries;
mod google;

use super::site::{CarbonIntensity, IntensityKind};
use crate::units::GramsCo2e;
use crate::{Error, ErrorKind, Result};
use countries::COUNTRIES;
use google::GOOGLE;

const OWID: &str = "Our World in Data from Ember, 2025 edition, CC BY 4.0";
const EGRID: &str = "EPA eGRID2023 rev 2, CO2e of generation";
/// eGRID regions: code, name, lb CO2e/MWh.
const EGRID_2023: [(&str, &str, f64); 5] = [
    ("US-eGRID", "United States", 770.884),
    ("US-CAMX", "eGRID subregion CAMX (California)", 429.983),
    ("US-RFCE", "eGRID subregion RFCE (Mid-Atlantic)", 599.170),
    ("US-MROW", "eGRID subregion MROW (Upper Midwest)", 926.443),
    ("US-PRMS", "eGRID subregion PRMS (Puerto Rico)", 1548.53),
];
/// How near a name has to be to be offered, as a Jaro–Winkler similarity.
const NEAR: f64 = 0.84;
const OFFERED: usize = 4;

/// A country's grid.
struct Country {
    alpha2: &'static str,
    alpha3: &'static str,
    name: &'static str,
    year: u16,
    grams_per_kwh: f64,
}

/// The grid around a cloud region.
struct CloudRegion {
    name: &'static str,
    place: &'static str,
    grams_per_kwh: f64,
}

/// The world's average, which is what an unstated place is assumed to be.
#[must_use]
pub fn world() -> CarbonIntensity {
    CarbonIntensity {
        grams_per_kwh: 458.29,
        code: "WORLD".to_owned(),
        place: "World".to_owned(),
        kind: IntensityKind::LifeCycle,
        assumed: true,
        source: "Our World in Data from Ember, CC BY 4.0".to_owned(),
        year: 2025,
    }
}

/// The grid of a place, by code or name; case does not matter.
///
/// # Errors
///
/// [`ErrorKind::UnknownRegion`] with the near matches.
pub fn find(code: &str) -> Result<CarbonIntensity> {
    let wanted = code.trim();
    let is = |name: &str| name.eq_ignore_ascii_case(wanted);
    if is("world") {
        return Ok(CarbonIntensity { assumed: false, ..world() });
    }
    if let Some(&(code, place, pounds)) = EGRID_2023.iter().find(|(code, ..)| is(code)) {
        return Ok(egrid(code, place, pounds));
    }
    if let Some(row) = COUNTRIES.iter().find(|row| {
        // "UK" is reserved for the United Kingdom, whose code is GB.
        is(row.alpha2) || is(row.alpha3) || is(row.name) || (row.alpha2 == "GB" && is("UK"))
    }) {
        return Ok(country(row));
    }
    let region = wanted.get(..4).filter(|start| start.eq_ignore_ascii_case("gcp:"));
    let region = region.map_or(wanted, |_| &wanted[4..]);
    GOOGLE
        .iter()
        .find(|row| row.name.eq_ignore_ascii_case(region))
        .map(google)
        .ok_or_else(|| unknown(wanted))
}

fn egrid(code: &str, place: &str, pounds_per_mwh: f64) -> CarbonIntensity {
    CarbonIntensity {
        grams_per_kwh: GramsCo2e::from_pounds(pounds_per_mwh / 1000.0).get(),
        code: code.to_owned(),
        place: place.to_owned(),
        kind: IntensityKind::Direct,
        assumed: false,
        source: EGRID.to_owned(),
        year: 2023,
    }
}

fn country(row: &Country) -> CarbonIntensity {
    CarbonIntensity {
        grams_per_kwh: row.grams_per_kwh,
        code: if row.alpha2.is_empty() { row.alpha3 } else { row.alpha2 }.to_owned(),
        place: row.name.to_owned(),
        kind: IntensityKind::LifeCycle,
        assumed: false,
        source: OWID.to_owned(),
        year: row.year,
    }
}

fn google(row: &CloudRegion) -> CarbonIntensity {
    CarbonIntensity {
        grams_per_kwh: row.grams_per_kwh,
        code: format!("gcp:{}", row.name),
        place: row.place.to_owned(),
        // "Average operational gross emissions per unit of energy from the grid".
        kind: IntensityKind::Direct,
        assumed: false,
        source: "Google Cloud region carbon data, grid carbon intensity".to_owned(),
        year: 2024,
    }
}

fn unknown(code: &str) -> Error {
    let wanted = code.to_lowercase();
    let country = |row: &Country| {
        let code = if row.alpha2.is_empty() { row.alpha3 } else { row.alpha2 };
        (format!("{code} ({})", row.name), vec![row.name, row.alpha3, row.alpha2])
    };
    let mut near: Vec<(f64, String)> = COUNTRIES
        .iter()
        .map(country)
        .chain(GOOGLE.iter().map(|row| (format!("gcp:{}", row.name), vec![row.name])))
        .chain(EGRID_2023.iter().map(|&(code, ..)| (code.to_owned(), vec![code])))
        .map(|(shown, names)| {
            let similar = |name: &&str| strsim::jaro_winkler(&wanted, &name.to_lowercase());
            (names.iter().map(similar).fold(0.0, f64::max), shown)
        })
        .filter(|(similarity, _)| *similarity >= NEAR)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0));
    let near: Vec<String> = near.into_iter().take(OFFERED).map(|(_, shown)| shown).collect();
    let remedy = if near.is_empty() {
        "give an ISO country code (DE), US-eGRID, or a Google region (gcp:europe-west3)".to_owned()
    } else {
        format!("did you mean {}?", near.join(", "))
    };
    Error::new(ErrorKind::UnknownRegion, format!("unknown region '{code}'")).with_remedy(remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_plausible_and_no_code_comes_twice() {
        let mut codes: Vec<&str> = COUNTRIES.iter().map(|row| row.alpha3).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), COUNTRIES.len());
        for row in COUNTRIES {
            assert!((10.0..=1400.0).contains(&row.grams_per_kwh), "{}", row.name);
            assert!((2009..=2025).contains(&row.year), "{}", row.name);
        }
        assert!(GOOGLE.iter().all(|row| (0.0..=1000.0).contains(&row.grams_per_kwh)));
    }

    #[test]
    fn a_place_is_found_by_any_of_its_names() {
        for name in ["DE", "de", "DEU", "Germany", " germany "] {
            assert_eq!(find(name).unwrap().code, "DE", "{name}");
        }
        assert_eq!(find("gcp:EUROPE-west3").unwrap(), find("europe-west3").unwrap());
        assert!((find("US-eGRID").unwrap().grams_per_kwh - 349.7).abs() < 0.05);
        assert!(!find("world").unwrap().assumed);
    }

    #[test]
    fn a_misspelt_place_is_answered_with_its_neighbours() {
        let error = find("Germny").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnknownRegion);
        assert!(error.remedy().unwrap().contains("DE (Germany)"), "{error}");
        let error = find("europe-west33").unwrap_err();
        assert!(error.remedy().unwrap().contains("gcp:europe-west3"), "{error}");
        assert!(find("§").unwrap_err().remedy().unwrap().contains("ISO country code"));
    }
}

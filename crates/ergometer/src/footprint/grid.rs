//! Carbon intensity of electricity by place.

mod cloud;
mod countries;
mod google;
mod hint;
mod places;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::units::GramsCo2e;
use cloud::{REGIONS, Region};
use countries::COUNTRIES;
use google::GOOGLE;

/// What a carbon intensity includes. The two kinds differ by about 10 % and must not be compared.
///
/// ```
/// use ergometer::footprint::{CarbonIntensity, IntensityKind};
///
/// // The kinds must not be compared, so a report names them.
/// let intensity = CarbonIntensity::find("DE").unwrap();
/// assert_eq!(intensity.kind, IntensityKind::LifeCycle);
/// assert_eq!(intensity.kind.as_str(), "life-cycle");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum IntensityKind {
    /// Emissions of building plants and extracting fuel as well.
    LifeCycle,
    /// The plants' own emissions.
    Direct,
    /// As published, without saying which; also a kind of a later version's record.
    #[serde(other)]
    Unstated,
}

impl IntensityKind {
    /// The word used in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LifeCycle => "life-cycle",
            Self::Direct => "direct",
            Self::Unstated => "kind not stated",
        }
    }
}

/// Carbon intensity of the electricity of a place: location-based, annual mean.
///
/// ```
/// use ergometer::footprint::CarbonIntensity;
///
/// let germany = CarbonIntensity::find("Germany")?;
/// assert_eq!(germany, CarbonIntensity::find("DE")?);
/// assert!(CarbonIntensity::world().assumed && !germany.assumed);
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CarbonIntensity {
    /// Grams of CO2 equivalent per kilowatt-hour.
    pub grams_per_kwh: f64,
    /// Code of the place: `DE`, `US-eGRID`, `gcp:europe-west3`.
    pub code: String,
    /// Its name.
    pub place: String,
    /// What it includes.
    pub kind: IntensityKind,
    /// Whether nobody stated the place, so that it is an assumption.
    pub assumed: bool,
    /// Who published it.
    pub source: String,
    /// The year it holds for.
    pub year: u16,
}

impl CarbonIntensity {
    /// The world's average, assumed where no place is stated.
    #[must_use]
    pub fn world() -> Self {
        Self {
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
    /// [`ErrorKind::UnknownRegion`](crate::ErrorKind::UnknownRegion) with the grids around the place, or with
    /// near matches.
    pub fn find(code: &str) -> Result<Self> {
        let wanted = code.trim();
        known(wanted).or_else(|| cloud_region(wanted)).ok_or_else(|| hint::unknown(wanted))
    }

    /// Every place that [`CarbonIntensity::find`] knows by a code, in this order: the world, countries, eGRID and its
    /// subregions, cloud regions.
    pub fn places() -> impl Iterator<Item = Self> {
        let world = Self { assumed: false, ..Self::world() };
        let subregions = EGRID_2023.iter().map(|&(code, place, pounds)| egrid(code, place, pounds));
        let others = REGIONS.iter().filter_map(on_the_grid_around);
        std::iter::once(world)
            .chain(COUNTRIES.iter().map(country))
            .chain(subregions)
            .chain(GOOGLE.iter().map(google))
            .chain(others)
    }
}

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
/// A country's grid.
struct Country {
    /// The two-letter code, empty where there is none.
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

/// The figure published for `wanted` itself.
fn known(wanted: &str) -> Option<CarbonIntensity> {
    let is = |name: &str| name.eq_ignore_ascii_case(wanted);
    if is("world") {
        return Some(CarbonIntensity { assumed: false, ..CarbonIntensity::world() });
    }
    if let Some(&(code, place, pounds)) = EGRID_2023.iter().find(|(code, ..)| is(code)) {
        return Some(egrid(code, place, pounds));
    }
    if let Some(row) = COUNTRIES.iter().find(|row| {
        // "UK" is reserved for the United Kingdom, whose code is GB.
        is(row.alpha2) || is(row.alpha3) || is(row.name) || (row.alpha2 == "GB" && is("UK"))
    }) {
        return Some(country(row));
    }
    let region = after_prefix(wanted, "gcp").unwrap_or(wanted);
    GOOGLE.iter().find(|row| row.name.eq_ignore_ascii_case(region)).map(google)
}

/// `europe-west3` of `gcp:europe-west3`.
fn after_prefix<'a>(wanted: &'a str, provider: &str) -> Option<&'a str> {
    let (prefix, region) = wanted.split_once(':')?;
    prefix.trim().eq_ignore_ascii_case(provider).then_some(region.trim())
}

/// The grid around a region of a provider that publishes no figure for it.
fn cloud_region(wanted: &str) -> Option<CarbonIntensity> {
    let row = REGIONS.iter().find(|row| {
        let name = after_prefix(wanted, row.provider.prefix()).unwrap_or(wanted);
        // Azure's names are shown with spaces: `West Europe`.
        let letters =
            name.chars().filter(|letter| *letter != ' ').map(|letter| letter.to_ascii_lowercase());
        letters.eq(row.name.chars())
    })?;
    on_the_grid_around(row)
}

fn on_the_grid_around(region: &Region) -> Option<CarbonIntensity> {
    let Region { provider, name, place, grid } = region;
    let grid = known(grid)?;
    Some(CarbonIntensity {
        code: format!("{}:{name}", provider.prefix()),
        place: format!("{place}, on the grid of {} ({})", grid.place, grid.code),
        source: format!("{}; {} publishes no figure for its regions", grid.source, provider.name()),
        ..grid
    })
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
            assert_eq!(CarbonIntensity::find(name).unwrap().code, "DE", "{name}");
        }
        assert_eq!(
            CarbonIntensity::find("gcp:EUROPE-west3").unwrap(),
            CarbonIntensity::find("europe-west3").unwrap()
        );
        assert!((CarbonIntensity::find("US-eGRID").unwrap().grams_per_kwh - 349.7).abs() < 0.05);
        assert!(!CarbonIntensity::find("world").unwrap().assumed);
    }

    #[test]
    fn every_place_of_the_list_is_found_by_its_code() {
        let mut count = 0;
        for place in CarbonIntensity::places() {
            assert_eq!(CarbonIntensity::find(&place.code).unwrap(), place);
            count += 1;
        }
        assert_eq!(count, 1 + COUNTRIES.len() + EGRID_2023.len() + GOOGLE.len() + REGIONS.len());
    }

    #[test]
    fn regions_of_other_providers_are_on_the_grid_that_they_lie_in() {
        for (region, code, like) in [
            ("us-east-1", "aws:us-east-1", "US"),
            ("AWS:eu-central-1", "aws:eu-central-1", "DE"),
            ("us-west-1", "aws:us-west-1", "US-CAMX"),
            ("eastus", "azure:eastus", "US"),
            ("West Europe", "azure:westeurope", "NL"),
            ("azure:UK South", "azure:uksouth", "GB"),
            ("westus", "azure:westus", "US-CAMX"),
        ] {
            let (found, grid) =
                (CarbonIntensity::find(region).unwrap(), CarbonIntensity::find(like).unwrap());
            assert_eq!(found.code, code);
            let figure =
                |one: &CarbonIntensity| (one.grams_per_kwh, one.kind, one.year, one.assumed);
            assert_eq!(figure(&found), figure(&grid), "{region}");
            assert!(found.source.starts_with(&grid.source), "{}", found.source);
            assert!(
                found.source.ends_with("publishes no figure for its regions"),
                "{}",
                found.source
            );
            assert!(
                found.place.contains(&format!("the grid of {}", grid.place)),
                "{}",
                found.place
            );
        }
        // Other providers' names do not hide Google's own figures.
        assert_eq!(CarbonIntensity::find("us-east1").unwrap().code, "gcp:us-east1");
        assert_eq!(CarbonIntensity::find("europe-west3").unwrap().code, "gcp:europe-west3");
        for region in REGIONS {
            assert!(known(region.grid).is_some(), "{} of {}", region.grid, region.name);
            assert!(known(region.name).is_none(), "{} has a figure of its own", region.name);
        }
    }
}

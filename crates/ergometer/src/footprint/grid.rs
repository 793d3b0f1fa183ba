//! Carbon intensity of electricity by place.

mod cloud;
mod coordinates;
mod countries;
mod file;
mod google;
mod hint;
mod nearest;
mod places;
mod residual;
mod states;
mod subregions;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use cloud::{REGIONS, Region};
use countries::COUNTRIES;
pub use file::Grids;
use google::GOOGLE;
pub(super) use nearest::{nearest, shown};
use residual::RESIDUAL_2024;
use states::{STATES, State};
use subregions::SUBREGIONS;

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
    /// [`ErrorKind::UnknownRegion`](crate::ErrorKind::UnknownRegion) with the grids around the place, with the nearest
    /// places that have a figure, or with names of similar spelling.
    pub fn find(code: &str) -> Result<Self> {
        let wanted = code.trim();
        known(wanted).or_else(|| cloud_region(wanted)).ok_or_else(|| hint::unknown(wanted))
    }

    /// What electricity without a contract or a certificate counts at in a place, market-based: the residual mix of its
    /// country, from which everything that was sold with a certificate is taken out.
    ///
    /// ```
    /// use ergometer::footprint::CarbonIntensity;
    ///
    /// let (grid, rest) = (CarbonIntensity::find("DE")?, CarbonIntensity::residual_mix("DE")?);
    /// assert!(rest.grams_per_kwh > grid.grams_per_kwh);
    /// # Ok::<(), ergometer::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownRegion`](crate::ErrorKind::UnknownRegion) for a place whose residual mix is not known.
    pub fn residual_mix(place: &str) -> Result<Self> {
        let code = lies_in(place);
        let row = RESIDUAL_2024.iter().find(|row| Some(row.0) == code);
        let Some((code, grams_per_kwh)) = row else {
            return Err(hint::no_residual_mix(place, code));
        };
        Ok(Self {
            grams_per_kwh: *grams_per_kwh,
            code: (*code).to_owned(),
            place: format!("residual mix of {}", shown(code)),
            kind: IntensityKind::Direct,
            assumed: false,
            source: AIB.to_owned(),
            year: 2024,
        })
    }

    /// Every place that [`CarbonIntensity::find`] knows by a code, in this order: the world, countries, eGRID and its
    /// subregions, states and provinces, cloud regions.
    pub fn places() -> impl Iterator<Item = Self> {
        let world = Self { assumed: false, ..Self::world() };
        let subregions = SUBREGIONS.iter().map(|&(code, place, grams)| egrid(code, place, grams));
        let others = REGIONS.iter().filter_map(on_the_grid_around);
        std::iter::once(world)
            .chain(COUNTRIES.iter().map(country))
            .chain(subregions)
            .chain(STATES.iter().map(state))
            .chain(GOOGLE.iter().map(google))
            .chain(others)
    }
}

const OWID: &str = "Our World in Data from Ember, 2025 edition, CC BY 4.0";
const EGRID: &str = "EPA eGRID2023 rev 2, CO2e of generation";
const AIB: &str = "Association of Issuing Bodies, European Residual Mixes 2024";
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
    /// Its country or state.
    lies_in: &'static str,
    grams_per_kwh: f64,
}

/// The code of the state or the country that a place lies in: `US-IA` for `gcp:us-central1`, `DE` for `Germany`.
/// `None` for the world, and for a place that is not known.
pub(super) fn lies_in(place: &str) -> Option<&'static str> {
    let wanted = place.trim();
    let is = |name: &str| name.eq_ignore_ascii_case(wanted);
    if let Some(row) = country_named(wanted) {
        return Some(code_of(row));
    }
    if SUBREGIONS.iter().any(|row| is(row.0)) {
        return Some("US");
    }
    let region = after_prefix(wanted, "gcp").unwrap_or(wanted);
    let google =
        || GOOGLE.iter().find(|row| row.name.eq_ignore_ascii_case(region)).map(|row| row.lies_in);
    let cloud = || cloud_row(wanted).and_then(|row| lies_in(row.grid));
    state_named(wanted)
        .map(|row| row.code)
        .or_else(google)
        .or_else(cloud)
        .or_else(|| nearest::country(wanted))
}

/// The figure published for `wanted` itself.
fn known(wanted: &str) -> Option<CarbonIntensity> {
    let is = |name: &str| name.eq_ignore_ascii_case(wanted);
    if is("world") {
        return Some(CarbonIntensity { assumed: false, ..CarbonIntensity::world() });
    }
    if let Some(&(code, place, grams)) = SUBREGIONS.iter().find(|(code, ..)| is(code)) {
        return Some(egrid(code, place, grams));
    }
    if let Some(row) = country_named(wanted) {
        return Some(country(row));
    }
    if let Some(row) = state_named(wanted) {
        return Some(state(row));
    }
    let region = after_prefix(wanted, "gcp").unwrap_or(wanted);
    GOOGLE.iter().find(|row| row.name.eq_ignore_ascii_case(region)).map(google)
}

fn country_named(wanted: &str) -> Option<&'static Country> {
    let is = |name: &str| name.eq_ignore_ascii_case(wanted);
    // "UK" is reserved for the United Kingdom, whose code is GB.
    let is_kingdom = |row: &Country| row.alpha2 == "GB" && is("UK");
    COUNTRIES.iter().find(|row| is(row.alpha2) || is(row.alpha3) || is(row.name) || is_kingdom(row))
}

/// A state by its code or name. `Georgia` is the country.
fn state_named(wanted: &str) -> Option<&'static State> {
    let is = |name: &str| name.eq_ignore_ascii_case(wanted);
    STATES.iter().find(|row| is(row.code) || is(row.name))
}

fn code_of(row: &Country) -> &'static str {
    if row.alpha2.is_empty() { row.alpha3 } else { row.alpha2 }
}

/// `europe-west3` of `gcp:europe-west3`.
fn after_prefix<'a>(wanted: &'a str, provider: &str) -> Option<&'a str> {
    let (prefix, region) = wanted.split_once(':')?;
    prefix.trim().eq_ignore_ascii_case(provider).then_some(region.trim())
}

/// The grid around a region of a provider that publishes no figure for it.
fn cloud_region(wanted: &str) -> Option<CarbonIntensity> {
    cloud_row(wanted).and_then(on_the_grid_around)
}

fn cloud_row(wanted: &str) -> Option<&'static Region> {
    REGIONS.iter().find(|row| {
        let name = after_prefix(wanted, row.provider.prefix()).unwrap_or(wanted);
        // Azure's names are shown with spaces: `West Europe`.
        let letters =
            name.chars().filter(|letter| *letter != ' ').map(|letter| letter.to_ascii_lowercase());
        letters.eq(row.name.chars())
    })
}

fn on_the_grid_around(region: &Region) -> Option<CarbonIntensity> {
    Some(on_the_grid(region, &known(region.grid)?))
}

fn on_the_grid(region: &Region, grid: &CarbonIntensity) -> CarbonIntensity {
    let Region { provider, name, place, grid: _ } = region;
    CarbonIntensity {
        code: format!("{}:{name}", provider.prefix()),
        place: format!("{place}, on the grid of {} ({})", grid.place, grid.code),
        source: format!("{}; {} publishes no figure for its regions", grid.source, provider.name()),
        ..grid.clone()
    }
}

fn state(row: &State) -> CarbonIntensity {
    let (source, year) = row.source();
    CarbonIntensity {
        grams_per_kwh: row.grams_per_kwh,
        code: row.code.to_owned(),
        place: row.name.to_owned(),
        kind: IntensityKind::Direct,
        assumed: false,
        source: source.to_owned(),
        year,
    }
}

fn egrid(code: &str, place: &str, grams_per_kwh: f64) -> CarbonIntensity {
    CarbonIntensity {
        grams_per_kwh,
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
        code: code_of(row).to_owned(),
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
#[allow(clippy::float_cmp, reason = "exact in closed form")]
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
        let tables = [COUNTRIES.len(), SUBREGIONS.len(), STATES.len(), GOOGLE.len(), REGIONS.len()];
        assert_eq!(count, 1 + tables.iter().sum::<usize>());
    }

    #[test]
    fn regions_of_other_providers_are_on_the_grid_that_they_lie_in() {
        for (region, code, like) in [
            ("us-east-1", "aws:us-east-1", "US-SRVC"),
            ("AWS:eu-central-1", "aws:eu-central-1", "DE"),
            ("us-west-1", "aws:us-west-1", "US-CAMX"),
            ("us-west-2", "aws:us-west-2", "US-NWPP"),
            ("ca-central-1", "aws:ca-central-1", "CA-QC"),
            ("ap-southeast-4", "aws:ap-southeast-4", "AU-VIC"),
            ("Canada Central", "azure:canadacentral", "CA-ON"),
            ("eastus", "azure:eastus", "US-SRVC"),
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

    #[test]
    fn a_state_has_its_own_figure_and_year() {
        let of = |name: &str| {
            let found = CarbonIntensity::find(name).unwrap();
            (found.code, found.grams_per_kwh, found.year, found.kind)
        };
        assert_eq!(of("US-TX"), ("US-TX".to_owned(), 349.8, 2023, IntensityKind::Direct));
        assert_eq!(of("virginia").0, "US-VA");
        assert_eq!(of("Quebec"), ("CA-QC".to_owned(), 1.9, 2023, IntensityKind::Direct));
        assert_eq!(of("AU-VIC"), ("AU-VIC".to_owned(), 780.0, 2025, IntensityKind::Direct));
        assert_eq!(of("Georgia").0, "GE", "the country");
        assert_eq!(of("US-GA").1, 325.4);
        assert_eq!(of("CA").0, "CA", "Canada, not California");
        // The mean of the states, weighted by nothing, is near the country's: no row is in another unit.
        let states = || STATES.iter().filter(|row| row.country() == "US");
        let mean = states().map(|row| row.grams_per_kwh).sum::<f64>() / 51.0;
        assert_eq!(states().count(), 51);
        assert!((mean / 349.7 - 1.0).abs() < 0.05, "{mean}");
        assert!(STATES.iter().all(|row| (1.0..=900.0).contains(&row.grams_per_kwh)));
    }

    #[test]
    fn the_residual_mix_is_a_figure_of_its_own() {
        let mix = CarbonIntensity::residual_mix("gcp:europe-west3").unwrap();
        assert_eq!((mix.code.as_str(), mix.grams_per_kwh, mix.year), ("DE", 724.56, 2024));
        for place in ["AT", "US", "Nowhere"] {
            let error = CarbonIntensity::residual_mix(place).unwrap_err();
            assert!(error.remedy().unwrap().contains("contract"), "{place}");
        }
        for (code, grams) in RESIDUAL_2024 {
            assert!(country_named(code).is_some() && (20.0..=900.0).contains(grams), "{code}");
        }
    }

    #[test]
    fn every_figure_is_of_the_years_that_its_source_covers() {
        for place in CarbonIntensity::places() {
            let years = match place.source.as_str() {
                source if source.contains("eGRID2023") => 2023..=2023,
                source if source.contains("reference values 3.0") => 2023..=2023,
                source if source.contains("Factors 2025") => 2025..=2025,
                source if source.starts_with("Google Cloud") => 2024..=2024,
                source if source.contains("2025 edition") => 2009..=2024,
                source if source.starts_with("Our World in Data") => 2025..=2025,
                source => panic!("a source without its years: {source}"),
            };
            assert!(years.contains(&place.year), "{place:?}");
        }
    }

    #[test]
    fn every_place_lies_in_a_state_or_a_country() {
        for place in CarbonIntensity::places().skip(1) {
            let code = lies_in(&place.code).unwrap_or_else(|| panic!("{place:?}"));
            assert!(known(code).is_some(), "{code} of {place:?}");
        }
        assert_eq!(lies_in("gcp:us-central1"), Some("US-IA"));
        assert_eq!(lies_in("aws:us-east-1"), Some("US"));
        assert_eq!(
            (lies_in("world"), lies_in("Nowhere"), lies_in("Andorra")),
            (None, None, Some("AD"))
        );
    }
}

//! The nearest places to one without a figure, by distance and not by spelling.

use super::coordinates::COUNTRIES_AT;
use super::{STATES, country_named};

/// How many are named.
const NAMED: usize = 3;

/// The countries nearest to the country of `code` that are `known`, the nearest first, with their names. A state whose
/// own country is known is in that country.
pub(in super::super) fn nearest(code: &str, known: impl Fn(&str) -> bool) -> Vec<String> {
    let country = code.split_once('-').map_or(code, |(country, _)| country);
    let Some(&(_, _, latitude, longitude)) = row(country) else { return Vec::new() };
    let mut places: Vec<(f64, &str)> = COUNTRIES_AT
        .iter()
        .filter(|(other, ..)| known(other) && (*other != country || code != country))
        .map(|(other, _, north, east)| (angle((latitude, longitude), (*north, *east)), *other))
        .collect();
    places.sort_by(|a, b| a.0.total_cmp(&b.0));
    places.into_iter().take(NAMED).map(|(_, code)| shown(code)).collect()
}

/// A code with its name: `DE (Germany)`.
pub(in super::super) fn shown(code: &str) -> String {
    let country = || country_named(code).map(|row| row.name).or_else(|| row(code).map(|row| row.1));
    let state = STATES.iter().find(|row| row.code == code).map(|row| row.name);
    state.or_else(country).map_or_else(|| code.to_owned(), |name| format!("{code} ({name})"))
}

/// The code of a country by its code or name, whether or not it has a figure.
pub(super) fn country(wanted: &str) -> Option<&'static str> {
    let is = |name: &str| name.eq_ignore_ascii_case(wanted);
    COUNTRIES_AT.iter().find(|(code, name, ..)| is(code) || is(name)).map(|row| row.0)
}

fn row(code: &str) -> Option<&'static (&'static str, &'static str, f64, f64)> {
    COUNTRIES_AT.iter().find(|row| row.0 == code)
}

/// The angle between two places as seen from the centre of the earth, radians.
fn angle(a: (f64, f64), b: (f64, f64)) -> f64 {
    let (north, other) = (a.0.to_radians(), b.0.to_radians());
    let half = |degrees: f64| (degrees.to_radians() / 2.0).sin().powi(2);
    let haversine = half(b.0 - a.0) + north.cos() * other.cos() * half(b.1 - a.1);
    2.0 * haversine.sqrt().min(1.0).asin()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_are_neighbours_and_not_of_similar_spelling() {
        let all = |_: &str| true;
        let codes = |code: &str| {
            let named = nearest(code, all);
            named.iter().map(|name| name.split_at(2).0.to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(codes("AD")[0], "ES", "Andorra: Madrid is nearer than Paris");
        assert!(codes("LI").contains(&"CH".to_owned()));
        assert_eq!(codes("CA-ON")[0], "CA", "its own country first");
        let fiji = codes("FJ");
        assert!(
            fiji.iter().all(|code| ["WF", "TO", "VU", "TV", "WS", "NC"].contains(&code.as_str())),
            "{fiji:?}"
        );
        assert_eq!(nearest("CH", |code| code == "NZ"), ["NZ (New Zealand)"]);
        assert!(nearest("??", all).is_empty());
    }

    #[test]
    fn the_angle_is_that_of_the_great_circle() {
        let quarter = std::f64::consts::FRAC_PI_2;
        assert!((angle((0.0, 0.0), (90.0, 12.0)) - quarter).abs() < 1e-12);
        assert!((angle((0.0, 0.0), (0.0, 90.0)) - quarter).abs() < 1e-12);
        assert!(
            (angle((10.0, 179.0), (10.0, -179.0)) - angle((10.0, 0.0), (10.0, 2.0))).abs() < 1e-12
        );
        assert!((angle((0.0, 0.0), (0.0, 180.0)) - 2.0 * quarter).abs() < 1e-12);
    }
}

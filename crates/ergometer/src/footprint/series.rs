//! Carbon intensity that changes with time.

use std::path::Path;
use std::time::SystemTime;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::grid::{CarbonIntensity, IntensityKind};
use crate::error::{Error, ErrorKind, Result};

/// Carbon intensity of a grid over time. Each value holds until the time of the next. The last holds for as
/// long as the one before it.
///
/// A run's CO2e is the sum over these intervals of the energy drawn in each, at that interval's intensity.
///
/// ```
/// use ergometer::footprint::{CarbonSeries, IntensityKind, Site};
///
/// let hours = "time,gCO2e/kWh\n\
///              2026-07-01T10:00:00Z,310.5\n\
///              2026-07-01T11:00:00Z,245\n";
/// let series = CarbonSeries::from_csv(hours, "Germany", IntensityKind::LifeCycle, "my grid operator")?;
/// let site = Site::current().with_carbon_series(series)?;
/// assert_eq!(site.carbon.grams_per_kwh, 277.75, "the mean, for forecasts and budgets");
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CarbonSeries {
    place: String,
    kind: IntensityKind,
    source: String,
    /// In the order of time, without duplicates.
    points: Vec<Point>,
}

/// One value of a series.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Point {
    /// The start of its interval.
    from: Timestamp,
    grams_per_kwh: f64,
}

/// A stretch of a run at one intensity, seconds from the run's start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Piece {
    pub from: f64,
    pub to: f64,
    pub grams_per_kwh: f64,
}

impl CarbonSeries {
    /// The intensities of `place`, in grams of CO2 equivalent per kilowatt-hour, each with the time from
    /// which it holds, in any order. `source` is their publisher.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidSetting`] for fewer than two values, two for one time, a value that is negative or
    /// not finite, or a time out of range.
    pub fn new(
        place: impl Into<String>,
        kind: IntensityKind,
        source: impl Into<String>,
        values: impl IntoIterator<Item = (SystemTime, f64)>,
    ) -> Result<Self> {
        let points = values.into_iter().map(|(time, grams_per_kwh)| {
            let from = Timestamp::try_from(time).map_err(|error| {
                invalid("a time of the carbon series is out of range".to_owned()).with_source(error)
            })?;
            Ok(Point { from, grams_per_kwh })
        });
        Self::of(place.into(), kind, source.into(), points.collect::<Result<_>>()?)
    }

    /// Reads a series from CSV. The first column is a time (RFC 3339, or `2026-07-01 10:00`, which is taken
    /// as UTC), the second grams of CO2 equivalent per kilowatt-hour. A first row of headings, other
    /// columns, empty lines and lines that begin with `#` are skipped.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Format`] with the invalid row; otherwise as [`CarbonSeries::new`].
    pub fn from_csv(
        text: &str,
        place: impl Into<String>,
        kind: IntensityKind,
        source: impl Into<String>,
    ) -> Result<Self> {
        let mut rows = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .comment(Some(b'#'))
            .trim(csv::Trim::All)
            .from_reader(text.as_bytes());
        let mut points = Vec::new();
        for (index, row) in rows.records().enumerate() {
            let row = row.map_err(|error| {
                Error::new(ErrorKind::Format, "the carbon series is not CSV").with_source(error)
            })?;
            let cells = (row.get(0).unwrap_or_default(), row.get(1).unwrap_or_default());
            let grams = cells.1.parse::<f64>();
            match (time(cells.0), grams) {
                (Some(from), Ok(grams_per_kwh)) => points.push(Point { from, grams_per_kwh }),
                (None, Err(_)) if index == 0 => {}
                _ => {
                    let line = row.position().map_or(0, csv::Position::line);
                    let message = format!(
                        "line {line} of the carbon series is '{},{}', not a time and a number",
                        cells.0, cells.1
                    );
                    return Err(Error::new(ErrorKind::Format, message)
                        .with_remedy("write lines like 2026-07-01T10:00:00Z,310.5"));
                }
            }
        }
        Self::of(place.into(), kind, source.into(), points)
    }

    /// Reads a file of [such rows](Self::from_csv). Lines like `# place: Germany`, `# kind: life-cycle` (or `direct`) and
    /// `# source: my grid operator` say what it is; without them the place and the source are the name of the file, and
    /// the kind is not stated.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`] if it cannot be read; otherwise as [`CarbonSeries::from_csv`].
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(|error| {
            Error::new(
                ErrorKind::Io,
                format!("the carbon series {} cannot be read", path.display()),
            )
            .with_source(error)
            .with_remedy("name a CSV file of lines like 2026-07-01T10:00:00Z,310.5")
        })?;
        let said = |what: &str| {
            let notes = text.lines().filter_map(|line| line.trim().strip_prefix('#'));
            let mut pairs = notes.filter_map(|note| note.split_once(':'));
            pairs
                .find(|(name, _)| name.trim().eq_ignore_ascii_case(what))
                .map(|pair| pair.1.trim().to_owned())
        };
        let name = || path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let kind = match said("kind").as_deref() {
            None => IntensityKind::Unstated,
            Some("life-cycle") => IntensityKind::LifeCycle,
            Some("direct") => IntensityKind::Direct,
            Some(other) => {
                let message = format!("'{other}' is not a kind of carbon intensity");
                return Err(Error::new(ErrorKind::Format, message)
                    .with_remedy("write `# kind: life-cycle` or `# kind: direct`"));
            }
        };
        let (place, source) =
            (said("place").unwrap_or_else(name), said("source").unwrap_or_else(name));
        Self::from_csv(&text, place, kind, source)
    }

    fn of(
        place: String,
        kind: IntensityKind,
        source: String,
        mut points: Vec<Point>,
    ) -> Result<Self> {
        points.sort_by_key(|point| point.from);
        if points.len() < 2 {
            return Err(invalid(format!(
                "a carbon series needs at least 2 values, not {}",
                points.len()
            ))
            .with_remedy("give two or more, or one intensity with `Site::with_carbon`"));
        }
        if let Some(pair) = points.windows(2).find(|pair| pair[0].from == pair[1].from) {
            return Err(invalid(format!("the carbon series has two values for {}", pair[0].from)));
        }
        let series = Self { place, kind, source, points };
        series.check().map_err(invalid)?;
        Ok(series)
    }

    /// Why the series is invalid, if it is.
    pub(crate) fn check(&self) -> std::result::Result<(), String> {
        let ordered = self.points.is_sorted_by(|a, b| a.from < b.from);
        if self.points.is_empty() || !ordered {
            return Err("the carbon series is empty or not in the order of time".to_owned());
        }
        let wrong =
            |point: &&Point| !(point.grams_per_kwh.is_finite() && point.grams_per_kwh >= 0.0);
        match self.points.iter().find(wrong) {
            Some(point) => Err(format!(
                "the carbon intensity from {} on is {} g/kWh",
                point.from, point.grams_per_kwh
            )),
            None => Ok(()),
        }
    }

    /// A single value for the series, where one is needed: its mean over time.
    pub(super) fn mean(&self) -> CarbonIntensity {
        let (first, last) = self.span();
        let length = seconds(first, last);
        let pieces = self.pieces(first, length);
        let weighted: f64 =
            pieces.iter().map(|piece| (piece.to - piece.from) * piece.grams_per_kwh).sum();
        CarbonIntensity {
            grams_per_kwh: weighted / length,
            code: "series".to_owned(),
            place: self.place.clone(),
            kind: self.kind,
            assumed: false,
            source: self.source.clone(),
            year: u16::try_from(first.to_zoned(TimeZone::UTC).year()).unwrap_or(0),
        }
    }

    /// Start and end of the time in which the values hold.
    fn span(&self) -> (Timestamp, Timestamp) {
        let first = self.points.first().map_or(Timestamp::UNIX_EPOCH, |point| point.from);
        let last = self.points.last().map_or(first, |point| point.from);
        let length = match self.points.as_slice() {
            [.., before, last] => last.from.duration_since(before.from),
            _ => jiff::SignedDuration::ZERO,
        };
        (first, last.saturating_add(length).unwrap_or(last))
    }

    /// The intervals of constant intensity in a run that began at `start` and took `length` seconds. They
    /// cover the run: outside the series the nearest value is used.
    pub(crate) fn pieces(&self, start: Timestamp, length: f64) -> Vec<Piece> {
        let mut pieces: Vec<Piece> = Vec::new();
        for (index, point) in self.points.iter().enumerate() {
            let from = if index == 0 { 0.0 } else { seconds(start, point.from).max(0.0) };
            let next = self.points.get(index + 1);
            let to = next.map_or(length, |next| seconds(start, next.from)).min(length);
            if to > from || (pieces.is_empty() && next.is_none()) {
                let grams_per_kwh = point.grams_per_kwh;
                pieces.push(Piece {
                    from: from.min(length),
                    to: to.max(from.min(length)),
                    grams_per_kwh,
                });
            }
        }
        if pieces.is_empty() {
            // A run without any duration.
            let point =
                self.points.iter().rfind(|point| point.from <= start).or(self.points.first());
            pieces.extend(point.map(|point| Piece {
                from: 0.0,
                to: length,
                grams_per_kwh: point.grams_per_kwh,
            }));
        }
        pieces
    }

    /// Seconds after `start` at which the intensity changes.
    pub(crate) fn changes(&self, start: Timestamp) -> impl Iterator<Item = f64> {
        self.points.iter().map(move |point| seconds(start, point.from)).filter(|after| *after > 0.0)
    }

    /// The share of a run's time that no value covers.
    pub(crate) fn uncovered(&self, start: Timestamp, length: f64) -> f64 {
        let (first, last) = self.span();
        if length <= 0.0 {
            return 0.0;
        }
        let covered = seconds(start, last).min(length) - seconds(start, first).max(0.0);
        (1.0 - covered.max(0.0) / length).clamp(0.0, 1.0)
    }

    /// The values that hold during a run.
    pub(crate) fn during(&self, start: Timestamp, length: f64) -> Self {
        let is_over = |index: usize| {
            self.points.get(index + 1).is_some_and(|next| seconds(start, next.from) <= 0.0)
        };
        let begins = |point: &Point| seconds(start, point.from) < length;
        let points: Vec<Point> = self
            .points
            .iter()
            .enumerate()
            .filter(|(index, point)| !is_over(*index) && (begins(point) || *index == 0))
            .map(|(_, point)| *point)
            .collect();
        let points = if points.is_empty() { self.points[..1].to_vec() } else { points };
        Self { points, ..self.clone() }
    }

    /// The values of both; they must be parts of one series.
    pub(crate) fn joined(&self, other: &Self) -> Self {
        let mut points = [self.points.as_slice(), &other.points].concat();
        points.sort_by_key(|point| point.from);
        points.dedup_by_key(|point| point.from);
        Self { points, ..self.clone() }
    }

    /// The number of values, and the least and the greatest of them, g/kWh.
    pub(crate) fn range(&self) -> (usize, f64, f64) {
        let values = || self.points.iter().map(|point| point.grams_per_kwh);
        (self.points.len(), values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max))
    }
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64()
}

/// RFC 3339, or a time without a zone, which is taken as UTC.
fn time(text: &str) -> Option<Timestamp> {
    text.parse::<Timestamp>().ok().or_else(|| {
        let civil: DateTime = text.parse().ok()?;
        Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp())
    })
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidSetting, message)
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "exact in closed form")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOURS: &str = "Datetime (UTC),g\n2026-07-01 10:00,300\n\n# later\n2026-07-01T11:00:00Z,100,x\n\
                         2026-07-01T14:00:00+02:00,200\n";

    fn hours() -> CarbonSeries {
        CarbonSeries::from_csv(HOURS, "Here", IntensityKind::Direct, "test").unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_table_of_hours_is_read() {
        let series = hours();
        let mean = series.mean();
        assert_eq!((mean.grams_per_kwh, mean.year, mean.assumed), (200.0, 2026, false));
        let piece = |from, to, grams_per_kwh| Piece { from, to, grams_per_kwh };
        let start = at("2026-07-01T10:30:00Z");
        assert_eq!(series.pieces(start, 600.0), [piece(0.0, 600.0, 300.0)]);
        let whole =
            [piece(0.0, 1800.0, 300.0), piece(1800.0, 5400.0, 100.0), piece(5400.0, 7200.0, 200.0)];
        assert_eq!(series.pieces(start, 7200.0), whole);
        assert_eq!(series.during(start, 600.0).range(), (1, 300.0, 300.0));
        assert_eq!(series.during(start, 600.0).pieces(start, 600.0), series.pieces(start, 600.0));
        assert_eq!(series.changes(start).collect::<Vec<_>>(), [1800.0, 5400.0]);
    }

    #[test]
    fn outside_of_the_series_the_nearest_value_holds_and_the_share_is_known() {
        let series = hours();
        let early = at("2026-07-01T09:00:00Z");
        assert_eq!(
            series.pieces(early, 7200.0)[0],
            Piece { from: 0.0, to: 7200.0, grams_per_kwh: 300.0 }
        );
        assert_eq!(series.uncovered(early, 7200.0), 0.5);
        let late = at("2026-07-01T12:30:00Z");
        assert_eq!(
            series.pieces(late, 3600.0),
            [Piece { from: 0.0, to: 3600.0, grams_per_kwh: 200.0 }]
        );
        assert_eq!(series.uncovered(late, 3600.0), 0.5);
        assert_eq!(series.uncovered(at("2026-07-02T12:30:00Z"), 3600.0), 1.0);
        assert_eq!(series.uncovered(at("2026-07-01T10:00:00Z"), 3600.0), 0.0);
    }

    #[test]
    fn what_is_not_a_series_is_refused_with_its_line() {
        let read = |text: &str| CarbonSeries::from_csv(text, "x", IntensityKind::Direct, "x");
        let error = read("2026-07-01 10:00,300\n2026-07-01 11:00,much\n").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Format);
        assert!(error.to_string().contains("line 2"), "{error}");
        for text in [
            "",
            "2026-07-01 10:00,300\n",
            "2026-07-01 10:00,300\n2026-07-01 11:00,-1\n",
            "2026-07-01 10:00,300\n2026-07-01 10:00,NaN\n",
            "2026-07-01 10:00,300\n2026-07-01 10:00,300\n",
        ] {
            assert_eq!(read(text).unwrap_err().kind(), ErrorKind::InvalidSetting, "{text}");
        }
        let epoch = SystemTime::UNIX_EPOCH;
        let pairs = [(epoch + std::time::Duration::from_mins(1), 2.0), (epoch, 1.0)];
        let series = CarbonSeries::new("x", IntensityKind::Direct, "x", pairs).unwrap();
        assert_eq!(series.mean().grams_per_kwh, 1.5, "in any order");
    }

    #[test]
    fn a_file_says_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hours.csv");
        std::fs::write(
            &path,
            format!("# place: Here\n#kind: direct\n# source: the operator\n{HOURS}"),
        )
        .unwrap();
        let mean = CarbonSeries::read(&path).unwrap().mean();
        assert_eq!(
            (mean.place.as_str(), mean.kind, mean.source.as_str()),
            ("Here", IntensityKind::Direct, "the operator")
        );
        std::fs::write(&path, HOURS).unwrap();
        let mean = CarbonSeries::read(&path).unwrap().mean();
        assert_eq!(
            (mean.place.as_str(), mean.kind, mean.source.as_str()),
            ("hours.csv", IntensityKind::Unstated, "hours.csv")
        );
        std::fs::write(&path, format!("# kind: green\n{HOURS}")).unwrap();
        assert_eq!(CarbonSeries::read(&path).unwrap_err().kind(), ErrorKind::Format);
        assert_eq!(
            CarbonSeries::read(folder.path().join("none.csv")).unwrap_err().kind(),
            ErrorKind::Io
        );
    }

    proptest! {
        #[test]
        fn the_pieces_tile_the_run_and_so_do_those_of_what_is_kept(
            steps in prop::collection::vec((1_i64..5000, 0.0..900.0_f64), 2..20),
            begin in -20_000_i64..60_000,
            length in 0.0..40_000.0_f64,
        ) {
            let mut second = 0;
            let points = steps.iter().map(|(step, grams)| {
                second += step;
                Point { from: Timestamp::from_second(second).unwrap(), grams_per_kwh: *grams }
            });
            let points = points.collect();
            let series = CarbonSeries::of("x".into(), IntensityKind::Direct, "x".into(), points).unwrap();
            let start = Timestamp::from_second(begin).unwrap();
            let pieces = series.pieces(start, length);
            prop_assert_eq!(pieces[0].from, 0.0);
            prop_assert_eq!(pieces.last().unwrap().to, length);
            prop_assert!(pieces.windows(2).all(|pair| pair[0].to == pair[1].from));
            let kept = series.during(start, length);
            prop_assert!(kept.check().is_ok());
            prop_assert_eq!(kept.pieces(start, length), pieces);
            // Two halves of a run together have the values of the whole.
            let middle = Timestamp::from_second(begin + 5000).unwrap();
            let joined = series.during(start, 5000.0).joined(&series.during(middle, length));
            prop_assert_eq!(joined.pieces(start, 5000.0), series.pieces(start, 5000.0));
        }
    }
}

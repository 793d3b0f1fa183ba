//! A line of a meter's output → time, power and energy.

use crate::units::{Joules, Watts};

/// No single device that trains a model draws more.
pub(super) const MOST_WATTS: f64 = 100_000.0;

/// What a line holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Line {
    /// The names of the columns that follow.
    Header(Columns),
    Row(Row),
    /// An empty line or a comment.
    Nothing,
    /// It is not understood.
    Unknown,
}

/// A row of values, at least one of which is there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Row {
    /// Seconds since 1970, UTC.
    pub time: f64,
    /// How far the time may be off to either side, seconds.
    pub within: f64,
    pub watts: Option<Watts>,
    /// A counter, from any origin.
    pub joules: Option<Joules>,
}

/// The places of the columns in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Columns {
    time: usize,
    watts: Option<usize>,
    joules: Option<usize>,
}

impl Default for Columns {
    /// `time, watts`
    fn default() -> Self {
        Self { time: 0, watts: Some(1), joules: None }
    }
}

impl Columns {
    /// The columns that a header names, in any order and beside others.
    fn of(names: &[&str]) -> Option<Self> {
        let place = |name: &str| names.iter().position(|one| one.eq_ignore_ascii_case(name));
        let columns = Self { time: place("time")?, watts: place("watts"), joules: place("joules") };
        (columns.watts.is_some() || columns.joules.is_some()).then_some(columns)
    }

    /// Whether a row shows a counter.
    pub(super) const fn has_counter(&self) -> bool {
        self.joules.is_some()
    }
}

/// Reads one line.
pub(super) fn read(text: &str, columns: &Columns) -> Line {
    let text = text.trim();
    if text.is_empty() || text.starts_with('#') {
        return Line::Nothing;
    }
    let fields: Vec<&str> = if text.contains(',') {
        text.split(',').map(|field| field.trim().trim_matches('"')).collect()
    } else {
        text.split_whitespace().collect()
    };
    if let Some(columns) = Columns::of(&fields) {
        return Line::Header(columns);
    }
    row(&fields, columns).map_or(Line::Unknown, Line::Row)
}

fn row(fields: &[&str], columns: &Columns) -> Option<Row> {
    let (time, within) = moment(fields.get(columns.time)?)?;
    // A field that is there and no number makes the line wrong; an empty one is a value that was not read.
    let value = |place: Option<usize>| match place.map(|place| fields.get(place)) {
        None => Some(None),
        Some(field) => match *field? {
            "" => Some(None),
            text => Some(Some(text.parse::<f64>().ok()?)),
        },
    };
    let (watts, joules) = (value(columns.watts)?, value(columns.joules)?);
    let can_be = watts.is_none_or(|watts| (0.0..=MOST_WATTS).contains(&watts))
        && joules.is_none_or(f64::is_finite)
        && (watts.is_some() || joules.is_some());
    can_be.then(|| Row {
        time,
        within,
        watts: watts.map(Watts::new),
        joules: joules.map(Joules::new),
    })
}

/// A time and how far it may be off: Unix seconds, or a date with an offset (RFC 3339). Whole seconds are cut off, not
/// rounded, as by `date +%s`: they stand for the middle of that second.
fn moment(text: &str) -> Option<(f64, f64)> {
    let whole = !text.contains('.');
    let seconds = if let Ok(seconds) = text.parse::<f64>() {
        seconds
    } else {
        text.parse::<jiff::Timestamp>().ok()?.as_nanosecond() as f64 * 1e-9
    };
    // Before 2001 or after 2286 it is not a number of seconds.
    let can_be = (1e9..1e10).contains(&seconds);
    can_be.then_some(if whole { (seconds + 0.5, 0.5) } else { (seconds, 0.0) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values(text: &str) -> Option<(f64, Option<f64>, Option<f64>)> {
        let header = read("time,joules,watts", &Columns::default());
        let Line::Header(all) = header else { panic!("{header:?}") };
        match read(text, &all) {
            Line::Row(row) => {
                Some((row.time, row.watts.map(Watts::get), row.joules.map(Joules::get)))
            }
            _ => None,
        }
    }

    fn plain(text: &str) -> Option<(f64, f64)> {
        match read(text, &Columns::default()) {
            Line::Row(Row { time, watts: Some(watts), .. }) => Some((time, watts.get())),
            _ => None,
        }
    }

    #[test]
    fn a_time_is_unix_seconds_or_a_date_with_an_offset() {
        let expected = Some((1_764_192_519.25, 61.5));
        for text in [
            "1764192519.25, 61.5",
            "1764192519.25 61.5",
            "\"1764192519.25\",\"61.5\"",
            "2025-11-26T21:28:39.25Z,61.5",
            " 2025-11-26T22:28:39.25+01:00 ,61.5\r",
        ] {
            assert_eq!(plain(text), expected, "{text}");
        }
        // A whole second is cut off: its middle is meant, to half a second.
        for text in ["1764192519,61.5", "2025-11-26T21:28:39Z,61.5"] {
            let Line::Row(row) = read(text, &Columns::default()) else { panic!("{text}") };
            assert!((row.time - 1_764_192_519.5).abs() < 1e-6 && row.within >= 0.5, "{row:?}");
        }
    }

    #[test]
    fn what_is_not_time_and_power_is_not_understood() {
        for text in [
            "61.5",
            "now,61.5",
            "1764192519.25",
            "1764192519.25,",
            "1764192519.25,sixty",
            "1764192519.25,-1",
            "1764192519.25,nan",
            "1764192519.25,inf",
            "1764192519.25,1e12",
            "1764192519250,61.5",
            "2025-11-26T21:28:39,61.5",
            "time,power",
            "error: no route to host",
        ] {
            assert_eq!(read(text, &Columns::default()), Line::Unknown, "{text}");
        }
        assert_eq!(read("# Shelly", &Columns::default()), Line::Nothing);
        assert_eq!(read(" \r", &Columns::default()), Line::Nothing);
    }

    #[test]
    fn a_header_says_where_the_columns_are() {
        let header = read("id, Watts, TIME", &Columns::default());
        let Line::Header(columns) = header else { panic!("{header:?}") };
        let Line::Row(row) = read("plug,61.5,1764192519.5", &columns) else { panic!() };
        assert_eq!((row.time, row.watts), (1_764_192_519.5, Some(Watts::new(61.5))));
        assert!(!columns.has_counter());
        assert_eq!(values("1764192519.5,7200,"), Some((1_764_192_519.5, None, Some(7200.0))));
        assert_eq!(values("1764192519.5,7200,3"), Some((1_764_192_519.5, Some(3.0), Some(7200.0))));
        assert_eq!(values("1764192519.5,,"), None);
        assert_eq!(values("1764192519.5,7200"), None, "a column is missing");
    }

    proptest! {
        #[test]
        fn any_text_is_read_and_any_power_comes_back(
            text in ".{0,40}", watts in 0.0..=MOST_WATTS, time in 1e9..1e10f64,
        ) {
            let _ = read(&text, &Columns::default());
            let found = plain(&format!("{time:.9},{watts}"));
            let found = found.expect("a row");
            prop_assert!((found.0 - time).abs() < 1e-5 && found.1.to_bits() == watts.to_bits());
        }
    }
}

//! Named rows: bars of energy, and ranges on a logarithmic scale.

use plotters::prelude::*;

use super::{Axis, Chart, FONT, INK, KeyItem, chart, colour, energy_unit, text_style};

/// Letters of a name that have room.
const MOST_LETTERS: usize = 76;
/// Height of a row, in the units of the drawing.
const ROW: u32 = 50;

/// A bar with a name.
pub(crate) struct Bar {
    pub name: String,
    pub joules: f64,
    /// Two standard uncertainties; 0 for none.
    pub spread: f64,
}

/// A bar for each row, with its uncertainty.
pub(crate) fn bars(what: &str, rows: &[Bar]) -> Option<Chart> {
    let highest = rows.iter().map(|row| row.joules + row.spread).fold(0.0, f64::max);
    let (unit, unit_name) = energy_unit(highest);
    let words = rows.iter().map(|row| format!("{}: {:.4}", row.name, row.joules / unit));
    let description = format!("{what} in {unit_name}. {}", words.collect::<Vec<_>>().join("; "));
    let axes = (Axis::new(0.0..highest / unit * 1.05, unit_name), Axis::rows(rows.len()));
    chart(description, height(rows.len())?, axes, |plane| {
        for (index, row) in rows.iter().enumerate() {
            let above = (rows.len() - index) as f64;
            let (joules, spread) = (row.joules / unit, row.spread / unit);
            named(plane, &row.name, (highest / unit * 0.006, above))?;
            let corners = [(0.0, above - 0.88), (joules, above - 0.5)];
            plane.draw_series(std::iter::once(Rectangle::new(
                corners,
                colour(0).mix(0.75).filled(),
            )))?;
            if spread > 0.0 {
                let (low, high) = ((joules - spread).max(0.0), joules + spread);
                let whisker =
                    ErrorBar::new_horizontal(above - 0.69, low, joules, high, INK.filled(), 8);
                plane.draw_series(std::iter::once(whisker))?;
            }
        }
        Ok(())
    })
}

/// From a lower to a higher figure, of a kind that others share.
#[derive(Clone, Debug)]
pub struct Range {
    /// What it is of.
    pub name: String,
    /// Place of its kind in the list of kinds.
    pub kind: usize,
    /// Its lower end; one that is not above 0 is beyond the beginning of the scale.
    pub low: f64,
    /// Its upper end, above 0.
    pub high: f64,
    /// The figure of which the ends are the uncertainty, above 0; `None` where the ends are figures themselves.
    pub figure: Option<f64>,
}

impl Range {
    fn is_valid(&self) -> bool {
        self.high.is_finite()
            && self.high > 0.0
            && self.low <= self.high
            && self.figure.is_none_or(|figure| figure > 0.0 && figure <= self.high)
            && (self.low > 0.0 || self.figure.is_some())
    }

    /// The figures that a dot marks.
    fn dots(&self) -> impl Iterator<Item = f64> {
        let ends = [self.low, self.high].into_iter().filter(|_| self.figure.is_none());
        self.figure.into_iter().chain(ends)
    }

    fn words(&self) -> String {
        match self.figure {
            Some(figure) => format!(
                "{} (between {} and {})",
                rounded(figure),
                rounded(self.low.max(0.0)),
                rounded(self.high)
            ),
            None if self.low < self.high => {
                format!("{} to {}", rounded(self.low), rounded(self.high))
            }
            None => rounded(self.low),
        }
    }
}

/// Rows with ranges on a logarithmic scale of `unit`, coloured by kind.
///
/// `None` if there is no row, or one that has no place on such a scale.
#[must_use]
pub fn ranges(what: &str, unit: &str, kinds: &[&str], rows: &[Range]) -> Option<Chart> {
    if rows.is_empty() || !rows.iter().all(Range::is_valid) {
        return None;
    }
    let lows = rows.iter().flat_map(|row| row.dots().chain([row.low]));
    let lowest = lows.filter(|low| *low > 0.0).fold(f64::INFINITY, f64::min);
    let highest = rows.iter().map(|row| row.high).fold(0.0, f64::max);
    let (from, to) = (lowest.log10().floor(), highest.log10().ceil());
    let to = if to > from { to } else { from + 1.0 };
    let kind = |row: &Range| kinds.get(row.kind).copied().unwrap_or_default();
    let words = rows.iter().map(|row| format!("{}, {}: {}", row.name, kind(row), row.words()));
    let description = format!("{what} in {unit}. {}", words.collect::<Vec<_>>().join("; "));
    let x = Axis { range: from..to, name: unit, label: |value| rounded(10_f64.powf(value)) };
    let drawn = chart(description, height(rows.len())?, (x, Axis::rows(rows.len())), |plane| {
        for (index, row) in rows.iter().enumerate() {
            let above = (rows.len() - index) as f64;
            let (low, high) = (row.low.max(0.0).log10().max(from), row.high.log10());
            let (colour, y) = (colour(row.kind), above - 0.7);
            named(plane, &row.name, (from + (to - from) * 0.006, above))?;
            if low < high {
                plane
                    .draw_series(LineSeries::new([(low, y), (high, y)], colour.stroke_width(4)))?;
            }
            for dot in row.dots() {
                let dot = Circle::new((dot.log10(), y), 6, colour.filled());
                plane.draw_series(std::iter::once(dot))?;
            }
        }
        Ok(())
    })?;
    let key =
        kinds.iter().enumerate().filter(|(place, _)| rows.iter().any(|row| row.kind == *place));
    let key = key.map(|(place, kind)| KeyItem::new(colour(place), *kind)).collect();
    Some(drawn.with_key(key))
}

fn height(rows: usize) -> Option<u32> {
    Some(66 + ROW * u32::try_from(rows).ok()?)
}

/// The name of a row, at its top.
fn named(plane: &mut super::Plane<'_>, name: &str, (x, above): (f64, f64)) -> super::Drawn {
    let text = Text::new(shortened(name), (x, above - 0.04), text_style(FONT));
    plane.draw_series(std::iter::once(text))?;
    Ok(())
}

/// A name with as many letters as have room: of a path the end says more than the beginning.
fn shortened(name: &str) -> String {
    let count = name.chars().count();
    let plain = |letter: char| if letter.is_control() { ' ' } else { letter };
    if count <= MOST_LETTERS {
        return name.chars().map(plain).collect();
    }
    std::iter::once('…').chain(name.chars().map(plain).skip(count + 1 - MOST_LETTERS)).collect()
}

/// Two significant digits, without an exponent from a ten-thousandth to a million.
fn rounded(value: f64) -> String {
    if value != 0.0 && !(1e-4..1e6).contains(&value) {
        return format!("{value:.1e}").replace(".0e", "e");
    }
    let text = crate::figure::significant(value, 2);
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

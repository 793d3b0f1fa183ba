//! Quality against energy.

use plotters::prelude::*;

use super::{Axis, Chart, HEIGHT, KeyItem, chart, colour, energy_unit};

/// What a training reached, and with how much energy.
///
/// ```
/// use ergometer_page::chart::{Outcome, quality};
///
/// let tiny = Outcome { name: "tiny".to_owned(), joules: 4e3, spread: 1e3, first: Some(6.9), last: 0.45 };
/// assert!(quality("loss", &[tiny]).is_some());
/// assert!(quality("loss", &[]).is_none());
/// ```
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was trained; runs with the same name share a colour.
    pub name: String,
    /// Energy of the run, joules.
    pub joules: f64,
    /// Two standard uncertainties of the energy, joules.
    pub spread: f64,
    /// The first measurement of its quality.
    pub first: Option<f64>,
    /// The last one.
    pub last: f64,
}

/// The quality `measure` of each outcome over its energy; `None` if there is nothing to draw.
#[must_use]
pub fn quality(measure: &str, outcomes: &[Outcome]) -> Option<Chart> {
    let values = outcomes.iter().flat_map(|one| one.first.into_iter().chain([one.last]));
    let (low, high) = values
        .filter(|value| value.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
    // A single value has an axis too.
    let room = ((high - low) * 0.1).max(high.abs() * 0.05).max(1e-9);
    let right = outcomes.iter().map(|one| one.joules + one.spread).fold(0.0, f64::max);
    let (unit, unit_name) = energy_unit(right);
    let words = outcomes.iter().map(|one| {
        let first = one.first.map_or_else(String::new, |first| format!("from {first:.4} "));
        format!("{}: {first}to {:.4} with {:.4} {unit_name}", one.name, one.last, one.joules / unit)
    });
    let description = format!("{measure} over energy. {}", words.collect::<Vec<_>>().join("; "));
    let mut names: Vec<&str> = outcomes.iter().map(|one| one.name.as_str()).collect();
    names.dedup();
    let place = |one: &Outcome| names.iter().position(|name| *name == one.name).unwrap_or(0);
    let bottom = if low >= 0.0 { (low - room).max(0.0) } else { low - room };
    let axes =
        (Axis::new(0.0..right / unit * 1.06, unit_name), Axis::new(bottom..high + room, measure));
    let drawn = chart(description, HEIGHT, axes, |plane| {
        for one in outcomes {
            let colour = colour(place(one));
            let (x, spread) = (one.joules / unit, one.spread / unit);
            let whisker = ErrorBar::new_horizontal(
                one.last,
                (x - spread).max(0.0),
                x,
                x + spread,
                colour.filled(),
                8,
            );
            plane.draw_series(std::iter::once(whisker))?;
            plane.draw_series(std::iter::once(Circle::new((x, one.last), 5, colour.filled())))?;
            if let Some(first) = one.first {
                // At the axis: how much energy it took until then is not known.
                let mark = TriangleMarker::new((right / unit * 0.008, first), 7, colour.filled());
                plane.draw_series(std::iter::once(mark))?;
            }
        }
        Ok(())
    })?;
    let key = names.iter().enumerate();
    Some(drawn.with_key(key.map(|(place, name)| KeyItem::new(colour(place), *name)).collect()))
}

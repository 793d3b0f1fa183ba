//! Forecasts against what came.

use ergometer::record::Record;
use plotters::prelude::*;

use super::{Axis, Chart, HEIGHT, KeyItem, chart, colour, energy_unit};

/// What was forecast on the way, with its 95 % interval, and what came.
pub(crate) fn forecasts(record: &Record) -> Option<Chart> {
    let came = record.whole().energy?.joules.get();
    let rows = &record.forecasts;
    if rows.len() < 2 {
        return None;
    }
    let highest = rows.iter().map(|row| row.joules.high).fold(came, f64::max).min(3.0 * came);
    let (unit, unit_name) = energy_unit(highest);
    let first = &rows[0];
    let description = format!(
        "Forecasts of the run's energy as it went on: the first, after {:.0} % of it, was {:.4} {unit_name} ({:.4} to \
         {:.4}); {:.4} {unit_name} came",
        first.progress * 100.0,
        first.joules.value / unit,
        first.joules.low / unit,
        first.joules.high / unit,
        came / unit
    );
    let axes = (
        Axis::new(0.0..105.0, "per cent of the run done"),
        Axis::new(0.0..highest / unit * 1.08, unit_name),
    );
    let drawn = chart(description, HEIGHT, axes, |plane| {
        let line = [(0.0, came / unit), (105.0, came / unit)];
        plane.draw_series(LineSeries::new(line, colour(2).stroke_width(2)))?;
        for row in rows {
            let whisker = ErrorBar::new_vertical(
                row.progress * 100.0,
                row.joules.low / unit,
                row.joules.value.min(highest) / unit,
                row.joules.high.min(highest) / unit,
                colour(0).filled(),
                7,
            );
            plane.draw_series(std::iter::once(whisker))?;
        }
        Ok(())
    })?;
    let came =
        if record.run.finished { "what the run took" } else { "what the run has taken so far" };
    Some(drawn.with_key(vec![
        KeyItem::new(colour(0), "forecast, with its 95 % interval"),
        KeyItem::new(colour(2), came),
    ]))
}

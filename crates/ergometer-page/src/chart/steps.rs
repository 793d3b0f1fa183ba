//! The distribution of a step's energy.

use ergometer::record::{Distribution, Record};
use plotters::prelude::*;

use super::{Axis, Chart, INK, chart, colour, energy_unit, text_style};

/// Splits of which the steps are drawn.
const MOST_SPLITS: usize = 6;

/// Joules of a step by split: extremes, median, 95th percentile and mean.
pub(crate) fn steps(record: &Record) -> Option<Chart> {
    let complete = |joules: &Distribution| {
        Some([joules.min?, joules.p50?, joules.p95?, joules.max?, joules.mean])
    };
    let read = record.total.energy.is_some();
    let rows: Vec<(&String, [f64; 5])> = record
        .steps
        .iter()
        .filter(|_| read)
        .filter_map(|(split, steps)| Some((split, complete(&steps.joules)?)))
        .take(MOST_SPLITS)
        .collect();
    let highest = rows.iter().map(|(_, figures)| figures[3]).fold(0.0, f64::max);
    if highest <= 0.0 {
        return None;
    }
    // Steps that are alike are far from 0, and their differences would be too small to see.
    let lowest = rows.iter().map(|(_, figures)| figures[0]).fold(f64::INFINITY, f64::min);
    let from = if lowest > 0.4 * highest { lowest - 0.15 * (highest - lowest) } else { 0.0 };
    let (unit, unit_name) = energy_unit(highest);
    let (from, to) = (from / unit, (highest + 0.05 * (highest - from)) / unit);
    let words = rows.iter().map(|(split, figures)| {
        let [min, median, p95, max, mean] = figures.map(|joules| joules / unit);
        format!(
            "{split}: from {min:.3} to {max:.3}, median {median:.3}, 95th percentile {p95:.3}, mean {mean:.3}"
        )
    });
    let words = words.collect::<Vec<_>>().join("; ");
    let description = format!("Energy of a step in {unit_name}. {words}");
    let x_name = format!("{unit_name} a step");
    let axes = (Axis::new(from..to, &x_name), Axis::rows(rows.len()));
    let height = 70 + 80 * u32::try_from(rows.len()).ok()?;
    chart(description, height, axes, |plane| {
        for (index, (split, figures)) in rows.iter().enumerate() {
            let [min, median, p95, max, mean] = figures.map(|joules| joules / unit);
            let above = (rows.len() - index) as f64;
            let y = above - 0.62;
            let colour = colour(index);
            let name = Text::new(
                (*split).clone(),
                (from + (to - from) * 0.006, above - 0.05),
                text_style(super::FONT),
            );
            plane.draw_series(std::iter::once(name))?;
            plane.draw_series(LineSeries::new([(min, y), (max, y)], colour.stroke_width(2)))?;
            let body =
                Rectangle::new([(median, y - 0.2), (p95, y + 0.2)], colour.mix(0.5).filled());
            plane.draw_series(std::iter::once(body))?;
            for end in [min, median, max] {
                let ends = [(end, y - 0.2), (end, y + 0.2)];
                plane.draw_series(LineSeries::new(ends, colour.stroke_width(2)))?;
            }
            plane.draw_series(std::iter::once(Circle::new((mean, y), 4, INK.filled())))?;
        }
        Ok(())
    })
}

//! Energy by epoch.

use ergometer::record::{Epoch, Record};
use plotters::prelude::*;

use super::{Axis, Chart, HEIGHT, INK, KeyItem, chart, energy_unit, split_colour, splits};

/// More epochs than this are whiskers alone, without bars.
const MOST_BARS: usize = 120;

/// Energy of each epoch, with twice its standard uncertainty.
pub(crate) fn epochs(record: &Record) -> Option<Chart> {
    let of = |epoch: &Epoch| {
        let energy = epoch.usage.energy?;
        Some((energy.joules.get(), 2.0 * energy.standard_uncertainty.get()))
    };
    let rows: Vec<_> =
        record.epochs.iter().filter_map(|epoch| Some((epoch.split.as_str(), of(epoch)?))).collect();
    if rows.len() < 2 {
        return None;
    }
    let highest = rows.iter().map(|(_, (joules, spread))| joules + spread).fold(0.0, f64::max);
    let (unit, unit_name) = energy_unit(highest);
    let splits = splits(record);
    let description = format!(
        "Energy of {} epochs ({}), up to {:.4} {unit_name} with its uncertainty",
        rows.len(),
        splits.join(", "),
        highest / unit
    );
    let axes = (
        Axis::new(0.5..rows.len() as f64 + 0.5, "epoch, in the order of their ends"),
        Axis::new(0.0..highest / unit * 1.08, unit_name),
    );
    let of_split =
        |split: &str| split_colour(splits.iter().position(|one| *one == split).unwrap_or(0));
    let drawn = chart(description, HEIGHT, axes, |plane| {
        for (index, (split, (joules, spread))) in rows.iter().enumerate() {
            let x = index as f64 + 1.0;
            let (joules, spread) = (joules / unit, spread / unit);
            let colour = of_split(split);
            if rows.len() <= MOST_BARS {
                let corners = [(x - 0.38, 0.0), (x + 0.38, joules)];
                let bar = Rectangle::new(corners, colour.mix(0.75).filled());
                plane.draw_series(std::iter::once(bar))?;
            }
            let low = (joules - spread).max(0.0);
            let style = if rows.len() <= MOST_BARS { INK.filled() } else { colour.filled() };
            let whisker = ErrorBar::new_vertical(x, low, joules, joules + spread, style, 4);
            plane.draw_series(std::iter::once(whisker))?;
        }
        Ok(())
    })?;
    let item =
        |(index, split): (usize, &&str)| KeyItem::new(split_colour(index), (*split).to_owned());
    Some(drawn.with_key(splits.iter().enumerate().map(item).collect()))
}

//! Power over time.

use ergometer::energy::Energy;
use ergometer::record::power::PowerHistory;
use ergometer::record::{DomainRecord, Record};
use ergometer::source::DomainKind;
use plotters::prelude::*;

use super::{
    Axis, Chart, Drawn, HEIGHT, INK, KeyItem, Plane, SERIES, WIDTH, chart, colour, split_colour,
    splits, time_unit,
};

/// Lines that have colours of their own; more of them share one colour, with their mean.
const MOST_LINES: usize = SERIES.len();
/// With more lines than this the bands of uncertainty would hide them.
pub(crate) const MOST_BANDS: usize = 2;
/// Strengths of the shades of neighbouring epochs.
pub(super) const SHADES: [f64; 2] = [0.12, 0.2];

/// Power over time of all domains of a kind: a line each, with twice its relative uncertainty as a band, and the
/// epochs shaded.
pub(crate) fn power(record: &Record, power: &PowerHistory, kind: DomainKind) -> Option<Chart> {
    let rows: Vec<usize> = (0..record.domains.len())
        .filter(|&index| record.domains[index].domain.kind == kind)
        .filter(|&index| power.watts.get(index).is_some_and(|row| !row.is_empty()))
        .collect();
    let watts = rows.iter().flat_map(|&row| power.watts[row].iter().flatten());
    let highest = watts.clone().map(|watts| watts.get()).fold(0.0, f64::max);
    let lowest = watts.map(|watts| watts.get()).fold(f64::INFINITY, f64::min);
    if rows.is_empty() || highest <= 0.0 {
        return None;
    }
    let bands: Vec<f64> = rows
        .iter()
        .map(|&row| if rows.len() <= MOST_BANDS { relative(&record.domains[row]) } else { 0.0 })
        .collect();
    let widest = bands.iter().copied().fold(0.0, f64::max);
    let top = highest * (1.0 + widest.min(2.0)) * 1.08;
    let (unit, unit_name) = time_unit(record.run.seconds);
    let description = format!(
        "Power over time of {} {}: from {lowest:.1} to {highest:.1} W, over {:.4} {unit_name}; epochs are shaded",
        rows.len(),
        kind.as_str(),
        record.run.seconds / unit,
    );
    let axes = (Axis::new(0.0..record.run.seconds / unit, unit_name), Axis::new(0.0..top, "watts"));
    let drawn = chart(description, HEIGHT, axes, |plane| {
        shade_epochs(plane, record, unit, top)?;
        if rows.len() > MOST_LINES {
            let (band, mean) = envelope(power, &rows, unit);
            for stretch in band {
                plane.draw_series(std::iter::once(Polygon::new(stretch, colour(0).mix(0.35))))?;
            }
            for stretch in mean {
                plane.draw_series(LineSeries::new(stretch, INK.stroke_width(2)))?;
            }
            return Ok(());
        }
        for (place, (&row, relative)) in rows.iter().zip(&bands).enumerate() {
            for stretch in stretches(power, row, unit) {
                if *relative > 0.0 {
                    let upper = stretch.iter().map(|(t, w)| (*t, (w * (1.0 + relative)).min(top)));
                    let lower =
                        stretch.iter().rev().map(|(t, w)| (*t, (w * (1.0 - relative)).max(0.0)));
                    let band: Vec<_> = upper.chain(lower).collect();
                    plane.draw_series(std::iter::once(Polygon::new(
                        band,
                        colour(place).mix(0.18),
                    )))?;
                }
                plane.draw_series(LineSeries::new(stretch, colour(place).stroke_width(2)))?;
            }
        }
        Ok(())
    })?;
    Some(drawn.with_key(key(record, &rows, kind)))
}

/// What the colours mean: of the lines, or of the band where there are too many of them, and of the epochs.
fn key(record: &Record, rows: &[usize], kind: DomainKind) -> Vec<KeyItem> {
    let mut key = if rows.len() > MOST_LINES {
        vec![
            KeyItem::ink(format!("mean of {} domains", rows.len())),
            KeyItem::new(colour(0), "from the lowest of them to the highest").faint(0.5),
        ]
    } else {
        let names = record.domain_names();
        let line = |(place, &row): (usize, &usize)| {
            let method = record.domains[row].domain.method.as_str();
            let name = &names[row];
            let name = name.strip_prefix(kind.as_str()).unwrap_or(name).trim_start();
            KeyItem::new(colour(place), format!("{name} ({method})"))
        };
        rows.iter().enumerate().map(line).collect()
    };
    key.extend(splits(record).iter().enumerate().map(|(index, split)| {
        KeyItem::new(split_colour(index), format!("epochs of {split}")).faint(0.35)
    }));
    key
}

/// Two standard uncertainties of a sensor or model, relative to its energy. Gaps are left out: they do not make
/// the power that was observed less certain.
pub(super) fn relative(row: &DomainRecord) -> f64 {
    let relative = |energy: Energy| {
        let systematic = energy.parts.gain.get().hypot(energy.parts.model.get());
        2.0 * systematic / energy.joules.get()
    };
    row.energy.filter(|energy| energy.joules.get() > 0.0).map_or(0.0, relative)
}

type Line = Vec<(f64, f64)>;

/// From the lowest to the highest of the domains that were observed, and their mean, in stretches.
fn envelope(power: &PowerHistory, rows: &[usize], unit: f64) -> (Vec<Line>, Vec<Line>) {
    let mut stretches = vec![Vec::new()];
    for (index, (start, end)) in power.intervals().enumerate() {
        let watts: Vec<f64> =
            rows.iter().filter_map(|&row| Some((*power.watts[row].get(index)?)?.get())).collect();
        if watts.is_empty() {
            stretches.push(Vec::new());
            continue;
        }
        let low = watts.iter().copied().fold(f64::INFINITY, f64::min);
        let high = watts.iter().copied().fold(0.0, f64::max);
        let mean = watts.iter().sum::<f64>() / watts.len() as f64;
        if let Some(last) = stretches.last_mut() {
            last.extend([start, end].map(|t| (t / unit, low, high, mean)));
        }
    }
    stretches.retain(|stretch| !stretch.is_empty());
    let band = |stretch: &Vec<(f64, f64, f64, f64)>| {
        let upper = stretch.iter().map(|(t, _, high, _)| (*t, *high));
        upper.chain(stretch.iter().rev().map(|(t, low, _, _)| (*t, *low))).collect()
    };
    let mean = |stretch: &Vec<(f64, f64, f64, f64)>| {
        stretch.iter().map(|(t, _, _, mean)| (*t, *mean)).collect()
    };
    (stretches.iter().map(band).collect(), stretches.iter().map(mean).collect())
}

/// The power of a domain as steps, in stretches in which it was observed.
fn stretches(power: &PowerHistory, row: usize, unit: f64) -> Vec<Line> {
    let mut stretches = vec![Vec::new()];
    for ((start, end), watts) in power.intervals().zip(&power.watts[row]) {
        match watts {
            Some(watts) => {
                if let Some(last) = stretches.last_mut() {
                    last.extend([(start / unit, watts.get()), (end / unit, watts.get())]);
                }
            }
            None => stretches.push(Vec::new()),
        }
    }
    stretches.retain(|stretch| !stretch.is_empty());
    stretches
}

fn shade_epochs(plane: &mut Plane<'_>, record: &Record, unit: f64, top: f64) -> Drawn {
    let splits = splits(record);
    // Thousands of shades would be a grey area.
    let width = record.run.seconds / f64::from(WIDTH);
    let epochs = record.epochs.iter().filter(|epoch| epoch.usage.seconds > 2.0 * width);
    for epoch in epochs {
        let split = splits.iter().position(|split| *split == epoch.split).unwrap_or(0);
        let (from, to) = (epoch.start_s / unit, (epoch.start_s + epoch.usage.seconds) / unit);
        // Neighbours of one split differ in shade.
        let strength = SHADES[usize::from(epoch.index % 2 == 1)];
        let shade = split_colour(split).mix(strength).filled();
        plane.draw_series(std::iter::once(Rectangle::new([(from, 0.0), (to, top)], shade)))?;
    }
    Ok(())
}

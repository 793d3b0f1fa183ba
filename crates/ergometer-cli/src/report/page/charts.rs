//! The charts of the page, as SVG by plotters.
//!
//! Text, axes and grid have the colour of the text around them, so that they can be read in light, in dark and in
//! print; series have colours that stand out against white as well as black.

use std::fmt::Write as _;
use std::ops::Range;

use ergometer::Record;
use ergometer::energy::Energy;
use ergometer::record::Distribution;
use ergometer::record::power::PowerHistory;
use ergometer::source::DomainKind;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

use crate::report::svg;

/// Stands for the colour of the text, and is replaced by it.
const INK: RGBColor = RGBColor(1, 2, 3);
const INK_HEX: &str = "#010203";

/// At least 3 : 1 against white and against the dark page.
pub const SERIES: [RGBColor; 6] = [
    RGBColor(0x2f, 0x7f, 0xd0),
    RGBColor(0xc9, 0x60, 0x1a),
    RGBColor(0x1f, 0x9a, 0x6e),
    RGBColor(0x8c, 0x63, 0xd6),
    RGBColor(0xb8, 0x47, 0x8f),
    RGBColor(0x7d, 0x8a, 0x00),
];

const WIDTH: u32 = 760;
const HEIGHT: u32 = 260;
/// More epochs than this are a line, not bars.
const MOST_BARS: usize = 120;

/// A drawing, with what it shows in words.
pub struct Chart {
    pub svg: String,
}

type Plane<'a> = ChartContext<'a, SVGBackend<'a>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;
type Drawn = Result<(), Box<dyn std::error::Error>>;

/// Draws a chart; `None` if it cannot be drawn, as for figures that are not finite.
fn chart(
    description: &str,
    (x, x_name): (Range<f64>, &str),
    (y, y_name): (Range<f64>, &str),
    draw: impl FnOnce(&mut Plane<'_>) -> Drawn,
) -> Option<Chart> {
    let valid = |range: &Range<f64>| range.end > range.start && range.end.is_finite();
    if !valid(&x) || !valid(&y) {
        return None;
    }
    let y_is_list = y_name.is_empty();
    let mut text = String::new();
    {
        let root = SVGBackend::with_string(&mut text, (WIDTH, HEIGHT)).into_drawing_area();
        let mut plane = ChartBuilder::on(&root)
            .margin(6)
            .margin_right(28)
            .set_label_area_size(LabelAreaPosition::Left, 72)
            .set_label_area_size(LabelAreaPosition::Bottom, 42)
            .build_cartesian_2d(x, y)
            .ok()?;
        let font = ("sans-serif", 14).into_font().color(&INK);
        plane
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(INK.mix(0.15))
            .axis_style(INK.mix(0.6))
            .label_style(font.clone())
            .axis_desc_style(font)
            .x_labels(8)
            // A list of names has no scale.
            .y_labels(if y_is_list { 0 } else { 6 })
            .x_label_formatter(&|value| number(*value))
            .y_label_formatter(&|value| number(*value))
            .x_desc(x_name)
            .y_desc(y_name)
            .draw()
            .ok()?;
        draw(&mut plane).ok()?;
        root.present().ok()?;
    }
    Some(Chart { svg: finished(&text, description) })
}

/// The drawing with the colour of the text, a size that fits its place, and a description.
fn finished(text: &str, description: &str) -> String {
    let open = format!("width=\"{WIDTH}\" height=\"{HEIGHT}\"");
    let name = format!("role=\"img\" aria-label=\"{}\"", svg::escaped(description));
    text.replacen(&open, &name, 1).replace(INK_HEX, "currentColor")
}

fn number(value: f64) -> String {
    let text = format!("{value:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// A unit of time in which a run of this length has readable numbers.
fn time_unit(seconds: f64) -> (f64, &'static str) {
    match seconds {
        seconds if seconds < 300.0 => (1.0, "seconds"),
        seconds if seconds < 4.0 * 3600.0 => (60.0, "minutes"),
        seconds if seconds < 72.0 * 3600.0 => (3600.0, "hours"),
        _ => (86_400.0, "days"),
    }
}

fn energy_unit(joules: f64) -> (f64, &'static str) {
    match joules {
        joules if joules < 2.0 => (1e-3, "mJ"),
        joules if joules < 2e3 => (1.0, "J"),
        joules if joules < 2e6 => (1e3, "kJ"),
        _ => (3.6e6, "kWh"),
    }
}

/// The colour of a split or domain: the same for the same place in a list.
pub fn colour(index: usize) -> RGBColor {
    SERIES[index % SERIES.len()]
}

pub fn hex(RGBColor(red, green, blue): RGBColor) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// The splits of a record's epochs, in the order of their first.
pub fn splits(record: &Record) -> Vec<&str> {
    let mut splits: Vec<&str> = Vec::new();
    for epoch in &record.epochs {
        if !splits.contains(&epoch.split.as_str()) {
            splits.push(&epoch.split);
        }
    }
    splits
}

/// Lines that have colours of their own; more of them share one colour, with their mean.
pub const MOST_LINES: usize = SERIES.len();
/// With more lines than this the bands of uncertainty would hide them.
pub const MOST_BANDS: usize = 2;

/// Power over time of all domains of a kind: a line each, with twice its relative uncertainty as a band, and the
/// epochs shaded.
pub fn power(record: &Record, power: &PowerHistory, kind: DomainKind) -> Option<Chart> {
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
    let relative = |row: usize| {
        let energy = record.domains[row].energy.filter(|energy| energy.joules.get() > 0.0);
        let relative =
            |energy: Energy| 2.0 * energy.standard_uncertainty.get() / energy.joules.get();
        energy.filter(|_| rows.len() <= MOST_BANDS).map_or(0.0, relative)
    };
    let widest = rows.iter().map(|&row| relative(row)).fold(0.0, f64::max);
    let top = highest * (1.0 + widest.min(2.0)) * 1.08;
    let (unit, unit_name) = time_unit(record.run.seconds);
    let description = format!(
        "Power over time of {} {}: from {lowest:.1} to {highest:.1} W, over {:.4} {unit_name}; epochs are shaded",
        rows.len(),
        kind.as_str(),
        record.run.seconds / unit,
    );
    let x = 0.0..record.run.seconds / unit;
    chart(&description, (x, unit_name), (0.0..top, "watts"), |plane| {
        shade_epochs(plane, record, unit, top)?;
        let many = rows.len() > MOST_LINES;
        for (place, &row) in rows.iter().enumerate() {
            let line = if many { colour(0).mix(0.35) } else { colour(place).mix(1.0) };
            for stretch in stretches(power, row, unit) {
                if relative(row) > 0.0 {
                    let upper =
                        stretch.iter().map(|(t, w)| (*t, (w * (1.0 + relative(row))).min(top)));
                    let lower = stretch
                        .iter()
                        .rev()
                        .map(|(t, w)| (*t, (w * (1.0 - relative(row))).max(0.0)));
                    let band: Vec<_> = upper.chain(lower).collect();
                    plane.draw_series(std::iter::once(Polygon::new(
                        band,
                        colour(place).mix(0.18),
                    )))?;
                }
                plane.draw_series(LineSeries::new(stretch, line.stroke_width(1)))?;
            }
        }
        if many {
            plane.draw_series(LineSeries::new(mean(power, &rows, unit), INK.stroke_width(2)))?;
        }
        Ok(())
    })
}

/// Mean power of those of the domains that were observed.
fn mean(power: &PowerHistory, rows: &[usize], unit: f64) -> Vec<(f64, f64)> {
    let mut line = Vec::new();
    for (index, (start, end)) in power.intervals().enumerate() {
        let watts: Vec<f64> =
            rows.iter().filter_map(|&row| Some((*power.watts[row].get(index)?)?.get())).collect();
        if !watts.is_empty() {
            let mean = watts.iter().sum::<f64>() / watts.len() as f64;
            line.extend([(start / unit, mean), (end / unit, mean)]);
        }
    }
    line
}

/// The power of a domain as steps, in stretches in which it was observed.
fn stretches(power: &PowerHistory, row: usize, unit: f64) -> Vec<Vec<(f64, f64)>> {
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
        let strength = if epoch.index % 2 == 1 { 0.2 } else { 0.12 };
        let shade = colour(3 + split).mix(strength).filled();
        plane.draw_series(std::iter::once(Rectangle::new([(from, 0.0), (to, top)], shade)))?;
    }
    Ok(())
}

/// Energy of each epoch, with twice its standard uncertainty.
pub fn epochs(record: &Record) -> Option<Chart> {
    let of = |epoch: &ergometer::record::Epoch| {
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
    let x = 0.5..rows.len() as f64 + 0.5;
    chart(
        &description,
        (x, "epoch, in the order of their ends"),
        (0.0..highest / unit * 1.08, unit_name),
        |plane| {
            let of_split =
                |split: &str| colour(3 + splits.iter().position(|one| *one == split).unwrap_or(0));
            for (index, (split, (joules, spread))) in rows.iter().enumerate() {
                let x = index as f64 + 1.0;
                let (joules, spread) = (joules / unit, spread / unit);
                let colour = of_split(split);
                if rows.len() <= MOST_BARS {
                    let bar = Rectangle::new(
                        [(x - 0.38, 0.0), (x + 0.38, joules)],
                        colour.mix(0.75).filled(),
                    );
                    plane.draw_series(std::iter::once(bar))?;
                }
                let whisker = ErrorBar::new_vertical(
                    x,
                    (joules - spread).max(0.0),
                    joules,
                    joules + spread,
                    INK.filled(),
                    4,
                );
                plane.draw_series(std::iter::once(whisker))?;
            }
            Ok(())
        },
    )
}

/// Joules of a step by split: extremes, median, 95th percentile and mean.
pub fn steps(record: &Record) -> Option<Chart> {
    let complete = |joules: &Distribution| {
        Some([joules.min?, joules.p50?, joules.p95?, joules.max?, joules.mean])
    };
    let read = record.total.energy.is_some();
    let rows: Vec<(&String, [f64; 5])> = record
        .steps
        .iter()
        .filter(|_| read)
        .filter_map(|(split, steps)| Some((split, complete(&steps.joules)?)))
        .take(6)
        .collect();
    let highest = rows.iter().map(|(_, figures)| figures[3]).fold(0.0, f64::max);
    if highest <= 0.0 {
        return None;
    }
    let (unit, unit_name) = energy_unit(highest);
    let words = rows.iter().map(|(split, [min, median, p95, max, mean])| {
        format!(
            "{split}: from {:.3} to {:.3}, median {:.3}, 95th percentile {:.3}, mean {:.3}",
            min / unit,
            max / unit,
            median / unit,
            p95 / unit,
            mean / unit
        )
    });
    let words = words.collect::<Vec<_>>().join("; ");
    let description = format!("Energy of a step in {unit_name}. {words}");
    let y = 0.4..rows.len() as f64 + 0.6;
    let x_name = format!("{unit_name} a step");
    chart(&description, (0.0..highest / unit * 1.05, &x_name), (y, ""), |plane| {
        for (index, (_, figures)) in rows.iter().enumerate() {
            let [min, median, p95, max, mean] = figures.map(|joules| joules / unit);
            let y = (rows.len() - index) as f64;
            let colour = colour(index);
            plane.draw_series(LineSeries::new([(min, y), (max, y)], colour.stroke_width(2)))?;
            let body =
                Rectangle::new([(median, y - 0.22), (p95, y + 0.22)], colour.mix(0.5).filled());
            plane.draw_series(std::iter::once(body))?;
            for end in [min, median, max] {
                plane.draw_series(LineSeries::new(
                    [(end, y - 0.22), (end, y + 0.22)],
                    colour.stroke_width(2),
                ))?;
            }
            plane.draw_series(std::iter::once(Circle::new((mean, y), 4, INK.filled())))?;
        }
        Ok(())
    })
}

/// What was forecast on the way, with its 95 % interval, and what came.
pub fn forecasts(record: &Record) -> Option<Chart> {
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
    chart(
        &description,
        (0.0..105.0, "per cent of the run done"),
        (0.0..highest / unit * 1.08, unit_name),
        |plane| {
            let line = [(0.0, came / unit), (105.0, came / unit)];
            plane.draw_series(LineSeries::new(line, colour(2).stroke_width(2)))?;
            for row in rows {
                let high = row.joules.high.min(highest) / unit;
                let whisker = ErrorBar::new_vertical(
                    row.progress * 100.0,
                    row.joules.low / unit,
                    row.joules.value.min(highest) / unit,
                    high,
                    colour(0).filled(),
                    7,
                );
                plane.draw_series(std::iter::once(whisker))?;
            }
            Ok(())
        },
    )
}

/// A bar with a whisker of twice the standard uncertainty, as wide as its share of `most`.
pub fn bar(value: f64, standard: f64, most: f64, place: usize) -> String {
    const LONGEST: f64 = 150.0;
    let at = |value: f64| (value / most * LONGEST).clamp(0.0, LONGEST + 8.0);
    let (low, high) = (at(value - 2.0 * standard), at(value + 2.0 * standard));
    let mut text = format!(
        "<svg class=\"bar\" viewBox=\"0 0 160 14\" aria-hidden=\"true\"><rect x=\"0\" y=\"2\" width=\"{:.1}\" \
         height=\"10\" fill=\"{}\"/>",
        at(value),
        hex(colour(place))
    );
    if standard > 0.0 {
        let _ = write!(
            text,
            "<path d=\"M{low:.1} 7H{high:.1}M{low:.1} 3v8M{high:.1} 3v8\" stroke=\"currentColor\" fill=\"none\"/>"
        );
    }
    text + "</svg>"
}

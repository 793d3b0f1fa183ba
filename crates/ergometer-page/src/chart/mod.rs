//! Charts as SVG by plotters.
//!
//! Text, axes and grid have the colour of the text around them, so that they can be read in light, in dark and in
//! print; series have colours that stand out against white as well as black.

mod epochs;
mod forecasts;
mod power;
mod quality;
mod rows;
mod steps;
#[cfg(test)]
mod tests;

use ergometer::record::Record;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

use crate::escape::escaped;
pub(crate) use epochs::epochs;
pub(crate) use forecasts::forecasts;
pub(crate) use power::{MOST_BANDS, power};
pub use quality::{Outcome, quality};
pub(crate) use rows::{Bar, bars};
pub use rows::{Range, ranges};
pub(crate) use steps::steps;

/// Replaced by the colour of the text.
const INK: RGBColor = RGBColor(1, 2, 3);
const INK_HEX: &str = "#010203";

/// At least 3 : 1 against white and against the dark page.
pub(crate) const SERIES: [RGBColor; 6] = [
    RGBColor(0x2f, 0x7f, 0xd0),
    RGBColor(0xc9, 0x60, 0x1a),
    RGBColor(0x1f, 0x9a, 0x6e),
    RGBColor(0x8c, 0x63, 0xd6),
    RGBColor(0xb8, 0x47, 0x8f),
    RGBColor(0x7d, 0x8a, 0x00),
];

/// Width of a chart, in the units of its drawing.
pub(crate) const WIDTH: u32 = 760;
/// Height of a chart over time.
const HEIGHT: u32 = 290;
/// Size of the text of a chart, as plotters counts.
const FONT: u32 = 20;

/// A drawing with what it shows in words, and what its colours mean.
#[derive(Clone, Debug)]
pub struct Chart {
    /// The elements inside the drawing.
    body: String,
    height: u32,
    pub(crate) description: String,
    pub(crate) key: Vec<KeyItem>,
}

/// What a colour of a chart means.
#[derive(Clone, Debug)]
pub(crate) struct KeyItem {
    /// As CSS writes it.
    pub colour: String,
    pub opacity: f64,
    pub text: String,
}

impl KeyItem {
    fn new(colour: RGBColor, text: impl Into<String>) -> Self {
        Self { colour: hex(colour), opacity: 1.0, text: text.into() }
    }

    /// The colour of the text.
    fn ink(text: impl Into<String>) -> Self {
        Self { colour: "currentColor".to_owned(), opacity: 1.0, text: text.into() }
    }

    fn faint(self, opacity: f64) -> Self {
        Self { opacity, ..self }
    }
}

impl Chart {
    fn with_key(self, key: Vec<KeyItem>) -> Self {
        Self { key, ..self }
    }

    /// As an element of a page, as wide as its place.
    pub(crate) fn inline(&self) -> String {
        format!(
            "<svg viewBox=\"0 0 {WIDTH} {}\" role=\"img\" aria-label=\"{}\">{}</svg>",
            self.height,
            escaped(&self.description),
            self.body
        )
    }

    /// Its elements, and their height.
    pub(crate) fn parts(&self) -> (&str, u32) {
        (&self.body, self.height)
    }
}

type Plane<'a> = ChartContext<'a, SVGBackend<'a>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;
type Drawn = Result<(), Box<dyn std::error::Error>>;

/// An axis: its ends, its name, and how its labels are written.
struct Axis<'a> {
    range: std::ops::Range<f64>,
    name: &'a str,
    label: fn(f64) -> String,
}

impl<'a> Axis<'a> {
    fn new(range: std::ops::Range<f64>, name: &'a str) -> Self {
        Self { range, name, label: number }
    }

    /// Rows, which have names and no scale.
    fn rows(count: usize) -> Self {
        Self { range: 0.0..count as f64, name: "", label: |_| String::new() }
    }

    fn is_rows(&self) -> bool {
        self.name.is_empty()
    }

    fn is_valid(&self) -> bool {
        self.range.end > self.range.start && self.range.end.is_finite()
    }
}

/// Draws a chart; `None` if it cannot be drawn, as for figures that are not finite.
fn chart(
    description: String,
    height: u32,
    (x, y): (Axis<'_>, Axis<'_>),
    draw: impl FnOnce(&mut Plane<'_>) -> Drawn,
) -> Option<Chart> {
    if !x.is_valid() || !y.is_valid() {
        return None;
    }
    let mut text = String::new();
    {
        let root = SVGBackend::with_string(&mut text, (WIDTH, height)).into_drawing_area();
        let mut plane = ChartBuilder::on(&root)
            .margin(6)
            .margin_right(28)
            // Half of the first label of the axis below is left of it.
            .set_label_area_size(LabelAreaPosition::Left, if y.is_rows() { 30 } else { 94 })
            .set_label_area_size(LabelAreaPosition::Bottom, 54)
            .build_cartesian_2d(x.range, y.range)
            .ok()?;
        let font = ("sans-serif", FONT).into_font().color(&INK);
        let (x_label, y_label) = (|value: &f64| (x.label)(*value), |value: &f64| (y.label)(*value));
        let mut mesh = plane.configure_mesh();
        mesh.light_line_style(TRANSPARENT)
            .bold_line_style(INK.mix(0.15))
            .axis_style(INK.mix(0.6))
            .label_style(font.clone())
            .axis_desc_style(font)
            .x_labels(8)
            .y_labels(if y.name.is_empty() { 0 } else { 6 })
            .x_label_formatter(&x_label)
            .y_label_formatter(&y_label)
            .x_desc(x.name)
            .y_desc(y.name)
            .draw()
            .ok()?;
        draw(&mut plane).ok()?;
        root.present().ok()?;
    }
    let body = inside(&text)?.replace(INK_HEX, "currentColor");
    Some(Chart { body, height, description, key: Vec::new() })
}

/// The elements inside the outermost one.
fn inside(svg: &str) -> Option<&str> {
    let start = svg.find("<svg")?;
    let start = start + svg[start..].find('>')? + 1;
    svg.get(start..svg.rfind("</svg>")?)
}

/// Text in a chart.
fn text_style(size: u32) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&INK)
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
        joules if joules < 7.2e9 => (3.6e6, "kWh"),
        _ => (3.6e9, "MWh"),
    }
}

/// The colour of a split or domain: the same for the same place in a list.
pub(crate) fn colour(index: usize) -> RGBColor {
    SERIES[index % SERIES.len()]
}

/// The colour of a split's epochs.
fn split_colour(index: usize) -> RGBColor {
    colour(3 + index)
}

pub(crate) fn hex(RGBColor(red, green, blue): RGBColor) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// The splits of a record's epochs, in the order of their first.
fn splits(record: &Record) -> Vec<&str> {
    let mut splits: Vec<&str> = Vec::new();
    for epoch in &record.epochs {
        if !splits.contains(&epoch.split.as_str()) {
            splits.push(&epoch.split);
        }
    }
    splits
}

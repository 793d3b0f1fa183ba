//! Colours that can be told from what is behind them, and charts of what is hard to draw.

use ergometer::Meter;
use ergometer::source::DomainKind;
use ergometer::units::{Joules, Watts};

use super::power::{SHADES, relative};
use super::rows::{Bar, Range, bars, ranges};
use super::*;

type Colour = [f64; 3];

/// The colours that the page's style gives a name, in light, in dark and in print.
fn styles() -> [(&'static str, Vec<(String, Colour)>); 3] {
    let style = include_str!("../style.css");
    let dark = style.find("prefers-color-scheme: dark").unwrap();
    let print = style.find("@media print").unwrap();
    [("light", &style[..dark]), ("dark", &style[dark..print]), ("print", &style[print..])]
        .map(|(name, text)| (name, named(text)))
}

fn named(text: &str) -> Vec<(String, Colour)> {
    let definitions = text.split("--").skip(1).filter_map(|rest| rest.split_once(": #"));
    let colour = |(name, value): (&str, &str)| {
        let digits: String = value.chars().take_while(char::is_ascii_hexdigit).collect();
        (name.to_owned(), parsed(&digits))
    };
    definitions.filter(|(name, _)| name.chars().all(char::is_alphabetic)).map(colour).collect()
}

/// `1b1f23`, or `fff`.
fn parsed(digits: &str) -> Colour {
    let digits: String = match digits.len() {
        3 => digits.chars().flat_map(|digit| [digit, digit]).collect(),
        _ => digits.to_owned(),
    };
    [0, 2, 4].map(|at| f64::from(u8::from_str_radix(&digits[at..at + 2], 16).unwrap()) / 255.0)
}

fn of(RGBColor(red, green, blue): RGBColor) -> Colour {
    [red, green, blue].map(|part| f64::from(part) / 255.0)
}

/// `over` with this opacity on `under`.
fn mixed(over: Colour, opacity: f64, under: Colour) -> Colour {
    std::array::from_fn(|part| over[part] * opacity + under[part] * (1.0 - opacity))
}

/// Relative luminance, as WCAG 2.2 defines it.
fn luminance(colour: Colour) -> f64 {
    let linear =
        colour.map(
            |part| {
                if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
            },
        );
    0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
}

fn contrast(a: Colour, b: Colour) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

fn find(colours: &[(String, Colour)], name: &str) -> Colour {
    colours.iter().find(|(other, _)| other == name).unwrap_or_else(|| panic!("{name}")).1
}

#[test]
fn contrast_is_that_of_the_standard() {
    assert!((contrast(parsed("000"), parsed("fff")) - 21.0).abs() < 1e-9);
    // The example of WCAG's own notes: #777 on white just fails.
    assert!((contrast(parsed("777777"), parsed("fff")) - 4.478).abs() < 1e-3);
}

#[test]
fn text_has_4_5_to_1_and_series_have_3_to_1_in_light_dark_and_print() {
    for (name, colours) in styles() {
        let page = find(&colours, "page");
        for text in ["text", "quiet", "accent"] {
            for behind in ["page", "panel"] {
                // Print has no links of its own colour.
                if name == "print" && text == "accent" {
                    continue;
                }
                let ratio = contrast(find(&colours, text), find(&colours, behind));
                assert!(ratio >= 4.5, "{name}: {text} on {behind}: {ratio:.2}");
            }
        }
        for (place, colour) in SERIES.into_iter().enumerate() {
            let ratio = contrast(of(colour), page);
            assert!(ratio >= 3.0, "{name}: series {place}: {ratio:.2}");
        }
        // Text of a chart on the shades of epochs, which may be of any colour.
        for shade in SERIES {
            let behind = mixed(of(shade), SHADES[1], page);
            let ratio = contrast(find(&colours, "text"), behind);
            assert!(ratio >= 4.5, "{name}: text on a shade: {ratio:.2}");
        }
    }
}

/// Lines of power lie on the shades of epochs.
#[test]
fn lines_stand_out_from_the_shades_of_the_first_two_splits() {
    for (name, colours) in styles() {
        let page = find(&colours, "page");
        for split in 0..2 {
            let behind = mixed(of(split_colour(split)), SHADES[1], page);
            for place in 0..3 {
                let ratio = contrast(of(colour(place)), behind);
                assert!(ratio >= 2.2, "{name}: series {place} on split {split}: {ratio:.2}");
            }
            let ratio = contrast(find(&colours, "text"), behind);
            assert!(ratio >= 4.5, "{name}: the mean on split {split}: {ratio:.2}");
        }
    }
}

#[test]
fn frames_of_a_flame_graph_can_be_read() {
    for hue in 18..52 {
        for lightness in 66..76 {
            let frame = hsl(f64::from(hue), 0.8, f64::from(lightness) / 100.0);
            let ratio = contrast(parsed("1a1a1a"), frame);
            assert!(ratio >= 4.5, "{hue} {lightness}: {ratio:.2}");
        }
    }
}

fn hsl(hue: f64, saturation: f64, lightness: f64) -> Colour {
    let a = saturation * lightness.min(1.0 - lightness);
    [0.0, 8.0, 4.0].map(|n| {
        let k = (n + hue / 30.0) % 12.0;
        lightness - a * (k - 3.0).min(9.0 - k).clamp(-1.0, 1.0)
    })
}

#[test]
fn a_chart_of_what_has_no_size_is_none() {
    assert!(bars("Energy", &[]).is_none());
    let bar = |joules| Bar { name: "one".to_owned(), joules, spread: 0.0 };
    assert!(bars("Energy", &[bar(0.0)]).is_none());
    assert!(bars("Energy", &[bar(f64::NAN)]).is_none());
    assert!(bars("Energy", &[bar(1.0)]).is_some());
    let range = |low, high| Range { name: "one".to_owned(), kind: 0, low, high, figure: None };
    for (low, high) in [(0.0, 1.0), (-1.0, 1.0), (1.0, f64::INFINITY), (2.0, 1.0)] {
        assert!(
            ranges("Energy", "kWh", &["measured"], &[range(low, high)]).is_none(),
            "{low} {high}"
        );
    }
    assert!(quality("perplexity", &[]).is_none());
}

#[test]
fn ranges_are_on_whole_decades_with_the_keys_of_the_kinds_that_occur() {
    let range = |name: &str, kind, low, high, figure| Range {
        name: name.to_owned(),
        kind,
        low,
        high,
        figure,
    };
    // As uncertain as a model may be: the lower end is beyond the beginning of the scale.
    let rows = [range("<a>", 0, -1e-4, 1.5e-3, Some(6.8e-4)), range("b", 2, 12.0, 280.0, None)];
    let kinds = ["measured", "projected", "printed"];
    let chart = ranges("Energy", "kWh", &kinds, &rows).unwrap();
    let key: Vec<&str> = chart.key.iter().map(|item| item.text.as_str()).collect();
    assert_eq!(key, ["measured", "printed"]);
    assert_eq!(
        chart.description,
        "Energy in kWh. <a>, measured: 0.00068 (between 0 and 0.0015); b, printed: 12 to 280"
    );
    assert!(chart.body.contains("&lt;a&gt;") && !chart.body.contains("<a>"), "{}", chart.body);
    for label in ["0.0001", "0.01", "1", "100"] {
        assert!(chart.body.contains(&format!(">\n{label}\n<")), "{label}: {}", chart.body);
    }
    assert!(!chart.body.contains("0.00032"), "only whole decades: {}", chart.body);
}

#[test]
fn quality_is_drawn_with_the_first_measurement_and_one_colour_for_each_name() {
    let outcome = |name: &str, joules| Outcome {
        name: name.to_owned(),
        joules,
        spread: joules * 0.1,
        first: Some(0.0),
        last: 0.9,
    };
    let outcomes = [outcome("a", 1000.0), outcome("a", 1100.0), outcome("b", 3000.0)];
    let chart = quality("exact match", &outcomes).unwrap();
    assert_eq!(chart.key.len(), 2);
    assert!(
        chart.description.contains("a: from 0.0000 to 0.9000 with 1.0000 kJ"),
        "{}",
        chart.description
    );
    // A value that has not changed has an axis too.
    let still = Outcome { first: None, ..outcome("a", 1.0) };
    assert!(quality("exact match", &[still]).is_some());
}

#[test]
fn the_band_of_a_board_that_was_lost_is_that_of_what_was_seen_of_it() {
    let meter = Meter::builder().without_probe().fixed(DomainKind::Gpu, Watts::new(50.0));
    let record = meter.start().unwrap().finish().unwrap();
    let mut row = record.domains[0].clone();
    let energy = row.energy.as_mut().unwrap();
    energy.joules = Joules::new(100.0);
    energy.parts.model = Joules::new(5.0);
    energy.parts.gaps = Joules::new(800.0);
    energy.standard_uncertainty = energy.parts.standard();
    assert!((relative(&row) - 0.1).abs() < 1e-12);
}

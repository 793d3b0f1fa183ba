//! `--format model-card`: the metadata of a Hugging Face model card.
//!
//! The Hub reads `co2_eq_emissions.emissions` as **grams**.
//! <https://huggingface.co/docs/hub/model-cards-co2>

use std::fmt::Write as _;

use ergometer::Record;

use crate::outcome::Stop;
use crate::table::duration;

/// The block at the head of a model card's `README.md`.
pub fn metadata(record: &Record, training_type: Option<&str>) -> Result<String, Stop> {
    let whole = record.whole();
    let grams = whole.footprint.co2e.ok_or_else(|| {
        Stop::new(format!("'{}' has no energy, so its emissions are not known", record.run.label))
            .with_remedy("see `ergometer report` for why nothing was read")
    })?;
    let carbon = &whole.footprint.site.carbon;
    let training_type = training_type.or(record.facts.get("training_type").map(String::as_str));
    let mut text = String::from("---\nco2_eq_emissions:\n");
    let _ = writeln!(text, "  emissions: {}", number(grams.value.get()));
    let source = format!(
        "ergometer {}: {} over {}, PUE {}, {:.1} g/kWh ({}, {})",
        record.run.ergometer,
        super::methods(record),
        duration(whole.seconds),
        whole.footprint.site.pue.value,
        whole.footprint.mean_intensity.unwrap_or(carbon.grams_per_kwh),
        carbon.source,
        carbon.year,
    );
    let _ = writeln!(text, "  source: {}", quoted(&source));
    if let Some(training_type) = training_type {
        let _ = writeln!(text, "  training_type: {}", quoted(training_type));
    }
    let place = if carbon.assumed {
        format!("not stated; the intensity is that of: {}", carbon.place)
    } else {
        carbon.place.clone()
    };
    let _ = writeln!(text, "  geographical_location: {}", quoted(&place));
    let _ = writeln!(text, "  hardware_used: {}", quoted(&super::hardware(record)));
    Ok(text + "---\n")
}

/// A number that YAML reads as one: without an exponent, which YAML 1.1 takes for text where it has no point.
fn number(value: f64) -> String {
    let text = format!("{value:.9}");
    let text = text.trim_end_matches('0');
    if text.ends_with('.') { format!("{text}0") } else { text.to_owned() }
}

/// A double-quoted scalar: JSON's form is one of YAML's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_a_point_and_text_is_quoted() {
        assert_eq!(number(12.0), "12.0");
        assert_eq!(number(1.5e9), "1500000000.0");
        assert_eq!(number(0.000_123), "0.000123");
        assert_eq!(quoted("a: \"b\"\nc"), r#""a: \"b\"\nc""#);
    }
}

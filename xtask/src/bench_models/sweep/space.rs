//! The space that is searched: each parameter and its values.

use std::collections::BTreeMap;
use std::fmt;

use rand::RngExt as _;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

/// Values of a trial by the parameters' names, as they are written on a command line.
pub type Values = BTreeMap<String, String>;

/// Each parameter by its name, an option of the model's program without its dashes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Space(BTreeMap<String, Parameter>);

/// From where a parameter's values are drawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Parameter {
    /// One of these, each as likely.
    Choice(Vec<Choice>),
    /// Between two numbers, uniformly.
    Uniform([f64; 2]),
    /// Between two numbers above 0, uniformly in their logarithm.
    Log([f64; 2]),
    /// A whole number from the first to the second.
    Integer([i64; 2]),
}

/// A value to choose.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Choice {
    /// A whole number.
    Integer(i64),
    /// A number.
    Number(f64),
    /// A word.
    Word(String),
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(value) => write!(f, "{value}"),
            Self::Number(value) => write!(f, "{value}"),
            Self::Word(value) => f.write_str(value),
        }
    }
}

impl Parameter {
    /// The value at `place`, from 0 to below 1, of the distribution.
    pub fn at(&self, place: f64) -> String {
        match self {
            Self::Choice(choices) => choices[index(place, choices.len())].to_string(),
            Self::Uniform([low, high]) => rounded(low + place * (high - low)),
            Self::Log([low, high]) => rounded((low.ln() + place * (high / low).ln()).exp()),
            #[expect(clippy::cast_possible_truncation, reason = "checked: at most 2^52 numbers")]
            Self::Integer([low, high]) => {
                (low + ((high - low + 1) as f64 * place) as i64).min(*high).to_string()
            }
        }
    }

    fn check(&self) -> Result<(), String> {
        let ordered = |low: f64, high: f64| low.is_finite() && high.is_finite() && low < high;
        match self {
            Self::Choice(choices) if choices.is_empty() => Err("has no choices".to_owned()),
            Self::Uniform([low, high]) if !ordered(*low, *high) => {
                Err("uniform takes a lower and a higher number".to_owned())
            }
            Self::Log([low, high]) if !ordered(*low, *high) || *low <= 0.0 => {
                Err("log takes a lower and a higher number, both above 0".to_owned())
            }
            Self::Integer([low, high])
                if low >= high || high.checked_sub(*low).is_none_or(|range| range >= 1 << 52) =>
            {
                Err("integer takes a lower and a higher whole number".to_owned())
            }
            _ => Ok(()),
        }
    }
}

/// The choice that a place from 0 to below 1 falls on.
fn index(place: f64, count: usize) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "from 0 to below count"
    )]
    let index = (place * count as f64) as usize;
    index.min(count - 1)
}

/// With six significant digits: more mean nothing, and would not fit a table.
fn rounded(value: f64) -> String {
    let short: f64 = format!("{value:.5e}").parse().unwrap_or(value);
    short.to_string()
}

impl Space {
    /// What is wrong with it, if anything.
    pub fn check(&self) -> Result<(), String> {
        if self.0.is_empty() {
            return Err("there are no parameters to search".to_owned());
        }
        self.0.iter().try_for_each(|(name, parameter)| {
            parameter.check().map_err(|error| format!("parameter '{name}' {error}"))
        })
    }

    /// The parameters in the order of their names.
    pub fn parameters(&self) -> impl Iterator<Item = (&String, &Parameter)> {
        self.0.iter()
    }

    /// An independent draw of each.
    pub fn draw(&self, rng: &mut StdRng) -> Values {
        self.0.iter().map(|(name, parameter)| (name.clone(), parameter.at(rng.random()))).collect()
    }

    /// Every combination of the choices; the last parameter changes fastest.
    pub fn grid(&self) -> Result<Vec<Values>, String> {
        let mut points = vec![Values::new()];
        for (name, parameter) in &self.0 {
            let Parameter::Choice(choices) = parameter else {
                return Err(format!("parameter '{name}': a grid takes choices only"));
            };
            let with = |point: &Values, choice: &Choice| {
                let mut point = point.clone();
                point.insert(name.clone(), choice.to_string());
                point
            };
            let of = |point| choices.iter().map(|choice| with(point, choice)).collect::<Vec<_>>();
            points = points.iter().flat_map(of).collect();
        }
        Ok(points)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space(text: &str) -> Space {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn places_are_values_of_the_distribution() {
        let space = space(
            "a = { choice = [4, 0.5, 'bytes'] }\nb = { uniform = [0.0, 0.4] }\n\
             c = { log = [1e-4, 1e-2] }\nd = { integer = [3, 5] }",
        );
        space.check().unwrap();
        let at = |place: f64| -> Vec<String> {
            space.parameters().map(|(_, parameter)| parameter.at(place)).collect()
        };
        assert_eq!(at(0.0), ["4", "0", "0.0001", "3"]);
        assert_eq!(at(0.5), ["0.5", "0.2", "0.001", "4"]);
        assert_eq!(at(0.999_999_9), ["bytes", "0.4", "0.01", "5"]);
    }

    #[test]
    fn a_grid_is_every_combination_of_choices() {
        let grid =
            space("a = { choice = [1, 2] }\nb = { choice = ['x', 'y', 'z'] }").grid().unwrap();
        let words: Vec<String> =
            grid.iter().map(|point| format!("{}{}", point["a"], point["b"])).collect();
        assert_eq!(words, ["1x", "1y", "1z", "2x", "2y", "2z"]);
        assert!(space("a = { uniform = [0.0, 1.0] }").grid().is_err());
    }

    #[test]
    fn what_is_no_distribution_is_refused_by_name() {
        for (text, said) in [
            ("", "no parameters"),
            ("rate = { choice = [] }", "'rate' has no choices"),
            ("rate = { log = [0.0, 1.0] }", "both above 0"),
            ("rate = { uniform = [1.0, 1.0] }", "a lower and a higher"),
            ("rate = { integer = [5, 4] }", "whole number"),
        ] {
            let error = space(text).check().unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
        assert!(toml::from_str::<Space>("rate = { normal = [0, 1] }").is_err());
    }
}

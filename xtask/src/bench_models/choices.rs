//! What can be chosen by name: models, sizes, backends, constants, profiles.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// An example package that trains a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Model {
    /// Encoder and decoder, trained to translate
    Transformer,
    /// Bidirectional language model over characters
    Elmo,
    /// Masked language model, and whether a sentence follows another
    Bert,
    /// Decoder-only language model
    Gpt2,
    /// Architecture search: evolution, and random search with the same joules
    Search,
}

/// What `--models` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Selection {
    /// Encoder and decoder, trained to translate
    Transformer,
    /// Bidirectional language model over characters
    Elmo,
    /// Masked language model, and whether a sentence follows another
    Bert,
    /// Decoder-only language model
    Gpt2,
    /// Architecture search: evolution, and random search with the same joules
    Search,
    /// All of them
    All,
}

impl Selection {
    /// The models that it stands for.
    pub fn models(self) -> Vec<Model> {
        match self {
            Self::Transformer => vec![Model::Transformer],
            Self::Elmo => vec![Model::Elmo],
            Self::Bert => vec![Model::Bert],
            Self::Gpt2 => vec![Model::Gpt2],
            Self::Search => vec![Model::Search],
            Self::All => Model::value_variants().to_vec(),
        }
    }
}

/// A size that the example packages know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Size {
    /// Seconds: shows that everything works
    Smoke,
    /// A minute or two on two cores
    Tiny,
    /// Between tiny and small (BERT)
    Mini,
    /// An hour or so on two cores
    Small,
    /// The paper's base model
    Base,
    /// The paper's big model (Transformer)
    Big,
    /// A published model: of GPT-2 above `base`, of BERT below it
    Medium,
    /// A larger published model (GPT-2, BERT)
    Large,
    /// The largest published model (GPT-2)
    Xl,
}

/// A backend of Burn; all but `flex` are cargo features of the example packages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backend {
    /// The CPU, pure Rust
    #[default]
    Flex,
    /// Any GPU with a Vulkan driver
    Vulkan,
    /// NVIDIA GPUs
    Cuda,
    /// AMD GPUs
    Rocm,
    /// Apple's GPUs
    Metal,
    /// The CPU, the GPUs' kernels by LLVM
    Cpu,
}

/// A set of constants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// Today's averages, each with source and year
    Current,
    /// The paper's: PUE 1.58, 0.954 lb CO2e/kWh, $0.12/kWh
    Strubell2019,
}

/// A profile of cargo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// Optimised
    Release,
    /// Quick to rebuild; dependencies are optimised
    Dev,
}

/// What a run trains, and what it computes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Which model.
    pub model: Model,
    /// Its size.
    pub size: Size,
    /// Backend of Burn.
    pub backend: Backend,
}

impl fmt::Display for Subject {
    /// `gpt2 tiny`, `gpt2 tiny on vulkan`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", word(self.model), word(self.size), self.backend_words())
    }
}

impl Subject {
    /// What a record's remarks name; `None` of another program.
    pub fn of(facts: &BTreeMap<String, String>) -> Option<Self> {
        let fact = |name: &str| facts.get(name).map(String::as_str);
        Some(Self {
            model: Model::from_str(fact("model")?, true).ok()?,
            size: Size::from_str(fact("size")?, true).ok()?,
            backend: Backend::from_str(fact("backend")?, true).ok()?,
        })
    }

    /// ` on vulkan`; nothing for the one that is always there.
    pub fn backend_words(self) -> String {
        match self.backend {
            Backend::Flex => String::new(),
            other => format!(" on {}", word(other)),
        }
    }

    /// Beginning of the names of its files: `gpt2`, `gpt2-vulkan`.
    pub fn file_stem(self) -> String {
        match self.backend {
            Backend::Flex => word(self.model),
            other => format!("{}-{}", word(self.model), word(other)),
        }
    }
}

/// A value for one model, `gpt2=8`, or for all that have none of their own, `8`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForModel<T> {
    model: Option<Model>,
    value: T,
}

impl<T: FromStr> FromStr for ForModel<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, T::Err> {
        let named = text.split_once('=');
        let named =
            named.and_then(|(name, value)| Some((Model::from_str(name, false).ok()?, value)));
        Ok(match named {
            Some((model, value)) => Self { model: Some(model), value: value.parse()? },
            None => Self { model: None, value: text.parse()? },
        })
    }
}

impl<T> ForModel<T> {
    /// The value.
    pub const fn value(&self) -> &T {
        &self.value
    }

    /// Whether it is for `model` alone.
    pub fn is_of(&self, model: Model) -> bool {
        self.model == Some(model)
    }

    /// What is given for `model`: its own values, or those for all where it has none.
    pub fn of(values: &[Self], model: Option<Model>) -> Vec<&T> {
        let with = |model| {
            let of = values.iter().filter(move |value| value.model == model);
            of.map(|value| &value.value).collect::<Vec<_>>()
        };
        match with(model) {
            own if own.is_empty() => with(None),
            own => own,
        }
    }
}

/// The word for a value on a command line.
pub fn word(value: impl ValueEnum + Copy) -> String {
    value.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_models_own_values_replace_those_for_all() {
        let parsed = |text: &str| text.parse::<ForModel<u32>>();
        let values = ["4", "gpt2=8", "gpt2=9"].map(|text| parsed(text).unwrap());
        assert_eq!(ForModel::of(&values, Some(Model::Gpt2)), [&8, &9]);
        assert_eq!(ForModel::of(&values, Some(Model::Bert)), [&4]);
        assert_eq!(ForModel::of(&values, None), [&4]);
        assert!(ForModel::of(&values[1..], Some(Model::Bert)).is_empty());
        assert!(parsed("perceptron=8").is_err() && parsed("gpt2=").is_err());
        // A path may have the sign in it.
        let path: ForModel<std::path::PathBuf> = "a=b.txt".parse().unwrap();
        assert_eq!((path.model, path.value.to_str()), (None, Some("a=b.txt")));
    }

    #[test]
    fn all_models_are_trained_with_the_search() {
        assert_eq!(Selection::All.models().last(), Some(&Model::Search));
        for selection in Selection::value_variants().iter().filter(|one| **one != Selection::All) {
            let words: Vec<_> = selection.models().into_iter().map(word).collect();
            assert_eq!(words, [word(*selection)]);
        }
    }

    #[test]
    fn only_other_backends_stand_in_the_names() {
        let of = |backend| Subject { model: Model::Gpt2, size: Size::Tiny, backend };
        assert_eq!(of(Backend::Flex).to_string(), "gpt2 tiny");
        assert_eq!(of(Backend::Vulkan).to_string(), "gpt2 tiny on vulkan");
        let facts = |model: &str| {
            let facts = [("model", model), ("size", "tiny"), ("backend", "vulkan")];
            facts.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
        };
        assert_eq!(Subject::of(&facts("gpt2")), Some(of(Backend::Vulkan)));
        assert_eq!(Subject::of(&facts("perceptron")), None);
        let stems = [Backend::Flex, Backend::Vulkan].map(|backend| of(backend).file_stem());
        assert_eq!(stems, ["gpt2", "gpt2-vulkan"]);
    }
}

//! Which parameters weight decay leaves alone.

use burn::module::ParamGroup;

/// Biases, and the scale and shift of norms, which neither BERT nor GPT-2 decays.
#[must_use]
pub fn without_decay() -> ParamGroup {
    ParamGroup::from_any_predicates(vec!["bias", "gamma", "beta"])
}

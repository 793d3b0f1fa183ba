//! What is known while the run goes on.

use std::collections::BTreeMap;

use crate::units::{Joules, Watts};

/// A snapshot of the run, for progress lines and metrics.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Live {
    /// Steps worked out so far, by the name of their label.
    pub steps: BTreeMap<&'static str, LiveSteps>,
    /// Energy of the run so far over all domains; `None` before the first reading.
    pub total: Option<Joules>,
    /// Seconds from the start of the run to which `total` reaches.
    pub seconds: f64,
    /// Mean power over the last second, over all domains; `None` before there are two readings.
    pub power: Option<Watts>,
}

/// Sums over the steps worked out so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LiveSteps {
    /// How many.
    pub count: u64,
    /// Their energy over all domains.
    pub joules: Joules,
    /// Their time, seconds.
    pub seconds: f64,
    /// Their items, in the unit of their label.
    pub items: f64,
}

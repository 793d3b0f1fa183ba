//! What is exported where, as the user says it.

#[cfg(feature = "otlp")]
use std::time::Duration;

#[cfg(feature = "prometheus")]
use super::Listen;
use super::Opened;
#[cfg(feature = "otlp")]
use super::otlp;
use crate::error::Result;

/// What is exported where.
#[derive(Default)]
pub(crate) struct Settings {
    #[cfg(feature = "prometheus")]
    pub prometheus: Option<Listen>,
    #[cfg(feature = "otlp")]
    pub otlp: Option<String>,
    #[cfg(feature = "otlp")]
    pub otlp_interval: Option<Duration>,
}

impl Settings {
    /// Takes hold of what is asked for, before anything of a meter is begun.
    pub(crate) fn open(self) -> Result<Opened> {
        Ok(Opened {
            #[cfg(feature = "prometheus")]
            prometheus: self.prometheus.map(Listen::open).transpose()?,
            #[cfg(feature = "otlp")]
            otlp: self.otlp.map(|base| otlp::Target::new(&base, self.otlp_interval)).transpose()?,
        })
    }
}

#[cfg(feature = "otlp")]
impl Settings {
    /// Sends figures to the collector at `base` if there is no other.
    pub(crate) fn offer_collector(&mut self, base: &str) -> Result<()> {
        if self.otlp.is_none() {
            otlp::Target::new(base, self.otlp_interval)?;
            self.otlp = Some(base.to_owned());
        }
        Ok(())
    }
}

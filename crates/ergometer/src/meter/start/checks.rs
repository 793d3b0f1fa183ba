//! Settings that make no sense: they are refused before anything is begun.

use crate::error::{Error, ErrorKind, Result};
use crate::meter::MeterBuilder;
use crate::meter::sampler::Guarded;
use crate::source::Sensor;
use crate::source::external::External;
use crate::source::fixed::{self, Fixed};

impl MeterBuilder {
    /// Settings that make no sense whatever the hardware.
    ///
    /// An invalid variable is only a remark, as those of launchers are: the environment stops no training.
    pub(super) fn check(&mut self) -> Result<()> {
        check_platform(cfg!(target_family = "wasm"))?;
        if self.probes() {
            self.remarks.extend(self.settings.known_power().1);
            if self.settings.processors.is_some() {
                self.settings.calibrations()?;
            }
        }
        if let Some(own) = self.settings.cpu_power.filter(|own| !own.can_be()) {
            let message =
                format!("processors that draw {} idle and {} when busy", own.idle, own.full);
            return Err(Error::new(ErrorKind::InvalidSetting, message)
                .with_remedy("give two powers, of which the second is the larger"));
        }
        let share = self.settings.nvml_share;
        if !share.is_finite() || share <= 0.0 {
            let message = format!("a share of {share} of a core to read boards");
            return Err(Error::new(ErrorKind::InvalidSetting, message)
                .with_remedy("give a share above 0, as 0.002 for 0.2 %"));
        }
        self.settings.external.iter().try_for_each(External::check)?;
        for &(kind, watts) in &self.settings.fixed {
            Fixed::new(kind, watts, fixed::DEFAULT_ERROR)?;
        }
        for (name, count) in &self.settings.accelerators {
            fixed::check(name, *count)?;
        }
        Ok(())
    }
}

/// WebAssembly without a system has neither threads nor a clock, and asking for either may panic.
pub(super) fn check_platform(wasm: bool) -> Result<()> {
    if !wasm {
        return Ok(());
    }
    let message = "nothing can be metered in WebAssembly: it has no threads and shows no hardware";
    Err(Error::new(ErrorKind::Sampler, message)
        .with_remedy("go on without a meter: `span` and `#[track_energy]` then do nothing"))
}

/// Errors of sensors are figures of the record, and of every uncertainty in it.
pub(super) fn check_sensors(sources: &[Guarded]) -> Result<()> {
    for domain in sources.iter().flat_map(Guarded::domains) {
        let Sensor { relative_error, absolute_error, .. } = domain.sensor;
        let errors = [relative_error, absolute_error.get()];
        let wrong = errors.into_iter().find(|error| !error.is_finite() || *error < 0.0);
        if let Some(error) = wrong {
            let message = format!("the sensor of {} has an error of {error}", domain.id);
            return Err(Error::new(ErrorKind::InvalidSetting, message)
                .with_remedy("give a standard uncertainty that is finite and not negative"));
        }
    }
    Ok(())
}

/// A run that a signal ends needs a place for its record.
#[cfg(all(unix, feature = "signals"))]
pub(super) fn check_signals(has_place: bool) -> Result<()> {
    if has_place {
        return Ok(());
    }
    let message = "a run that a signal ends has nowhere to leave its record";
    Err(Error::new(ErrorKind::InvalidSetting, message)
        .with_remedy("name a folder with `MeterBuilder::journal` or `MeterBuilder::output`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_webassembly_a_meter_refuses_to_start_and_says_what_goes_on_without_it() {
        let error = check_platform(true).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Sampler);
        assert!(error.remedy().is_some_and(|remedy| remedy.contains("span")), "{error}");
        assert!(check_platform(false).is_ok());
    }
}

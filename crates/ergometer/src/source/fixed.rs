//! A constant power that the user states, for devices that nothing can measure.

mod accelerators;

pub(super) use accelerators::assumed;

use super::{Domain, DomainKind, PowerSource, Reading, Request, Sensor, Value};
use crate::clock::{self, Timestamp};
use crate::energy::Method;
use crate::error::{Error, ErrorKind, Result};
use crate::units::Watts;

/// The source's name.
pub(crate) const NAME: &str = "fixed";

/// Relative standard uncertainty of a wattage stated without one. Such figures come from data sheets or a
/// glance at a wall meter. A judgement, not a measurement.
pub(crate) const DEFAULT_ERROR: f64 = 0.2;

/// No single device that trains a model draws more.
const MOST_POWER: Watts = Watts::new(100_000.0);

/// Energy = watts × time, from the first read on.
///
/// ```
/// use ergometer::{Meter, source::DomainKind, source::fixed::Fixed, units::Watts};
///
/// let known_to_5_percent = Fixed::new(DomainKind::Node, Watts::new(50.0), 0.05)?;
/// let meter = Meter::builder().without_probe().source(Box::new(known_to_5_percent)).start()?;
/// let energy = meter.finish()?.total.energy.unwrap();
/// assert!((energy.standard_uncertainty / energy.joules - 0.05).abs() < 1e-6);
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Debug)]
pub struct Fixed {
    domains: [Domain; 1],
    watts: Watts,
    start: Option<Timestamp>,
}

impl Fixed {
    /// A domain of `kind` with a constant power of `watts` and a relative standard uncertainty of
    /// `relative_error` (0.1 is 10 %).
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSetting`] unless the watts lie between 0 and 100 kW and the error is not
    /// negative.
    pub fn new(kind: DomainKind, watts: Watts, relative_error: f64) -> Result<Self> {
        if !(0.0..=MOST_POWER.get()).contains(&watts.get()) {
            return Err(Error::new(
                ErrorKind::InvalidSetting,
                format!(
                    "{} W for {} is not a power; it must lie between 0 and {MOST_POWER}",
                    watts.get(),
                    kind.as_str()
                ),
            ));
        }
        if !relative_error.is_finite() || relative_error < 0.0 {
            return Err(Error::new(
                ErrorKind::InvalidSetting,
                format!("{relative_error} is not a relative error; it must be 0 or more"),
            ));
        }
        let domain = Domain {
            id: format!("{NAME}:{}", kind.as_str()),
            kind,
            label: format!("{} at a stated {watts}", kind.as_str()),
            source: NAME.to_owned(),
            method: Method::Assumed,
            sensor: Sensor {
                counter_period_s: None,
                counter_quantum: None,
                power_period_s: None,
                power_window_s: None,
                relative_error,
                absolute_error: Watts::ZERO,
            },
            pci_address: None,
            power_limit: None,
            note: Some("stated by the user, not measured".to_owned()),
        };
        Ok(Self { domains: [domain], watts, start: None })
    }

    /// The same domain with another identity, where two of one kind are stated.
    pub(super) fn with_number(mut self, number: usize) -> Self {
        self.domains[0].id = format!("{NAME}:{}-{number}", self.domains[0].kind.as_str());
        self
    }
}

/// # Errors
///
/// [`ErrorKind::InvalidSetting`] for accelerators whose power is not known, or that are too many.
pub(crate) fn check(name: &str, count: u32) -> Result<()> {
    assumed(name, count).map(drop)
}

impl PowerSource for Fixed {
    fn domains(&self) -> &[Domain] {
        &self.domains
    }

    fn read(&mut self, _request: Request, readings: &mut Vec<Reading>) {
        let at = clock::checked_now();
        let start = *self.start.get_or_insert(at);
        readings.push(Reading::new(0, at, Value::Energy(self.watts * at.since(start))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn energy_is_watts_times_the_time_between_reads() {
        let mut fixed = Fixed::new(DomainKind::CpuPackage, Watts::new(65.0), 0.1).unwrap();
        let mut readings = Vec::new();
        for _ in 0..3 {
            fixed.read(Request::Routine, &mut readings);
        }
        for pair in readings.windows(2) {
            let [Value::Energy(before), Value::Energy(after)] = [&pair[0].value, &pair[1].value]
            else {
                panic!("a fixed source reads energy, not {pair:?}");
            };
            let expected = Watts::new(65.0) * pair[1].at.since(pair[0].at);
            assert!(((*after - *before) - expected).abs().get() < 1e-12);
        }
        assert_eq!(fixed.domains()[0].method, Method::Assumed);
    }

    #[test]
    fn what_is_no_power_is_refused() {
        for watts in [f64::NAN, f64::INFINITY, -1.0, 1e12] {
            let error = Fixed::new(DomainKind::Gpu, Watts::new(watts), 0.1).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidSetting, "{watts}");
        }
        for relative in [f64::NAN, f64::INFINITY, -0.1] {
            assert!(Fixed::new(DomainKind::Gpu, Watts::new(1.0), relative).is_err(), "{relative}");
        }
    }
}

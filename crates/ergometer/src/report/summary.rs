//! A run in one line.

use super::figure;
use crate::record::Record;

/// `24 ± 28 J (modelled), 0.0055 ± 0.0064 g CO2e, $0.0000012 in 3.00 s`.
pub(crate) fn summary(record: &Record) -> String {
    let time = figure::duration(record.run.seconds);
    let Some(energy) = &record.total.energy else {
        return format!("no energy could be read in {time}");
    };
    let mut text = format!("{} ({})", figure::energy(energy), energy.method.as_str());
    if let Some(gases) = &record.footprint.co2e {
        let (value, error) = (gases.value.get(), gases.standard_uncertainty.get());
        text = format!("{text}, {} CO2e", figure::plus_minus(value, error, "g"));
    }
    format!("{text} in {time}")
}

//! What the metrics of this crate have in common: how a quantity is shown to Burn.

use std::sync::Arc;

use burn::train::metric::{
    MetricAttributes, MetricName, NumericAttributes, NumericEntry, SerializedEntry,
};

/// A quantity as Burn shows it; the less of it, the better.
pub trait Shown: Clone + 'static {
    /// Its name in Burn, whose summary shows no unit: it is in the name.
    const NAME: &str;
    /// Its unit's symbol; of money that of the meter's site, and none here.
    const UNIT: &str;
    /// What it is, in a few words.
    const DESCRIPTION: &str;
}

/// Declares types that are [`Shown`], by name, unit and description.
macro_rules! shown {
    ($($(#[$doc:meta])* $type:ident, $name:literal, $unit:literal, $description:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub enum $type {}

        impl $crate::quantity::Shown for $type {
            const NAME: &str = $name;
            const UNIT: &str = $unit;
            const DESCRIPTION: &str = $description;
        }
    )*};
}
pub(crate) use shown;

pub(crate) fn name<Q: Shown>() -> MetricName {
    Arc::new(Q::NAME.to_owned())
}

pub(crate) fn attributes(unit: Option<&str>) -> MetricAttributes {
    NumericAttributes { unit: unit.map(str::to_owned), higher_is_better: false }.into()
}

/// What Burn shows and logs with `value`; without one a placeholder, which it does not log.
pub(crate) fn entry(
    unit: Option<&str>,
    value: Option<&NumericEntry>,
    text: impl FnOnce() -> String,
) -> SerializedEntry {
    value.map_or_else(
        || SerializedEntry::not_available(unit),
        |value| SerializedEntry::new(text(), value.serialize()),
    )
}

/// The last value of an epoch. NaN where nothing was read: Burn shows it, but logs and sums up nothing.
pub(crate) fn last(value: Option<f64>) -> NumericEntry {
    NumericEntry::Final(value.unwrap_or(f64::NAN))
}

#[cfg(test)]
mod tests {
    use crate::quantity::Shown;
    use crate::run_metrics::{Carbon, ForecastEnergy, TotalEnergy};
    use crate::step_metrics::{EnergyPerItem, EnergyPerStep, PowerInSteps};

    /// Burn's summary shows names and numbers alone.
    #[test]
    fn every_quantity_has_its_unit_in_its_name() {
        fn has_unit<Q: Shown>() -> bool {
            let unit = match Q::UNIT {
                "J" => "Joules",
                "W" => "Watts",
                symbol => symbol,
            };
            Q::NAME.contains(unit)
        }
        assert!(has_unit::<EnergyPerStep>() && has_unit::<EnergyPerItem>());
        assert!(has_unit::<PowerInSteps>() && has_unit::<TotalEnergy>());
        assert!(has_unit::<Carbon>() && has_unit::<ForecastEnergy>());
    }
}

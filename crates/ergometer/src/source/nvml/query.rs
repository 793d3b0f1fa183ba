//! One call to a board: how its quantities are asked for, and what comes back.

use std::time::{SystemTime, UNIX_EPOCH};

use nvml_wrapper::enum_wrappers::device::Sampling;
use nvml_wrapper::enums::device::SampleValue;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::struct_wrappers::device::FieldValueSample;
use nvml_wrapper::structs::device::FieldId;
use nvml_wrapper::{Device, Nvml};

use crate::source::Value;
use crate::units::Watts;

/// `NVML_FI_DEV_TOTAL_ENERGY_CONSUMPTION`, millijoules.
const ENERGY: FieldId = FieldId(83);
/// `NVML_FI_DEV_POWER_INSTANT`, milliwatts.
const POWER: FieldId = FieldId(186);

/// Power no board can draw; what implies more is rejected.
pub(super) const IMPOSSIBLE: Watts = Watts::new(100_000.0);

/// How a quantity is read on this board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// As a field, together with others in one call.
    Field,
    /// By a call of its own.
    Call,
    /// As the samples that the driver has taken of late, all in one call: power alone.
    Samples,
    /// Not at all.
    None,
}

/// How a board's energy counter and its power are read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ways {
    pub energy: Way,
    pub power: Way,
}

/// What one read of a board gave.
#[derive(Default)]
pub(super) struct Sample {
    pub millijoules: Option<Result<u64, String>>,
    pub watts: Option<Result<f64, String>>,
    pub past: Option<Result<Vec<Past>, String>>,
}

/// Power that the driver sampled this many seconds before the call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Past {
    pub age: f64,
    pub watts: f64,
}

impl Ways {
    /// Asks the board what it can tell.
    pub(super) fn of(device: &Device) -> Self {
        let (energy_field, power_field) = match fields(device, &[ENERGY, POWER]) {
            Ok([energy, power]) => (integer(energy).is_ok(), number(power).is_ok()),
            Err(_) => (false, false),
        };
        let way = |field, call: bool| match (field, call) {
            (true, _) => Way::Field,
            (false, true) => Way::Call,
            (false, false) => Way::None,
        };
        Self {
            energy: way(energy_field, !energy_field && device.total_energy_consumption().is_ok()),
            power: way(power_field, !power_field && device.power_usage().is_ok()),
        }
    }

    /// Reads the counter, power or both of board `index`.
    pub(super) fn read(
        self,
        nvml: &Nvml,
        index: u32,
        energy: bool,
        power: bool,
    ) -> Result<Sample, String> {
        let device = nvml.device_by_index(index).map_err(|error| error.to_string())?;
        let mut sample = Sample::default();
        // First: their age is that at the beginning of the call, and a counter may take long.
        if power && self.power == Way::Samples {
            sample.past = Some(past(&device));
        }
        let by_field = |wanted: bool, way: Way| wanted && way == Way::Field;
        match (by_field(energy, self.energy), by_field(power, self.power)) {
            (true, true) => {
                let [energy, power] = fields(&device, &[ENERGY, POWER])?;
                sample.millijoules = Some(integer(energy));
                sample.watts = Some(number(power).map(from_milli));
            }
            (true, false) => {
                let [energy] = fields(&device, &[ENERGY])?;
                sample.millijoules = Some(integer(energy));
            }
            (false, true) => {
                let [power] = fields(&device, &[POWER])?;
                sample.watts = Some(number(power).map(from_milli));
            }
            (false, false) => {}
        }
        if energy && self.energy == Way::Call {
            let read = device.total_energy_consumption();
            sample.millijoules = Some(read.map_err(|error| error.to_string()));
        }
        if power && self.power == Way::Call {
            let read = device.power_usage().map(|milliwatts| from_milli(f64::from(milliwatts)));
            sample.watts = Some(read.map_err(|error| error.to_string()));
        }
        Ok(sample)
    }
}

/// The samples that the driver has taken of late, oldest first: all that it keeps. It could give only those after a
/// stamp, but stamps are of the wall clock, and after that was set back no sample would be newer.
pub(super) fn past(device: &Device) -> Result<Vec<Past>, String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|error| error.to_string())?;
    let samples = device.samples(Sampling::Power, None).map_err(|error| error.to_string())?;
    let mut past = Vec::with_capacity(samples.len());
    for sample in samples {
        let age = now.as_secs_f64() - sample.timestamp as f64 * 1e-6;
        past.push(Past { age, watts: from_milli(number_of(&sample.value)) });
    }
    past.sort_by(|a, b| b.age.total_cmp(&a.age));
    Ok(past)
}

/// A board that answers at all draws something, so 0 W is a failed read too.
pub(super) fn power(watts: f64) -> Value {
    if watts > 0.0 && watts <= IMPOSSIBLE.get() {
        Value::Power(Watts::new(watts))
    } else {
        Value::Missing(format!(
            "power: {watts} W is rejected; it must lie above 0 and below {IMPOSSIBLE}"
        ))
    }
}

type Field = Result<FieldValueSample, NvmlError>;

/// Asks for several fields in one call. Each has a result and a type of its own.
fn fields<const N: usize>(device: &Device, ids: &[FieldId; N]) -> Result<[Field; N], String> {
    let values = device.field_values_for(ids).map_err(|error| error.to_string())?;
    let count = values.len();
    values.try_into().map_err(|_| format!("{N} fields were asked for and {count} came"))
}

fn value(field: Field) -> Result<SampleValue, String> {
    field.and_then(|field| field.value).map_err(|error| error.to_string())
}

fn integer(field: Field) -> Result<u64, String> {
    match value(field)? {
        SampleValue::U32(value) => Ok(u64::from(value)),
        SampleValue::U64(value) => Ok(value),
        SampleValue::I64(value) => u64::try_from(value).map_err(|_| format!("{value} is negative")),
        SampleValue::F64(value) => Err(format!("{value} is not an integer")),
    }
}

fn number(field: Field) -> Result<f64, String> {
    value(field).map(|value| number_of(&value))
}

fn number_of(value: &SampleValue) -> f64 {
    match *value {
        SampleValue::U32(value) => f64::from(value),
        SampleValue::U64(value) => value as f64,
        SampleValue::I64(value) => value as f64,
        SampleValue::F64(value) => value,
    }
}

fn from_milli(value: f64) -> f64 {
    value / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_not_a_power() {
        for watts in [f64::NAN, f64::INFINITY, -3.0, 0.0, 1e12] {
            assert!(matches!(power(watts), Value::Missing(_)), "{watts}");
        }
        assert_eq!(power(312.5), Value::Power(Watts::new(312.5)));
    }

    #[test]
    fn a_field_is_read_by_its_own_type_and_result() {
        let field = |value| Ok(FieldValueSample { field: ENERGY, timestamp: 0, latency: 0, value });
        assert_eq!(integer(field(Ok(SampleValue::U64(7)))), Ok(7));
        assert_eq!(integer(field(Ok(SampleValue::U32(7)))), Ok(7));
        assert!(integer(field(Ok(SampleValue::I64(-7)))).is_err());
        assert!(integer(field(Ok(SampleValue::F64(7.0)))).is_err());
        assert!(integer(field(Err(NvmlError::NotSupported))).is_err());
        assert_eq!(number(field(Ok(SampleValue::U32(250_000)))), Ok(250_000.0));
    }
}

//! One board: what it can tell, and what it tells.

use std::time::Duration;

use nvml_wrapper::enums::device::SampleValue;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::struct_wrappers::device::FieldValueSample;
use nvml_wrapper::structs::device::FieldId;
use nvml_wrapper::{Device, Nvml};

use super::NAME;
use super::pace::{self, Pace, STEP, Watch};
use crate::clock::{self, Timestamp};
use crate::meter::Method;
use crate::source::counter::{Advance, Counter};
use crate::source::{Domain, DomainKind, Request, Sensor, Value};
use crate::units::{Joules, Watts};

/// `NVML_FI_DEV_TOTAL_ENERGY_CONSUMPTION`, millijoules.
const ENERGY: FieldId = FieldId(83);
/// `NVML_FI_DEV_POWER_INSTANT`, milliwatts.
const POWER: FieldId = FieldId(186);

/// Power no board can draw; what implies more is rejected.
const IMPOSSIBLE: Watts = Watts::new(100_000.0);

/// Seconds between updates of power and of the counter on most boards since Turing: 0.1 s
/// (Yang et al. 2024, table of update periods; 0.02 s on Volta and Pascal).
const PERIOD_S: f64 = 0.1;

/// Gain error of a board's sensor: proportional, different from board to board, within ±5 %
/// (Yang et al. 2024, section on steady state). Taken as one standard deviation, as the ±5 %
/// come from few boards of a kind.
const GAIN_ERROR: f64 = 0.05;

/// How a quantity is read on this board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// As a field, together with others in one call.
    Field,
    /// By a call of its own.
    Call,
    /// Not at all.
    None,
}

#[derive(Debug)]
pub(super) struct Board {
    index: u32,
    energy: Way,
    power: Way,
    counter: Counter,
    pace: Pace,
    /// How old a counter value is on average, where its update was not seen and the domain's
    /// sensor does not say it.
    lag: Duration,
}

/// What one read of a board gave.
#[derive(Default)]
struct Sample {
    millijoules: Option<Result<u64, String>>,
    watts: Option<Result<f64, String>>,
}

impl Board {
    /// Asks board `index` who it is and what it can tell.
    pub(super) fn probe(nvml: &Nvml, index: u32) -> Result<(Self, Domain), String> {
        let device = nvml.device_by_index(index).map_err(|error| error.to_string())?;
        let uuid = device.uuid().map_err(|error| format!("its UUID cannot be read: {error}"))?;
        let (energy_field, power_field) = match fields(&device, &[ENERGY, POWER]) {
            Ok([energy, power]) => (integer(energy).is_ok(), number(power).is_ok()),
            Err(_) => (false, false),
        };
        let way = |field, call: bool| match (field, call) {
            (true, _) => Way::Field,
            (false, true) => Way::Call,
            (false, false) => Way::None,
        };
        let energy = way(energy_field, !energy_field && device.total_energy_consumption().is_ok());
        let power = way(power_field, !power_field && device.power_usage().is_ok());
        let method = match (energy, power) {
            (Way::None, Way::None) => {
                return Err(match device.power_usage() {
                    Ok(_) | Err(NvmlError::NotSupported) => {
                        "it has neither an energy counter nor a power sensor".to_owned()
                    }
                    Err(error) => format!("its power cannot be read: {error}"),
                });
            }
            (Way::None, _) => Method::Integrated,
            _ => Method::Counter,
        };
        let name = device.name().unwrap_or_else(|_| "NVIDIA board".to_owned());
        let counter = Counter::new(1000.0, None, IMPOSSIBLE);
        let mut board =
            Self { index, energy, power, counter, pace: Pace::Unknown, lag: Duration::ZERO };
        let counter_period_s = board.learn(nvml);
        let domain = Domain {
            id: format!("{NAME}:{uuid}"),
            kind: DomainKind::Gpu,
            source: NAME.to_owned(),
            method,
            sensor: Sensor {
                counter_period_s,
                counter_quantum: (energy != Way::None).then_some(Joules::new(0.001)),
                power_period_s: (power != Way::None).then_some(PERIOD_S),
                power_window_s: None,
                relative_error: GAIN_ERROR,
                absolute_error: Watts::ZERO,
            },
            pci_address: device.pci_info().ok().map(|pci| {
                // Function 0: the others of a board are its audio and USB controllers.
                format!("{:04x}:{:02x}:{:02x}.0", pci.domain, pci.bus, pci.device)
            }),
            power_limit: device
                .enforced_power_limit()
                .ok()
                .map(|milliwatts| Watts::new(f64::from(milliwatts) / 1000.0)),
            note: note(&device, &name, power),
            label: name,
        };
        Ok((board, domain))
    }

    /// Finds out how often the counter moves; what is then left of its period, in seconds.
    fn learn(&mut self, nvml: &Nvml) -> Option<f64> {
        if self.energy == Way::None {
            return None;
        }
        self.pace = pace::learn(|| self.raw(nvml)).unwrap_or(Pace::Unknown);
        Some(match self.pace {
            Pace::Unknown => PERIOD_S,
            Pace::Continuous => STEP.as_secs_f64(),
            Pace::Steady(beat) => {
                self.lag = beat.period() / 2;
                2.0 * STEP.as_secs_f64()
            }
        })
    }

    /// The counter's raw value and when it was read.
    fn raw(&self, nvml: &Nvml) -> Result<(Timestamp, u64), String> {
        let (at, sample) = self.timed(nvml, true, false)?;
        let raw = sample.millijoules.ok_or("the counter was not read")??;
        Ok((at, raw))
    }

    fn timed(&self, nvml: &Nvml, energy: bool, power: bool) -> Result<(Timestamp, Sample), String> {
        let before = clock::now();
        let sample = self.sample(nvml, energy, power)?;
        Ok((before.after(clock::now().since(before) / 2), sample))
    }

    /// Reads what `request` covers and hands each value to `push`.
    pub(super) fn read(
        &mut self,
        nvml: &Nvml,
        request: Request,
        mut push: impl FnMut(Timestamp, Value),
    ) {
        let want_energy = request != Request::Routine && self.energy != Way::None;
        let want_power = self.power != Way::None;
        if !want_energy && !want_power {
            return;
        }
        let (at, sample) = match self.timed(nvml, want_energy, want_power) {
            Ok(read) => read,
            Err(error) => return push(clock::now(), Value::Missing(error)),
        };
        match sample.watts {
            Some(Ok(watts)) => push(at, power(watts)),
            Some(Err(error)) => push(at, Value::Missing(format!("power: {error}"))),
            None => {}
        }
        match sample.millijoules {
            Some(Ok(raw)) => self.settle(nvml, at, raw, push),
            Some(Err(error)) => push(at, Value::Missing(format!("energy counter: {error}"))),
            None => {}
        }
    }

    /// Finds the moments for which the counter's values hold, and hands them to `push`.
    fn settle(
        &mut self,
        nvml: &Nvml,
        at: Timestamp,
        raw: u64,
        mut push: impl FnMut(Timestamp, Value),
    ) {
        let Pace::Steady(mut beat) = self.pace else {
            return push(at.before(self.lag), self.count(raw, at));
        };
        let watch = beat.watch((at, raw), || {
            let (at, sample) = self.timed(nvml, true, self.power == Way::Field)?;
            if let Some(Ok(watts)) = sample.watts {
                push(at, power(watts));
            }
            let raw = sample.millijoules.ok_or("the counter was not read")??;
            Ok((at, raw))
        });
        match watch {
            Ok(Watch::Seen(seen)) => {
                self.pace = Pace::Steady(beat);
                for (at, raw) in seen {
                    // The update before the wait may be the last one of the wait before.
                    if self.counter.last_read().is_none_or(|last| last < at) {
                        push(at, self.count(raw, at));
                    }
                }
            }
            Ok(Watch::Lost) => {
                let at = at.before(self.lag);
                push(at, self.count(raw, at));
                self.pace = pace::learn(|| self.raw(nvml)).unwrap_or(Pace::Unknown);
            }
            Err(error) => {
                let error: String = error;
                push(clock::now(), Value::Missing(format!("energy counter: {error}")));
            }
        }
    }

    fn sample(&self, nvml: &Nvml, energy: bool, power: bool) -> Result<Sample, String> {
        let device = nvml.device_by_index(self.index).map_err(|error| error.to_string())?;
        let mut sample = Sample::default();
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

    fn count(&mut self, raw: u64, at: Timestamp) -> Value {
        match self.counter.advance(raw, at) {
            Advance::First | Advance::Advanced(_) | Advance::Wrapped(_) => {
                Value::Energy(Joules::new(self.counter.joules()))
            }
            Advance::Restarted => Value::Restarted(format!(
                "the energy counter went to {raw} mJ, as when the driver is reloaded; what was \
                 drawn since the last read is lost"
            )),
            Advance::Impossible => Value::Missing(format!(
                "energy counter: {raw} mJ implies more than {IMPOSSIBLE}, which cannot be"
            )),
        }
    }
}

/// A board that answers at all draws something, so 0 W is a failed read too.
fn power(watts: f64) -> Value {
    if watts > 0.0 && watts <= IMPOSSIBLE.get() {
        Value::Power(Watts::new(watts))
    } else {
        Value::Missing(format!(
            "power: {watts} W is rejected; it must lie above 0 and below {IMPOSSIBLE}"
        ))
    }
}

fn note(device: &Device, name: &str, power: Way) -> Option<String> {
    let mut notes = Vec::new();
    if device.mig_mode().is_ok_and(|mode| mode.current == 1) {
        notes.push(
            "shared: MIG is on and the sensors show the whole board, whoever uses its instances",
        );
    }
    if name.contains("GH200") {
        notes.push("instantaneous power of a Grace Hopper module may contain its CPU");
    }
    if power == Way::Call {
        notes.push("power is nvmlDeviceGetPowerUsage, a 1 s average on most boards since Ampere");
    }
    (!notes.is_empty()).then(|| notes.join("; "))
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
    Ok(match value(field)? {
        SampleValue::U32(value) => f64::from(value),
        SampleValue::U64(value) => value as f64,
        SampleValue::I64(value) => value as f64,
        SampleValue::F64(value) => value,
    })
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

//! What is simulated, and the settings it is read from.

mod generation;
mod value;

use std::fmt;

use crate::curve::Curve;
use generation::Generation;
pub use generation::{Architecture, Brand, Product};

/// A machine with its boards.
#[derive(Clone, Debug, PartialEq)]
pub struct Machine {
    /// Its boards, by NVML index.
    pub boards: Vec<Board>,
    /// Why `nvmlInit` fails, if it does.
    pub init: Option<InitFailure>,
    /// Whether settings are looked at again on every call.
    pub reload: bool,
}

/// Why `nvmlInit` fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InitFailure {
    /// `NVML_ERROR_DRIVER_NOT_LOADED`.
    DriverNotLoaded,
    /// `NVML_ERROR_NO_PERMISSION`.
    NoPermission,
    /// `NVML_ERROR_LIB_RM_VERSION_MISMATCH`.
    VersionMismatch,
}

/// How a power reading comes about: `phase_ns` after every multiple of `period_ns`, the mean of the
/// last `window_ns`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sensor {
    /// Nanoseconds between two updates.
    pub period_ns: u64,
    /// Nanoseconds that an update averages.
    pub window_ns: u64,
    /// Nanoseconds by which updates come after multiples of the period.
    pub phase_ns: u64,
}

/// One board.
#[derive(Clone, Debug, PartialEq)]
pub struct Board {
    /// Product name.
    pub name: String,
    /// What kind of board it is.
    pub product: Product,
    /// Its true power.
    pub curve: Curve,
    /// Instantaneous power, field 186.
    pub power: Option<Sensor>,
    /// Averaged power, `nvmlDeviceGetPowerUsage`.
    pub usage: Option<Sensor>,
    /// Averaged power, field 185.
    pub average: Option<Sensor>,
    /// Power samples that the driver keeps.
    pub samples: Option<Sensor>,
    /// Nanoseconds between two updates of the energy counter.
    pub counter_ns: Option<u64>,
    /// Nanoseconds by which they come after multiples of that.
    pub counter_phase_ns: u64,
    /// Whether the counter can be read as fields 83 and 191 as well.
    pub counter_field: bool,
    /// What the sensors multiply true power by.
    pub gain: f64,
    /// What the counter multiplies true energy by, if not by `gain`.
    pub counter_gain: Option<f64>,
    /// When the counter stood at 0.
    pub start_ns: u64,
    /// Enforced power limit, watts.
    pub limit: f64,
    /// MIG mode is on.
    pub mig: bool,
    /// How many MIG instances it then has.
    pub mig_instances: u32,
    /// Who uses it; `None` where that cannot be told.
    pub utilisation: Option<Vec<Process>>,
    /// Every call for it fails.
    pub lost: bool,
    /// How it misbehaves.
    pub faults: Faults,
}

/// A process that computes on a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Percent of the multiprocessors' time.
    pub sm: u32,
}

/// Misbehaviour; by default there is none. Moments are `CLOCK_MONOTONIC`, nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// From here on the counter stands still.
    pub stuck_after: Option<u64>,
    /// Here the counter begins at 0 again, as when the driver is loaded anew.
    pub reset_at: Option<u64>,
    /// From here on every call fails.
    pub lost_after: Option<u64>,
    /// Nanoseconds of accumulation that a read of the counter costs at most.
    pub disturb_ns: Option<u64>,
    /// Nanoseconds that a read of the counter takes.
    pub latency_ns: u64,
    /// Nanoseconds that a read of a power takes.
    pub power_latency_ns: u64,
    /// They are spent on the processor, as a driver that polls its board spends them, and not asleep.
    pub spin: bool,
    /// Calls between these moments take until the second.
    pub hang: Option<(u64, u64)>,
    /// Calls that fail.
    pub errors: Option<Errors>,
    /// Each so-manieth reading is garbage.
    pub garbage: Option<u64>,
}

/// Calls that fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errors {
    /// Each so-manieth.
    pub every: u64,
    /// How it fails.
    pub kind: ErrorKind,
}

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// `NVML_ERROR_TIMEOUT`.
    Timeout,
    /// `NVML_ERROR_UNKNOWN`.
    Unknown,
    /// `NVML_ERROR_NO_PERMISSION`.
    NoPermission,
}

/// A setting that cannot be understood, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadSetting(String);

impl fmt::Display for BadSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadSetting {}

const MS: u64 = 1_000_000;

impl Default for Board {
    fn default() -> Self {
        Self {
            name: "Simulated GPU".to_owned(),
            product: Product::default(),
            curve: Curve::Constant(250.0),
            power: Some(Sensor { period_ns: 100 * MS, window_ns: 25 * MS, phase_ns: 0 }),
            usage: Some(Sensor { period_ns: 100 * MS, window_ns: 1000 * MS, phase_ns: 0 }),
            average: None,
            samples: None,
            counter_ns: Some(100 * MS),
            counter_phase_ns: 0,
            counter_field: true,
            gain: 1.0,
            counter_gain: None,
            start_ns: 0,
            limit: 400.0,
            mig: false,
            mig_instances: 2,
            utilisation: None,
            lost: false,
            faults: Faults::default(),
        }
    }
}

impl Machine {
    /// Reads settings; see the crate's documentation for what they may be. Moments after `nvmlInit`
    /// count from now.
    ///
    /// # Errors
    /// [`BadSetting`] for what cannot be understood.
    pub fn parse(text: &str) -> Result<Self, BadSetting> {
        Self::parse_since(text, crate::monotonic_ns())
    }

    /// Reads settings for a machine whose `nvmlInit` was first called at `init_ns`.
    ///
    /// # Errors
    /// [`BadSetting`] for what cannot be understood.
    pub fn parse_since(text: &str, init_ns: u64) -> Result<Self, BadSetting> {
        let mut count = 1;
        let (mut init, mut reload) = (None, true);
        let mut settings = Vec::new();
        for pair in text.split([';', '\n']).map(str::trim).filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').ok_or_else(|| bad(pair, "is not key=value"))?;
            let (key, value) = (key.trim(), value.trim());
            match (key, key.split_once('.')) {
                ("boards", _) => count = value::boards(value)?,
                ("init", _) => init = Some(value::init_failure(value)?),
                ("reload", _) => reload = value::flag(value)?,
                (_, Some((board, key))) => {
                    settings.push((Some(value::number::<usize>(board)?), key, value));
                }
                (_, None) => settings.push((None, key, value)),
            }
        }
        let mut boards = vec![Board::default(); count];
        // What a generation presets is less than any other setting, what is said of all boards less
        // than what is said of one.
        settings.sort_by_key(|(board, key, _)| (*key != "generation", board.is_some()));
        for (board, key, value) in settings {
            let boards = match board {
                None => &mut boards[..],
                Some(index) => boards
                    .get_mut(index..=index)
                    .ok_or_else(|| bad(&index.to_string(), "is no board"))?,
            };
            // Without boards a setting is still to be understood.
            let mut nothing = [Board::default()];
            let boards = if boards.is_empty() { &mut nothing[..] } else { boards };
            for board in boards {
                board.set(key, value, init_ns)?;
            }
        }
        Ok(Self { boards, init, reload })
    }
}

impl Board {
    fn set(&mut self, key: &str, value: &str, init_ns: u64) -> Result<(), BadSetting> {
        use value::{
            duration, errors, every, finite, flag, moment, optional, period, phased, sensor, window,
        };
        let faults = &mut self.faults;
        match key {
            "generation" => Generation::named(value)?.preset(self),
            "curve" => self.curve = value::curve(value)?,
            "power" => self.power = optional(value, sensor)?,
            "usage" => self.usage = optional(value, sensor)?,
            "average" => self.average = optional(value, sensor)?,
            "samples" => self.samples = optional(value, sensor)?,
            "counter" => {
                let counter = optional(value, |text| phased(text, period))?;
                self.counter_ns = counter.map(|(period, _)| period);
                self.counter_phase_ns = counter.map_or(0, |(_, phase)| phase);
            }
            "counter-field" => self.counter_field = flag(value)?,
            "gain" => self.gain = finite(value)?,
            "counter-gain" => self.counter_gain = Some(finite(value)?),
            "start" => self.start_ns = moment(value, init_ns)?,
            "limit" => self.limit = finite(value)?,
            "mig" => self.mig = flag(value)?,
            "mig-instances" => self.mig_instances = value::mig_instances(value)?,
            "utilisation" => self.utilisation = Some(value::processes(value)?),
            "persistence" => self.product.persistence = flag(value)?,
            "name" => value.clone_into(&mut self.name),
            "architecture" => self.product.architecture = Architecture::named(value)?,
            "brand" => self.product.brand = Brand::named(value)?,
            "compute" => self.product.compute = value::version(value)?,
            "lost" => self.lost = flag(value)?,
            "lost-after" => faults.lost_after = optional(value, |text| moment(text, init_ns))?,
            "stuck-after" => faults.stuck_after = optional(value, |text| moment(text, init_ns))?,
            "reset-at" => faults.reset_at = optional(value, |text| moment(text, init_ns))?,
            "disturb" => faults.disturb_ns = optional(value, period)?,
            "latency" => faults.latency_ns = duration(value)?,
            "power-latency" => faults.power_latency_ns = duration(value)?,
            "spin" => faults.spin = flag(value)?,
            "hang" => faults.hang = optional(value, |text| window(text, init_ns))?,
            "errors" => faults.errors = optional(value, errors)?,
            "garbage" => faults.garbage = optional(value, every)?,
            _ => return Err(bad(key, "is no setting")),
        }
        Ok(())
    }
}

fn bad(what: &str, why: &str) -> BadSetting {
    BadSetting(format!("'{what}' {why}"))
}

#[cfg(test)]
mod tests;

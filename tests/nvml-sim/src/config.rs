//! What is simulated.

use std::fmt;

use crate::curve::Curve;

/// A machine with its boards.
#[derive(Clone, Debug, PartialEq)]
pub struct Machine {
    /// Its boards, by NVML index.
    pub boards: Vec<Board>,
    /// Why `nvmlInit` fails, if it does.
    pub init: Option<InitFailure>,
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

/// How a power reading comes about: at every multiple of `period_ns`, the mean of the last
/// `window_ns`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sensor {
    /// Nanoseconds between two updates.
    pub period_ns: u64,
    /// Nanoseconds that an update averages.
    pub window_ns: u64,
}

/// One board.
#[derive(Clone, Debug, PartialEq)]
pub struct Board {
    /// Product name.
    pub name: String,
    /// Its true power.
    pub curve: Curve,
    /// Instantaneous power, field 186.
    pub power: Option<Sensor>,
    /// Averaged power, `nvmlDeviceGetPowerUsage`.
    pub usage: Option<Sensor>,
    /// Nanoseconds between two updates of the energy counter.
    pub counter_ns: Option<u64>,
    /// Whether the counter can be read as field 83 as well.
    pub counter_field: bool,
    /// What the sensors multiply true power by.
    pub gain: f64,
    /// When the counter stood at 0.
    pub start_ns: u64,
    /// Enforced power limit, watts.
    pub limit: f64,
    /// MIG mode is on.
    pub mig: bool,
    /// Every call for it fails.
    pub lost: bool,
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
            curve: Curve::Constant(250.0),
            power: Some(Sensor { period_ns: 100 * MS, window_ns: 25 * MS }),
            usage: Some(Sensor { period_ns: 100 * MS, window_ns: 1000 * MS }),
            counter_ns: Some(100 * MS),
            counter_field: true,
            gain: 1.0,
            start_ns: 0,
            limit: 400.0,
            mig: false,
            lost: false,
        }
    }
}

impl Machine {
    /// Reads settings; see the crate's documentation for what they may be.
    ///
    /// # Errors
    /// [`BadSetting`] for what cannot be understood.
    pub fn parse(text: &str) -> Result<Self, BadSetting> {
        let mut count = 1;
        let mut init = None;
        let mut for_all = Vec::new();
        let mut for_one = Vec::new();
        for pair in text.split([';', '\n']).map(str::trim).filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').ok_or_else(|| bad(pair, "is not key=value"))?;
            let (key, value) = (key.trim(), value.trim());
            match (key, key.split_once('.')) {
                ("boards", _) => count = number(value)?,
                ("init", _) => init = Some(init_failure(value)?),
                (_, Some((board, key))) => for_one.push((number::<usize>(board)?, key, value)),
                (_, None) => for_all.push((key, value)),
            }
        }
        let mut board = Board::default();
        for (key, value) in for_all {
            board.set(key, value)?;
        }
        let mut boards = vec![board; count];
        for (index, key, value) in for_one {
            let board =
                boards.get_mut(index).ok_or_else(|| bad(&index.to_string(), "is no board"))?;
            board.set(key, value)?;
        }
        Ok(Self { boards, init })
    }
}

impl Board {
    fn set(&mut self, key: &str, value: &str) -> Result<(), BadSetting> {
        match key {
            "curve" => self.curve = curve(value)?,
            "power" => self.power = sensor(value)?,
            "usage" => self.usage = sensor(value)?,
            "counter" => self.counter_ns = optional(value, period)?,
            "counter-field" => self.counter_field = truth(value)?,
            "gain" => self.gain = number(value)?,
            "start" => self.start_ns = duration(value)?,
            "limit" => self.limit = number(value)?,
            "mig" => self.mig = truth(value)?,
            "lost" => self.lost = truth(value)?,
            "name" => value.clone_into(&mut self.name),
            _ => return Err(bad(key, "is no setting")),
        }
        Ok(())
    }

    /// What the energy counter shows at `now`, millijoules.
    #[must_use]
    pub fn millijoules(&self, now: u64) -> Option<u64> {
        let period = self.counter_ns?;
        let shown = now - now % period;
        let joules = self.curve.joules(self.start_ns, shown) * self.gain;
        Some(whole(joules * 1000.0))
    }

    /// What `sensor` shows at `now`, milliwatts.
    #[must_use]
    pub fn milliwatts(&self, sensor: Sensor, now: u64) -> u32 {
        let shown = now - now % sensor.period_ns;
        let watts = self.curve.mean(shown, sensor.window_ns) * self.gain;
        u32::try_from(whole(watts * 1000.0)).unwrap_or(u32::MAX)
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before")]
fn whole(value: f64) -> u64 {
    value.round().max(0.0) as u64
}

fn bad(what: &str, why: &str) -> BadSetting {
    BadSetting(format!("'{what}' {why}"))
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, BadSetting> {
    text.parse().map_err(|_| bad(text, "is not a number of that kind"))
}

fn truth(text: &str) -> Result<bool, BadSetting> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err(bad(text, "is neither yes nor no")),
    }
}

fn duration(text: &str) -> Result<u64, BadSetting> {
    const UNITS: [(&str, u64); 4] = [("ns", 1), ("us", 1000), ("ms", MS), ("s", 1000 * MS)];
    UNITS
        .iter()
        .find_map(|(unit, nanos)| text.strip_suffix(unit)?.parse::<u64>().ok()?.checked_mul(*nanos))
        .ok_or_else(|| bad(text, "is not a whole number of ns, us, ms or s"))
}

fn period(text: &str) -> Result<u64, BadSetting> {
    match duration(text)? {
        0 => Err(bad(text, "is no period")),
        period => Ok(period),
    }
}

fn optional<T>(
    text: &str,
    parse: impl Fn(&str) -> Result<T, BadSetting>,
) -> Result<Option<T>, BadSetting> {
    if text == "none" { Ok(None) } else { parse(text).map(Some) }
}

fn sensor(text: &str) -> Result<Option<Sensor>, BadSetting> {
    optional(text, |text| {
        let (every, window) =
            text.split_once('/').ok_or_else(|| bad(text, "is not period/window"))?;
        Ok(Sensor { period_ns: period(every)?, window_ns: period(window)? })
    })
}

fn curve(text: &str) -> Result<Curve, BadSetting> {
    match *text.split(':').collect::<Vec<_>>() {
        ["constant", watts] => Ok(Curve::Constant(number(watts)?)),
        ["square", low, high, every] => {
            Ok(Curve::Square { low: number(low)?, high: number(high)?, period_ns: period(every)? })
        }
        ["sine", low, high, every] => {
            Ok(Curve::Sine { low: number(low)?, high: number(high)?, period_ns: period(every)? })
        }
        _ => Err(bad(text, "is no curve")),
    }
}

fn init_failure(text: &str) -> Result<InitFailure, BadSetting> {
    match text {
        "driver-not-loaded" => Ok(InitFailure::DriverNotLoaded),
        "no-permission" => Ok(InitFailure::NoPermission),
        "version-mismatch" => Ok(InitFailure::VersionMismatch),
        _ => Err(bad(text, "is no reason for nvmlInit to fail")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_for_all_and_for_one_board() {
        let machine = Machine::parse(
            "boards=2;curve=square:100:400:730ms;power=100ms/25ms\ncounter=none;1.counter=20ms;1.lost=yes",
        )
        .unwrap();
        let [first, second] = &machine.boards[..] else { panic!("two boards") };
        assert_eq!(first.curve, Curve::Square { low: 100.0, high: 400.0, period_ns: 730 * MS });
        assert_eq!((first.counter_ns, second.counter_ns), (None, Some(20 * MS)));
        assert_eq!((first.lost, second.lost), (false, true));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (text, named) in [
            ("curve=triangle:1:2:3ms", "triangle"),
            ("curve=square:1:2:0ms", "0ms"),
            ("bords=2", "bords"),
            ("3.lost=yes", "'3'"),
            ("lost=maybe", "maybe"),
            ("boards", "boards"),
        ] {
            let error = Machine::parse(text).unwrap_err().to_string();
            assert!(error.contains(named), "{text}: {error}");
        }
    }

    #[test]
    fn a_sensor_shows_its_last_update() {
        let board =
            &Machine::parse("curve=square:100:400:200ms;power=100ms/25ms").unwrap().boards[0];
        let sensor = board.power.unwrap();
        // At 100 ms the low half has just ended, at 200 ms the high one.
        assert_eq!(board.milliwatts(sensor, 1_150 * MS), 100_000);
        assert_eq!(board.milliwatts(sensor, 1_250 * MS), 400_000);
        assert_eq!(board.millijoules(1_250 * MS), Some(300_000));
        assert_eq!(board.millijoules(1_299 * MS), Some(300_000));
    }
}

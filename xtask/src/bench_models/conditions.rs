//! What else may have decided a measurement: load, clock frequency and temperature of the machine.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// The state of the machine at a moment; what cannot be read is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Conditions {
    /// Processes that ran or waited, on average over the last minute.
    pub load: Option<f64>,
    /// Mean clock frequency of the processors, MHz.
    pub megahertz: Option<f64>,
    /// The highest temperature that a sensor shows, °C.
    pub celsius: Option<f64>,
}

impl Conditions {
    /// The present state.
    pub fn now() -> Self {
        Self::below(Path::new("/"))
    }

    fn below(root: &Path) -> Self {
        let read = |path: &str| fs::read_to_string(root.join(path)).ok();
        let cpuinfo = read("proc/cpuinfo").unwrap_or_default();
        let clocks: Vec<f64> = cpuinfo
            .lines()
            .filter(|line| line.starts_with("cpu MHz"))
            .filter_map(|line| line.split_once(':')?.1.trim().parse().ok())
            .collect();
        Self {
            load: read("proc/loadavg")
                .and_then(|text| text.split_whitespace().next()?.parse().ok()),
            megahertz: ergometer_stats::mean_and_deviation(&clocks).map(|(mean, _)| mean),
            celsius: temperatures(&root.join("sys/class/thermal")).reduce(f64::max),
        }
    }

    /// `load 1.98, 2.70 GHz, 61 °C`; empty where nothing could be read.
    pub fn words(&self) -> String {
        let parts = [
            self.load.map(|load| format!("load {load:.2}")),
            self.megahertz.map(|clock| format!("{:.2} GHz", clock / 1000.0)),
            self.celsius.map(|celsius| format!("{celsius:.0} °C")),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

/// Of every zone, °C.
fn temperatures(zones: &Path) -> impl Iterator<Item = f64> {
    let entries = fs::read_dir(zones).into_iter().flatten().flatten();
    let zones =
        entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("thermal_zone"));
    zones.filter_map(|zone| {
        let millidegrees: f64 =
            fs::read_to_string(zone.path().join("temp")).ok()?.trim().parse().ok()?;
        Some(millidegrees / 1000.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn load_clock_and_the_hottest_zone_are_read_and_what_is_not_there_is_absent() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        assert_eq!(Conditions::below(root.path()), Conditions::default());
        assert_eq!(Conditions::default().words(), "");
        write("proc/loadavg", "1.98 1.40 0.97 3/512 7001\n");
        write("proc/cpuinfo", "cpu MHz\t\t: 2600.000\nflags: x\ncpu MHz\t\t: 2800.000\n");
        write("sys/class/thermal/thermal_zone0/temp", "41000\n");
        write("sys/class/thermal/thermal_zone1/temp", "61200\n");
        write("sys/class/thermal/cooling_device0/temp", "99000\n");
        let conditions = Conditions::below(root.path());
        assert_eq!(conditions.words(), "load 1.98, 2.70 GHz, 61 °C");
    }
}

//! Who uses a board, as NVIDIA's driver accounts it to processes.
//!
//! `nvmlDeviceGetProcessUtilization` gives one sample for each process that the board worked for since a time stamp: the
//! percentage of time in which its multiprocessors did. The driver looks 1 to 6 times a second, so a sample is a mean
//! over few looks. Kernels that run at the same time count for each of their processes.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use nvml_wrapper::error::NvmlError;
use nvml_wrapper::struct_wrappers::device::ProcessUtilizationSample;
use nvml_wrapper::{Device, Nvml};

use super::account::{Account, Use};
use super::cost::{Asked, Cost};
use super::reader;
use crate::clock;

/// A board is asked about no sooner than after this many seconds.
const SOONEST: f64 = 0.5;

/// The account of an installed driver.
struct Users {
    nvml: Arc<Nvml>,
    uuid: String,
    /// The driver's time stamp of the newest sample so far, microseconds.
    seen: u64,
    cost: Cost,
}

/// Asks `library` for the accounts of boards by UUID, in their order. Asking may take this `share` of one core.
pub(super) fn open(
    library: Option<&Path>,
    boards: &[String],
    share: f64,
) -> Vec<Result<Box<dyn Account>, String>> {
    let mut builder = Nvml::builder();
    if let Some(path) = library {
        builder.lib_path(path.as_os_str());
    }
    let nvml = builder.init().map(Arc::new).map_err(|error| error.to_string());
    let open = |uuid: &String| {
        let nvml = Arc::clone(nvml.as_ref().map_err(String::clone)?);
        let cost = Cost::new(share, boards.len());
        let mut users = Users { nvml, uuid: uuid.clone(), seen: 0, cost };
        users.begin().map_err(|error| error.to_string())?;
        Ok(Box::new(users) as Box<dyn Account>)
    };
    boards.iter().map(open).collect()
}

impl Users {
    /// Sees whether the driver tells it at all, and passes over what was before.
    fn begin(&mut self) -> Result<(), NvmlError> {
        let nvml = Arc::clone(&self.nvml);
        let device = nvml.device_by_uuid(self.uuid.as_str())?;
        if device.mig_mode().is_ok_and(|mode| mode.current == 1) {
            return Err(NvmlError::NotSupported);
        }
        self.samples(&device).map(drop)
    }

    /// Samples that are newer than all before.
    fn samples(&mut self, device: &Device) -> Result<Vec<ProcessUtilizationSample>, NvmlError> {
        let mut samples = match device.process_utilization_stats(self.seen) {
            Ok(samples) => samples,
            // There are none.
            Err(NvmlError::NotFound) => Vec::new(),
            Err(error) => return Err(error),
        };
        // Some drivers fill the list up with what was in memory (github.com/Syllo/nvtop, issue 110).
        samples.retain(|sample| {
            sample.pid != 0 && sample.sm_util <= 100 && sample.timestamp > self.seen
        });
        let newest = samples.iter().map(|sample| sample.timestamp).max();
        self.seen = newest.unwrap_or(self.seen);
        Ok(samples)
    }

    fn look(&mut self) -> Result<Use, NvmlError> {
        let nvml = Arc::clone(&self.nvml);
        let device = nvml.device_by_uuid(self.uuid.as_str())?;
        let samples = self.samples(&device)?;
        let percent: Vec<(u32, u32)> = samples
            .iter()
            .filter(|sample| sample.sm_util > 0)
            .map(|sample| (sample.pid, sample.sm_util))
            .collect();
        if !percent.is_empty() {
            return Ok(Use::Percent(percent));
        }
        let idle = device.utilization_rates().is_ok_and(|rates| rates.gpu == 0);
        Ok(if idle { Use::Nobody } else { Use::Hidden })
    }
}

impl Account for Users {
    fn ask(&mut self) -> Result<Use, String> {
        let before = reader::seconds();
        let answer = self.look();
        let used = reader::seconds() - before;
        self.cost.take(Asked::Counter, used);
        reader::besides(clock::now().as_secs_f64(), used);
        answer.map_err(|error| error.to_string())
    }

    fn rest(&self) -> Duration {
        Duration::try_from_secs_f64(self.cost.counter_every(SOONEST)).unwrap_or_default()
    }
}

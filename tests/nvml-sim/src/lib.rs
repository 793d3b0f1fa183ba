//! A `libnvidia-ml.so.1` without a GPU: boards whose power is a closed form of time.
//!
//! Built as a `cdylib` it is loaded in place of the driver's library; as an `rlib` it gives tests
//! the exact energy of any interval from the same formula.
//!
//! # Settings
//! A text of `key=value` pairs, separated by `;` or line ends. It is looked for, on every call anew,
//! * in the file `<path of the library>.conf`, so that copies of the library in different folders
//!   are different machines and a test can change one while it is being read, then
//! * in the environment variable `ERGOMETER_SIM_NVML`, then
//! * nowhere: one board that draws a constant 250 W.
//!
//! | key | value | meaning |
//! |---|---|---|
//! | `boards` | `1` | number of boards |
//! | `curve` | `constant:250` | watts |
//! | | `square:100:400:730ms` | low and high watts, period; the first half of a period is low |
//! | | `sine:100:400:730ms` | least and greatest watts, period |
//! | `power` | `100ms/25ms` | instantaneous power (field 186): update period / averaging window, or `none` |
//! | `usage` | `100ms/1s` | `nvmlDeviceGetPowerUsage`: the same, or `none` |
//! | `counter` | `100ms` | update period of the energy counter, or `none` |
//! | `counter-field` | `no` | field 83 is not supported, the counter has its own call only |
//! | `gain` | `1.0` | what the sensors multiply true power by |
//! | `start` | `0ns` | `CLOCK_MONOTONIC` time at which the counter stood at 0 |
//! | `limit` | `400` | enforced power limit, watts |
//! | `mig` | `yes` | MIG mode is on |
//! | `lost` | `yes` | the board fell off the bus: every call for it fails |
//! | `name` | `Simulated GPU` | product name |
//! | `init` | `driver-not-loaded` | `nvmlInit` fails; also `no-permission`, `version-mismatch` |
//!
//! A key with a board's number before it is for that board only: `1.lost=yes`. A setting that does
//! not parse makes `nvmlInit` fail with `NVML_ERROR_INVALID_ARGUMENT`.
//!
//! # Time
//! Every curve is a function of `CLOCK_MONOTONIC`, which all of a process (and all processes)
//! share; [`monotonic_ns`] reads it.

mod board;
mod config;
mod curve;
mod disturb;
mod ffi;
mod settings;
mod state;

pub use config::{
    Architecture, BadSetting, Board, Brand, ErrorKind, Errors, Faults, InitFailure, Machine,
    Process, Product, Sensor,
};
pub use curve::{Curve, Levels};

/// `CLOCK_MONOTONIC`, nanoseconds.
#[must_use]
pub fn monotonic_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid place for a timespec, and this clock always exists on Linux.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}

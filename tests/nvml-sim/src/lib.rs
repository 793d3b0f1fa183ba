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
//! A file that has not changed is not read again: a call takes about 3 µs, most of it to see that. With
//! `reload=no` it is not looked at again.
//!
//! A key with a board's number before it is for that board only: `1.lost=yes`. A setting that does
//! not parse makes `nvmlInit` fail with `NVML_ERROR_INVALID_ARGUMENT`.
//!
//! The value shown first is the default, but for what is off by default: `init`, `generation`,
//! `utilisation`, `counter-gain` and all misbehaviour.
//!
//! ## The machine and its boards
//! | key | value | meaning |
//! |---|---|---|
//! | `boards` | `1` | number of boards |
//! | `init` | `driver-not-loaded` | `nvmlInit` fails; also `no-permission`, `version-mismatch` |
//! | `reload` | `yes` | settings are looked for on every call |
//! | `generation` | `h100` | presets; also `a100`, `v100`, `rtx`, `pascal`, `vgpu`: see below |
//! | `name` | `Simulated GPU` | product name |
//! | `architecture` | `unknown` | also `pascal`, `volta`, `turing`, `ampere`, `ada`, `hopper` |
//! | `brand` | `unknown` | also `nvidia`, `geforce`, `tesla`, `quadro` |
//! | `compute` | `0.0` | CUDA compute capability |
//! | `limit` | `400` | enforced power limit, watts |
//! | `persistence` | `yes` | persistence mode is on |
//! | `mig` | `no` | MIG mode is on; the counter and power are the whole board's |
//! | `mig-instances` | `2` | instances that it then has, up to 7 |
//! | `utilisation` | `PID:SM,PID:SM` | processes and their percent of the multiprocessors' time, or `none` of them; process utilisation is not supported while this is unset, or with MIG |
//!
//! ## Power
//! | key | value | meaning |
//! |---|---|---|
//! | `curve` | `constant:250` | true watts |
//! | | `square:100:400:730ms` | low and high watts, period; the first half of a period is low |
//! | | `square:100:400:730ms:0.2` | the last fifth of a period is high |
//! | | `sine:100:400:730ms` | least and greatest watts, period |
//! | | `ramp:100:400:730ms` | a sawtooth: in each period straight from the first watts to the second |
//! | | `noise:250:60:50ms:7` | levels about normally distributed: mean and standard deviation, watts, length of a level, seed; never below 0, the same again after 4096 levels |
//! | | `trace:/path/of.csv` | lines of `seconds,watts`, each of which holds until the next, over and over; read when the settings are |
//! | `power` | `100ms/25ms` | instantaneous power (field 186): update period / averaging window, or `none`; `100ms/25ms@37ms` updates 37 ms after each multiple of the period |
//! | `usage` | `100ms/1s` | `nvmlDeviceGetPowerUsage`: the same |
//! | `average` | `none` | averaged power (field 185): the same |
//! | `samples` | `none` | the driver's own samples of power (`nvmlDeviceGetSamples`), of the last 2.4 s: period / averaging window |
//! | `counter` | `100ms` | update period of the energy counter, or `none`; `100ms@61ms` has a phase |
//! | `counter-field` | `yes` | fields 83 and 191 are supported; with `no` the counter has its own call only |
//! | `gain` | `1.0` | what power and counter multiply the truth by |
//! | `counter-gain` | | the same for the counter, which then has nothing to do with `gain` |
//! | `start` | `0ns` | moment at which the counter stood at 0 |
//!
//! ## Misbehaviour
//! | key | value | meaning |
//! |---|---|---|
//! | `lost` | `no` | the board fell off the bus: every call for it fails |
//! | `lost-after` | `+5s` | every call for it fails from that moment on |
//! | `stuck-after` | `+5s` | the counter stands still from that moment on |
//! | `reset-at` | `+5s` | the counter begins at 0 at that moment, as when the driver is loaded anew |
//! | `disturb` | `16ms` | each read of the counter costs it up to so long a time's energy; 16 ms comes near an RTX 4090, which polled every 0.5 ms, 10 ms, 100 ms and 1 s read 95 %, 76 %, 13 % and 1.6 % low (here 98 %, 74 %, 16 % and 1.6 %) |
//! | `latency` | `0ms` | a read of the counter takes so long |
//! | `power-latency` | `0ms` | a read of a power takes so long |
//! | `spin` | `no` | what these take is spent on the processor, not asleep |
//! | `hang` | `+5s..+8s` | calls between these moments take until the second |
//! | `errors` | `every:7:timeout` | each 7th call for the board fails; also `unknown`, `no-permission` |
//! | `garbage` | `every:7` | each 7th reading of a power is 10⁹ mW or 2³² − 1 mW in turn, each 7th of the counter 2⁶⁰ mJ |
//!
//! Calls and readings are counted, and disturbed counters kept, for each board by each loaded copy
//! of the library: another process neither sees nor changes that.
//!
//! ## Generations
//! What they preset is less than any other setting, wherever it stands. Periods and windows are
//! those that Yang, Adamek and Armour (<https://arxiv.org/abs/2312.02741>) have measured.
//!
//! | `generation` | `power` | `usage` | `average` | `counter` | `limit` | name, architecture, brand |
//! |---|---|---|---|---|---|---|
//! | `h100` | `100ms/25ms` | `100ms/1s` | `100ms/1s` | `100ms` | 700 | `NVIDIA H100 80GB HBM3`, `hopper`, `nvidia` |
//! | `a100` | `100ms/25ms` | `100ms/25ms` | `none` | `100ms` | 400 | `NVIDIA A100-SXM4-80GB`, `ampere`, `nvidia` |
//! | `v100` | `20ms/10ms` | `20ms/10ms` | `none` | `20ms` | 300 | `Tesla V100-SXM2-32GB`, `volta`, `tesla` |
//! | `rtx` | `none` | `100ms/1s` | `100ms/1s` | `100ms` | 350 | `NVIDIA GeForce RTX 3090`, `ampere`, `geforce` |
//! | `pascal` | `20ms/10ms` | `20ms/10ms` | `none` | `none` | 300 | `Tesla P100-SXM2-16GB`, `pascal`, `tesla` |
//! | `vgpu` | `none` | `none` | `none` | `none` | | `GRID A100X-8C`, `ampere`, `nvidia`; tells what it is and nothing else |
//!
//! # Time
//! Every curve is a function of `CLOCK_MONOTONIC`, which all of a process (and all processes)
//! share; [`monotonic_ns`] reads it. A moment in a setting is a time of that clock, `123456789ns`
//! or `12s`, or with a plus a time after `nvmlInit` was first called: `+5s`.
//!
//! # Under any program
//! The library bears the name `libnvidia-ml.so.1`, and the loader finds a copy called so in a folder
//! of `LD_LIBRARY_PATH` before the driver's. With Python's `nvidia-ml-py`, from the workspace's root:
//!
//! ```text
//! cargo build --release -p nvml-sim
//! mkdir -p /tmp/simulated
//! cp target/release/libnvml_sim.so /tmp/simulated/libnvidia-ml.so.1
//! echo 'generation=h100;boards=2;curve=square:100:600:730ms' \
//!     > /tmp/simulated/libnvidia-ml.so.1.conf
//! LD_LIBRARY_PATH=/tmp/simulated python -c '
//! from pynvml import *
//! nvmlInit()
//! board = nvmlDeviceGetHandleByIndex(1)
//! print(nvmlDeviceGetName(board), nvmlDeviceGetTotalEnergyConsumption(board))'
//! ```
//!
//! `ergometer_sim_energy_mj(board, from_ns, to_ns)`, which the driver's library does not have, gives
//! the true energy of an interval to programs in any language.
//!
//! A process that has loaded a copy by its path gets that copy, and not the driver's library, when
//! it then asks for `libnvidia-ml.so.1` by name alone.

mod board;
mod config;
mod curve;
mod disturb;
mod ffi;
mod installed;
mod settings;
mod state;

pub use config::{
    Architecture, BadSetting, Board, Brand, ErrorKind, Errors, Faults, InitFailure, Machine,
    Process, Product, Sensor,
};
pub use curve::{Curve, Levels};
pub use installed::{AMPLE_SHARE, Installed};

/// Runs `child` in a forked copy of this process, and gives its exit code; `None` if it had none.
///
/// For tests that ask what a forked child does, and have no `unsafe` of their own. The process should
/// have no threads that hold locks.
pub fn forked(child: impl FnOnce() -> u8) -> Option<u8> {
    // SAFETY: what the child does until it exits is ordinary code; what other threads may hold locked is
    // the caller's care.
    let process = unsafe { libc::fork() };
    if process == 0 {
        let code = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child)).unwrap_or(101);
        // SAFETY: exits without what the parent has registered to be done at its own exit.
        unsafe { libc::_exit(i32::from(code)) };
    }
    let mut status = 0;
    // SAFETY: `status` is a valid place for one.
    let waited = unsafe { libc::waitpid(process, &raw mut status, 0) };
    (process > 0 && waited == process && libc::WIFEXITED(status))
        .then(|| u8::try_from(libc::WEXITSTATUS(status)).unwrap_or(u8::MAX))
}

/// `CLOCK_MONOTONIC`, nanoseconds.
#[must_use]
pub fn monotonic_ns() -> u64 {
    clock_ns(libc::CLOCK_MONOTONIC)
}

/// What the calling thread has used of a processor, nanoseconds.
fn thread_ns() -> u64 {
    clock_ns(libc::CLOCK_THREAD_CPUTIME_ID)
}

fn clock_ns(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid place for a timespec, and both clocks always exist on Linux.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}

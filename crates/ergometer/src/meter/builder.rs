//! Settings of a meter.

use std::path::PathBuf;
use std::time::Duration;

use super::environment::Environment;
#[cfg(feature = "_export")]
use crate::export;
use crate::footprint::Site;
use crate::journal::resume_from;
use crate::source::attribution::Scope;
use crate::source::cpu_model::Own;
use crate::source::external::External;
use crate::source::nvml::Devices;
use crate::source::probe::settings::Settings;
use crate::source::{DomainKind, PowerSource};
use crate::units::Watts;

/// Settings of a [`Meter`](crate::Meter); every one has a default.
///
/// By default the meter takes every source the machine offers.
///
/// # Environment
///
/// Whoever starts a program can set what the program itself leaves open:
///
/// | variable | sets | example |
/// |---|---|---|
/// | `ERGOMETER` | `off` meters nothing: spans cost one atomic load, the record is empty and has the reason | `off` |
/// | `ERGOMETER_LABEL` | [`label`](Self::label) | `my-run` |
/// | `ERGOMETER_REGION` | [`region`](Self::region), unless the program sets a [`site`](Self::site) | `DE` |
/// | `ERGOMETER_PUE` | [`pue`](Self::pue), unless the program sets a [`site`](Self::site) | `1.2` |
/// | `ERGOMETER_GRID` | [`grid`](Self::grid) | `grids.csv` |
/// | `ERGOMETER_CARBON_SERIES` | [`carbon_series`](Self::carbon_series), unless the program sets a [`site`](Self::site) or a region | `hours.csv` |
/// | `ERGOMETER_MARKET` | [`market`](Self::market), unless the program sets a [`site`](Self::site) | `residual` |
/// | `ERGOMETER_PRICE` | [`price`](Self::price), unless the program sets a [`site`](Self::site) | `0.31 EUR` |
/// | `ERGOMETER_WUE` | [`wue`](Self::wue), unless the program sets a [`site`](Self::site) | `1.8` |
/// | `ERGOMETER_JOURNAL` | [`journal`](Self::journal) | `journals` |
/// | `ERGOMETER_OUTPUT` | [`output`](Self::output) | `runs` |
/// | `ERGOMETER_PARENT` | where `ergometer run` looks for the spans of the programs that it meters; it sets this itself, and a journal without single steps is written there | |
/// | `ERGOMETER_CPU_POWER` | [`cpu_power`](Self::cpu_power) | `20,180` |
/// | `ERGOMETER_PROCESSORS` | [`processors`](Self::processors) | `processors.json` |
/// | `ERGOMETER_EXTERNAL`, `ERGOMETER_EXTERNAL_COMMAND` | [`external`](Self::external), unless the program names one, looks for no hardware or plays a trace | `/run/plug.csv`, `gpu=read-riser.sh` |
/// | `OTEL_EXPORTER_OTLP_ENDPOINT` | `otlp`, if the program is built with the feature `otlp` | `http://localhost:4318` |
/// | `OTEL_SERVICE_NAME` | the service's name there | `trainer` |
/// | `ERGOMETER_SYSFS_ROOT`, `_PROC_ROOT`, `_NVML_LIBRARY` | [`sysfs_root`](Self::sysfs_root), [`proc_root`](Self::proc_root), [`nvml_library`](Self::nvml_library) | `/host/sys` |
/// | `CUDA_VISIBLE_DEVICES` and those of AMD and Intel | [`devices`](Self::devices) | `0,1` |
/// | those of torchrun, MPI, PMI and Slurm | [`rank`](Self::rank), [`group`](Self::group) | see [`rank`](crate::record::rank) |
/// | `COLUMNS` | width of the tables, by default the terminal's, or 120 | `80` |
///
/// An invalid value is not used, and the record's warnings report it: the environment stops no training. An
/// empty one counts as not set. [`without_environment`](Self::without_environment) leaves those up to
/// `ERGOMETER_PARENT`, those of external meters and `OTEL_EXPORTER_OTLP_ENDPOINT` out.
///
/// ```
/// use ergometer::{Meter, source::DomainKind, units::Watts};
///
/// let meter = Meter::builder()
///     .label("my-run")
///     .region("DE")
///     .pue(1.2)
///     .without_probe() // leave this line and the next out to measure
///     .fixed(DomainKind::Node, Watts::new(50.0))
///     .start()?;
/// let record = meter.finish()?;
/// assert_eq!(record.run.label, "my-run");
/// assert_eq!(record.footprint.site.carbon.code, "DE");
/// assert_eq!(record.domains[0].domain.id, "fixed:node");
/// # Ok::<(), ergometer::Error>(())
/// ```
#[must_use = "settings do nothing until the meter is started"]
pub struct MeterBuilder {
    pub(super) environment: Environment,
    pub(super) label: Option<String>,
    pub(super) rank: Option<(u32, u32)>,
    pub(super) group: Option<String>,
    pub(super) site: Option<Site>,
    pub(super) region: Option<String>,
    pub(super) pue: Option<f64>,
    pub(super) place: Place,
    pub(super) accelerators: Option<u32>,
    pub(super) probe: bool,
    pub(super) scope: Scope,
    pub(super) idle: Duration,
    pub(super) settings: Settings,
    pub(super) replay: Option<PathBuf>,
    pub(super) journal: Option<PathBuf>,
    pub(super) journal_steps: u64,
    pub(super) output: Option<PathBuf>,
    pub(super) resume: Option<resume_from::From>,
    pub(super) command_line: bool,
    /// Warnings of the record that are known before it begins.
    pub(super) remarks: Vec<String>,
    #[cfg(all(unix, feature = "signals"))]
    pub(super) on_signal: bool,
    #[cfg(feature = "_export")]
    pub(crate) export: export::Settings,
    pub(super) sources: Vec<Box<dyn PowerSource>>,
}

/// What the program states about the place beside the region and the PUE.
#[derive(Default)]
pub(super) struct Place {
    pub grid: Option<PathBuf>,
    pub series: Option<PathBuf>,
    pub market: Option<String>,
    pub price: Option<String>,
    pub wue: Option<f64>,
}

impl MeterBuilder {
    pub(super) fn new() -> Self {
        Self {
            environment: Environment::Read,
            label: None,
            rank: None,
            group: None,
            site: None,
            region: None,
            pue: None,
            place: Place::default(),
            accelerators: None,
            probe: true,
            scope: Scope::default(),
            idle: Duration::ZERO,
            settings: Settings::default(),
            replay: None,
            journal: None,
            journal_steps: 1,
            output: None,
            resume: None,
            command_line: true,
            remarks: Vec::new(),
            #[cfg(all(unix, feature = "signals"))]
            on_signal: false,
            #[cfg(feature = "_export")]
            export: export::Settings::default(),
            sources: Vec::new(),
        }
    }

    /// The user's name for the run; `run` by default.
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// This process is number `rank` of the `world_size` processes of the run; by default what the
    /// launcher says in the environment, see [`rank`](crate::record::rank).
    pub fn rank(mut self, rank: u32, world_size: u32) -> Self {
        self.rank = Some((rank, world_size));
        self
    }

    /// What ties the ranks of the run together: the same for each, and another for every other run;
    /// by default the launcher's, see [`rank`](crate::record::rank).
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.group = Some(group.into());
        self
    }

    /// Where the run takes place; [`Site::current`] by default.
    pub fn site(mut self, site: Site) -> Self {
        self.site = Some(site);
        self
    }

    /// The grid the run draws from, by ISO country code (`DE`), eGRID (`US-eGRID`) or cloud region
    /// (`gcp:europe-west3`, `aws:us-east-1`, `azure:westeurope`), see [`Site::region`]. Without one the world average is used, and called an assumption.
    pub fn region(mut self, code: impl Into<String>) -> Self {
        self.region = Some(code.into());
        self
    }

    /// Power usage effectiveness of the data centre: facility energy over IT energy, at least 1.
    pub fn pue(mut self, pue: f64) -> Self {
        self.pue = Some(pue);
        self
    }

    /// A CSV file of places and carbon intensities of your own, which adds to those of this crate and comes before them,
    /// see [`Grids::from_csv`](crate::footprint::Grids::from_csv): newer figures need no new release.
    ///
    /// # Errors
    ///
    /// [`start`](Self::start) returns an error if the file set here cannot be read.
    pub fn grid(mut self, path: impl Into<PathBuf>) -> Self {
        self.place.grid = Some(path.into());
        self
    }

    /// A CSV file of carbon intensities over time, see [`CarbonSeries::read`](crate::footprint::CarbonSeries::read):
    /// each joule counts at the intensity of its moment.
    ///
    /// # Errors
    ///
    /// [`start`](Self::start) returns an error if the file set here cannot be read, or if the site has a series of its own.
    pub fn carbon_series(mut self, path: impl Into<PathBuf>) -> Self {
        self.place.series = Some(path.into());
        self
    }

    /// A market-based carbon intensity beside the location-based one: grams a kilowatt-hour of the contract (`0`, `12.5`),
    /// or `residual` for the residual mix of the region, see [`Site::with_market_text`].
    pub fn market(mut self, text: impl Into<String>) -> Self {
        self.place.market = Some(text.into());
        self
    }

    /// The price of a kilowatt-hour in any currency (`0.31 EUR`), or `households` or `industry` for what they pay in the
    /// region, see [`Site::with_price`]. Without it the price is that of industry in the region, if it is known.
    pub fn price(mut self, text: impl Into<String>) -> Self {
        self.place.price = Some(text.into());
        self
    }

    /// Water usage effectiveness of the data centre: litres for a kilowatt-hour of IT energy.
    pub fn wue(mut self, litres_per_kwh: f64) -> Self {
        self.place.wue = Some(litres_per_kwh);
        self
    }

    /// How many accelerators are rented, for the cloud cost; the metered GPUs by default.
    pub fn accelerators(mut self, count: u32) -> Self {
        self.accelerators = Some(count);
        self
    }

    /// Root of sysfs; `/sys` by default.
    pub fn sysfs_root(mut self, root: impl Into<PathBuf>) -> Self {
        self.settings.sysfs_root = root.into();
        self
    }

    /// Root of procfs; `/proc` by default.
    pub fn proc_root(mut self, root: impl Into<PathBuf>) -> Self {
        self.settings.proc_root = root.into();
        self
    }

    /// The NVML library to load; the driver's `libnvidia-ml.so.1` by default.
    pub fn nvml_library(mut self, path: impl Into<PathBuf>) -> Self {
        self.settings.nvml_library = Some(path.into());
        self
    }

    /// Which boards are metered, of any maker; by default those that the environment shows this program.
    ///
    /// An empty list meters no board, as fits a training on the processor; no rent is charged for those of the machine.
    pub fn devices(mut self, devices: Devices) -> Self {
        self.settings.devices = devices;
        self
    }

    /// How large a share of one core reading the NVIDIA boards may take, all together: 0.01 is 1 %. By default 0.2 %.
    ///
    /// Where a call to the driver takes long, boards are read less often for it, and energies of short spans are
    /// less certain; each is read every few seconds in any case. The record says how often and why. What the thread takes
    /// to wake and to read other sources counts too then (on Linux). At the start, learning
    /// when the boards are updated may use, once, what counters may take in 290 s: 0.29 s of a processor by default.
    pub fn overhead(mut self, share: f64) -> Self {
        self.settings.nvml_share = share;
        self
    }

    /// What this machine's processors draw in all when it is idle and when all of them are busy, watts: from a plug, a
    /// management controller, or a run where RAPL could be read. Where no sensor gives them, the model goes by
    /// these two: on five machines that were left out of its fit it was off by 13 % in the median, in place of 32 %. The variable
    /// `ERGOMETER_CPU_POWER`, as `20,180`, does the same; a value that is not valid is not used, and is reported as a
    /// warning in the record and as a remark on the source `cpu-model`.
    pub fn cpu_power(mut self, idle: f64, full: f64) -> Self {
        self.settings.cpu_power = Some(Own { idle: Watts::new(idle), full: Watts::new(full) });
        self
    }

    /// A file of processors whose power was measured on other machines, or on this one when RAPL could be read:
    /// `ergometer calibrate` writes it from records. Where no sensor gives the processors' power and
    /// [`cpu_power`](Self::cpu_power) is not set, the model goes by the processor of the same name, and a virtual machine
    /// by its share of it. The variable `ERGOMETER_PROCESSORS` does the same; a file that cannot be read is then a
    /// warning in the record.
    ///
    /// # Errors
    ///
    /// [`start`](Self::start) returns an error if the file set here cannot be read.
    pub fn processors(mut self, path: impl Into<PathBuf>) -> Self {
        self.settings.processors = Some(path.into());
        self
    }

    /// Whose energy is metered; by default the whole machine's.
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// Measures a baseline for `duration` before the run starts; by default none is measured. The record then
    /// has each domain's mean power in that time, and the energy of the run above it.
    ///
    /// [`start`](Self::start) and [`install`](Self::install) wait for it. The baseline includes what other programs
    /// do in that time, so it is not the least that the machine can draw. A second or more is needed for a figure
    /// that means something, because sensors are updated seldom.
    pub fn idle(mut self, duration: Duration) -> Self {
        self.idle = duration;
        self
    }

    /// A domain that draws a constant power, which you state. What is found inside a stated node, platform or
    /// module is not added to it. A stated component is not used where a sensor measures it: see
    /// [`source`](crate::source).
    pub fn fixed(mut self, kind: DomainKind, watts: Watts) -> Self {
        self.settings.fixed.push((kind, watts));
        self
    }

    /// `count` accelerators of this machine that show no power to the program, as TPUs or boards lent without the maker's
    /// driver. Their power is *assumed*: a mean that somebody measured and published, with its source in the domain's
    /// note. Known are `tpu-v2`, `tpu-v3`, `tpu-v4`, `p100`, `v100` and `a100`; state others with [`fixed`](Self::fixed).
    /// They are not used where a sensor measures a whole that contains them.
    ///
    /// # Errors
    ///
    /// [`start`](Self::start) returns an error for a name without a published measurement, or a number that is not 1 to 64.
    ///
    /// ```
    /// use ergometer::{Meter, energy::Method};
    ///
    /// let meter = Meter::builder().without_probe().assumed("tpu-v4", 4).start()?;
    /// let record = meter.finish()?;
    /// assert_eq!(record.domains.len(), 4);
    /// assert_eq!(record.domains[0].domain.method, Method::Assumed);
    /// # Ok::<(), ergometer::Error>(())
    /// ```
    pub fn assumed(mut self, name: impl Into<String>, count: u32) -> Self {
        self.settings.accelerators.push((name.into(), count));
        self
    }

    /// A meter of your own, such as a wall plug: a file, a FIFO or a command that writes `time,watts` lines. What it
    /// measures is in no other sum; sensors of the same and of its parts are read beside it, and the domain's note in
    /// the record says what they show of it, and which share none of them explains. Several may be named.
    ///
    /// The library runs a command only here, and where `ERGOMETER_EXTERNAL_COMMAND` names one. Starting waits at most 5 s
    /// for a first line; where none comes, the machine's own sensors are used and the source's report has the reason.
    /// See [`external`](crate::source::external).
    ///
    /// # Errors
    ///
    /// [`start`](Self::start) returns an error if its relative error is not a finite number of 0 or more.
    pub fn external(mut self, meter: External) -> Self {
        self.settings.external.push(meter);
        self
    }

    /// Meters the platform (`psys`) alone, instead of the packages and the memory in it. The maker of the machine
    /// decides what else it includes, such as the whole board or the screen. On a machine without a platform
    /// sensor the packages and the memory are metered, and the source's report states it.
    pub fn platform(mut self) -> Self {
        self.settings.platform = true;
        self
    }

    /// Plays the trace at `path` instead of looking for hardware; see [`crate::source::replay`]. The
    /// last call counts.
    pub fn replay(mut self, path: impl Into<PathBuf>) -> Self {
        self.replay = Some(path.into());
        self
    }

    /// Looks for no hardware: only fixed wattages and given sources are used.
    pub fn without_probe(mut self) -> Self {
        self.probe = false;
        self
    }

    /// A power source of the caller's own, beside those that are found.
    pub fn source(mut self, source: Box<dyn PowerSource>) -> Self {
        self.sources.push(source);
        self
    }

    /// Keeps a journal of the run in `folder`, which is created if needed. However the program ends, the journal
    /// has all but the last second of the run. [`Record::recover`](crate::Record::recover) reads it,
    /// [`Meter::journal`](crate::Meter::journal) returns its path, and [`journal`](crate::journal) describes its format.
    pub fn journal(mut self, folder: impl Into<PathBuf>) -> Self {
        self.journal = Some(folder.into());
        self
    }

    /// Continues an interrupted run: `path` is its [journal](Self::journal), or its record (`.json`). The new record
    /// has the earlier parts in [`Record::earlier`](crate::Record), and [`Record::whole`](crate::Record::whole) is the
    /// sum. A run may be interrupted and resumed several times.
    ///
    /// With Burn, use it together with `SupervisedTraining::checkpoint`, which restores the model.
    ///
    /// Starting fails if there is no such journal or record ([`ErrorKind::Io`](crate::ErrorKind::Io),
    /// [`ErrorKind::Format`](crate::ErrorKind::Format)), because a total without its first part would be wrong. It also
    /// fails if it belongs to another run ([`ErrorKind::Mismatch`](crate::ErrorKind::Mismatch)): one with another
    /// [rank](Self::rank) or [label](Self::label), or with another [group](Self::group) where both have one.
    pub fn resume(mut self, path: impl Into<PathBuf>) -> Self {
        self.resume = Some(resume_from::From::File(path.into()));
        self
    }

    /// Continues the run of the newest journal in `folder` with this rank, label and group, and starts a new run where
    /// there is none. So a job that is preempted and requeued can always use the same command line.
    ///
    /// ```no_run
    /// # use ergometer::Meter;
    /// let meter =
    ///     Meter::builder().label("my-run").journal("journals").resume_latest("journals").install()?;
    /// # Ok::<(), ergometer::Error>(())
    /// ```
    ///
    /// Two runs that keep their journals in one folder are distinguished by their label and group: give each a
    /// label of its own, or a folder. A launcher's job is a group; a chain of jobs that is one run has to
    /// name its [group](Self::group). A run that was finished is gone on with as well, as a program that is
    /// about to be preempted may finish it.
    pub fn resume_latest(mut self, folder: impl Into<PathBuf>) -> Self {
        self.resume = Some(resume_from::From::Latest(folder.into()));
        self
    }

    /// Keeps the record of the run in `folder`, which is made if it is not there, as `<run id>.json`. It is written
    /// when the run ends: by [`Meter::finish`](crate::Meter::finish), by [`Meter::run`](crate::Meter::run) whether
    /// the training succeeds, fails or panics, when the meter is dropped, and by a signal with `finish_on_signal`.
    /// `ergometer ledger` adds such a folder up.
    ///
    /// Starting fails where no record can be written there ([`ErrorKind::Io`](crate::ErrorKind::Io)). If that becomes
    /// impossible later, the record that is returned says so.
    pub fn output(mut self, folder: impl Into<PathBuf>) -> Self {
        self.output = Some(folder.into());
        self
    }

    /// Does not look at the environment for settings that the program leaves open.
    pub fn without_environment(mut self) -> Self {
        self.environment = Environment::Ignored;
        self.settings.external_variables.clear();
        self
    }

    /// Of the single steps every `every`-th has a row in the journal: all by default, none for 0.
    /// Epochs, sums and statistics are of all steps in any case.
    pub fn journal_steps(mut self, every: u64) -> Self {
        self.journal_steps = every;
        self
    }

    /// Keeps the program's command line out of the record and the journal, but for the program's name. By
    /// default they have it, with `***` for what is recognised as a secret: the values of `--token`,
    /// `--password`, `--api-key`, `HF_TOKEN=` and the like, and passwords in URLs.
    pub fn without_command_line(mut self) -> Self {
        self.command_line = false;
        self
    }

    /// On SIGINT and SIGTERM finishes the run, so that its [journal](Self::journal) or [folder](Self::output) has the
    /// whole record, prints what it cost as one line, and then lets the signal end the program as it would have.
    ///
    /// Needs the feature `signals`. A program that catches these signals itself decides what they do, and calls
    /// [`Meter::finish`](crate::Meter::finish) when it ends; a signal that was ignored when the first meter asked for it stays ignored.
    /// A handler that is registered after the meter through `signal-hook` or `tokio` is given the first signal, and
    /// a second one, a second later, ends the program: such handlers cannot be distinguished from those of other signals.
    /// All meters of a process share one thread that listens. A meter that was finished or dropped leaves the
    /// signals to their default. The record is marked as not finished, and a warning names the signal. A forked
    /// child that continues without `exec` does not end at these signals before it starts a meter with this
    /// setting or handles them itself.
    #[cfg(all(unix, feature = "signals"))]
    pub fn finish_on_signal(mut self) -> Self {
        self.on_signal = true;
        self
    }
}

impl std::fmt::Debug for MeterBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MeterBuilder").field("label", &self.label).finish_non_exhaustive()
    }
}

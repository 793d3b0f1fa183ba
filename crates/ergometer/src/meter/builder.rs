//! Settings of a meter.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;
use std::{env, thread};

use super::sampler::Sampler;
use super::timeline::Timeline;
use super::{Inner, Keeper, Live, LiveDomain, Meter, Screen};
use crate::clock::Timestamp;
#[cfg(feature = "_export")]
use crate::export;
use crate::footprint::Site;
use crate::run::assemble::{self, Books, Head, Notes};
use crate::run::command_line;
use crate::run::earlier::{Earlier, Part};
use crate::run::journal::Journal;
use crate::run::ledger::Ledger;
use crate::run::provenance;
use crate::run::rank::{self, Rank, Standing};
use crate::run::resume;
use crate::source::cpu_model::Own;
use crate::source::nvml;
use crate::source::probe::{self, Settings};
use crate::source::replay::{Replay, Speed};
use crate::source::share::{self, Scope};
use crate::source::{Availability, Domain, DomainKind, PowerSource, Sensor, SourceReport};
use crate::span::RunSpan;
use crate::span::ring::{Command, Rings};
use crate::units::Watts;
use crate::{Devices, Error, ErrorKind, Result, clock};

/// The sources that are read, and what was found of each that was looked for.
type Gathered = (Vec<Box<dyn PowerSource>>, Vec<SourceReport>);

/// Settings of a [`Meter`]; every one has a default.
///
/// Unless told otherwise the meter takes every source the machine offers, and the environment
/// variables `ERGOMETER_SYSFS_ROOT`, `ERGOMETER_PROC_ROOT` and `ERGOMETER_NVML_LIBRARY` move the
/// places it looks in.
#[must_use = "settings do nothing until the meter is started"]
pub struct MeterBuilder {
    label: String,
    rank: Option<(u32, u32)>,
    group: Option<String>,
    site: Site,
    region: Option<String>,
    pue: Option<f64>,
    accelerators: Option<u32>,
    probe: bool,
    scope: Scope,
    idle: Duration,
    settings: Settings,
    replay: Option<PathBuf>,
    journal: Option<PathBuf>,
    journal_steps: u64,
    resume: Option<resume::From>,
    command_line: bool,
    /// Warnings of the record that are known before it begins.
    remarks: Vec<String>,
    #[cfg(all(unix, feature = "signals"))]
    on_signal: bool,
    #[cfg(feature = "_export")]
    pub(crate) export: export::Settings,
    sources: Vec<Box<dyn PowerSource>>,
}

impl MeterBuilder {
    pub(super) fn new() -> Self {
        Self {
            label: String::from("run"),
            rank: None,
            group: None,
            site: Site::current(),
            region: None,
            pue: None,
            accelerators: None,
            probe: true,
            scope: Scope::default(),
            idle: Duration::ZERO,
            settings: Settings::default(),
            replay: None,
            journal: None,
            journal_steps: 1,
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
        self.label = label.into();
        self
    }

    /// This process is number `rank` of the `world_size` processes of the run; by default what the
    /// launcher says in the environment, see [`rank`](crate::run::rank).
    pub fn rank(mut self, rank: u32, world_size: u32) -> Self {
        self.rank = Some((rank, world_size));
        self
    }

    /// What ties the ranks of the run together: the same for each, and another for every other run;
    /// by default what the launcher gives, see [`rank`](crate::run::rank).
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.group = Some(group.into());
        self
    }

    /// Where the run takes place; [`Site::current`] by default.
    pub fn site(mut self, site: Site) -> Self {
        self.site = site;
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
    /// less certain; each is read every few seconds in any case. The record says how often and why.
    pub fn overhead(mut self, share: f64) -> Self {
        self.settings.nvml_share = share;
        self
    }

    /// What this machine's processors draw in all when it is idle and when all of them are busy, watts: from a plug, a
    /// management controller, or a run where RAPL could be read. Where no sensor gives them, the model goes by
    /// these two: on three machines it was off by 7 to 15 % in the median, in place of 25 to 50 %. The variable `ERGOMETER_CPU_POWER`, as
    /// `20,180`, does the same.
    pub fn cpu_power(mut self, idle: f64, full: f64) -> Self {
        self.settings.cpu_power = Some(Own { idle: Watts::new(idle), full: Watts::new(full) });
        self
    }

    /// Whose energy is metered; by default the whole machine's.
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// Measures for so long what the machine draws before the run, and only then starts it; not at
    /// all by default. The record then shows each domain's mean power in that time, and the energy of
    /// the run above it.
    ///
    /// [`start`](Self::start) and [`install`](Self::install) wait for it. What else the machine does in
    /// that time is in the baseline: it is what there was before the run, not the least it can draw.
    /// A sensor has to show it, so that a second or more says much and less says little.
    pub fn idle(mut self, duration: Duration) -> Self {
        self.idle = duration;
        self
    }

    /// A domain that draws a constant power which the user states. What is found inside a stated
    /// node, platform or module is not added to it; a stated component steps back where a sensor
    /// gives it: see [`probe`](crate::source::probe::probe).
    pub fn fixed(mut self, kind: DomainKind, watts: Watts) -> Self {
        self.settings.fixed.push((kind, watts));
        self
    }

    /// Meters the platform (`psys`) alone, instead of the packages and the memory in it. What else
    /// lies in it (the whole board, the screen) is the machine's maker's choice. Where there is
    /// none, the packages and the memory are metered, and the source's report says so.
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

    /// Keeps a journal of the run in `folder`, which is made if it is not there: a file that holds all
    /// but the last second of the run however the program ends. [`Record::recover`](crate::Record::recover)
    /// reads it; [`Meter::journal`] is its path, and [`run::journal`](crate::run::journal) what is in it.
    pub fn journal(mut self, folder: impl Into<PathBuf>) -> Self {
        self.journal = Some(folder.into());
        self
    }

    /// Goes on with a run that was interrupted: `path` is its [journal](Self::journal), or its record
    /// (`.json`). What the run cost up to then stands in [`Record::earlier`](crate::Record), and
    /// [`Record::whole`](crate::Record::whole) is the sum; an interrupted run that is resumed may be
    /// interrupted again.
    ///
    /// With Burn it goes with `SupervisedTraining::checkpoint`: that brings the model back, this what it
    /// cost.
    ///
    /// Starting fails where there is no such journal or record ([`ErrorKind::Io`], [`ErrorKind::Format`]):
    /// a total without its first part would be wrong. It fails as well where it is that of another run
    /// ([`ErrorKind::Mismatch`]): of another [rank](Self::rank) or [label](Self::label), or of another
    /// [group](Self::group) where both have one.
    pub fn resume(mut self, path: impl Into<PathBuf>) -> Self {
        self.resume = Some(resume::From::File(path.into()));
        self
    }

    /// Goes on with the newest journal in `folder` of this rank, label and group, and begins anew where there
    /// is none: a job that is preempted and requeued starts with the same command line every time.
    ///
    /// ```no_run
    /// # use ergometer::Meter;
    /// let meter =
    ///     Meter::builder().label("my-run").journal("journals").resume_latest("journals").install()?;
    /// # Ok::<(), ergometer::Error>(())
    /// ```
    ///
    /// Two runs that keep their journals in one folder are told apart by their label and group: give each a
    /// label of its own, or a folder. A launcher's job is a group; a chain of jobs that is one run has to
    /// name its [group](Self::group). A run that was finished is gone on with as well, as a program that is
    /// about to be preempted may finish it.
    pub fn resume_latest(mut self, folder: impl Into<PathBuf>) -> Self {
        self.resume = Some(resume::From::Latest(folder.into()));
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

    /// On SIGINT and SIGTERM finishes the run, so that its [journal](Self::journal) has the whole record,
    /// and then lets the signal end the program as it would have.
    ///
    /// Needs the feature `signals`. For programs that do not catch these signals themselves: those call
    /// [`Meter::finish`] when they do. A meter that was finished or dropped leaves the signals to their
    /// default. The record is marked as not finished, and a warning names the signal.
    #[cfg(all(unix, feature = "signals"))]
    pub fn finish_on_signal(mut self) -> Self {
        self.on_signal = true;
        self
    }

    /// Starts the meter and makes it the one of this process: of `#[track_energy]` and
    /// [`span`](crate::span()).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::AlreadyInstalled`] if there is one; otherwise as [`MeterBuilder::start`].
    pub fn install(mut self) -> Result<Meter> {
        self.remarks.extend(RunSpan::missed());
        let meter = self.start()?;
        if meter.inner.rings.install() {
            return Ok(meter);
        }
        Err(Error::new(ErrorKind::AlreadyInstalled, "a meter is already installed in this process")
            .with_remedy("finish that one first, or use `start` for one of its own"))
    }

    /// Settings that make no sense whatever the hardware.
    fn check(&self) -> Result<()> {
        #[cfg(all(unix, feature = "signals"))]
        if self.on_signal && self.journal.is_none() {
            let message = "a run that a signal ends has nowhere to leave its record";
            return Err(Error::new(ErrorKind::InvalidSetting, message)
                .with_remedy("name a folder with `MeterBuilder::journal`"));
        }
        if let Some(own) = self.settings.cpu_power.filter(|own| !own.can_be()) {
            let message =
                format!("processors that draw {} idle and {} when busy", own.idle, own.full);
            return Err(Error::new(ErrorKind::InvalidSetting, message)
                .with_remedy("give two powers, of which the second is the larger"));
        }
        let share = self.settings.nvml_share;
        if !share.is_finite() || share <= 0.0 {
            let message = format!("a share of {share} of a core to read boards");
            return Err(Error::new(ErrorKind::InvalidSetting, message)
                .with_remedy("give a share above 0, as 0.002 for 0.2 %"));
        }
        for (kind, watts) in &self.settings.fixed {
            if !watts.get().is_finite() || watts.get() < 0.0 {
                let message = format!("fixed power of {} is {watts}", kind.as_str());
                return Err(Error::new(ErrorKind::InvalidSetting, message)
                    .with_remedy("give a finite wattage that is not negative"));
            }
        }
        Ok(())
    }

    /// Which process of a run of several this one is, and what is to be said of that.
    fn standing(&mut self) -> Result<Standing> {
        let mut standing = rank::standing(|name| env::var(name).ok());
        if let Some((rank, world_size)) = self.rank {
            standing.rank = Some(Rank::set(rank, world_size)?);
            standing.remarks.clear();
        }
        standing.group = self.group.take().or(standing.group);
        standing.remarks.append(&mut self.remarks);
        Ok(standing)
    }

    /// The sources that are read, and what each found.
    fn gather(&mut self) -> Result<Gathered> {
        let replay =
            self.replay.take().map(|path| Replay::from_path(path, Speed::RealTime)).transpose()?;
        let (mut sources, mut reports) = if self.probe && replay.is_none() {
            probe::probe(&self.settings)
        } else {
            probe::fixed_only(&self.settings)
        };
        if let Devices::List(asked) = probe::left_to_nvml(&self.settings)
            && !asked.is_empty()
            && let Some(SourceReport {
                availability: Availability::Unavailable { reason, remedy },
                ..
            }) = reports.iter().find(|report| report.source == nvml::NAME)
        {
            return Err(Error::new(ErrorKind::UnknownDevice, reason.clone()).with_remedy(remedy));
        }
        if self.scope == Scope::Process {
            sources = share::share_out(sources, &mut reports, &self.settings.proc_root);
        }
        let replay = replay.map(|replay| Box::new(replay) as Box<dyn PowerSource>);
        for source in replay.into_iter().chain(std::mem::take(&mut self.sources)) {
            let domains = source.domains();
            reports.push(SourceReport {
                source: domains.first().map_or_else(|| "own".to_owned(), |d| d.source.clone()),
                availability: Availability::Available,
                domains: domains.iter().map(|domain| domain.id.clone()).collect(),
                remarks: Vec::new(),
            });
            sources.push(source);
        }
        Ok((sources, reports))
    }

    /// The parts of the run before this one.
    fn earlier(&self, standing: &mut rank::Standing) -> Result<Vec<Part>> {
        let Some(from) = &self.resume else { return Ok(Vec::new()) };
        let (rank, group) = (standing.rank.as_ref(), standing.group.as_deref());
        let run = resume::Identity { label: &self.label, rank, group };
        let (parts, remarks) = resume::parts(from, &run)?;
        standing.remarks.extend(remarks);
        Ok(parts)
    }

    /// Starts the meter without making it the one of this process.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownRegion`] or [`ErrorKind::InvalidSetting`] for a setting that makes no
    /// sense, as is waiting for signals without a journal to hold the record; [`ErrorKind::Io`] or
    /// [`ErrorKind::Format`] for a trace that cannot be read or is none; [`ErrorKind::Network`] where live
    /// figures cannot be shown at the address that was asked for;
    /// [`ErrorKind::Sampler`] if no thread can be started; [`ErrorKind::Io`] for a journal that cannot be
    /// begun, as whoever asks for one can still choose another place. Hardware that cannot be read is
    /// no error: see [`Meter::sources`].
    pub fn start(mut self) -> Result<Meter> {
        self.check()?;
        #[cfg(feature = "_export")]
        let export = std::mem::take(&mut self.export).open()?;
        let site = place(self.site.clone(), self.region.as_deref(), self.pue)?;
        let mut standing = self.standing()?;

        let earlier = self.earlier(&mut standing)?;
        let (sources, reports) = self.gather()?;
        check_sensors(&sources)?;
        let (commands, inbox) = mpsc::channel();
        let rings = Rings::new(commands.clone());
        let domains: Vec<_> = sources.iter().flat_map(|source| source.domains().to_vec()).collect();
        let shown = domains.iter().map(LiveDomain::new).collect();
        let before = Earlier::of(&earlier);
        let live = Live { domains: shown, earlier: before, ..Live::default() };
        let screen = Arc::new(Screen::new(live));
        let machine_id = provenance::machine_id(&self.settings.proc_root, Path::new("/etc"));
        let Settings { proc_root, sysfs_root, .. } = &self.settings;
        let machine = provenance::machine(machine_id, proc_root, sysfs_root);
        let git_commit = provenance::git_commit();
        Sampler::spawn(sources, Arc::clone(&rings), inbox, Arc::clone(&screen)).map_err(
            |error| {
                Error::new(ErrorKind::Sampler, "the meter's threads could not be started")
                    .with_source(error)
            },
        )?;
        let idle_from = (!self.idle.is_zero()).then(clock::checked_now);
        if idle_from.is_some() {
            thread::sleep(self.idle);
            // As at the edges of an epoch: what lies nearest to it is worth most.
            let _ = commands.send(Command::Nudge);
        }
        let head = Arc::new(Head {
            label: self.label,
            standing,
            machine,
            command: command_line::of_this_process(self.command_line),
            git_commit,
            start: clock::check(),
            started: clock::date(),
            wall_was_set: clock::wall_was_set(),
            asleep: clock::asleep(),
            idle_from,
            site,
            accelerators: self.accelerators,
            sources: reports,
            earlier,
        });
        if let Some(idle_from) = head.idle_from {
            let _ = commands.send(Command::Pin(idle_from));
        }
        for change in intensity_changes(&head) {
            let _ = commands.send(Command::Pin(change));
        }
        let _ = commands.send(Command::Start(Arc::clone(&head)));
        let notes = Arc::default();
        let journal = self.journal.map(|folder| {
            let journal = begin_journal(&folder, &head, &domains)?;
            let path = journal.path().to_owned();
            let keeper =
                Keeper::new(journal, Arc::clone(&head), Arc::clone(&notes), self.journal_steps);
            let _ = commands.send(Command::Keep(Box::new(keeper)));
            Ok(path)
        });
        let journal = match journal.transpose() {
            Ok(journal) => journal,
            Err(error) => {
                let _ = commands.send(Command::Stop);
                return Err(error);
            }
        };
        #[cfg(feature = "_export")]
        let exporters = {
            let subject =
                export::Subject::new(Arc::clone(&screen), Arc::clone(&head), domains.clone());
            export.start(subject).map_err(|error| {
                let _ = commands.send(Command::Stop);
                Error::new(ErrorKind::Sampler, "the threads for live figures could not be started")
                    .with_source(error)
            })?
        };
        let meter = Meter {
            inner: Arc::new(Inner {
                rings,
                commands,
                screen,
                finished: false.into(),
                process: std::process::id(),
                head,
                domains,
                notes,
                journal,
                #[cfg(feature = "_export")]
                exporters,
            }),
        };
        #[cfg(all(unix, feature = "signals"))]
        if self.on_signal {
            super::signals::watch(&meter.inner)?;
        }
        Ok(meter)
    }
}

/// Errors of sensors are figures of the record, and of every uncertainty in it.
fn check_sensors(sources: &[Box<dyn PowerSource>]) -> Result<()> {
    for source in sources {
        for domain in source.domains() {
            let Sensor { relative_error, absolute_error, .. } = domain.sensor;
            let errors = [relative_error, absolute_error.get()];
            let wrong = errors.into_iter().find(|error| !error.is_finite() || *error < 0.0);
            if let Some(error) = wrong {
                let message = format!("the sensor of {} has an error of {error}", domain.id);
                return Err(Error::new(ErrorKind::InvalidSetting, message)
                    .with_remedy("give a standard uncertainty that is finite and not negative"));
            }
        }
    }
    Ok(())
}

/// When the site's carbon intensity changes, as far as that lies in the future: what was drawn up to then will be
/// asked for.
fn intensity_changes(head: &Head) -> impl Iterator<Item = Timestamp> {
    let series = head.site.carbon_series.iter();
    let changes = series.flat_map(|series| series.changes(head.started));
    changes.map(|after| head.start.after(Duration::from_secs_f64(after)))
}

fn place(mut site: Site, region: Option<&str>, pue: Option<f64>) -> Result<Site> {
    if let Some(region) = region {
        if site.carbon_series.is_some() {
            let message =
                format!("a region, '{region}', and a site with a carbon series of its own");
            return Err(Error::new(ErrorKind::InvalidSetting, message)
                .with_remedy("leave the region out, or the series"));
        }
        site = site.region(region)?;
    }
    if let Some(pue) = pue {
        site = site.with_pue(pue)?;
    }
    // Its fields are the caller's to set.
    site.check()?;
    Ok(site)
}

/// The journal, with a first line that says what the record of no time at all does.
fn begin_journal(folder: &Path, head: &Head, domains: &[Domain]) -> Result<Journal> {
    let unread = |domain: &Domain| Timeline::new(domain.sensor, domain.method, head.start);
    let timelines: Vec<_> = domains.iter().map(unread).collect();
    let books = Books {
        timelines: &timelines,
        ledger: Ledger::new(domains.len()),
        domains,
        warnings: Vec::new(),
        forecasts: Vec::new(),
    };
    let mut record = assemble::record(head, Notes::default(), head.start, books);
    record.run.finished = false;
    record.warnings.clear();
    // What is recovered takes from it what held up to then.
    record.footprint.site = head.site.clone();
    Journal::create(folder, &record, head.start)
}

impl std::fmt::Debug for MeterBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MeterBuilder").field("label", &self.label).finish_non_exhaustive()
    }
}

//! From settings to a running meter.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use std::{env, thread};

use super::command::Command;
use super::{Inner, Meter, MeterBuilder, Stage};
use crate::bounded::{self, Failure};
use crate::clock::{self, Timestamp};
use crate::error::{Error, ErrorKind, Result};
#[cfg(feature = "_export")]
use crate::export;
use crate::footprint::Site;
use crate::journal::resume_from;
use crate::journal::{Draft, Journal};
use crate::ledger::Ledger;
use crate::ledger::assemble::{self, Snapshot};
use crate::ledger::live::{Live, LiveDomain, LiveView};
use crate::ledger::run_header::{Notes, RunHeader};
use crate::meter::aggregator::{Aggregator, Desk};
use crate::meter::journaling::JournalWriter;
use crate::meter::sampler::Guarded;
use crate::meter::{command_line, provenance};
use crate::progress::Progress;
use crate::record::rank::{self, Rank};
use crate::record::resume::Earlier;
use crate::record::{Machine, Part};
use crate::report::Output;
use crate::source::attribution::{self, Scope};
use crate::source::fixed::{self, Fixed};
use crate::source::nvml::{self, Devices};
use crate::source::probe::{self, Settings};
use crate::source::replay::{Replay, Speed};
use crate::source::stat::Utilisation;
use crate::source::{Availability, Domain, PowerSource, Sensor, SourceReport};
use crate::span::ring::Rings;
use crate::span::unmetered::RunSpan;
use crate::span::word::Word;
use crate::timeline::Timeline;

/// How long a file of the kernel or a file system is waited for.
const FILE_LIMIT: Duration = Duration::from_secs(5);
/// The same for the processors' time, which a run can do without.
pub(super) const STAT_LIMIT: Duration = Duration::from_secs(1);

impl MeterBuilder {
    /// Starts the meter and makes it the one of this process: of `#[track_energy]` and
    /// [`span`](crate::span()).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::AlreadyInstalled`] if there is one, or another thread is about to install one, before
    /// anything is begun; otherwise as [`MeterBuilder::start`]. A child that was forked from a process with a
    /// meter has none, and may install its own.
    pub fn install(self) -> Result<Meter> {
        self.begin(true)
    }

    /// Starts the meter without making it the one of this process.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownRegion`] or [`ErrorKind::InvalidSetting`] for a setting that makes no
    /// sense, as is waiting for signals without a journal to hold the record; [`ErrorKind::Io`] or
    /// [`ErrorKind::Format`] for a trace that cannot be read or is none; [`ErrorKind::Network`] where live
    /// figures cannot be shown at the address that was asked for;
    /// [`ErrorKind::Sampler`] if no thread can be started, as in WebAssembly; [`ErrorKind::Io`] for a journal that cannot be
    /// begun, as whoever asks for one can still choose another place. Hardware that cannot be read is
    /// no error: see [`Meter::sources`]. An error leaves nothing behind: no thread, no open file, no journal.
    pub fn start(self) -> Result<Meter> {
        self.begin(false)
    }

    fn begin(mut self, install: bool) -> Result<Meter> {
        self.check()?;
        let off = self.is_off();
        let install = install && !off;
        if install {
            self.remarks.extend(RunSpan::missed());
        }
        // Dropped on any error from here on: it frees the place and stops the threads.
        let (launch, inbox) = Launch::new(install)?;
        #[cfg(feature = "otlp")]
        self.find_collector();
        #[cfg(feature = "_export")]
        let export = std::mem::take(&mut self.export).open()?;
        let (run, mut places) = self.resolve()?;
        let (sources, reports) = self.gather()?;
        check_sensors(&sources)?;
        let domains: Vec<_> = sources.iter().flat_map(|source| source.domains().to_vec()).collect();
        let screen = Arc::new(LiveView::new(Live {
            domains: domains.iter().map(LiveDomain::new).collect(),
            earlier: Earlier::of(&run.earlier),
            ..Live::default()
        }));
        let here = provenance(&self.settings);
        let (notes, progress) = launch.sample(sources, inbox, &screen)?;
        let idle_from = launch.measure_idle(self.idle);
        let utilisation = utilisation(&self.settings);
        let head = Arc::new(run.begin(here, reports, idle_from, utilisation));
        #[cfg(feature = "_export")]
        let exporters = {
            let subject =
                export::Subject::new(Arc::clone(&screen), Arc::clone(&head), domains.clone());
            export
                .start(subject)
                .map_err(|error| no_thread("the threads for live figures", error))?
        };
        let (journal, path, every) = places.begin(&head, &domains, self.journal_steps)?;
        // Nothing fails from here on.
        launch.announce(&head, journal, &notes, every);
        if install {
            launch.rings.install();
        }
        if off {
            launch.rings.shut();
        }
        let (rings, commands) = launch.done();
        let inner = Arc::new(Inner {
            rings,
            commands,
            screen,
            progress,
            stage: Mutex::new(Stage::Running),
            process: std::process::id(),
            head,
            domains,
            notes,
            journal: path,
            output: places.output.map(Arc::new),
            off,
            #[cfg(feature = "_export")]
            exporters: Arc::new(exporters),
        });
        #[cfg(all(unix, feature = "signals"))]
        if self.on_signal {
            super::signals::want(&inner);
        }
        Ok(Meter { inner })
    }

    /// What the settings come to, before the hardware is looked at.
    fn resolve(&mut self) -> Result<(Resolved, Places)> {
        let label = self.label_or_default();
        let site = self.place()?;
        let (journal, output) = (self.journal_draft()?, self.record_folder()?);
        let parent = self.parent_folder();
        let journal_for_parent = match (&journal, &parent) {
            (None, Some(folder)) => self.journal_for_parent(folder),
            _ => None,
        };
        #[cfg(all(unix, feature = "signals"))]
        if self.on_signal {
            check_signals(journal.is_some() || output.is_some())?;
            super::signals::listen()?;
        }
        let mut placement = self.placement()?;
        let earlier = self.earlier(&label, &mut placement)?;
        let command = command_line::of_this_process(self.command_line);
        let accelerators = self.accelerators;
        let run = Resolved { label, site, accelerators, placement, command, earlier };
        Ok((run, Places { journal, output, parent, journal_for_parent }))
    }

    /// Whether the machine's own sources are looked for.
    fn probes(&self) -> bool {
        self.probe && self.replay.is_none()
    }

    /// Settings that make no sense whatever the hardware.
    ///
    /// An invalid variable is only a remark, as those of launchers are: the environment stops no training.
    fn check(&mut self) -> Result<()> {
        check_platform(cfg!(target_family = "wasm"))?;
        if self.probes() {
            self.remarks.extend(self.settings.known_power().1);
            if self.settings.processors.is_some() {
                self.settings.calibrations()?;
            }
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
        for &(kind, watts) in &self.settings.fixed {
            Fixed::new(kind, watts, fixed::DEFAULT_ERROR)?;
        }
        Ok(())
    }

    /// Which of how many processes of the run this one is.
    fn placement(&mut self) -> Result<rank::Placement> {
        let mut placement = rank::placement(|name| env::var(name).ok());
        if let Some((rank, world_size)) = self.rank {
            placement.rank = Some(Rank::set(rank, world_size)?);
            placement.remarks.clear();
        }
        placement.group = self.group.take().or(placement.group);
        placement.remarks.append(&mut self.remarks);
        Ok(placement)
    }

    /// The parts of the run before this one.
    fn earlier(&self, label: &str, placement: &mut rank::Placement) -> Result<Vec<Part>> {
        let Some(from) = &self.resume else { return Ok(Vec::new()) };
        let (rank, group) = (placement.rank.as_ref(), placement.group.as_deref());
        let run = resume_from::Identity { label, rank, group };
        let (parts, remarks) = resume_from::parts(from, &run)?;
        placement.remarks.extend(remarks);
        Ok(parts)
    }

    /// The sources that are read, and what was found of each that was looked for.
    fn gather(&mut self) -> Result<(Vec<Guarded>, Vec<SourceReport>)> {
        let probes = self.probes();
        let replay =
            self.replay.take().map(|path| Replay::from_path(path, Speed::RealTime)).transpose()?;
        let (mut found, mut reports) =
            if probes { probe::probe(&self.settings) } else { probe::fixed_only(&self.settings) };
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
            found = attribution::share_out(found, &mut reports, &self.settings.proc_root);
        }
        let mut sources: Vec<_> = found.into_iter().flat_map(Guarded::new).collect();
        let replay = replay.map(|replay| Box::new(replay) as Box<dyn PowerSource>);
        for source in replay.into_iter().chain(std::mem::take(&mut self.sources)) {
            // The program's own code.
            let guarded = bounded::call(FILE_LIMIT, move || Guarded::new(source));
            let guarded = guarded.and_then(|guarded| guarded.map_err(|_| Failure::Panicked));
            reports.push(report_on(guarded.as_ref().map(Guarded::domains).map_err(|why| *why)));
            sources.extend(guarded);
        }
        Ok((sources, reports))
    }
}

/// What there is to say of a source of the program's own.
fn report_on(domains: std::result::Result<&[Domain], Failure>) -> SourceReport {
    let (availability, domains) = match domains {
        Ok(domains) => (Availability::Available, domains),
        Err(why) => {
            let reason = match why {
                Failure::Hangs => format!("`domains` did not return within {FILE_LIMIT:?}"),
                Failure::Panicked => "`domains` panicked".to_owned(),
                Failure::NoThread => "no thread could be started to ask it".to_owned(),
            };
            let remedy = "mend the source that was given to `MeterBuilder::source`".to_owned();
            (Availability::Unavailable { reason, remedy }, &[][..])
        }
    };
    SourceReport {
        source: domains.first().map_or_else(|| "own".to_owned(), |d| d.source.clone()),
        availability,
        domains: domains.iter().map(|domain| domain.id.clone()).collect(),
        remarks: Vec::new(),
    }
}

/// What the settings of a meter say of its run.
struct Resolved {
    label: String,
    site: Site,
    accelerators: Option<u32>,
    placement: rank::Placement,
    command: Vec<String>,
    earlier: Vec<Part>,
}

impl Resolved {
    /// The run begins at this moment, on the machine and at the commit `here`.
    fn begin(
        self,
        here: (Machine, Option<String>),
        sources: Vec<SourceReport>,
        idle_from: Option<Timestamp>,
        utilisation: Option<Utilisation>,
    ) -> RunHeader {
        let Self { label, site, accelerators, placement, command, earlier } = self;
        let (machine, git_commit) = here;
        RunHeader {
            label,
            placement,
            machine,
            command,
            git_commit,
            start: clock::check(),
            started: clock::date(),
            wall_was_set: clock::wall_was_set(),
            asleep: clock::asleep(),
            utilisation,
            idle_from,
            site,
            accelerators,
            sources,
            earlier,
        }
    }
}

/// Where the run is kept.
struct Places {
    journal: Option<Draft>,
    output: Option<Output>,
    /// The folder of the `ergometer run` that started the program.
    parent: Option<PathBuf>,
    /// A journal there, where the program has none of its own.
    journal_for_parent: Option<Draft>,
}

impl Places {
    /// Begins the journal. Returns the one that is written, the path of the program's own, and every which step is
    /// written alone.
    fn begin(
        &mut self,
        head: &Arc<RunHeader>,
        domains: &[Domain],
        every: u64,
    ) -> Result<(Option<Journal>, Option<PathBuf>, u64)> {
        let draft = self.journal.take();
        let journal = draft.map(|draft| begin_journal(draft, head, domains)).transpose()?;
        let path = journal.as_ref().map(|journal| journal.path().to_owned());
        if let (Some(folder), Some(path)) = (&self.parent, &path) {
            point_to(path, folder, &head.id());
        }
        Ok(match self.journal_for_parent.take() {
            // Its end is shown by `ergometer run`, which needs no single steps.
            Some(draft) => (begin_journal(draft, head, domains).ok(), path, 0),
            None => (journal, path, every),
        })
    }
}

/// How busy the processors are from now on.
fn utilisation(settings: &Settings) -> Option<Utilisation> {
    let proc_root = settings.proc_root.clone();
    bounded::call(STAT_LIMIT, move || Utilisation::begin(&proc_root)).ok().flatten()
}

fn no_thread(what: &str, error: std::io::Error) -> Error {
    let message = format!("{what} could not be started");
    Error::new(ErrorKind::Sampler, message).with_source(error)
}

/// A meter that is being started: if it is dropped before it runs, its threads end and its place is free.
struct Launch {
    rings: Arc<Rings>,
    commands: Sender<Command>,
    launched: bool,
}

impl Launch {
    /// A place for a meter, and what its thread will be told. With `install` it is the one of this process.
    fn new(install: bool) -> Result<(Self, Receiver<Command>)> {
        let (commands, inbox) = mpsc::channel();
        let words = commands.clone();
        // A meter that is gone hears nothing more.
        let rings = Rings::new(move |word| drop(words.send(Command::Word(word))));
        if install && !rings.reserve() {
            let message = "a meter is already installed in this process";
            return Err(Error::new(ErrorKind::AlreadyInstalled, message)
                .with_remedy("finish that one first, or use `start` for one of its own"));
        }
        Ok((Self { rings, commands, launched: false }, inbox))
    }

    /// Waits while the baseline is measured, and returns when that began; `None` without a baseline.
    fn measure_idle(&self, length: Duration) -> Option<Timestamp> {
        if length.is_zero() {
            return None;
        }
        let from = clock::checked_now();
        thread::sleep(length);
        // As at the edges of an epoch: the readings nearest to it matter most.
        self.rings.tell(Word::Nudge);
        Some(from)
    }

    fn tell(&self, command: Command) {
        let _ = self.commands.send(command);
    }

    /// Starts the meter's thread, which reads `sources`.
    fn sample(
        &self,
        sources: Vec<Guarded>,
        inbox: Receiver<Command>,
        screen: &Arc<LiveView>,
    ) -> Result<(Arc<Mutex<Notes>>, Arc<Progress>)> {
        let (notes, progress) = (Arc::default(), Arc::default());
        let desk = Desk {
            rings: Arc::clone(&self.rings),
            commands: self.commands.clone(),
            inbox,
            screen: Arc::clone(screen),
            notes: Arc::clone(&notes),
            progress: Arc::clone(&progress),
        };
        Aggregator::spawn(sources, desk)
            .map_err(|error| no_thread("the meter's threads", error))?;
        Ok((notes, progress))
    }

    /// The run begins: the meter's thread learns of it, and of its journal.
    fn announce(
        &self,
        head: &Arc<RunHeader>,
        journal: Option<Journal>,
        notes: &Arc<Mutex<Notes>>,
        every: u64,
    ) {
        if let Some(idle_from) = head.idle_from {
            self.tell(Command::Pin(idle_from));
        }
        for change in intensity_changes(head) {
            self.tell(Command::Pin(change));
        }
        self.tell(Command::Start(Arc::clone(head)));
        if let Some(journal) = journal {
            let (head, notes) = (Arc::clone(head), Arc::clone(notes));
            let writer = JournalWriter::new(journal, head, notes, every);
            self.tell(Command::Journal(Box::new(writer)));
        }
    }

    fn done(mut self) -> (Arc<Rings>, Sender<Command>) {
        self.launched = true;
        (Arc::clone(&self.rings), self.commands.clone())
    }
}

impl Drop for Launch {
    fn drop(&mut self) {
        if !self.launched {
            self.rings.uninstall();
            self.tell(Command::Stop);
        }
    }
}

/// WebAssembly without a system has neither threads nor a clock, and asking for either may panic.
fn check_platform(wasm: bool) -> Result<()> {
    if !wasm {
        return Ok(());
    }
    let message = "nothing can be metered in WebAssembly: it has no threads and shows no hardware";
    Err(Error::new(ErrorKind::Sampler, message)
        .with_remedy("go on without a meter: `span` and `#[track_energy]` then do nothing"))
}

/// Errors of sensors are figures of the record, and of every uncertainty in it.
fn check_sensors(sources: &[Guarded]) -> Result<()> {
    for domain in sources.iter().flat_map(Guarded::domains) {
        let Sensor { relative_error, absolute_error, .. } = domain.sensor;
        let errors = [relative_error, absolute_error.get()];
        let wrong = errors.into_iter().find(|error| !error.is_finite() || *error < 0.0);
        if let Some(error) = wrong {
            let message = format!("the sensor of {} has an error of {error}", domain.id);
            return Err(Error::new(ErrorKind::InvalidSetting, message)
                .with_remedy("give a standard uncertainty that is finite and not negative"));
        }
    }
    Ok(())
}

/// A run that a signal ends needs a place for its record.
#[cfg(all(unix, feature = "signals"))]
fn check_signals(has_place: bool) -> Result<()> {
    if has_place {
        return Ok(());
    }
    let message = "a run that a signal ends has nowhere to leave its record";
    Err(Error::new(ErrorKind::InvalidSetting, message)
        .with_remedy("name a folder with `MeterBuilder::journal` or `MeterBuilder::output`"))
}

/// When the site's carbon intensity changes, as far as that lies in the future: what was drawn up to then will be
/// asked for.
fn intensity_changes(head: &RunHeader) -> impl Iterator<Item = Timestamp> {
    let series = head.site.carbon_series.iter();
    let changes = series.flat_map(|series| series.changes(head.started));
    changes.map(|after| head.start.after(Duration::from_secs_f64(after)))
}

/// Where the run takes place. Its files may lie on a file system that hangs: what does not answer is left out.
fn provenance(settings: &Settings) -> (Machine, Option<String>) {
    let (proc_root, sysfs_root) = (settings.proc_root.clone(), settings.sysfs_root.clone());
    let machine = bounded::call(FILE_LIMIT, move || {
        let machine_id = provenance::machine_id(&proc_root, Path::new("/etc"));
        provenance::machine(machine_id, &proc_root, &sysfs_root)
    });
    let git_commit = bounded::call(FILE_LIMIT, provenance::git_commit);
    (machine.unwrap_or_default(), git_commit.ok().flatten())
}

/// Tells `ergometer run`, which looks into `folder`, where the journal of this run is. Without that the run has no
/// spans of this program there, which is no reason to stop it.
fn point_to(journal: &Path, folder: &Path, id: &str) {
    let journal = std::path::absolute(journal).ok();
    let Some(journal) = journal.as_deref().and_then(Path::to_str) else { return };
    // Whole or not at all, as it may be read at any time.
    let beside = folder.join(format!("{id}.part"));
    let written = std::fs::write(&beside, journal);
    let _ =
        written.and_then(|()| std::fs::rename(&beside, folder.join(format!("{id}.journal-path"))));
}

/// The journal, with a first line that says what the record of no time at all does.
fn begin_journal(draft: Draft, head: &RunHeader, domains: &[Domain]) -> Result<Journal> {
    let unread = |domain: &Domain| Timeline::new(domain.sensor, domain.method, head.start);
    let timelines: Vec<_> = domains.iter().map(unread).collect();
    let books = Snapshot {
        timelines: &timelines,
        ledger: Ledger::new(domains.len()),
        domains,
        warnings: Vec::new(),
        forecasts: Vec::new(),
        power: None,
    };
    let mut record = assemble::record(head, Notes::default(), head.start, books);
    record.run.finished = false;
    record.warnings.clear();
    // What is recovered takes from it what held up to then.
    record.footprint.site = head.site.clone();
    draft.begin(&record, head.start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_webassembly_a_meter_refuses_to_start_and_says_what_goes_on_without_it() {
        let error = check_platform(true).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Sampler);
        assert!(error.remedy().is_some_and(|remedy| remedy.contains("span")), "{error}");
        assert!(check_platform(false).is_ok());
    }
}

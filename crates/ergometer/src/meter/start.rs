//! From settings to a running meter.

use std::path::Path;
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
    /// [`ErrorKind::Sampler`] if no thread can be started; [`ErrorKind::Io`] for a journal that cannot be
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
        let (commands, inbox) = mpsc::channel();
        let words = commands.clone();
        // A meter that is gone hears nothing more.
        let rings = Rings::new(move |word| drop(words.send(Command::Word(word))));
        if install && !rings.reserve() {
            let message = "a meter is already installed in this process";
            return Err(Error::new(ErrorKind::AlreadyInstalled, message)
                .with_remedy("finish that one first, or use `start` for one of its own"));
        }
        // Dropped on any error from here on: it frees the place and stops the threads.
        let launch = Launch { rings, commands, launched: false };
        #[cfg(feature = "otlp")]
        self.find_collector();
        #[cfg(feature = "_export")]
        let export = std::mem::take(&mut self.export).open()?;
        let label = self.label_or_default();
        let site = self.place()?;
        let (draft, output) = (self.journal_draft()?, self.record_folder()?);
        let parent = self.parent_folder();
        let draft_for_parent = match (&draft, &parent) {
            (None, Some(folder)) => self.journal_for_parent(folder),
            _ => None,
        };
        #[cfg(all(unix, feature = "signals"))]
        if self.on_signal {
            check_signals(draft.is_some() || output.is_some())?;
            super::signals::listen()?;
        }
        let mut placement = self.placement()?;
        let earlier = self.earlier(&label, &mut placement)?;
        let (sources, reports) = self.gather()?;
        check_sensors(&sources)?;
        let domains: Vec<_> = sources.iter().flat_map(|source| source.domains().to_vec()).collect();
        let shown = domains.iter().map(LiveDomain::new).collect();
        let screen = Arc::new(LiveView::new(Live {
            domains: shown,
            earlier: Earlier::of(&earlier),
            ..Live::default()
        }));
        let (machine, git_commit) = provenance(&self.settings);
        let (notes, progress) = launch.sample(sources, inbox, &screen)?;
        let idle_from = (!self.idle.is_zero()).then(clock::checked_now);
        if idle_from.is_some() {
            thread::sleep(self.idle);
            // As at the edges of an epoch: what lies nearest to it is worth most.
            launch.rings.tell(Word::Nudge);
        }
        let utilisation = {
            let proc_root = self.settings.proc_root.clone();
            bounded::call(STAT_LIMIT, move || Utilisation::begin(&proc_root)).ok().flatten()
        };
        let head = Arc::new(RunHeader {
            label,
            placement,
            machine,
            command: command_line::of_this_process(self.command_line),
            git_commit,
            start: clock::check(),
            started: clock::date(),
            wall_was_set: clock::wall_was_set(),
            asleep: clock::asleep(),
            utilisation,
            idle_from,
            site,
            accelerators: self.accelerators,
            sources: reports,
            earlier,
        });
        #[cfg(feature = "_export")]
        let exporters = {
            let subject =
                export::Subject::new(Arc::clone(&screen), Arc::clone(&head), domains.clone());
            export.start(subject).map_err(|error| {
                Error::new(ErrorKind::Sampler, "the threads for live figures could not be started")
                    .with_source(error)
            })?
        };
        let journal = draft.map(|draft| begin_journal(draft, &head, &domains)).transpose()?;
        // Nothing fails from here on.
        let path = journal.as_ref().map(|journal| journal.path().to_owned());
        if let (Some(folder), Some(path)) = (&parent, &path) {
            point_to(path, folder, &head.id());
        }
        let (journal, every) = match draft_for_parent {
            // Its end is shown by `ergometer run`, which needs no single steps.
            Some(draft) => (begin_journal(draft, &head, &domains).ok(), 0),
            None => (journal, self.journal_steps),
        };
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
            output: output.map(Arc::new),
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

    /// Whether the machine's own sources are looked for.
    fn probes(&self) -> bool {
        self.probe && self.replay.is_none()
    }

    /// Settings that make no sense whatever the hardware.
    ///
    /// An invalid variable is only a remark, as those of launchers are: the environment stops no training.
    fn check(&mut self) -> Result<()> {
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

/// A meter that is being started: if it is dropped before it runs, its threads end and its place is free.
struct Launch {
    rings: Arc<Rings>,
    commands: Sender<Command>,
    launched: bool,
}

impl Launch {
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
        Aggregator::spawn(sources, desk).map_err(|error| {
            Error::new(ErrorKind::Sampler, "the meter's threads could not be started")
                .with_source(error)
        })?;
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

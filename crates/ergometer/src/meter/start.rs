//! From settings to a running meter.

mod checks;
mod launch;
mod places;

use std::env;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use self::launch::Launch;
use self::places::Places;
use super::{Inner, Meter, MeterBuilder, Stage};
use crate::bounded::{self, Failure};
use crate::clock::{self, Timestamp};
use crate::error::{Error, ErrorKind, Result};
#[cfg(feature = "_export")]
use crate::export;
use crate::footprint::Site;
use crate::journal::resume_from;
use crate::ledger::live::{Live, LiveDomain, LiveView};
use crate::ledger::run_header::RunHeader;
use crate::meter::sampler::Guarded;
use crate::meter::{command_line, provenance};
use crate::record::rank::{self, Rank};
use crate::record::resume::Earlier;
use crate::record::{Machine, Part};
use crate::source::attribution::{self, Scope};
use crate::source::nvml::{self, Devices};
use crate::source::probe::{self, settings::Settings};
use crate::source::replay::{Replay, Speed};
use crate::source::stat::Utilisation;
use crate::source::{Availability, Domain, PowerSource, SourceReport};
use crate::span::unmetered::RunSpan;

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
    /// * [`ErrorKind::UnknownRegion`] or [`ErrorKind::InvalidSetting`] for a setting that makes no sense, such as waiting
    ///   for signals without a journal or folder for the record;
    /// * [`ErrorKind::Io`] or [`ErrorKind::Format`] for a trace that cannot be read or is not valid;
    /// * [`ErrorKind::Network`] where live figures cannot be shown at the requested address;
    /// * [`ErrorKind::Sampler`] if no thread can be started, as in WebAssembly;
    /// * [`ErrorKind::Io`] for a journal that cannot be begun, because another place can still be chosen.
    ///
    /// Hardware that cannot be read is not an error: see [`Meter::sources`]. An error leaves nothing behind: no thread,
    /// no open file, no journal.
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
        checks::check_sensors(&sources)?;
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

    /// Resolves the settings, before the hardware is looked for.
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
            checks::check_signals(journal.is_some() || output.is_some())?;
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
        let for_accounts = match self.scope {
            Scope::Process => nvml::FOR_ACCOUNTS * self.settings.nvml_share,
            Scope::Machine => 0.0,
        };
        self.settings.nvml_share -= for_accounts;
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
            let Settings { proc_root, sysfs_root, nvml_library, .. } = &self.settings;
            let library = nvml_library.as_deref();
            found = attribution::share_out(found, &mut reports, proc_root, sysfs_root, |boards| {
                nvml::accounts(library, boards, for_accounts)
            });
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

fn no_thread(what: &str, error: std::io::Error) -> Error {
    let message = format!("{what} could not be started");
    Error::new(ErrorKind::Sampler, message).with_source(error)
}

/// How busy the processors are from now on.
fn utilisation(settings: &Settings) -> Option<Utilisation> {
    let proc_root = settings.proc_root.clone();
    bounded::call(STAT_LIMIT, move || Utilisation::begin(&proc_root)).ok().flatten()
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

//! Where a run is kept, and the first line of its journal.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::Result;
use crate::journal::{Draft, Journal};
use crate::ledger::Ledger;
use crate::ledger::assemble::{self, Snapshot};
use crate::ledger::run_header::{Notes, RunHeader};
use crate::report::Output;
use crate::source::Domain;
use crate::timeline::Timeline;

/// Where the run is kept.
pub(super) struct Places {
    pub(super) journal: Option<Draft>,
    pub(super) output: Option<Output>,
    /// The folder of the `ergometer run` that started the program.
    pub(super) parent: Option<PathBuf>,
    /// A journal there, where the program has none of its own.
    pub(super) journal_for_parent: Option<Draft>,
}

impl Places {
    /// Begins the journal. Returns the one that is written, the path of the program's own, and every which step is
    /// written alone.
    pub(super) fn begin(
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

//! A source whose mistakes end with it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::clock::{self, Timestamp};
use crate::source::{Domain, Due, PowerSource, Reading, Request};

/// A source, each call of which is made on its own: one that panics ends this source alone.
///
/// What the meter needs while it holds a lock (domains, the next read) is asked for after each read and kept
/// here, because a call into a source is somebody else's code: it may panic, hang, or call the meter.
pub(in crate::meter) struct Guarded {
    /// Absent once it has panicked.
    source: Option<Box<dyn PowerSource>>,
    domains: Vec<Domain>,
    next: Option<Due>,
    last: Option<Timestamp>,
    warnings: Vec<String>,
}

/// A call into a source panicked.
#[derive(Debug)]
pub(in crate::meter) struct Panicked;

impl Guarded {
    pub(in crate::meter) fn new(source: Box<dyn PowerSource>) -> Result<Self, Panicked> {
        let mut guarded = Self {
            source: Some(source),
            domains: Vec::new(),
            next: None,
            last: None,
            warnings: Vec::new(),
        };
        guarded.domains = guarded.call(|source| source.domains().to_vec())?;
        Ok(guarded)
    }

    /// Its domains, as they were known after the last read.
    pub(in crate::meter) fn domains(&self) -> &[Domain] {
        &self.domains
    }

    /// When it wants to be read next, as it was asked after the last read.
    pub(super) fn next_read(&self) -> Option<Due> {
        self.next
    }

    /// When it wants to be read for the last time, as it was asked after the last read at an edge.
    pub(super) fn last_read(&self) -> Timestamp {
        self.last.unwrap_or_default()
    }

    /// Reads it, and asks for what is to be known until the next read. What was read before a panic is in
    /// `readings`.
    pub(super) fn read(
        &mut self,
        request: Request,
        readings: &mut Vec<Reading>,
    ) -> Result<(), Panicked> {
        self.call(|source| source.read(request, readings))?;
        let mut warnings = self.call(PowerSource::warnings)?;
        self.warnings.append(&mut warnings);
        match request {
            Request::Routine => {}
            Request::Edge => {
                self.last = Some(self.call(|source| source.last_read(clock::checked_now()))?);
            }
            Request::Last => {
                let domains = self.call(|source| source.domains().to_vec())?;
                // Their number is fixed; of a source that breaks that rule the first ones count.
                for (known, learnt) in self.domains.iter_mut().zip(domains) {
                    *known = learnt;
                }
                return Ok(());
            }
        }
        self.next = self.call(|source| source.next_read())?;
        Ok(())
    }

    /// What it has warned of since the last call.
    pub(super) fn take_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    fn call<R>(
        &mut self,
        action: impl FnOnce(&mut Box<dyn PowerSource>) -> R,
    ) -> Result<R, Panicked> {
        let source = self.source.as_mut().ok_or(Panicked)?;
        catch_unwind(AssertUnwindSafe(|| action(source))).map_err(|_| {
            self.end();
            Panicked
        })
    }

    fn end(&mut self) {
        let source = self.source.take();
        // It may panic once more.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(source)));
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.end();
    }
}

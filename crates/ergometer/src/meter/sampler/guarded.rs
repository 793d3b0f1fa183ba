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
    warnings: Warnings,
}

/// What a source has warned of: each text once, and not without end, as a source may find something new at every read.
#[derive(Default)]
struct Warnings {
    all: Vec<String>,
    /// How many of them were taken.
    taken: usize,
}

impl Warnings {
    const MOST_LINES: usize = 32;

    fn add(&mut self, lines: Vec<String>) {
        for line in lines {
            if self.all.len() < Self::MOST_LINES && !self.all.contains(&line) {
                self.all.push(line);
                if self.all.len() == Self::MOST_LINES {
                    self.all.push("what else this source warned of was left out".to_owned());
                }
            }
        }
    }

    /// Those that came since the last call.
    fn take(&mut self) -> Vec<String> {
        let new = self.all[self.taken..].to_vec();
        self.taken = self.all.len();
        new
    }
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
            warnings: Warnings::default(),
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
        let warnings = self.call(PowerSource::warnings)?;
        self.warnings.add(warnings);
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
        self.warnings.take()
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

#[cfg(test)]
mod tests {
    use super::Warnings;

    #[test]
    fn a_source_may_warn_without_end_and_the_record_has_each_text_once_up_to_a_limit() {
        let mut warnings = Warnings::default();
        warnings.add(vec!["a".to_owned(), "a".to_owned(), "b".to_owned()]);
        assert_eq!(warnings.take(), ["a", "b"]);
        warnings.add(vec!["b".to_owned(), "c".to_owned()]);
        assert_eq!(warnings.take(), ["c"]);
        for read in 0..10_000 {
            warnings.add(vec![format!("read {read}")]);
        }
        let rest = warnings.take();
        assert_eq!(rest.len(), Warnings::MOST_LINES + 1 - 3);
        assert!(rest.last().unwrap().contains("left out"));
        assert!(warnings.take().is_empty());
    }
}

//! The journal: what is known of a run, on disk while it goes on.
//!
//! [`MeterBuilder::journal`](crate::MeterBuilder::journal) names a folder, and the meter's thread
//! appends to `<folder>/<run id>.journal` twice a second and has it made durable (`fdatasync`) each
//! time. [`Record::recover`](crate::Record::recover) reads it back: all of a run that its program did
//! not live to end but about the last second, or all of one that it did.
//!
//! # Format
//!
//! [`SCHEMA`]. Each line is the CRC-32 (IEEE) of the rest of it, eight hexadecimal digits, a space, and
//! a JSON object whose `row` says what it is:
//!
//! ```text
//! 7f1c0a3e {"row":"head","schema":"ergometer-journal/1","record":{…}}        at the start, and again now and then
//! 52b6c1d0 {"row":"steps","steps":[["step",12.5,0.051,64.0,[7.1,0.4]],…]}    single steps
//! 0d2e93aa {"row":"epoch","n":0,"epoch":{…}}                                 each epoch that closed
//! c81b77f4 {"row":"notes","results":{…},"facts":{…},"warnings":[…],…}        whenever they change, with the forecasts
//! 9a0d2f6b {"row":"spans","spans":[…]}                                       the tree, now and then
//! 1e4470c5 {"row":"state","s":13.2,"closed":1,"total":[…],…}                 twice a second
//! 66f0b812 {"row":"end","record":{…}}                                        once, at the end
//! ```
//!
//! * `head`: a record without energies: run, machine, sources, domains, site. It is the first line, and is
//!   repeated once 8 KiB follow it and then whenever the file has doubled in length, so that a journal
//!   whose first line is damaged is read all the same.
//! * `steps`: label, seconds since the start of the run, seconds, items, joules by domain, to six
//!   digits; for steps that share a mark (`every = n` of [`#[track_energy]`](crate::track_energy)) also how
//!   many: they have one row, with their sums. Every n-th by [`MeterBuilder::journal_steps`](crate::MeterBuilder::journal_steps). They are
//!   for whoever wants single steps: recovery needs none.
//! * `epoch`: a row of [`Record::epochs`](crate::Record::epochs) and its place among them.
//! * `state`: the run as if it had ended then. `total` has for each domain joules, then gain, model,
//!   gaps, edges, quantum and coverage; `closed` is the number of `epoch` rows that come first;
//!   `open` the epochs that were open or not settled; `outside` the joules outside all of them;
//!   `steps` the statistics that changed, and `by_name` theirs by the names of the steps; `more` the sums of
//!   epochs beyond those that have rows.
//! * `spans`: the tree of spans. It is written as often as a kilobyte a second allows, and at least once a
//!   minute.
//! * `end`: the whole record, as `finish` gave it.
//!
//! A later minor version may add rows and fields; readers pass over what they do not know.
//!
//! # What is lost, and when
//!
//! * A program that is killed, calls `std::process::exit`, panics or drops its meter loses about half a
//!   second, at most one. A machine that loses its power loses what the disk had not yet been given:
//!   the same, if the disk keeps its promise.
//! * Steps that share a mark are in the journal when that ends: of a run that was killed up to n − 1 of them
//!   are missing, and their energy is among that of their epoch outside its steps.
//! * A line that was not written to its end is dropped; a line whose checksum is wrong is passed over. Both
//!   are said in the recovered record's warnings.
//! * A disk that is full or gone, or a journal that was removed: the run goes on, writing is tried again
//!   twice a second, and the final record says for how long nothing was written and why. Epochs and sums
//!   catch up; single steps of that time are not written later.
//! * A disk that hangs holds up the meter's thread, not the program: what is read and marked
//!   meanwhile waits. `finish` waits as well, up to 30 s.
//! * A child process (`fork`, a daemon that detaches after the meter was started) has no meter's
//!   thread, and writes nothing into its parent's journal. Start the meter after detaching.

mod file;
mod line;
mod recover;
mod row;

pub(crate) use file::{Draft, Journal};
pub(crate) use recover::beginning;

/// Name and version of the journal's format.
pub const SCHEMA: &str = "ergometer-journal/1";

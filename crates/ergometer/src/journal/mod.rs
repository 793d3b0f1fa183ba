//! The journal: the state of a run on disk while it goes on.
//!
//! [`MeterBuilder::journal`](crate::MeterBuilder::journal) names a folder. The meter's thread appends to
//! `<folder>/<run id>.journal` twice a second and makes it durable (`fdatasync`) each time.
//! [`Record::recover`](crate::Record::recover) reads it back: the whole run if its program ended it,
//! otherwise all but about the last second.
//!
//! # Format
//!
//! `ergometer-journal/1`. Each line is a CRC-32 (IEEE) of the rest of the line in eight hexadecimal digits, a space,
//! and a JSON object whose `row` names its type:
//!
//! ```text
//! 7f1c0a3e {"row":"head","schema":"ergometer-journal/1","record":{…}}        at the start, and again now and then
//! 52b6c1d0 {"row":"steps","steps":[["step",12.5,0.051,64.0,[7.1,0.4]],…]}    single steps
//! 0d2e93aa {"row":"epoch","n":0,"epoch":{…}}                                 each epoch that closed
//! c81b77f4 {"row":"notes","results":{…},"facts":{…},"warnings":[…],…}        whenever they change, with the forecasts
//! 9a0d2f6b {"row":"spans","spans":[…]}                                       the tree, now and then
//! 40b1d7e2 {"row":"power","knots":[…]}                                       what is new of the power over time
//! 1e4470c5 {"row":"state","s":13.2,"closed":1,"total":[…],…}                 twice a second
//! 66f0b812 {"row":"end","record":{…}}                                        once, at the end
//! ```
//!
//! * `head`: a record without energies: run, machine, sources, domains, site. It is the first line. It is
//!   repeated once 8 KiB follow it and then whenever the file has doubled in length, so a journal can be
//!   read even if its first line is damaged.
//! * `steps`: label, seconds since the start of the run, seconds, items, joules by domain, to six digits.
//!   Steps that share a mark (`every = n` of [`#[track_energy]`](crate::track_energy)) have one row with
//!   their sums and their number. Only every n-th step is written with
//!   [`MeterBuilder::journal_steps`](crate::MeterBuilder::journal_steps). These rows are for users who want
//!   single steps; recovery does not need them.
//! * `epoch`: a row of [`Record::epochs`](crate::Record::epochs) and its place among them.
//! * `state`: the run as if it had ended then. `total` has for each domain joules, then gain, model, gaps,
//!   edges, quantum and coverage; `closed` is the number of preceding `epoch` rows; `open` the epochs that
//!   were open or not settled; `outside` the joules outside all of them; `steps` the statistics that
//!   changed, and `by_name` the same by the names of the steps; `more` the sums of epochs without rows.
//! * `spans`: the tree of spans. It is written as often as a rate of one kilobyte a second allows, and at
//!   least once a minute.
//! * `power`: the joules of each domain from the start of the run up to some moments, and long spans that ended.
//!   A lost row only makes the power over time coarser.
//! * `end`: the whole record, as returned by `finish`.
//!
//! A later minor version may add rows and fields; readers ignore what they do not know.
//!
//! # What is lost, and when
//!
//! * A program that is killed, calls `std::process::exit`, panics or drops its meter loses about half a
//!   second, at most one. A machine that loses its power also loses data that the disk reported as written
//!   but had not yet stored.
//! * Steps that share a mark are written when the mark ends. If the run is killed, up to n − 1 of them are
//!   missing, and their energy counts in their epoch outside its steps.
//! * A line that was not completed is dropped, and a line with a wrong checksum is skipped. The recovered
//!   record's warnings report both.
//! * If the disk is full or gone, or the journal was removed, the run goes on. Writing is retried twice a
//!   second, and the final record says for how long nothing was written and why. Epochs and sums are
//!   written later; single steps of that time are not.
//! * A disk that hangs blocks the meter's thread, not the program; readings and marks wait meanwhile.
//!   `finish` waits as well, up to 30 s.
//! * A child process (`fork`, a daemon that detaches after the meter was started) does not have the meter's
//!   thread, and writes nothing to its parent's journal. Start the meter after detaching.

mod file;
mod line;
mod read;
mod recover;
pub(crate) mod resume_from;
mod row;

pub(crate) use file::{Draft, Journal};
pub(crate) use recover::beginning;

/// Name and version of the journal's format.
pub(crate) const SCHEMA: &str = "ergometer-journal/1";

//! The faults that are tried.

/// A fault, how it is made, and what is expected of a run to which it happens.
#[derive(Debug)]
pub(super) struct Case {
    /// What `fault` calls it.
    pub kind: &'static str,
    pub fault: &'static str,
    pub how: &'static str,
    pub action: Action,
    pub exit: Exit,
    pub record: Expected,
    /// What the record reports; empty where nothing needs to be.
    pub warning: &'static str,
}

/// What is done to the running program from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Nothing,
    /// A signal at a random moment.
    Signal(&'static str),
    /// Three seconds without processor.
    Stop,
    /// Its journal lies on a disk that is full after a second.
    SmallDisk,
}

/// How the program is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    Well,
    Code(i32),
    Signal(i32),
}

/// What is to be there of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// The record of `finish`, with every step.
    Finished,
    /// The journal, up to the end.
    ToTheEnd,
    /// The journal, up to the last second.
    ToTheLastSecond,
}

use Action::{Nothing, Signal, SmallDisk, Stop};
use Exit::Well;
use Expected::{Finished, ToTheEnd, ToTheLastSecond};

const UNFINISHED: &str = "ended without finishing";
const COUNTER: &str = "the processor's counter";

/// In the order of the page.
pub(super) const CASES: [Case; 24] = [
    case(
        "killed",
        "killed",
        "`SIGKILL` at a random moment",
        Signal("KILL"),
        Exit::Signal(9),
        ToTheLastSecond,
        UNFINISHED,
    ),
    case(
        "abort",
        "abort",
        "`abort()` in the training thread",
        Nothing,
        Exit::Signal(6),
        ToTheLastSecond,
        UNFINISHED,
    ),
    case(
        "exit",
        "exit without `finish`",
        "`exit(0)` in the middle of the run",
        Nothing,
        Well,
        ToTheLastSecond,
        UNFINISHED,
    ),
    case(
        "panic",
        "panic",
        "the training thread panics",
        Nothing,
        Exit::Code(101),
        ToTheEnd,
        UNFINISHED,
    ),
    case(
        "dropped",
        "meter dropped",
        "the meter is dropped and not finished",
        Nothing,
        Well,
        ToTheEnd,
        UNFINISHED,
    ),
    case(
        "sigterm",
        "signal",
        "`SIGTERM` at a random moment, with `finish_on_signal`",
        Signal("TERM"),
        Exit::Signal(15),
        ToTheLastSecond,
        "ended by SIGTERM",
    ),
    case(
        "sigint",
        "signal",
        "`SIGINT` at a random moment, with `finish_on_signal`",
        Signal("INT"),
        Exit::Signal(2),
        ToTheLastSecond,
        "ended by SIGINT",
    ),
    case(
        "stopped",
        "process suspended",
        "`SIGSTOP` at a random moment, `SIGCONT` 3 s later",
        Stop,
        Well,
        Finished,
        "",
    ),
    case(
        "fork",
        "fork",
        "a forked child opens 10,000 spans on its parent's meter and finishes it",
        Nothing,
        Well,
        Finished,
        "",
    ),
    case(
        "clock-restarts",
        "clock",
        "the processor's counter starts again at 0 (pretended)",
        Nothing,
        Well,
        Finished,
        COUNTER,
    ),
    case(
        "clock-ahead",
        "clock",
        "the processor's counter jumps ahead by an hour (pretended)",
        Nothing,
        Well,
        Finished,
        COUNTER,
    ),
    case(
        "clock-back",
        "clock",
        "the processor's counter jumps back by 2 s (pretended)",
        Nothing,
        Well,
        Finished,
        COUNTER,
    ),
    case(
        "clock-stands",
        "clock",
        "the processor's counter stands still (pretended)",
        Nothing,
        Well,
        Finished,
        COUNTER,
    ),
    case(
        "sleep",
        "machine suspended",
        "the machine's clocks show an hour of sleep (pretended)",
        Nothing,
        Well,
        Finished,
        "slept 3600 s",
    ),
    case(
        "wall-set",
        "clock",
        "the wall clock is set ahead by an hour (pretended)",
        Nothing,
        Well,
        Finished,
        "the wall clock was set",
    ),
    case(
        "disk-full",
        "full disk",
        "the journal's disk is full from the middle of the run to its end",
        SmallDisk,
        Well,
        Finished,
        "could not be written",
    ),
    case(
        "disk-full-for-a-second",
        "full disk",
        "the journal's disk is full for 1.2 s; then there is room, and 1.2 s later the program aborts",
        SmallDisk,
        Exit::Signal(6),
        ToTheLastSecond,
        UNFINISHED,
    ),
    case(
        "folder-removed",
        "journal removed",
        "the journal's folder is removed in the middle of the run",
        Nothing,
        Well,
        Finished,
        "could not be written",
    ),
    case(
        "source-hangs",
        "hung source",
        "a second source never returns from its fifth reading",
        Nothing,
        Well,
        Finished,
        "source 'ill' has hung",
    ),
    case(
        "source-slow",
        "slow source",
        "a second source takes 0.5 s for each reading from the fifth on",
        Nothing,
        Well,
        Finished,
        "",
    ),
    case(
        "source-panics",
        "panicking source",
        "a second source panics at its fifth reading",
        Nothing,
        Well,
        Finished,
        "source 'ill' panicked",
    ),
    case(
        "probe-hangs",
        "hung probe",
        "the file of the processor's energy counter is a pipe nobody writes to",
        Nothing,
        Well,
        Finished,
        "looking for it took longer than 5 s",
    ),
    case(
        "books-lag",
        "lagging books",
        "50,000 epochs of a step as fast as they can be opened",
        Nothing,
        Well,
        Finished,
        "",
    ),
    case("none", "none", "for comparison", Nothing, Well, Finished, ""),
];

const fn case(
    kind: &'static str,
    fault: &'static str,
    how: &'static str,
    action: Action,
    exit: Exit,
    record: Expected,
    warning: &'static str,
) -> Case {
    Case { kind, fault, how, action, exit, record, warning }
}

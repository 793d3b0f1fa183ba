//! Lines of an external meter → readings.

use std::time::Duration;

use super::feed::Feed;
use super::line::{self, Columns, Line, MOST_WATTS, Row};
use super::{External, NAME};
use crate::clock::{self, Timestamp};
use crate::deadline::Deadline;
use crate::energy::Method;
use crate::printable::{self, counted, were};
use crate::source::beside::Witness;
use crate::source::{Domain, Due, HELD_BACK, PowerSource, Reading, Request, Sensor, Value};
use crate::units::{Joules, Watts};

/// How long the start waits for the first line that can be used.
const PATIENCE: Duration = Duration::from_secs(5);
/// Time between two looks for it.
const PAUSE: Duration = Duration::from_millis(10);
/// Time between two reads: lines have times of their own.
const BETWEEN: (Duration, Duration) = (Duration::from_millis(200), Duration::from_millis(400));
/// A line that is dated further in the future, seconds, comes from a clock that is wrong.
const AHEAD: f64 = 1.0;
/// The longest time between two lines that is not a gap, seconds; what is silent for longer is a gap in any case.
const LONGEST_PERIOD: f64 = 3.0;
/// How long the end of a run waits for one more line, at most.
const LAST_LINE: Duration = Duration::from_millis(1100);

/// A meter that is read.
pub(in crate::source) struct Lines {
    domains: [Domain; 1],
    place: String,
    feed: Feed,
    columns: Columns,
    opened: Timestamp,
    last: Option<Last>,
    /// The time between the last two lines.
    period: Option<Duration>,
    counter: Counter,
    left_out: LeftOut,
    /// Readings that came before the meter began to read.
    held: Vec<Reading>,
    read: Timestamp,
    /// Why there is no other line, once that was reported.
    ended: Option<String>,
    warnings: Vec<String>,
    witness: Option<Witness>,
}

/// The last line that was used.
#[derive(Clone, Copy, Debug)]
struct Last {
    at: Timestamp,
    joules: Option<Joules>,
}

/// What a counter has counted since its first line.
#[derive(Clone, Copy, Debug, Default)]
struct Counter {
    total: Joules,
    /// When it changed last.
    changed: Option<Timestamp>,
}

/// Lines that were not used.
#[derive(Clone, Debug, Default)]
struct LeftOut {
    used: u64,
    unknown: u64,
    /// The first of those.
    example: Option<String>,
    ahead: u64,
    furthest: f64,
    late: u64,
    latest: f64,
    back: u64,
}

impl Lines {
    /// Opens the `number`th meter of its kind and waits for a line. The error is the reason why it cannot be used.
    pub(in crate::source) fn open(external: &External, number: usize) -> Result<Self, String> {
        let place = external.place();
        let feed = Feed::open(&external.origin)
            .map_err(|error| format!("{place} cannot be read: {error}"))?;
        let now = clock::checked_now();
        let mut lines = Self {
            domains: [domain(external, number)],
            place,
            feed,
            columns: Columns::default(),
            opened: now,
            last: None,
            period: None,
            counter: Counter::default(),
            left_out: LeftOut::default(),
            held: Vec::new(),
            read: now,
            ended: None,
            warnings: Vec::new(),
            witness: None,
        };
        lines.wait(Deadline::after(PATIENCE))?;
        if lines.columns.has_counter() {
            lines.domains[0].method = Method::Counter;
            lines.domains[0].sensor.counter_quantum = Some(Joules::ZERO);
        }
        Ok(lines)
    }

    /// Compares it with what else measures parts of the same.
    pub(in crate::source) fn compare(&mut self, witness: Witness) {
        self.witness = Some(witness);
    }

    fn wait(&mut self, mut deadline: Deadline) -> Result<(), String> {
        loop {
            let mut readings = std::mem::take(&mut self.held);
            self.take(&mut readings);
            self.held = readings;
            if self.last.is_some() {
                return Ok(());
            }
            if deadline.has_passed() || self.ended.is_some() {
                let mut why = vec![format!("{} shows no line that is of now", self.place)];
                why.extend(self.ended.take());
                why.extend(self.left_out.text());
                return Err(why.join("; "));
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Takes in what has come, and appends the readings.
    fn take(&mut self, readings: &mut Vec<Reading>) {
        let now = clock::checked_now();
        let wall = clock::date().as_nanosecond() as f64 * 1e-9;
        let (mut rows, mut unknown, mut columns) = (Vec::new(), 0, self.columns);
        let example = &mut self.left_out.example;
        let too_long = self.feed.too_long;
        let end = self.feed.lines(|text| match line::read(text, &columns) {
            Line::Row(row) => rows.push(row),
            Line::Header(header) => columns = header,
            Line::Nothing => {}
            Line::Unknown => {
                unknown += 1;
                example.get_or_insert_with(|| shortened(text));
            }
        });
        self.columns = columns;
        unknown += self.feed.too_long - too_long;
        self.left_out.unknown += unknown;
        for row in rows {
            self.row(&row, now, wall, readings);
        }
        if unknown > 0 {
            let why = Value::Missing("a line of the meter was not understood".to_owned());
            readings.push(Reading::new(0, now, why));
        }
        match end {
            Err(why) if self.ended.as_ref() != Some(&why) => {
                readings.push(Reading::new(0, now, Value::Missing(why.clone())));
                self.ended = Some(why);
            }
            Err(_) => {}
            Ok(()) => self.ended = None,
        }
        self.read = now;
    }

    fn row(&mut self, row: &Row, now: Timestamp, wall: f64, readings: &mut Vec<Reading>) {
        let age = wall - row.time;
        // The middle of a whole second that has not passed yet is now.
        let ahead = (-age - row.within).max(0.0);
        if ahead > AHEAD {
            self.left_out.ahead += 1;
            self.left_out.furthest = self.left_out.furthest.max(ahead);
            return;
        }
        let at = now.before(Duration::try_from_secs_f64(age.max(0.0)).unwrap_or(Duration::MAX));
        if age > HELD_BACK {
            // What was there before the meter is not a mistake.
            if at > self.opened {
                self.left_out.late += 1;
                self.left_out.latest = self.left_out.latest.max(age);
            }
            return;
        }
        if let Some(last) = self.last.filter(|last| at <= last.at) {
            self.left_out.back += u64::from(at < last.at || row.joules != last.joules);
            return;
        }
        self.left_out.used += 1;
        let within = Duration::from_secs_f64(row.within.max(ahead));
        let before = self.last.replace(Last { at, joules: row.joules });
        self.period = before.map(|before| at.since(before.at)).or(self.period);
        let mut push = |value, within| {
            readings.push(Reading::new(0, at, value).known_within(within));
        };
        if let Some(watts) = row.watts {
            push(Value::Power(watts), within);
        }
        let joules_before = before.and_then(|before| before.joules);
        match (row.joules, joules_before) {
            (Some(joules), Some(then)) if joules > then => {
                // A counter of watt-hours stands for many lines and then moves at some time between two of them.
                let since = before.map_or(Duration::ZERO, |before| at.since(before.at));
                let coarse = self.counter.changed.is_some_and(|changed| at.since(changed) > since);
                let length = self.counter.changed.map_or(since, |changed| at.since(changed));
                if (joules - then).get() > MOST_WATTS * length.as_secs_f64().max(1.0) {
                    push(
                        Value::Restarted("the counter jumped by more than 100 kW".to_owned()),
                        within,
                    );
                } else {
                    self.counter.total += joules - then;
                    let within = if coarse { within.max(since) } else { within };
                    push(Value::Energy(self.counter.total), within);
                }
                self.counter.changed = Some(at);
            }
            (Some(joules), Some(then)) if joules < then => {
                push(Value::Restarted("the counter went back".to_owned()), within);
                push(Value::Energy(self.counter.total), within);
                self.counter.changed = Some(at);
            }
            (Some(_), None) => {
                push(Value::Energy(self.counter.total), within);
                self.counter.changed = Some(at);
            }
            _ => {}
        }
    }

    /// What there is to say when the run ends.
    fn conclude(&mut self) {
        if let Some(text) = self.left_out.text() {
            self.warnings.push(format!("{}: {text}", self.domains[0].id));
        }
        if let Some(found) =
            self.witness.as_ref().and_then(|witness| witness.text(self.domains[0].kind))
        {
            let note = &mut self.domains[0].note;
            *note =
                Some(note.take().map_or_else(|| found.clone(), |note| format!("{note}; {found}")));
            self.witness = None;
        }
    }
}

impl LeftOut {
    /// What was left out and why; `None` if nothing was.
    fn text(&self) -> Option<String> {
        let Self { used, unknown, example, ahead, furthest, late, latest, back } = self;
        let mut parts = Vec::new();
        let lines = |count: u64| format!("{} {}", counted(count, "line"), were(count));
        if *unknown > 0 {
            let example = example.as_deref().unwrap_or("longer than 4 KiB");
            parts.push(format!("{} not understood, the first '{example}'", lines(*unknown)));
        }
        if *ahead > 0 {
            let clocks = "set the clock of what writes them, or this one";
            parts.push(format!(
                "{} dated up to {furthest:.0} s in the future: {clocks}",
                lines(*ahead)
            ));
        }
        if *late > 0 {
            parts.push(format!("{} up to {latest:.0} s late: write each at once", lines(*late)));
        }
        if *back > 0 {
            parts.push(format!("{} not later than the one before", lines(*back)));
        }
        let all = used + unknown + ahead + late + back;
        (!parts.is_empty())
            .then(|| format!("of {all} lines {used} were used; {}", parts.join("; ")))
    }
}

/// The beginning of a line, without control characters.
fn shortened(text: &str) -> String {
    let start: String = text.trim().chars().take(60).collect();
    printable::line(&start).into_owned()
}

fn domain(external: &External, number: usize) -> Domain {
    let word = external.kind.as_str();
    Domain {
        id: if number == 1 { format!("{NAME}:{word}") } else { format!("{NAME}:{word}-{number}") },
        kind: external.kind,
        label: format!("{word} by an external meter"),
        source: NAME.to_owned(),
        method: Method::Integrated,
        sensor: Sensor {
            counter_period_s: None,
            counter_quantum: None,
            power_period_s: Some(LONGEST_PERIOD),
            power_window_s: None,
            relative_error: external.error,
            absolute_error: Watts::ZERO,
        },
        pci_address: None,
        power_limit: None,
        note: Some(format!("as {} says", external.place())),
    }
}

impl PowerSource for Lines {
    fn domains(&self) -> &[Domain] {
        &self.domains
    }

    fn read(&mut self, request: Request, readings: &mut Vec<Reading>) {
        let first = readings.len();
        readings.append(&mut self.held);
        self.take(readings);
        if let Some(witness) = &self.witness {
            witness.whole(&self.domains[0], &readings[first..]);
        }
        if request == Request::Last {
            self.conclude();
        }
    }

    fn next_read(&self) -> Option<Due> {
        Some(Due { from: self.read.after(BETWEEN.0), by: self.read.after(BETWEEN.1) })
    }

    /// When the next line is there, where they come once a second.
    fn last_read(&self, now: Timestamp) -> Timestamp {
        let next = self.last.zip(self.period).filter(|_| self.ended.is_none());
        let next = next.map(|(last, period)| last.at.after(period + PAUSE));
        next.filter(|next| next.since(now) <= LAST_LINE).map_or(now, |next| next.max(now))
    }

    fn warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }
}

#[cfg(test)]
mod tests;

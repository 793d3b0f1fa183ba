//! Figures to an OpenTelemetry collector: protobuf over HTTP.
//!
//! The messages are `opentelemetry-proto`'s, and sending them is this file: the SDK's reader keeps on
//! telling the last value of what is no longer observed, with the time of now, and its shutdown waits for
//! 5 s whatever limit it gets.

mod message;

use std::collections::BTreeMap;
use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use prost::Message as _;
use ureq::Agent;
use ureq::http::Uri;

use super::Subject;
use crate::clock::{self, Timestamp};
use crate::deadline::Deadline;
use crate::error::{Error, ErrorKind, Result};

/// Time between two sends.
const INTERVAL: Duration = Duration::from_secs(10);
/// Longer than any run; a moment further away may not be one.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);
/// How long a send waits for the collector; half of what the end of a run waits, so that the last send
/// has its turn behind one that hangs.
const TIMEOUT: Duration = Duration::from_secs(1);
/// A send that ends this long after its limit was held up by this process.
const STOPPED: Duration = Duration::from_millis(500);
/// The path of metrics below a collector's address.
/// <https://opentelemetry.io/docs/specs/otlp/#otlphttp-request>
const PATH: &str = "/v1/metrics";

/// A collector, and how often it is sent to.
pub(super) struct Target {
    url: String,
    /// What it is called in a warning: without the user and the password that may be in its address.
    name: String,
    interval: Duration,
}

impl Target {
    pub(super) fn new(base: &str, interval: Option<Duration>) -> Result<Self> {
        let wrong = |why: &str| {
            Error::new(ErrorKind::InvalidSetting, format!("'{base}' is no collector: {why}"))
                .with_remedy("name one as `http://localhost:4318`")
        };
        let uri: Uri = base.parse().map_err(|error| wrong(&format!("{error}")))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => {
                return Err(wrong(
                    "TLS is not spoken here; a collector on this machine can pass on",
                ));
            }
            _ => return Err(wrong("it does not begin with http://")),
        }
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(|| wrong("no host"))?;
        let name = uri.port_u16().map_or(host.to_owned(), |port| format!("{host}:{port}"));
        let base = base.trim_end_matches('/');
        let url = if base.ends_with(PATH) { base.to_owned() } else { format!("{base}{PATH}") };
        let interval = interval.unwrap_or(INTERVAL).min(LONGEST);
        if interval.is_zero() {
            let message = "an interval of 0 between two sends to the collector";
            return Err(Error::new(ErrorKind::InvalidSetting, message)
                .with_remedy("give one of 250 ms or more: figures change no faster"));
        }
        Ok(Self { url, name, interval })
    }
}

/// What can go wrong; each is reported once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Trouble {
    Unreachable,
    Silent,
    Refused,
    Partial,
}

type Troubles = Arc<Mutex<BTreeMap<Trouble, String>>>;

/// The sending thread, from outside; it ends when this is dropped.
pub(super) struct Push {
    end: Sender<End>,
    name: String,
    troubles: Troubles,
}

/// Send for the last time, for `limit` at most, and say when that is done.
struct End {
    limit: Duration,
    done: Sender<()>,
}

impl Push {
    pub(super) fn start(target: Target, subject: Arc<Subject>) -> io::Result<Self> {
        let (end, inbox) = mpsc::channel();
        let name = target.name.clone();
        let troubles = Troubles::default();
        let config = Agent::config_builder()
            .proxy(None)
            .max_redirects(0)
            // Seconds lie between two sends: a connection that is kept may be dead by then.
            .max_idle_connections(0)
            .user_agent(concat!("ergometer/", env!("CARGO_PKG_VERSION")));
        let thread = Thread {
            agent: config.build().into(),
            target,
            subject,
            troubles: Arc::clone(&troubles),
            calendar: Calendar::default(),
        };
        thread::Builder::new()
            .name("ergometer otlp".to_owned())
            .spawn(move || thread.run(&inbox))?;
        Ok(Self { end, name, troubles })
    }

    /// Sends for the last time, and gives what went wrong; a collector that hangs is waited for `limit`
    /// long.
    pub(super) fn finish(&self, limit: Duration) -> Vec<String> {
        let (done, ended) = mpsc::channel();
        let asked = self.end.send(End { limit, done });
        let answer = Deadline::after(limit).recv(&ended);
        let mut troubles =
            std::mem::take(&mut *self.troubles.lock().unwrap_or_else(PoisonError::into_inner));
        if asked.is_ok() && answer == Err(RecvTimeoutError::Timeout) {
            troubles.entry(Trouble::Silent).or_insert_with(|| "it did not answer".to_owned());
        }
        let line = |what| format!("not all figures reached the collector at {}: {what}", self.name);
        troubles.into_values().map(line).collect()
    }
}

/// The sending thread's own.
struct Thread {
    agent: Agent,
    target: Target,
    subject: Arc<Subject>,
    troubles: Troubles,
    calendar: Calendar,
}

/// The wall clock's time at the origin of timestamps, Unix nanoseconds.
///
/// It is kept while it changes by no more than what passes between looking at two clocks, so that what
/// holds for one moment has one date, and follows a wall clock that somebody sets.
#[derive(Default)]
struct Calendar(Option<i128>);

impl Calendar {
    const SAME: u128 = 100_000_000;

    /// The present moment, and the Unix nanoseconds at which timestamps begin.
    fn look(&mut self) -> (Timestamp, i128) {
        let (now, date) = (clock::check(), clock::date());
        let origin = date.as_nanosecond() - i128::from(now.as_nanos());
        let known = self.0.filter(|known| known.abs_diff(origin) <= Self::SAME);
        (now, *self.0.insert(known.unwrap_or(origin)))
    }
}

impl Thread {
    fn run(mut self, inbox: &Receiver<End>) {
        let mut next = Instant::now() + self.target.interval;
        loop {
            match inbox.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Err(RecvTimeoutError::Timeout) => {
                    self.send(TIMEOUT);
                    // A send that takes longer than the interval skips and never stacks.
                    next = (next + self.target.interval).max(Instant::now());
                }
                Ok(End { limit, done }) => {
                    self.send(limit);
                    let _ = done.send(());
                    return;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Sends what is known now, once.
    fn send(&mut self, timeout: Duration) {
        let live = self.subject.live();
        let (now, origin) = self.calendar.look();
        let request = message::request(&self.subject, &live, now, origin);
        let (body, begin) = (request.encode_to_vec(), Instant::now());
        let mut sent = self.post(&body, timeout);
        // So long after its limit this process itself was stopped meanwhile, not the collector.
        if sent.is_err() && begin.elapsed() > timeout * 2 + STOPPED {
            sent = self.post(&body, timeout);
        }
        if let Err((trouble, what)) = sent {
            let mut troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
            troubles.entry(trouble).or_insert(what);
        }
    }

    fn post(&self, body: &[u8], timeout: Duration) -> Result<(), (Trouble, String)> {
        // 0 would be no limit.
        let timeout = timeout.max(Duration::from_millis(1));
        let request = self.agent.post(&self.target.url).content_type("application/x-protobuf");
        let request = request.config().timeout_global(Some(timeout)).build();
        let mut response = request.send(body).map_err(trouble)?;
        let answer = response.body_mut().read_to_vec().map_err(trouble)?;
        let answer = ExportMetricsServiceResponse::decode(&answer[..]);
        match answer.ok().and_then(|answer| answer.partial_success) {
            Some(partial) if partial.rejected_data_points > 0 => {
                let (points, why) = (partial.rejected_data_points, partial.error_message);
                Err((Trouble::Partial, format!("it rejected {points} of them: {why}")))
            }
            _ => Ok(()),
        }
    }
}

fn trouble(error: ureq::Error) -> (Trouble, String) {
    match error {
        ureq::Error::StatusCode(code) => (Trouble::Refused, format!("it refused, HTTP {code}")),
        ureq::Error::Timeout(_) => (Trouble::Silent, "it did not answer in time".to_owned()),
        error => (Trouble::Unreachable, error.to_string()),
    }
}

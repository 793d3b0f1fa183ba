//! A span's energy, for the program that it is in.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use super::word::{Window, Word};
use super::{Span, thread};
use crate::deadline::Deadline;
use crate::energy::Usage;
use crate::error::{Error, ErrorKind, Result};

/// A span that has ended, whose energy can be waited for: see [`Span::finish`].
///
/// ```
/// use std::time::Duration;
/// use ergometer::{ErrorKind, Kind, span::Under};
///
/// // There is no meter, so no energy: an error, not 0 J.
/// let finished = Under::installed().enter(Kind::Phase.into()).finish();
/// let error = finished.await_energy(Duration::from_secs(1)).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Finished);
/// ```
#[derive(Debug)]
#[must_use = "a span whose energy nobody waits for may as well be dropped"]
pub struct Finished(Option<Receiver<Usage>>);

impl Span {
    /// Ends the span; its energy can then be waited for.
    ///
    /// The hardware is read at once, as at the end of an epoch: for windows that are measured one by one, not for
    /// every step.
    ///
    /// ```
    /// use std::time::Duration;
    /// use ergometer::{Kind, Meter, source::DomainKind, units::Watts};
    ///
    /// let meter = Meter::builder().without_probe().fixed(DomainKind::Node, Watts::new(50.0)).start()?;
    /// let span = meter.span(Kind::Phase);
    /// std::thread::sleep(Duration::from_millis(20));
    /// let used = span.finish().await_energy(Duration::from_secs(10))?;
    /// let joules = used.energy.unwrap().joules.get();
    /// assert!((joules - 50.0 * used.seconds).abs() < 1e-6 && used.seconds >= 0.020);
    /// # Ok::<(), ergometer::Error>(())
    /// ```
    pub fn finish(self) -> Finished {
        let Some((meter, began)) = self.opened() else { return Finished(None) };
        let (reply, answer) = mpsc::channel();
        let end = self.end();
        thread::tell(meter, Word::Measure(Window { start: began.start, end, reply }));
        Finished(Some(answer))
    }
}

impl Finished {
    /// Waits until the readings up to the span's end have come, for `timeout` at most, and returns what the
    /// machine drew while it was open. With a sensor that is read once a second that takes about a second. Time in which
    /// the process was stopped counts for a tenth of a second at most.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Finished`] if the span had no meter, or that was finished or dropped before the span ended;
    /// [`ErrorKind::Sampler`] if the energy is not known after `timeout`.
    pub fn await_energy(self, timeout: Duration) -> Result<Usage> {
        let gone = || {
            Error::new(ErrorKind::Finished, "the span has no meter that could know its energy")
                .with_remedy(
                    "start a meter before the span, and finish it after the energy is known",
                )
        };
        let answer = self.0.ok_or_else(gone)?;
        Deadline::after(timeout).recv(&answer).map_err(|error| match error {
            RecvTimeoutError::Disconnected => gone(),
            RecvTimeoutError::Timeout => {
                let message = format!("the energy of the span is not known after {timeout:?}");
                Error::new(ErrorKind::Sampler, message)
                    .with_remedy("wait longer: a sensor is read about once a second")
            }
        })
    }
}

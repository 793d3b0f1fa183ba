//! What the record says of how a counter is read, and why.

use super::{Judge, Reason, VAGUE};
use crate::source::nvml::update_times::LONGEST;

/// How often a counter is read, seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::source::nvml) struct Pace {
    /// Its own period, if that was learnt, and what it is at most.
    pub period: Option<f64>,
    pub longest: f64,
    /// From one read to the next at its own rate, and at the slow one.
    pub own: f64,
    pub slow: f64,
}

impl Pace {
    pub(super) const UNKNOWN: Self = Self { period: None, longest: LONGEST, own: 0.1, slow: 1.0 };

    /// As "every 100 ms".
    fn own(self) -> String {
        match self.period {
            Some(_) => format!("every {}", Self::length(self.own)),
            None => format!(
                "every {} or so, as its period was not learnt (it is {:.0} ms at most)",
                Self::length(self.own),
                self.longest * 1e3
            ),
        }
    }

    /// As "once a second".
    fn slow(self) -> String {
        let second = self.slow < 1.05;
        if second { "once a second".to_owned() } else { format!("every {:.1} s", self.slow) }
    }

    fn length(seconds: f64) -> String {
        if seconds < 0.9995 {
            format!("{:.0} ms", seconds * 1e3)
        } else {
            format!("{seconds:.1} s")
        }
    }
}

impl Judge {
    /// What the record says of it.
    pub(in crate::source::nvml) fn sentence(&self) -> String {
        let (own, slow, tried) = (self.pace.own(), self.pace.slow(), self.tried.own());
        let percent = |ratio: f64| format!("{:+.1} %", (ratio - 1.0) * 100.0);
        match &self.reason {
            Reason::Untried => {
                format!("counter read {own}; the run was too short to compare it with power")
            }
            Reason::Unseen => {
                format!("counter read {own}; power told too little to compare it with")
            }
            Reason::Compared { ratio, error } if *error <= VAGUE => format!(
                "counter read {own}: it differs from integrated power by {}, so reading does it no \
                 harm",
                percent(*ratio)
            ),
            Reason::Compared { ratio, error } => format!(
                "counter read {own}: power is known too badly to tell whether that does it harm (it \
                 differs by {} ± {:.0} %)",
                percent(*ratio),
                2.0 * error * 100.0
            ),
            Reason::Consumer => format!(
                "counter read {slow}: fast reading has disturbed it on a consumer board, and the run was too \
                 short to try"
            ),
            Reason::Averaged => format!(
                "counter read {slow}: fast reading has disturbed it on a consumer board, and power that is an \
                 average cannot tell in time"
            ),
            Reason::Disturbed { fast, .. } => format!(
                "counter read {slow}: read {tried} it differed from integrated power by {}",
                percent(*fast)
            ),
            Reason::Confirmed { fast, slow: ratio } => format!(
                "counter read {slow}: it differs from integrated power by {} then, and by \
                 {} when read {tried}",
                percent(*ratio),
                percent(*fast)
            ),
            Reason::Unchecked => {
                format!("counter read {slow}: there is no power to check a faster rate by")
            }
            Reason::Costly { seconds } => format!(
                "counter read {slow}: a read takes {:.1} ms of a processor, and more often would be \
                 more than the meter may use",
                seconds * 1e3
            ),
            Reason::Broken { counter, power } => format!(
                "counter not used: it gave {counter:.0} J where integrated power gave {power:.0} J"
            ),
        }
    }
}

//! Processor time from `/proc/stat`.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::sysfs::read_start;

/// Processor time of all logical processors since boot, in ticks of 10 ms (`USER_HZ`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Jiffies {
    /// user + nice + system + irq + softirq. Time of guests is part of user and nice.
    pub(super) busy: u64,
    /// idle + iowait + steal: the processor did no work for this machine.
    pub(super) idle: u64,
}

impl Jiffies {
    /// The time spent since `earlier`. The kernel's iowait may decrease (proc(5)); that counts as 0.
    pub(super) const fn since(&self, earlier: &Self) -> Self {
        Self {
            busy: self.busy.saturating_sub(earlier.busy),
            idle: self.idle.saturating_sub(earlier.idle),
        }
    }

    pub(super) const fn total(&self) -> u64 {
        self.busy.saturating_add(self.idle)
    }

    /// The busy share, 0 to 1; 0 if no time has passed.
    pub(super) fn utilisation(&self) -> f64 {
        match self.total() {
            0 => 0.0,
            total => self.busy as f64 / total as f64,
        }
    }
}

/// How busy the machine's processors are over a run.
#[derive(Clone, Debug)]
pub(crate) struct Utilisation {
    stat: PathBuf,
    begin: Jiffies,
}

impl Utilisation {
    /// From now on; `None` where `proc_root` shows no processor time.
    pub(crate) fn begin(proc_root: &Path) -> Option<Self> {
        let stat = proc_root.join("stat");
        let begin = read(&stat).ok()?;
        Some(Self { stat, begin })
    }

    /// The busy share of all logical processors since the beginning, 0 to 1; `None` if no time is shown.
    pub(crate) fn until_now(&self) -> Option<f64> {
        let spent = read(&self.stat).ok()?.since(&self.begin);
        (spent.total() > 0).then(|| spent.utilisation())
    }
}

/// Reads the first line of `/proc/stat`, without allocating.
pub(super) fn read(stat: &Path) -> io::Result<Jiffies> {
    let mut text = [0; 256];
    let length = read_start(&File::open(stat)?, &mut text)?;
    let read = &text[..length];
    // A line that fills the buffer may be longer, and a truncated number would be wrong.
    let end = read.iter().position(|&byte| byte == b'\n');
    end.or((length < text.len()).then_some(length))
        .and_then(|end| std::str::from_utf8(&read[..end]).ok())
        .and_then(parse)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it has no 'cpu' line"))
}

fn parse(line: &str) -> Option<Jiffies> {
    let mut words = line.split_ascii_whitespace();
    if words.next() != Some("cpu") {
        return None;
    }
    let mut fields = [0_u64; 8];
    for (index, field) in fields.iter_mut().enumerate() {
        match words.next() {
            Some(word) => *field = word.parse().ok()?,
            // Old kernels have fewer fields; idle is the fourth.
            None if index >= 4 => break,
            None => return None,
        }
    }
    let [user, nice, system, idle, iowait, irq, softirq, steal] = fields;
    let sum = |parts: &[u64]| parts.iter().try_fold(0_u64, |sum, part| sum.checked_add(*part));
    Some(Jiffies {
        busy: sum(&[user, nice, system, irq, softirq])?,
        idle: sum(&[idle, iowait, steal])?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_iowait_and_steal_are_not_busy_and_guests_are_not_counted_twice() {
        let found = parse("cpu  100 20 30 4000 500 6 7 800 90 10");
        assert_eq!(found, Some(Jiffies { busy: 163, idle: 5300 }));
    }

    #[test]
    fn what_is_no_stat_line_is_refused() {
        for line in ["", "cpu0 1 2 3 4", "cpu 1 2 3", "cpu 1 2 x 4", "intr 1 2 3 4"] {
            assert_eq!(parse(line), None, "{line:?}");
        }
    }

    #[test]
    fn utilisation_is_that_since_the_beginning() {
        let folder = tempfile::tempdir().unwrap();
        let write = |line: &str| std::fs::write(folder.path().join("stat"), line).unwrap();
        assert!(Utilisation::begin(folder.path()).is_none());
        write("cpu  1000 0 0 3000 0 0 0 0\n");
        let busy = Utilisation::begin(folder.path()).unwrap();
        assert_eq!(busy.until_now(), None);
        write("cpu  1600 0 0 3200 0 0 0 0\n");
        assert_eq!(busy.until_now(), Some(0.75));
        write("cpu  0 0 0 0 0 0 0 0\n");
        assert_eq!(busy.until_now(), None);
    }

    #[test]
    fn time_that_goes_back_counts_as_none() {
        let before = Jiffies { busy: 100, idle: 100 };
        let spent = Jiffies { busy: 150, idle: 90 }.since(&before);
        assert_eq!((spent.busy, spent.idle), (50, 0));
        assert!((spent.utilisation() - 1.0).abs() < f64::EPSILON);
    }
}

//! How busy the processors of the machine are.

use std::io;
use std::path::{Path, PathBuf};

use super::processor_load::{Load, ProcessorLoad};
use super::stat::{self, Jiffies};
use super::{host, system};

/// The load of the machine that `proc_root` (`/proc`) describes, with this many logical processors; `None` if that
/// shows no time at all.
pub(super) fn open(proc_root: &Path, logical: u32) -> io::Result<Option<Box<dyn ProcessorLoad>>> {
    if let Some(load) = host::this_machine(proc_root, system::load) {
        return Ok(Some(load));
    }
    let stat = Stat { file: proc_root.join("stat"), least: logical.max(1).into(), last: None };
    let moves = stat::read(&stat.file)?.total() > 0;
    Ok(moves.then(|| Box::new(stat) as Box<dyn ProcessorLoad>))
}

/// The load according to `/proc/stat`.
#[derive(Debug)]
struct Stat {
    file: PathBuf,
    /// Less than a tick on each processor says little of how busy they were.
    least: u64,
    last: Option<Jiffies>,
}

impl ProcessorLoad for Stat {
    fn read(&mut self) -> io::Result<Load> {
        let now = stat::read(&self.file)?;
        let last = *self.last.get_or_insert(now);
        // The kernel's iowait may decrease a little (proc(5)); a container that is moved starts again.
        if now.total().saturating_add(self.least) < last.total() {
            self.last = Some(now);
            return Ok(Load::Unknown(format!("{} started again", self.place())));
        }
        let spent = now.since(&last);
        if spent.total() < self.least {
            return Ok(Load::TooSoon);
        }
        self.last = Some(now);
        Ok(Load::Busy(spent.utilisation()))
    }

    fn place(&self) -> String {
        self.file.display().to_string()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn times_that_start_again_are_unknown_once() {
        let root = tempfile::tempdir().unwrap();
        let spent = |busy: u64, idle: u64| {
            fs::write(root.path().join("stat"), format!("cpu {busy} 0 0 {idle} 0 0 0 0\n"))
                .unwrap();
        };
        spent(100, 100);
        let mut load = open(root.path(), 2).unwrap().unwrap();
        assert_eq!(load.read().unwrap(), Load::TooSoon, "nothing to compare it with");
        spent(175, 125);
        assert_eq!(load.read().unwrap(), Load::Busy(0.75));
        spent(175, 124);
        assert_eq!(load.read().unwrap(), Load::TooSoon, "iowait may decrease");
        spent(10, 10);
        assert!(matches!(load.read().unwrap(), Load::Unknown(_)));
        spent(10, 20);
        assert_eq!(load.read().unwrap(), Load::Busy(0.0));
    }

    #[test]
    fn a_machine_that_shows_no_time_has_no_load_and_one_without_the_file_is_an_error() {
        let root = tempfile::tempdir().unwrap();
        assert!(open(root.path(), 2).is_err());
        fs::write(root.path().join("stat"), "cpu 0 0 0 0 0 0 0 0\n").unwrap();
        assert!(open(root.path(), 2).unwrap().is_none());
    }
}

//! Where the settings are, and what was made of them last time.

use std::ffi::{CStr, OsStr, c_void};
use std::fs::Metadata;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};
use std::{env, fs};

use crate::{BadSetting, Machine, monotonic_ns};

/// When the library was first called, by `nvmlInit` in a program that keeps to the rules.
static INIT: OnceLock<u64> = OnceLock::new();

static LAST: Mutex<Option<Last>> = Mutex::new(None);

/// Settings and what was made of them.
#[derive(Clone)]
struct Last {
    /// The file they were in, if it need not be read again while it looks like this.
    stamp: Option<Stamp>,
    text: String,
    machine: Result<Arc<Machine>, BadSetting>,
}

/// What a file looks like from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    length: u64,
    modified: SystemTime,
}

impl Stamp {
    /// `None` for a file that was changed just now: it may change again without looking different,
    /// for the clock of file times ticks slowly.
    fn of(file: &Metadata) -> Option<Self> {
        let modified = file.modified().ok()?;
        let age = SystemTime::now().duration_since(modified).ok()?;
        (age > Duration::from_millis(50)).then_some(Self {
            device: file.dev(),
            inode: file.ino(),
            length: file.len(),
            modified,
        })
    }
}

/// The machine as the settings are now.
pub(crate) fn machine() -> Result<Arc<Machine>, BadSetting> {
    let init = *INIT.get_or_init(monotonic_ns);
    {
        let last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Ok(machine)) = last.as_ref().map(|last| &last.machine)
            && !machine.reload
        {
            return Ok(Arc::clone(machine));
        }
    }
    let beside = beside();
    // Looked at before it is read: a file that changes meanwhile is read again next time.
    let stamp = beside
        .as_ref()
        .and_then(|path| fs::metadata(path).ok())
        .and_then(|metadata| Stamp::of(&metadata));
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(last) = last.as_ref().filter(|last| stamp.is_some() && last.stamp == stamp) {
        return last.machine.clone();
    }
    let file = beside.as_ref().and_then(|path| fs::read_to_string(path).ok());
    let stamp = stamp.filter(|_| file.is_some());
    let text = file.or_else(|| env::var("ERGOMETER_SIM_NVML").ok()).unwrap_or_default();
    let machine = match last.take() {
        Some(last) if last.text == text => last.machine,
        _ => {
            let machine = Machine::parse_since(&text, init).map(Arc::new);
            if let Err(error) = &machine {
                eprintln!("nvml-sim: {error}");
            }
            machine
        }
    };
    *last = Some(Last { stamp, text, machine: machine.clone() });
    machine
}

/// The file of settings beside this library.
fn beside() -> Option<&'static PathBuf> {
    static BESIDE: OnceLock<Option<PathBuf>> = OnceLock::new();
    let find = || {
        let mut name = own_path()?.into_os_string();
        name.push(".conf");
        Some(PathBuf::from(name))
    };
    BESIDE.get_or_init(find).as_ref()
}

/// The file this library was loaded from.
fn own_path() -> Option<PathBuf> {
    let mut info = libc::Dl_info {
        dli_fname: std::ptr::null(),
        dli_fbase: std::ptr::null_mut(),
        dli_sname: std::ptr::null(),
        dli_saddr: std::ptr::null_mut(),
    };
    let here: *const c_void = (&raw const INIT).cast();
    // SAFETY: `here` lies in this library and `info` is a valid place for the answer, whose name
    // lives as long as the library is loaded.
    unsafe {
        if libc::dladdr(here, &raw mut info) == 0 || info.dli_fname.is_null() {
            return None;
        }
        Some(PathBuf::from(OsStr::from_bytes(CStr::from_ptr(info.dli_fname).to_bytes())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_anew_when_the_file_changes() {
        // The file beside a test is one beside the program that holds it.
        let path = beside().unwrap();
        let boards = || machine().unwrap().boards.len();
        assert_eq!(boards(), 1);
        for count in [2, 3, 2, 4, 1, 5] {
            fs::write(path, format!("boards={count}")).unwrap();
            assert_eq!((boards(), boards()), (count, count));
        }
        std::thread::sleep(Duration::from_millis(80));
        assert_eq!((boards(), boards()), (5, 5));
        assert!(LAST.lock().unwrap().as_ref().unwrap().stamp.is_some(), "it is now trusted");
        fs::write(path, "boards=6").unwrap();
        assert_eq!(boards(), 6);
        fs::remove_file(path).unwrap();
        assert_eq!(boards(), 1);
        for text in ["boards=2;reload=no", "boards=7"] {
            fs::write(path, text).unwrap();
            assert_eq!(boards(), 2);
        }
        fs::remove_file(path).unwrap();
    }
}

//! A copy of the library that a test can load, with settings of its own.

use std::path::PathBuf;
use std::{env, fs, io};

use tempfile::TempDir;

use crate::Machine;

/// A share of a core that lets boards be read as often as is of use, on a slow machine too: what a test of the boards'
/// energy has its meter take, which would read them less often where a call takes long.
pub const AMPLE_SHARE: f64 = 0.05;

/// A simulated machine of its own: a copy of the library in a temporary folder, with its settings beside
/// it.
#[derive(Debug)]
pub struct Installed {
    folder: TempDir,
}

impl Installed {
    /// Copies the library that cargo built beside the running test.
    ///
    /// # Panics
    ///
    /// If it is not there, cannot be copied, or `settings` are none.
    #[must_use]
    pub fn new(settings: &str) -> Self {
        let this = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        fs::copy(built().expect("cargo built libnvml_sim.so"), this.library())
            .expect("the copy's folder can be written");
        this.set(settings);
        this
    }

    /// The library's path.
    #[must_use]
    pub fn library(&self) -> PathBuf {
        self.folder.path().join("libnvidia-ml.so.1")
    }

    /// Changes the settings, also while the library is being read.
    ///
    /// # Panics
    ///
    /// If `settings` are none, or cannot be written.
    pub fn set(&self, settings: &str) {
        Machine::parse(settings).expect("settings of a simulated machine");
        let new = self.folder.path().join("new");
        fs::write(&new, settings)
            .and_then(|()| fs::rename(new, self.folder.path().join("libnvidia-ml.so.1.conf")))
            .expect("the library's folder can be written");
    }

    /// The folder it lies in, for what else a test wants to keep there.
    #[must_use]
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }
}

/// The `cdylib` that cargo built beside this program.
fn built() -> io::Result<PathBuf> {
    let program = env::current_exe()?;
    let folders = program.ancestors().skip(1).take(2);
    folders
        .map(|folder| folder.join("libnvml_sim.so"))
        .find(|path| path.exists())
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no libnvml_sim.so beside it"))
}

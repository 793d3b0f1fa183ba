//! Where Burn writes its logs.

use std::path::Path;

use tempfile::TempDir;

use crate::{Failure, TrainArgs};

/// The directory of `--artifacts`, or a temporary one that goes when this value is dropped.
#[derive(Debug)]
pub struct Artifacts(Place);

#[derive(Debug)]
enum Place {
    Kept(std::path::PathBuf),
    Temporary(TempDir),
}

impl Artifacts {
    /// Makes the directory.
    ///
    /// # Errors
    /// [`Failure::Usage`] when the one of `--artifacts` cannot be made.
    pub fn new(args: &TrainArgs) -> Result<Self, Failure> {
        match &args.artifacts {
            Some(path) => {
                std::fs::create_dir_all(path).map(|()| Self(Place::Kept(path.clone()))).map_err(
                    |error| Failure::usage(format!("cannot make {}: {error}", path.display())),
                )
            }
            None => {
                TempDir::new().map(|directory| Self(Place::Temporary(directory))).map_err(|error| {
                    Failure::run(format!("cannot make a temporary directory: {error}"))
                })
            }
        }
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        match &self.0 {
            Place::Kept(path) => path,
            Place::Temporary(directory) => directory.path(),
        }
    }
}

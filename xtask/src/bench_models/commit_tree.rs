//! A commit checked out in a work tree of its own, which goes again.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use signal_hook::consts::SIGINT;
use signal_hook::flag;

use crate::git::git;
use crate::stop::{Doing, Stop};

/// The work tree; it is removed when this is dropped, also after Ctrl-C. One that a killed process left is removed by
/// the next.
pub struct CommitTree {
    repository: PathBuf,
    path: PathBuf,
    interrupts: Interrupts,
    /// The system releases the lock when the process ends, whichever way.
    _lock: File,
}

impl CommitTree {
    /// Checks `commit` of the repository at `repository` out below `folder`, which holds nothing else.
    pub fn new(repository: &Path, folder: &Path, commit: &str) -> Result<Self, Stop> {
        std::fs::create_dir_all(folder).doing(format!("create {}", folder.display()))?;
        let lock = folder.join("lock");
        let lock = File::create(&lock).doing(format!("create {}", lock.display()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let place = folder.display();
                return Err(Stop::failed(format!("another process builds a commit in {place}")));
            }
            Err(TryLockError::Error(error)) => {
                return Err(Stop::failed(format!("cannot lock {}: {error}", folder.display())));
            }
        }
        let tree = Self {
            repository: repository.to_owned(),
            path: folder.join("tree"),
            interrupts: Interrupts::held().doing("handle Ctrl-C")?,
            _lock: lock,
        };
        tree.remove();
        tree.git(&["worktree", "add", "--detach"], &[tree.path.as_os_str(), commit.as_ref()])?;
        Ok(tree)
    }

    /// Where the commit's files are.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether Ctrl-C was pressed since it was made.
    pub fn interrupted(&self) -> bool {
        self.interrupts.seen.load(Ordering::Relaxed)
    }

    fn git(&self, arguments: &[&str], values: &[&std::ffi::OsStr]) -> Result<(), Stop> {
        let what = format!("git {}", arguments.join(" "));
        let mut git = git(&self.repository, arguments);
        let output = git.args(values).output().doing(format!("run `{what}`"))?;
        if output.status.success() {
            return Ok(());
        }
        let reason = String::from_utf8_lossy(&output.stderr);
        Err(Stop::failed(format!("`{what}` failed: {}", reason.trim())))
    }

    /// Removes the tree, or what is left of one.
    fn remove(&self) {
        if self.path.exists()
            && self.git(&["worktree", "remove", "--force"], &[self.path.as_os_str()]).is_err()
        {
            // Not a work tree that this repository knows.
            let _ = std::fs::remove_dir_all(&self.path);
        }
        let _ = self.git(&["worktree", "prune"], &[]);
    }
}

impl Drop for CommitTree {
    fn drop(&mut self) {
        self.remove();
    }
}

/// While one of these lives, Ctrl-C ends the programs that run, and not this one.
struct Interrupts {
    seen: Arc<AtomicBool>,
}

/// How many [`Interrupts`] live.
static HELD: Mutex<usize> = Mutex::new(0);
/// Whether Ctrl-C ends this process; registered once, as an action cannot be taken back.
static ENDS_THE_PROCESS: OnceLock<Arc<AtomicBool>> = OnceLock::new();

impl Interrupts {
    fn held() -> Result<Self, std::io::Error> {
        let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        if ENDS_THE_PROCESS.get().is_none() {
            let ends = Arc::<AtomicBool>::default();
            flag::register_conditional_default(SIGINT, Arc::clone(&ends))?;
            let _ = ENDS_THE_PROCESS.set(ends);
        }
        let seen = Arc::default();
        flag::register(SIGINT, Arc::clone(&seen))?;
        *held += 1;
        Self::let_end(false);
        drop(held);
        Ok(Self { seen })
    }

    fn let_end(ends: bool) {
        ENDS_THE_PROCESS.get().into_iter().for_each(|flag| flag.store(ends, Ordering::Relaxed));
    }
}

impl Drop for Interrupts {
    fn drop(&mut self) {
        let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        *held -= 1;
        Self::let_end(*held == 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git;

    /// A repository with two commits of one file.
    fn repository() -> (tempfile::TempDir, [String; 2]) {
        let folder = tempfile::tempdir().unwrap();
        let git = |arguments: &[&str]| git::printed(folder.path(), arguments);
        git(&["init", "--quiet"]);
        let commits = ["first", "second"].map(|text| {
            std::fs::write(folder.path().join("file"), text).unwrap();
            git(&["add", "file"]);
            git(&["commit", "--quiet", "--message", text]);
            git(&["rev-parse", "HEAD"])
        });
        (folder, commits)
    }

    /// Work trees that git knows of.
    fn trees(repository: &Path) -> usize {
        let listed = git::printed(repository, &["worktree", "list", "--porcelain"]);
        listed.lines().filter(|line| line.starts_with("worktree ")).count()
    }

    #[test]
    fn a_commit_has_a_tree_until_it_is_dropped_also_after_ctrl_c_and_after_a_kill() {
        let (folder, [first, second]) = repository();
        let (root, place) = (folder.path(), folder.path().join("target/against"));
        let tree = CommitTree::new(root, &place, &first).unwrap();
        let file = tree.path().join("file");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "first");
        assert_eq!((trees(root), tree.interrupted()), (2, false));
        // Another process at the same time is refused, and takes nothing away.
        assert!(CommitTree::new(root, &place, &second).is_err());
        assert!(file.exists());
        // Ctrl-C ends what is being built and not this process, which then cleans up.
        signal_hook::low_level::raise(SIGINT).unwrap();
        assert!(tree.interrupted());
        drop(tree);
        assert_eq!((trees(root), file.exists()), (1, false));
        // What a killed process left: the tree as git knows it, with changes, without the lock.
        let left = place.join("tree");
        git::printed(
            root,
            &["worktree", "add", "--quiet", "--detach", left.to_str().unwrap(), &first],
        );
        std::fs::write(&file, "changed").unwrap();
        let tree = CommitTree::new(root, &place, &second).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "second");
        drop(tree);
        assert_eq!((trees(root), file.exists()), (1, false));
        // And a folder that git does not know.
        std::fs::create_dir_all(place.join("tree")).unwrap();
        std::fs::write(&file, "foreign").unwrap();
        drop(CommitTree::new(root, &place, &first).unwrap());
        assert_eq!((trees(root), file.exists()), (1, false));
    }

    #[test]
    fn a_commit_that_is_not_there_is_a_failure_and_leaves_nothing() {
        let (folder, _) = repository();
        let place = folder.path().join("target/against");
        assert!(CommitTree::new(folder.path(), &place, "no-such-commit").is_err());
        assert_eq!((trees(folder.path()), place.join("tree").exists()), (1, false));
    }
}

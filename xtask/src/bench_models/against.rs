//! `--against`: the present tree and another program, run in pairs.
//!
//! The base is a commit, which is built in a work tree of its own, or a command, which is given the same arguments.
//! In each pair one run of each follows the other, in random order, so that what drifts is in both.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::args::BenchModels;
use super::choices::{Model, Subject, word};
use super::commit_tree::CommitTree;
use super::comparison::Comparison;
use super::run::{Measured, Run};
use super::{child, order};
use crate::git::git;
use crate::stop::{Doing, Stop};
use crate::workspace;

/// What the present tree is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Base {
    /// A commit of this repository, by its whole name.
    Commit(String),
    /// A program and its first arguments.
    Command(PathBuf, Vec<OsString>),
}

impl Base {
    /// A commit if `text` names one in the repository at `root`, otherwise a command whose program is there.
    pub fn of(text: &str, root: &Path) -> Result<Self, Stop> {
        let commit = format!("{text}^{{commit}}");
        let named = ["rev-parse", "--verify", "--quiet", "--end-of-options", &commit];
        if let Ok(output) = git(root, &named).output()
            && output.status.success()
        {
            return Ok(Self::Commit(String::from_utf8_lossy(&output.stdout).trim().to_owned()));
        }
        let mut words = text.split_whitespace().map(OsString::from);
        let program = words.next().map(PathBuf::from).and_then(|program| located(&program));
        let program = program.ok_or_else(|| {
            Stop::wrong_input(format!("--against '{text}' is neither a commit nor a program"))
        })?;
        Ok(Self::Command(program, words.collect()))
    }
}

/// The program's file: as it is if it has a folder, otherwise in `PATH`.
fn located(program: &Path) -> Option<PathBuf> {
    if program.components().count() > 1 {
        return program.is_file().then(|| std::path::absolute(program).ok()).flatten();
    }
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// A side of the pairs: its program, and arguments before the model's own.
struct Side {
    name: &'static str,
    program: PathBuf,
    first: Vec<OsString>,
}

/// What came of the pairs.
pub struct Outcome {
    /// One comparison a model.
    pub comparisons: Vec<Comparison>,
    /// The runs of the present tree.
    pub measured: Vec<Measured>,
    /// Runs that failed.
    pub failures: Vec<String>,
}

impl BenchModels {
    /// Runs the pairs. Both sides have the same arguments and, in each pair, the same seed.
    pub fn run_pairs(
        &self,
        text: &str,
        models: &[Model],
        nvml: Option<&Path>,
        out: &Path,
    ) -> Result<Outcome, Stop> {
        let base = Base::of(text, &workspace::root())?;
        let backend = self.one_backend()?;
        if matches!(base, Base::Command(..)) && models.len() > 1 {
            return Err(Stop::wrong_input("--against a command takes one model (--models)"));
        }
        let programs = out.join("against");
        std::fs::create_dir_all(&programs).doing(format!("create {}", programs.display()))?;
        // The base first: both builds share a target folder, and the last one stays in it.
        let bases = match &base {
            Base::Commit(commit) => self.build_commit(commit, models, &programs)?,
            Base::Command(program, _) => vec![program.clone()],
        };
        let news = self.build_copies(models, None, &programs.join("new"))?;
        let mut outcome =
            Outcome { comparisons: Vec::new(), measured: Vec::new(), failures: Vec::new() };
        for ((model, base_program), new) in models.iter().zip(bases).zip(news) {
            let first = match &base {
                Base::Commit(_) => Vec::new(),
                Base::Command(_, first) => first.clone(),
            };
            let base = Side { name: "base", program: base_program, first };
            let new = Side { name: "new", program: new, first: Vec::new() };
            let subject = Subject { model: *model, size: self.size, backend };
            self.pairs_of(subject, text, [&base, &new], nvml, out, &mut outcome)?;
        }
        Ok(outcome)
    }

    fn pairs_of(
        &self,
        subject: Subject,
        text: &str,
        [base, new]: [&Side; 2],
        nvml: Option<&Path>,
        out: &Path,
        outcome: &mut Outcome,
    ) -> Result<(), Stop> {
        let mut pairs = Vec::new();
        for (pair, new_first) in (0..).zip(order::new_first(self.repeats, self.seed)) {
            let sides = if new_first { [new, base] } else { [base, new] };
            let mut runs = Vec::new();
            for side in sides {
                match self.run_side(subject, side, pair, nvml, out) {
                    Ok(run) => runs.push(run),
                    Err(child::Failure::WrongInput) => return Err(Stop::relayed(2)),
                    Err(child::Failure::Other(message)) => {
                        eprintln!("error: {message}");
                        outcome.failures.push(message);
                        break;
                    }
                }
            }
            // A pair without one of its runs says nothing.
            if let [first, second] = &runs[..] {
                let (base, new) = if new_first { (second, first) } else { (first, second) };
                pairs.push((Run::new(base.clone()), Run::new(new.clone())));
                outcome.measured.push(new.clone());
            }
        }
        let title = subject.to_string();
        outcome.comparisons.push(Comparison::of_pairs(title, text, &pairs, self.margin));
        Ok(())
    }

    fn run_side(
        &self,
        subject: Subject,
        side: &Side,
        pair: u32,
        nvml: Option<&Path>,
        out: &Path,
    ) -> Result<Measured, child::Failure> {
        let number = pair + 1;
        let name = format!("{}-{number}-{}", subject.file_stem(), side.name);
        eprintln!("==> {subject}, {}, pair {number} of {}", side.name, self.repeats);
        let seed = self.seed.wrapping_add(u64::from(pair));
        let mut arguments = side.first.clone();
        // An older program may not know how to measure an idle machine.
        arguments.extend(self.arguments(subject, seed, None));
        let (record_path, log_path) =
            (out.join(format!("{name}.json")), out.join(format!("{name}.log")));
        let record = child::train(&side.program, nvml, &arguments, &record_path, &log_path)?;
        Ok(Measured { subject, record, record_path, log_path })
    }

    /// Builds a commit in a work tree of its own, which goes again, and copies its programs.
    fn build_commit(
        &self,
        commit: &str,
        models: &[Model],
        programs: &Path,
    ) -> Result<Vec<PathBuf>, Stop> {
        // One place for all commits: what was built there before is built again only where it differs.
        let folder = workspace::target_folder()?.join("against");
        let tree = CommitTree::new(&workspace::root(), &folder, commit)?;
        let built = self.build_copies(models, Some(tree.path()), &programs.join("base"));
        if tree.interrupted() { Err(Stop::failed("interrupted")) } else { built }
    }

    /// Builds the models of a tree, by default the present one, and copies their programs to `folder`.
    fn build_copies(
        &self,
        models: &[Model],
        tree: Option<&Path>,
        folder: &Path,
    ) -> Result<Vec<PathBuf>, Stop> {
        std::fs::create_dir_all(folder).doing(format!("create {}", folder.display()))?;
        let built = child::build(models, &self.backends, self.profile, tree)?;
        built
            .into_iter()
            .map(|(model, program)| {
                let copy = folder.join(word(model));
                std::fs::copy(&program, &copy).doing(format!("write {}", copy.display()))?;
                Ok(copy)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git;

    #[test]
    fn a_base_is_a_commit_or_a_program_that_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let git = |arguments: &[&str]| git::printed(folder.path(), arguments);
        git(&["init", "--quiet", "--initial-branch", "trunk"]);
        git(&["commit", "--quiet", "--allow-empty", "--message", "first"]);
        let commit = git(&["rev-parse", "HEAD"]);
        for text in ["trunk", "HEAD", &commit[..8]] {
            assert_eq!(Base::of(text, folder.path()), Ok(Base::Commit(commit.clone())), "{text}");
        }
        let program = folder.path().join("old-model");
        let text = format!("{} --tokens bytes", program.display());
        let refused = Base::of(&text, folder.path()).unwrap_err();
        assert_eq!(
            refused,
            Stop::wrong_input(format!("--against '{text}' is neither a commit nor a program"))
        );
        std::fs::write(&program, "").unwrap();
        let arguments = ["--tokens", "bytes"].map(OsString::from).to_vec();
        assert_eq!(Base::of(&text, folder.path()), Ok(Base::Command(program, arguments)));
        assert!(Base::of("", folder.path()).is_err());
    }
}

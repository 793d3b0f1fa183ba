//! Finds the journal or record that a run resumes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};
use crate::journal;
use crate::record::power::share_out;
use crate::record::rank::Rank;
use crate::record::{Part, Record, RunInfo};

/// Where to look for the earlier parts.
#[derive(Debug)]
pub(crate) enum From {
    /// This journal or record.
    File(PathBuf),
    /// The newest journal of this run in this folder.
    Latest(PathBuf),
}

/// Properties that identify a run that is resumed.
pub(crate) struct Identity<'a> {
    pub label: &'a str,
    pub rank: Option<&'a Rank>,
    pub group: Option<&'a str>,
}

/// The earlier parts of the run, and remarks on how they were found.
pub(crate) fn parts(from: &From, run: &Identity<'_>) -> Result<(Vec<Part>, Vec<String>)> {
    let mut remarks = Vec::new();
    let path = match from {
        From::File(path) => path.clone(),
        From::Latest(folder) => match latest(folder, run, &mut remarks)? {
            Some(path) => path,
            None => return Ok((Vec::new(), remarks)),
        },
    };
    let record = Record::read(&path)?;
    run.check(&record).map_err(|(why, remedy)| refused(&path, &why).with_remedy(remedy))?;
    if let (Some(then), Some(now)) = (&record.run.rank, run.rank)
        && then.world_size != now.world_size
    {
        remarks.push(format!(
            "resumes as one of {} ranks a part that was one of {}",
            now.world_size, then.world_size
        ));
    }
    let last = record.part();
    let mut parts: Vec<Part> = record.earlier.into_iter().chain([last]).collect();
    share_out(parts.iter_mut().map(|part| &mut part.power));
    Ok((parts, remarks))
}

fn refused(path: &Path, why: &str) -> Error {
    Error::new(ErrorKind::Mismatch, format!("'{}' is not of this run: {why}", path.display()))
}

/// The newest journal of this run in `folder`; `None` if there is none, as at the first start.
fn latest(folder: &Path, run: &Identity<'_>, remarks: &mut Vec<String>) -> Result<Option<PathBuf>> {
    let unread = |error: io::Error| {
        let message = format!("folder '{}' cannot be read: {error}", folder.display());
        Error::new(ErrorKind::Io, message).with_source(error)
    };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unread(error)),
    };
    let mut found: Vec<(PathBuf, Record)> = Vec::new();
    let (mut others, mut damaged) = (0_u64, 0_u64);
    for entry in entries {
        let path = entry.map_err(unread)?.path();
        if path.extension().is_none_or(|extension| extension != "journal") {
            continue;
        }
        match journal::beginning(&path) {
            Ok(record) if run.check(&record).is_ok() => found.push((path, record)),
            Ok(_) => others += 1,
            Err(_) => damaged += 1,
        }
    }
    if damaged > 0 {
        remarks.push(format!(
            "journals in '{}' whose beginning cannot be read, and which this run does not resume: \
             {damaged}",
            folder.display()
        ));
    }
    if found.is_empty() && others > 0 {
        remarks.push(format!(
            "none of the {others} journals in '{}' is of this label, rank and group: the run starts from the beginning",
            folder.display()
        ));
    }
    // A part that another one resumed is older, whatever the clocks showed.
    let gone_on: Vec<String> = found
        .iter()
        .flat_map(|(_, record)| record.earlier.iter().map(|part| part.run_id.clone()))
        .collect();
    found.retain(|(_, record)| !gone_on.contains(&record.run.id));
    let began = |run: &RunInfo| run.started.parse::<jiff::Timestamp>().ok();
    let newest = found
        .into_iter()
        .max_by(|(_, a), (_, b)| (began(&a.run), &a.run.id).cmp(&(began(&b.run), &b.run.id)));
    Ok(newest.map(|(path, _)| path))
}

impl Identity<'_> {
    /// Why `record` does not belong to this run, if it does not, and the remedy.
    fn check(&self, record: &Record) -> Result<(), (String, String)> {
        let run = &record.run;
        if !record.ranks.is_empty() {
            let why = "it is of several ranks".to_owned();
            return Err((why, "resume each rank from its own journal or record".to_owned()));
        }
        let number = |rank: Option<&Rank>| rank.map_or(0, |rank| rank.rank);
        let (then, now) = (number(run.rank.as_ref()), number(self.rank));
        if then != now {
            let why = format!("it is of rank {then}, and this is rank {now}");
            return Err((why, "give each rank its own, or use `resume_latest`".to_owned()));
        }
        if run.label != self.label {
            let why = format!("it is called '{}', and this run '{}'", run.label, self.label);
            return Err((
                why,
                format!("start with `.label({:?})` if it is the same run", run.label),
            ));
        }
        match (run.group.as_deref(), self.group) {
            (Some(then), Some(now)) if then != now => {
                let why = format!("it is of group '{then}', and this run of '{now}'");
                Err((why, format!("start with `.group({then:?})` if it is the same run")))
            }
            _ => Ok(()),
        }
    }
}

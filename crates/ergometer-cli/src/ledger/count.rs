//! Which parts of which records count: each part of each run once.
//!
//! A part of a run may be in its own record, in its journal and among the earlier parts of the run that went on with
//! it. The ranks of a merged record are in that, and the programs inside a run of `ergometer run` are in its energy:
//! neither counts beside it.

use std::collections::{BTreeMap, BTreeSet};

use super::digest::{Digest, Part};

/// A file's record in short.
pub struct Entry {
    /// Its place among the files.
    pub file: usize,
    pub is_journal: bool,
    pub digest: Digest,
}

/// A part that counts.
#[cfg_attr(not(feature = "parquet"), expect(dead_code, reason = "two fields are of the tables"))]
pub struct Counted<'a> {
    pub part: &'a Part,
    /// Number of parts of the run before it, which tells parts of one id apart.
    pub number: usize,
    /// The file that is the record of this part; `None` of an earlier part, of which only sums are known.
    pub file: Option<usize>,
}

pub fn counted(entries: &[Entry]) -> Vec<Counted<'_>> {
    let digests = || entries.iter().map(|entry| &entry.digest);
    let inside: BTreeSet<&str> =
        digests().flat_map(|digest| &digest.programs).map(String::as_str).collect();
    let mut ranks: BTreeSet<&str> =
        digests().flat_map(|digest| &digest.ranks).map(String::as_str).collect();
    // What a rank did before an interruption is among the earlier parts of the merged record.
    let of_ranks = digests().filter(|digest| ranks.contains(digest.last.run_id.as_str()));
    let before: Vec<&str> =
        of_ranks.flat_map(|digest| &digest.earlier).map(|part| part.run_id.as_str()).collect();
    ranks.extend(before);

    // By the run's id, and the number of parts before: the attempts of a merged run may share its id.
    let mut parts: BTreeMap<(&str, usize), Counted<'_>> = BTreeMap::new();
    let mut add = |number: usize, part, file| {
        let counted = Counted { part, number, file };
        parts.entry((&counted.part.run_id, number)).or_insert(counted);
    };
    let (merged, mut single): (Vec<&Entry>, Vec<&Entry>) =
        entries.iter().partition(|entry| !entry.digest.ranks.is_empty());
    for Entry { file, digest, .. } in merged {
        // The ranks of a program inside a run were merged with it.
        if !digest.ranks.iter().all(|rank| inside.contains(rank.as_str())) {
            add(digest.earlier.len(), &digest.last, Some(*file));
        }
        for (number, part) in digest.earlier.iter().enumerate() {
            add(number, part, None);
        }
    }
    single.retain(|entry| !ranks.contains(entry.digest.last.run_id.as_str()));
    // A finished record has more than its journal, and that more than what a later part knows of it.
    single.sort_by_key(|entry| entry.is_journal);
    for Entry { file, digest, .. } in &single {
        if !inside.contains(digest.last.run_id.as_str()) {
            add(0, &digest.last, Some(*file));
        }
    }
    for entry in &single {
        for part in
            entry.digest.earlier.iter().filter(|part| !inside.contains(part.run_id.as_str()))
        {
            add(0, part, None);
        }
    }
    parts.into_values().collect()
}

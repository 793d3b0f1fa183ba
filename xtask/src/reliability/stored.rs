//! What is done to runs that are over: a thousand ranks merged, a journal damaged.

use std::fs;
use std::panic;
use std::path::Path;
use std::process::{Command, Stdio};

use ergometer::record::Record;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::page::{Row, Tally};
use super::trial::{self, steps};
use crate::stop::{Doing, Stop};

const RANKS: u32 = 1000;
/// Of each rank.
const STEPS: u64 = 5;

fn program(program: &Path, kind: &str, folder: &Path) -> Result<(), Stop> {
    fs::create_dir_all(folder).doing(format!("create {}", folder.display()))?;
    let mut command = Command::new(program);
    command.arg(kind).arg(folder).stdout(Stdio::null());
    let status = command.status().doing(format!("run {}", program.display()))?;
    if status.success() {
        Ok(())
    } else {
        Err(Stop::failed(format!("`fault {kind}` did not run to its end: {status}")))
    }
}

/// A thousand ranks and their merge; then the merge without one of them.
pub(super) fn ranks(fault: &Path, folder: &Path) -> Result<Row, Stop> {
    program(fault, "ranks", folder)?;
    let mut tally = Tally { tried: RANKS, ..Tally::default() };
    let mut records = Vec::new();
    for rank in 0..RANKS {
        let file = folder.join(format!("{rank}.json"));
        let read = fs::read_to_string(&file).ok().and_then(|json| Record::from_json(&json).ok());
        match read {
            Some(record) => records.push(record),
            None => tally.lost += 1,
        }
    }
    let joules = |record: &Record| record.total.energy.map_or(0.0, |energy| energy.joules.get());
    let truth: f64 = records.iter().map(joules).sum();
    let merged = Record::merge(records.clone()).doing("merge the ranks")?;
    let ranks = u32::try_from(merged.ranks.len()).unwrap_or(u32::MAX);
    tally.lost = tally.lost.max(RANKS.saturating_sub(ranks));
    // The merged record has the steps of each rank beside those of all.
    let counted = merged.steps.get("train").map_or(0, |steps| steps.count);
    let done = u64::from(RANKS) * STEPS;
    tally.missing_steps = done.saturating_sub(counted);
    tally.energy_off = (joules(&merged) / truth - 1.0).abs();
    let named = |record: &Record| {
        record.warnings.iter().any(|line| line.contains("missing: what no other rank"))
    };
    records.pop();
    let without = Record::merge(records).doing("merge all ranks but one")?;
    // The energy of the whole is the sum of its parts; a rank that is not there is named.
    tally.wrong = [counted != done, tally.energy_off > 1e-6, named(&merged), !named(&without)]
        .map(u32::from)
        .iter()
        .sum();
    eprintln!("ranks: {tally:?}");
    let how = "a thousand records of one group are merged, then all but one";
    Ok(Row::new("a thousand ranks", how, tally))
}

/// How a journal is damaged, and what does it.
type Damage = (&'static str, fn(&mut Vec<u8>, &mut StdRng));

const DAMAGES: [Damage; 3] = [
    ("a bit flipped", |bytes, random| {
        let at = random.random_range(0..bytes.len());
        bytes[at] ^= 1 << random.random_range(0..8_u32);
    }),
    ("cut off at a random byte", |bytes, random| {
        bytes.truncate(random.random_range(0..bytes.len()));
    }),
    ("a stretch of up to 4 KiB overwritten with random bytes", |bytes, random| {
        let from = random.random_range(0..bytes.len());
        let to = bytes.len().min(from + random.random_range(1..=4096_usize));
        for byte in &mut bytes[from..to] {
            *byte = random.random();
        }
    }),
];

/// The journal of a finished run, damaged in several ways, `times` each.
pub(super) fn damaged(
    fault: &Path,
    folder: &Path,
    times: u32,
    seed: u64,
) -> Result<Vec<Row>, Stop> {
    program(fault, "none", folder)?;
    let journal = trial::journal(&folder.join("journal"))
        .ok_or_else(|| Stop::failed("the run left no journal"))?;
    let bytes = fs::read(&journal).doing(format!("read {}", journal.display()))?;
    let whole = Record::recover(&journal).doing("recover the journal")?;
    let head = bytes.iter().position(|&byte| byte == b'\n').unwrap_or(bytes.len());
    let file = folder.join("damaged.journal");
    let mut random = StdRng::seed_from_u64(seed);
    let mut rows = Vec::new();
    for (how, damage) in DAMAGES {
        let mut tally = Tally { tried: times, ..Tally::default() };
        for _ in 0..times {
            let mut bad = bytes.clone();
            damage(&mut bad, &mut random);
            fs::write(&file, &bad).doing(format!("write {}", file.display()))?;
            one(&file, &whole, bad.len() <= head, &mut tally);
        }
        eprintln!("damaged, {how}: {tally:?}");
        rows.push(Row::new("damaged journal", how, tally));
    }
    Ok(rows)
}

/// What is recovered from one damaged journal, held against the whole one.
fn one(file: &Path, whole: &Record, empty: bool, tally: &mut Tally) {
    let Ok(recovered) = panic::catch_unwind(|| Record::recover(file)) else {
        tally.lost += 1;
        return;
    };
    let Ok(record) = recovered else {
        // An error: right where the file ends within its first line, a loss elsewhere.
        *(if empty { &mut tally.empty } else { &mut tally.lost }) += 1;
        return;
    };
    let joules = |record: &Record| record.total.energy.map_or(0.0, |energy| energy.joules.get());
    let read = record.to_json().and_then(|json| Record::from_json(&json));
    let more = steps(&record) > steps(whole)
        || record.run.seconds > whole.run.seconds + 1e-9
        || joules(&record) > 1.001 * joules(whole);
    tally.wrong += u32::from(more || read.ok().as_ref() != Some(&record));
    let seconds = whole.run.seconds - record.run.seconds;
    tally.missing_seconds = tally.missing_seconds.max(seconds);
    tally.missing_steps = tally.missing_steps.max(steps(whole).saturating_sub(steps(&record)));
}

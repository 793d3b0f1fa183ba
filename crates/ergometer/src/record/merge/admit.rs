//! Checks that records belong together, and orders them by rank.

use super::{RankRun, clocks, mismatch, numbers};
use crate::error::{Error, ErrorKind, Result};
use crate::footprint::{ElectricityPrice, Site};
use crate::record::{Record, RunInfo};

/// The records as parts of one run.
pub(super) struct Admitted {
    /// In the order of ranks.
    pub parts: Vec<RankRun>,
    /// The start of the first of them, RFC 3339.
    pub started: String,
    pub warnings: Vec<String>,
}

/// The records as parts of one run.
pub(super) fn parts(records: Vec<Record>) -> Result<Admitted> {
    if records.is_empty() {
        return Err(mismatch("there are no records to merge".to_owned(), "give one for each rank"));
    }
    let mut ranked = Vec::with_capacity(records.len());
    for record in records {
        if !record.ranks.is_empty() {
            return Err(mismatch(
                format!("record '{}' is of several ranks already", record.run.id),
                "merge the ranks' own records, all at once",
            ));
        }
        let Some(rank) = record.run.rank.clone() else {
            return Err(mismatch(
                format!("record '{}' names no rank", record.run.id),
                "start the ranks with a launcher, or call `MeterBuilder::rank`; in a record that \
                 exists already, set `run.rank`",
            ));
        };
        let started: jiff::Timestamp = record.run.started.parse().map_err(|error| {
            let (id, started) = (&record.run.id, &record.run.started);
            let message =
                format!("record '{id}' began at '{started}', which is not a time: {error}");
            Error::new(ErrorKind::Format, message)
        })?;
        ranked.push((rank, started, record));
    }
    ranked.sort_by_key(|(rank, ..)| rank.rank);
    let origin = ranked.iter().map(|(_, started, _)| *started).min().unwrap_or_default();
    let mut parts: Vec<RankRun> = ranked
        .into_iter()
        .map(|(rank, started, record)| {
            let nanos = started.as_nanosecond() - origin.as_nanosecond();
            RankRun { rank, start: nanos as f64 * 1e-9, record }
        })
        .collect();
    for pair in parts.windows(2) {
        fit(&pair[0], &pair[1])?;
    }
    same_group(&parts)?;
    let (warnings, first) = clocks::lay(&mut parts);
    let earliest = parts.iter().find(|part| part.start == 0.0);
    // The text of a rank that began at that time, unless its clock is wrong.
    let exact = earliest.filter(|part| {
        let began: Option<jiff::Timestamp> = part.record.run.started.parse().ok();
        let since = |began: jiff::Timestamp| began.as_nanosecond() - origin.as_nanosecond();
        began.is_some_and(|began| (since(began) as f64 * 1e-9 - first).abs() < 1.0)
    });
    let started = exact.map_or_else(
        || {
            let since = std::time::Duration::try_from_secs_f64(first).unwrap_or_default();
            origin.checked_add(since).unwrap_or(origin).to_string()
        },
        |part| part.record.run.started.clone(),
    );
    Ok(Admitted { parts, started, warnings })
}

/// Checks that two records, neighbours in rank, can be of one run.
fn fit(one: &RankRun, other: &RankRun) -> Result<()> {
    let (a, b) = (one.rank.rank, other.rank.rank);
    if a == b {
        return Err(mismatch(
            format!("rank {a} is there twice: '{}', '{}'", one.record.run.id, other.record.run.id),
            "give one record for each rank of one run",
        ));
    }
    let sizes = (one.rank.world_size, other.rank.world_size);
    if sizes.0 != sizes.1 {
        return Err(mismatch(
            format!("rank {a} is one of {}, rank {b} one of {}", sizes.0, sizes.1),
            "give the records of one run",
        ));
    }
    let (here, there) = (&one.record.footprint.site, &other.record.footprint.site);
    let price = |site: &Site| {
        site.electricity_price.as_ref().map_or_else(unstated, ElectricityPrice::describe)
    };
    let rent =
        |site: &Site| site.accelerator.as_ref().map_or_else(unstated, |one| one.name.clone());
    let market = |site: &Site| site.market.as_ref().map_or_else(unstated, |one| one.place.clone());
    let water = |site: &Site| site.wue.as_ref().map_or_else(unstated, |wue| wue.value.to_string());
    let differs = [
        ("PUE", here.pue != there.pue, here.pue.value.to_string(), there.pue.value.to_string()),
        ("grid", here.carbon != there.carbon, here.carbon.code.clone(), there.carbon.code.clone()),
        ("market-based intensity", here.market != there.market, market(here), market(there)),
        (
            "electricity price",
            here.electricity_price != there.electricity_price,
            price(here),
            price(there),
        ),
        ("WUE", here.wue != there.wue, water(here), water(there)),
        ("accelerator", here.accelerator != there.accelerator, rent(here), rent(there)),
        ("preset", here.name != there.name, here.name.clone(), there.name.clone()),
    ];
    match differs.into_iter().find(|(_, differs, ..)| *differs) {
        None => Ok(()),
        Some((what, _, here, there)) => Err(mismatch(
            format!("sites contradict: the {what} of rank {a} is {here}, that of rank {b} {there}"),
            "set `footprint.site` of the records to the site that holds for all",
        )),
    }
}

fn unstated() -> String {
    "not stated".to_owned()
}

/// A record without a group matches any: it may have been written without a launcher.
fn same_group(parts: &[RankRun]) -> Result<()> {
    let group = |run: &RunInfo| run.group.clone();
    let mut named =
        parts.iter().filter_map(|part| Some((part.rank.rank, group(&part.record.run)?)));
    let Some((a, first)) = named.next() else { return Ok(()) };
    match named.find(|(_, other)| *other != first) {
        None => Ok(()),
        Some((b, other)) => Err(mismatch(
            format!("rank {a} is of run '{first}', rank {b} of run '{other}'"),
            "give the records of one run; if they are, set `run.group` of each to the same",
        )),
    }
}

/// Names the missing ranks; `present` must ascend.
pub(super) fn missing(present: &[u32], world_size: u32) -> Option<String> {
    /// At most this many are named: a launcher may claim four thousand million.
    const NAMED: usize = 64;
    let all = (0..world_size).filter(|rank| present.binary_search(rank).is_err());
    let absent: Vec<u32> = all.take(NAMED).collect();
    let here = u32::try_from(present.len()).unwrap_or(u32::MAX);
    let unnamed = (world_size.saturating_sub(here) as usize).saturating_sub(absent.len());
    let more = if unnamed > 0 { format!(" and {unnamed} more") } else { String::new() };
    let verb = if absent.len() == 1 { "is" } else { "are" };
    (!absent.is_empty()).then(|| {
        format!(
            "{}{more} of {world_size} {verb} missing: what no other rank metered is not in this record",
            numbers(&absent)
        )
    })
}

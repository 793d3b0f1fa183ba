//! `CUDA_VISIBLE_DEVICES`: which boards CUDA shows this program.
//!
//! CUDA's rules, as NVIDIA's programming guide ("CUDA Environment Variables") states them and
//! `torch.cuda` (`_parse_visible_devices`) found them:
//!
//! * Unset shows all boards; empty shows none.
//! * Entries are indices, or UUIDs (`GPU-8932f937…`, or as much of one as is unique), or MIG
//!   instances; the first one decides which, and they cannot be mixed.
//! * The list ends before the first entry that is not valid; a negative index is a way to say so.
//! * A board that is named twice empties the list.
//! * A number is read as far as it goes: `1gpu` is 1.
//!
//! Indices count in the order of PCI addresses if `CUDA_DEVICE_ORDER` is `PCI_BUS_ID`. Otherwise the
//! fastest board comes first, by a measure that CUDA keeps to itself; among boards of one model that
//! is the order of PCI addresses as well, among others nobody else can tell.

use super::identity::{BoardIdentity, PciAddress, boards_here};
use crate::error::{Error, ErrorKind, Result};

/// What was made of the variable.
#[derive(Debug, Default)]
pub(super) struct Shown {
    /// Position among the boards, in the order in which CUDA shows them, and whether only a MIG
    /// instance of it is shown.
    pub(super) boards: Vec<(usize, bool)>,
    pub(super) remarks: Vec<String>,
}

/// Slurm's value for a job that was given no board.
const NO_BOARD: &str = "NoDevFiles";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Index,
    Uuid,
    Mig,
}

impl Form {
    fn of(entry: &str) -> Self {
        if entry.starts_with("GPU-") {
            Self::Uuid
        } else if entry.starts_with("MIG-") {
            Self::Mig
        } else {
            Self::Index
        }
    }
}

/// The boards that CUDA shows where `CUDA_VISIBLE_DEVICES` is `value` and `CUDA_DEVICE_ORDER` is
/// `order`.
///
/// # Errors
///
/// [`ErrorKind::UnknownDevice`] where a mistake in the value leaves no board at all.
pub(super) fn shown(
    value: Option<&str>,
    order: Option<&str>,
    boards: &[BoardIdentity],
) -> Result<Shown> {
    let Some(value) = value else {
        let boards = (0..boards.len()).map(|board| (board, false)).collect();
        return Ok(Shown { boards, remarks: Vec::new() });
    };
    let mut shown = Shown::default();
    if value.trim().is_empty() || value.trim() == NO_BOARD || boards.is_empty() {
        return Ok(shown);
    }
    let by_address = by_address(boards);
    let form = Form::of(value.trim_start());
    let mut named = Vec::new();
    for entry in value.split(',').map(str::trim) {
        let found = match form {
            _ if Form::of(entry) != form => {
                Err("which is of another form than the first".to_owned())
            }
            Form::Index => match index(entry) {
                // The way to hide boards on purpose.
                Some(negative) if negative < 0 => break,
                Some(index) => usize::try_from(index)
                    .ok()
                    .and_then(|index| by_address.get(index))
                    .map(|&board| (board, false))
                    .ok_or_else(|| format!("where there are {} boards, from 0", boards.len())),
                None => Err("which is neither an index nor a UUID".to_owned()),
            },
            Form::Uuid => one(boards, entry, |board| vec![&board.uuid]).map(|board| (board, false)),
            Form::Mig => parent(entry, boards).map(|board| (board, true)),
        };
        match found {
            Ok((board, instance)) => {
                // Two instances of one board are different devices to CUDA.
                let name = if instance { entry.to_owned() } else { board.to_string() };
                if named.contains(&name) {
                    return Err(unknown(value, entry, "which names a board a second time", boards));
                }
                named.push(name);
                if !shown.boards.iter().any(|&(known, _)| known == board) {
                    shown.boards.push((board, instance));
                }
            }
            Err(reason) if shown.boards.is_empty() => {
                return Err(unknown(value, entry, &reason, boards));
            }
            Err(reason) => {
                shown.remarks.push(format!(
                    "CUDA_VISIBLE_DEVICES ends for CUDA before its entry '{}', {reason}",
                    one_line(entry)
                ));
                break;
            }
        }
    }
    if form == Form::Index && shown.boards.len() < boards.len() && !shown.boards.is_empty() {
        shown.remarks.extend(order_matters(order, boards));
    }
    Ok(shown)
}

/// The number that `entry` begins with.
fn index(entry: &str) -> Option<i64> {
    let digits = entry.strip_prefix(['+', '-']).unwrap_or(entry);
    let length = digits.bytes().take_while(u8::is_ascii_digit).count();
    let number = digits[..length].parse().ok()?;
    Some(if entry.starts_with('-') { -1 } else { number })
}

/// Positions of the boards in the order of their addresses.
fn by_address(boards: &[BoardIdentity]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..boards.len()).collect();
    // NVML's own order is that of addresses too, where one is not known.
    order.sort_by_key(|&board| {
        let address = boards[board].pci_address.as_deref().and_then(PciAddress::parse);
        (address.is_none(), address, boards[board].index)
    });
    order
}

fn order_matters(order: Option<&str>, boards: &[BoardIdentity]) -> Option<String> {
    let alike = boards.windows(2).all(|pair| pair[0].name == pair[1].name);
    (!alike && order.map(str::trim) != Some("PCI_BUS_ID")).then(|| {
        "CUDA_VISIBLE_DEVICES holds indices, which count from the fastest board in an order only \
         CUDA knows; they were taken in the order of PCI addresses: set \
         CUDA_DEVICE_ORDER=PCI_BUS_ID, or name boards by UUID"
            .to_owned()
    })
}

/// The one board of which a name begins with `prefix`.
pub(super) fn one<'a>(
    boards: &'a [BoardIdentity],
    prefix: &str,
    names: impl Fn(&'a BoardIdentity) -> Vec<&'a String>,
) -> std::result::Result<usize, String> {
    let begins = |board: &'a BoardIdentity| {
        names(board).into_iter().filter(|name| name.starts_with(prefix)).count()
    };
    let all: Vec<(usize, &'a BoardIdentity)> =
        boards.iter().enumerate().filter(|(_, board)| begins(board) > 0).collect();
    match all[..] {
        [] => Err("which no board has".to_owned()),
        [(board, _)] => Ok(board),
        _ => {
            let uuids: Vec<&str> = all.iter().map(|(_, board)| board.uuid.as_str()).collect();
            Err(format!("with which {} begin", uuids.join(" and ")))
        }
    }
}

/// The board that a MIG instance is part of: `MIG-<UUID>`, or `MIG-GPU-<UUID>/<gi>/<ci>` as drivers
/// before R470 had it.
pub(super) fn parent(entry: &str, boards: &[BoardIdentity]) -> std::result::Result<usize, String> {
    let rest = entry.strip_prefix("MIG-").unwrap_or(entry);
    if !rest.starts_with("GPU-") {
        return one(boards, entry, |board| board.mig.iter().collect());
    }
    let mut parts = rest.split('/');
    let uuid = parts.next().unwrap_or_default();
    let numbers: Vec<&str> = parts.collect();
    let is_number = |part: &&str| part.parse::<u32>().is_ok();
    if numbers.len() == 2 && numbers.iter().all(is_number) {
        one(boards, uuid, |board| vec![&board.uuid])
    } else {
        Err("which lacks the numbers of its instances, as in MIG-GPU-…/1/0".to_owned())
    }
}

fn unknown(value: &str, entry: &str, reason: &str, boards: &[BoardIdentity]) -> Error {
    let (value, entry) = (one_line(value), one_line(entry));
    let message =
        format!("CUDA shows no board where CUDA_VISIBLE_DEVICES is '{value}': '{entry}', {reason}");
    Error::new(ErrorKind::UnknownDevice, message).with_remedy(boards_here(&entry, boards))
}

/// Text from outside, fit for a message.
pub(super) fn one_line(text: &str) -> String {
    const MOST: usize = 64;
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    match clean.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &clean[..end]),
        None => clean,
    }
}

//! Which boards are metered.

use std::env;
use std::fmt;
use std::str::FromStr;

use super::identity::{BoardIdentity, PciAddress, boards_here};
use super::visible;
use crate::error::{Error, ErrorKind, Result};

/// Which GPU boards a meter reads, of any maker.
///
/// Boards that are there but not chosen are named in the remarks of the
/// [`SourceReport`](crate::source::SourceReport), and are in no total.
///
/// ```
/// use ergometer::{Devices, Meter};
///
/// assert_eq!(Devices::default(), Devices::Visible);
/// let one = Devices::List(vec!["0000:3b:00.0".parse()?]);
/// let builder = Meter::builder().devices(one);
/// # drop(builder);
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Devices {
    /// Every board of the machine.
    All,
    /// The boards that the environment shows this program: NVIDIA's by `CUDA_VISIBLE_DEVICES`; AMD's by
    /// `ROCR_VISIBLE_DEVICES`, and then `HIP_VISIBLE_DEVICES`, `CUDA_VISIBLE_DEVICES` or `GPU_DEVICE_ORDINAL`; Intel's by
    /// `ZE_AFFINITY_MASK` and then `ONEAPI_DEVICE_SELECTOR`. All of a maker's where none of its variables is set.
    #[default]
    Visible,
    /// These boards, whatever the environment says; none, of any maker, where the list is empty.
    List(Vec<DeviceId>),
}

/// A board, by what does not change with the order in which boards are found.
///
/// ```
/// use ergometer::DeviceId;
///
/// let by_uuid: DeviceId = "GPU-8932f937".parse()?;
/// let by_address: DeviceId = "00000000:3B:00.0".parse()?;
/// assert_eq!(by_address.to_string(), "0000:3b:00.0");
/// assert_ne!(by_uuid, by_address);
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DeviceId(Id);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Id {
    /// `GPU-…` or `MIG-…`, or the beginning of one.
    Uuid(String),
    Address(PciAddress),
}

impl FromStr for DeviceId {
    type Err = Error;

    /// Reads a UUID as NVML gives it (`GPU-…`; of a MIG instance `MIG-…`), or as much of one as is
    /// unique, or a PCI address (`0000:3b:00.0`, `3b:00.0`; hexadecimal of either case).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidSetting`] if it is neither; an index says nothing of which board it is.
    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        if text.starts_with("GPU-") || text.starts_with("MIG-") {
            return Ok(Self(Id::Uuid(text.to_owned())));
        }
        PciAddress::parse(text).map(|address| Self(Id::Address(address))).ok_or_else(|| {
            let message = format!("'{}' is no identity of a board", visible::one_line(text));
            Error::new(ErrorKind::InvalidSetting, message).with_remedy(
                "give a UUID (GPU-…) or a PCI address (0000:3b:00.0), as `nvidia-smi -q` shows them",
            )
        })
    }
}

impl DeviceId {
    /// Whether it is the board of this UUID and PCI address.
    pub(crate) fn names(&self, uuid: Option<&str>, address: Option<&str>) -> bool {
        match &self.0 {
            Id::Uuid(id) => uuid.is_some_and(|uuid| {
                // ROCm writes its UUIDs in hexadecimal of either case.
                uuid.get(..id.len()).is_some_and(|start| start.eq_ignore_ascii_case(id))
            }),
            Id::Address(id) => address.and_then(PciAddress::parse).as_ref() == Some(id),
        }
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Id::Uuid(uuid) => f.write_str(uuid),
            Id::Address(address) => address.fmt(f),
        }
    }
}

/// The variables by which the makers' software chooses boards; `None` where one is not set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// `CUDA_VISIBLE_DEVICES`, which AMD's HIP reads too.
    pub visible: Option<String>,
    /// `CUDA_DEVICE_ORDER`.
    pub order: Option<String>,
    /// `ROCR_VISIBLE_DEVICES`.
    pub rocr: Option<String>,
    /// `HIP_VISIBLE_DEVICES`.
    pub hip: Option<String>,
    /// `GPU_DEVICE_ORDINAL`.
    pub opencl: Option<String>,
    /// `ZE_AFFINITY_MASK`.
    pub level_zero: Option<String>,
    /// `ONEAPI_DEVICE_SELECTOR`.
    pub oneapi: Option<String>,
}

impl Environment {
    /// The variables of this process.
    #[must_use]
    pub fn current() -> Self {
        let text = |name| env::var_os(name).map(|value| value.to_string_lossy().into_owned());
        Self {
            visible: text("CUDA_VISIBLE_DEVICES"),
            order: text("CUDA_DEVICE_ORDER"),
            rocr: text("ROCR_VISIBLE_DEVICES"),
            hip: text("HIP_VISIBLE_DEVICES"),
            opencl: text("GPU_DEVICE_ORDINAL"),
            level_zero: text("ZE_AFFINITY_MASK"),
            oneapi: text("ONEAPI_DEVICE_SELECTOR"),
        }
    }
}

/// The boards that were chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// The boards to meter, in the order in which they were asked for.
    pub boards: Vec<Chosen>,
    /// What a reader of the numbers has to know, boards that are there but not chosen among it.
    pub remarks: Vec<String>,
}

/// A board to meter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// Its UUID, whole.
    pub uuid: String,
    /// Its energy may be other programs' too: it is cut into MIG instances, and only the whole
    /// board has a sensor.
    pub shared: bool,
}

/// The ones of `boards` that `devices` asks for.
///
/// A MIG instance stands for the whole board it is part of. Where CUDA would pass over the rest of
/// `CUDA_VISIBLE_DEVICES` because of an entry that names no board, so does this, with a remark.
///
/// # Errors
///
/// [`ErrorKind::UnknownDevice`] if a board of a list is not there or could be several, or if a
/// mistake in `CUDA_VISIBLE_DEVICES` leaves no board at all. A variable that hides all boards on
/// purpose (empty, `-1`) is no mistake.
pub fn choose(
    devices: &Devices,
    environment: &Environment,
    boards: &[BoardIdentity],
) -> Result<Choice> {
    let (shown, not_among) = match devices {
        Devices::All => (visible::shown(None, None, boards)?, ""),
        Devices::Visible => {
            let Environment { visible, order, .. } = environment;
            let shown = visible::shown(visible.as_deref(), order.as_deref(), boards)?;
            (shown, "CUDA_VISIBLE_DEVICES")
        }
        Devices::List(ids) => {
            let mut shown = visible::Shown::default();
            for id in ids {
                let (board, instance) = find(id, boards)?;
                if !shown.boards.iter().any(|&(known, _)| known == board) {
                    shown.boards.push((board, instance));
                }
            }
            (shown, "the boards asked for")
        }
    };
    let mut choice = Choice { boards: Vec::new(), remarks: shown.remarks };
    for &(board, instance) in &shown.boards {
        let BoardIdentity { uuid, mig, .. } = &boards[board];
        choice.boards.push(Chosen { uuid: uuid.clone(), shared: instance || !mig.is_empty() });
    }
    let chosen = |position| shown.boards.iter().any(|&(board, _)| board == position);
    for (_, board) in boards.iter().enumerate().filter(|(position, _)| !chosen(*position)) {
        let uuid = &board.uuid;
        choice.remarks.push(format!("board {uuid} is not among {not_among} and is not metered"));
    }
    Ok(choice)
}

fn find(id: &DeviceId, boards: &[BoardIdentity]) -> Result<(usize, bool)> {
    let found = match &id.0 {
        Id::Uuid(uuid) if uuid.starts_with("MIG-") => {
            visible::parent(uuid, boards).map(|board| (board, true))
        }
        Id::Uuid(uuid) => {
            visible::one(boards, uuid, |board| vec![&board.uuid]).map(|board| (board, false))
        }
        Id::Address(address) => boards
            .iter()
            .position(|board| {
                board.pci_address.as_deref().and_then(PciAddress::parse).as_ref() == Some(address)
            })
            .map(|board| (board, false))
            .ok_or_else(|| "which no board has".to_owned()),
    };
    found.map_err(|reason| {
        let name = visible::one_line(&id.to_string());
        Error::new(ErrorKind::UnknownDevice, format!("no board is '{name}', {reason}"))
            .with_remedy(boards_here(&name, boards))
    })
}

#[cfg(test)]
mod tests;

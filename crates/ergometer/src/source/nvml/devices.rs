//! Which boards are metered.

use std::env;
use std::fmt;
use std::str::FromStr;

use super::visible;
use crate::error::{Error, ErrorKind, Result};

/// Which GPU boards a meter reads, of any maker.
///
/// Boards that are there but not chosen are named in the remarks of the
/// [`SourceReport`](crate::source::SourceReport), and are in no total.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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

/// Domain, bus, device and function: `00000000:3B:00.0` is `0000:3b:00.0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct PciAddress {
    domain: u32,
    bus: u8,
    device: u8,
    function: u8,
}

impl PciAddress {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let hex = |part: &str, most: usize| {
            let digits = part.bytes().all(|byte| byte.is_ascii_hexdigit());
            (!part.is_empty() && part.len() <= most && digits)
                .then(|| u32::from_str_radix(part, 16).ok())
                .flatten()
        };
        let (rest, function) = text.rsplit_once('.')?;
        let (rest, device) = rest.rsplit_once(':')?;
        let (domain, bus) = rest.rsplit_once(':').unwrap_or(("0", rest));
        Some(Self {
            domain: hex(domain, 8)?,
            bus: u8::try_from(hex(bus, 2)?).ok()?,
            device: u8::try_from(hex(device, 2)?).ok()?,
            function: u8::try_from(hex(function, 1)?).ok()?,
        })
    }
}

impl fmt::Display for PciAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { domain, bus, device, function } = self;
        write!(f, "{domain:04x}:{bus:02x}:{device:02x}.{function:x}")
    }
}

/// What is known of a board before it is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BoardIdentity {
    /// Its number in NVML.
    pub index: u32,
    /// `GPU-…`.
    pub uuid: String,
    /// Its PCI address, in any spelling.
    pub pci_address: Option<String>,
    /// Product name.
    pub name: String,
    /// UUIDs of the MIG instances it is cut into, `MIG-…`; none where MIG is off.
    pub mig: Vec<String>,
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

/// The boards there are, those nearest to `wanted` first.
pub(super) fn boards_here(wanted: &str, boards: &[BoardIdentity]) -> String {
    const MOST: usize = 4;
    if boards.is_empty() {
        return "this machine shows no board; see `nvidia-smi -L`".to_owned();
    }
    let likeness = |board: &BoardIdentity| {
        let names = [Some(&board.uuid), board.pci_address.as_ref()].into_iter().flatten();
        names.map(|name| strsim::jaro_winkler(wanted, name)).fold(0.0, f64::max)
    };
    let mut nearest: Vec<&BoardIdentity> = boards.iter().collect();
    nearest.sort_by(|a, b| likeness(b).total_cmp(&likeness(a)));
    let named: Vec<String> = nearest
        .iter()
        .take(MOST)
        .map(|board| match &board.pci_address {
            Some(address) => format!("{} ({address})", board.uuid),
            None => board.uuid.clone(),
        })
        .collect();
    let more = boards.len().saturating_sub(MOST);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("there are {}{more}", named.join(", "))
}

#[cfg(test)]
mod tests;

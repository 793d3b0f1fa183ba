//! Which board is which.

use std::fmt;

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

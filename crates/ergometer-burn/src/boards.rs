//! A Burn device → the board whose energy it draws.

use burn::tensor::Device;
use ergometer::{DeviceId, Devices};

/// The boards that `devices` run on, by PCI address, for
/// [`MeterBuilder::devices`](ergometer::MeterBuilder::devices): those are metered, the machine's
/// others are named in the record and left alone.
///
/// A CPU has no board, so that a run on `flex` meters none, of any maker, and is charged no rent for them. A device that does not say which card it
/// is (`LibTorch`, a software rasteriser) makes the answer [`Devices::Visible`]: what
/// the environment shows.
///
/// ```
/// use burn::tensor::Device;
/// let meter = ergometer::Meter::builder()
///     .devices(ergometer_burn::boards(&[Device::flex()]))
///     .start()?;
/// # meter.finish()?;
/// # Ok::<(), ergometer::Error>(())
/// ```
#[must_use]
pub fn boards(devices: &[Device]) -> Devices {
    let mut ids: Vec<DeviceId> = Vec::new();
    for device in devices {
        match board(device) {
            Board::Known(id) if !ids.contains(&id) => ids.push(id),
            Board::Known(_) | Board::None => {}
            Board::Unknown => return Devices::Visible,
        }
    }
    Devices::List(ids)
}

/// What a device says of its board.
enum Board {
    #[cfg_attr(not(feature = "cubecl"), expect(dead_code, reason = "no such backend is built in"))]
    Known(DeviceId),
    None,
    Unknown,
}

fn board(device: &Device) -> Board {
    #[cfg(feature = "cubecl")]
    if let Some(card) = device.identity().and_then(|identity| identity.physical) {
        let id = card.pci_address.and_then(|address| address.to_string().parse().ok());
        return id.map_or(Board::Unknown, Board::Known);
    }
    // Burn has no other way to ask: `Flex`, `Cpu` and `NdArray` name themselves.
    let name = format!("{device:?}");
    if ["Flex", "Cpu", "NdArray"].iter().any(|cpu| name.contains(cpu)) {
        Board::None
    } else {
        Board::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cpu_has_no_board() {
        assert_eq!(boards(&[Device::flex()]), Devices::List(Vec::new()));
        assert_eq!(boards(&[]), Devices::List(Vec::new()));
    }
}

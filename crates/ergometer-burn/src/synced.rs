//! Burn devices that are waited for at the edges of a span.

use burn::tensor::Device;
use ergometer::Synchronize;

/// A Burn device for the option `sync` of [`track_energy`](ergometer::track_energy): its queue is waited for
/// before a span opens and before it closes.
///
/// ```
/// use burn::tensor::Device;
/// use ergometer::track_energy;
/// use ergometer_burn::Synced;
///
/// #[track_energy]
/// fn train(device: &Device, epochs: u32) {
///     #[track_energy(epoch, sync = Synced(device))]
///     for _ in 0..epochs {
///         // …
///     }
/// }
/// # train(&Device::flex(), 2);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Synced<'a>(pub &'a Device);

impl Synchronize for Synced<'_> {
    /// A device that fails is no matter of the span's: the program's next call on it says so.
    fn synchronize(&self) {
        let _ = self.0.sync();
    }
}

//! Devices whose work goes on after the call that asked for it.

/// Something that can be waited for: a device with a queue of its own.
///
/// The option `sync` of [`#[track_energy]`](crate::track_energy) waits for it before a span opens and
/// before it closes, so that what the span asked of the device is inside, and nothing else is. Waiting
/// costs what the device could have done meanwhile: synchronise epochs, or the steps that are to be
/// told apart, not every small part.
///
/// Closures are such things:
///
/// ```
/// use ergometer::{Synchronize, track_energy};
///
/// # #[derive(Default)]
/// struct Queue {
///     // …
/// }
///
/// impl Synchronize for Queue {
///     fn synchronize(&self) {
///         // wait until the queue is empty
///     }
/// }
///
/// #[track_energy]
/// fn train(queue: Queue, other: &Queue) {
///     #[track_energy(epoch, sync = queue)] // borrowed, not moved
///     for epoch in 0..3 {
///         // …
///     }
///     #[track_energy(phase = "copy", sync = *other)]
///     drop(0);
///     #[track_energy(phase = "flush", sync = || other.synchronize())]
///     drop(0);
/// }
/// # train(Queue::default(), &Queue::default());
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be waited for",
    label = "neither a closure `|| ..` nor `ergometer::Synchronize`",
    note = "write a closure that waits for it, such as `sync = || device.wait()`",
    note = "what a reference points to is written `sync = *device`"
)]
pub trait Synchronize {
    /// Returns when all work asked for so far is done.
    fn synchronize(&self);
}

impl<F: Fn()> Synchronize for F {
    fn synchronize(&self) {
        self();
    }
}

/// Waits when it is dropped, unless a panic unwinds.
#[derive(Debug)]
pub struct Waits<'a, S: ?Sized> {
    device: Option<&'a S>,
    wait: fn(&S),
}

impl<'a, S: Synchronize + ?Sized> Waits<'a, S> {
    /// Waits for `device` once now, and once when dropped.
    #[must_use = "it waits for the second time when it is dropped"]
    pub fn for_edges(device: Option<&'a S>) -> Self {
        if let Some(device) = device {
            device.synchronize();
        }
        Self { device, wait: S::synchronize }
    }
}

impl<S: ?Sized> Drop for Waits<'_, S> {
    fn drop(&mut self) {
        // A second panic would end the program.
        if let Some(device) = self.device
            && !std::thread::panicking()
        {
            (self.wait)(device);
        }
    }
}

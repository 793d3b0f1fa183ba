//! What the rings are made of: `rtrb` and the standard library, or, where all interleavings of the
//! rings' protocol are tried (`--cfg loom`), loom's counterparts and a model of the ring.

#[cfg(all(test, loom))]
pub(super) mod model;

#[cfg(not(all(test, loom)))]
mod real {
    pub(in crate::span) use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
    pub(in crate::span) use std::sync::{Mutex, MutexGuard};

    pub(in crate::span) use rtrb::{Consumer, Producer, RingBuffer};

    /// Statics; loom's begin anew with each interleaving.
    macro_rules! statics {
        ($($(#[$attribute:meta])* static $name:ident: $type:ty = $value:expr;)*) => {
            $($(#[$attribute])* static $name: $type = $value;)*
        };
    }
    pub(in crate::span) use statics;
}

#[cfg(all(test, loom))]
pub(super) use model::*;
#[cfg(not(all(test, loom)))]
pub(super) use real::*;

#![deny(warnings)]
use ergometer::track_energy;

#[track_energy]
fn verbatim() -> u32 {
    #![allow(unused_variables)]
    //! Words about the inside.
    let unused = 1;
    2
}

#[track_energy]
async fn rewritten() -> u32 {
    #![allow(unused_variables)]
    #[track_energy(phase = "let")]
    let unused = 1;
    2
}

/// Words about the outside.
#[inline]
#[must_use]
#[track_energy]
#[cold]
pub(crate) fn surrounded() -> u32 {
    3
}

fn main() {
    assert_eq!(verbatim() + surrounded(), 5);
    drop(rewritten());
}

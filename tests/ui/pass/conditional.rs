#![deny(warnings)]
use ergometer::track_energy;

#[cfg_attr(all(), track_energy)]
fn measured() -> u32 {
    let mut total = 0;
    #[cfg_attr(all(), track_energy(step))]
    for number in 0..3 {
        #[cfg_attr(any(), track_energy(phase = "off"))]
        let next = number;
        #[cfg_attr(all(), allow(unused_variables), track_energy(phase = "on", items = 1))]
        let unused = number;
        total += next;
    }
    #[cfg(any())]
    #[track_energy(phase = "configured out", items = no_such_function())]
    let total = no_such_function();
    #[cfg(any())]
    #[track_energy(phase = "configured out")]
    {
        no_such_function();
    }
    #[cfg(all())]
    #[track_energy(phase = "configured in")]
    let total = total + 1;
    #[cfg_attr(any(), track_energy(phase = "tail"))]
    match total {
        0 => 1,
        _ => total,
    }
}

#[cfg_attr(any(), track_energy)]
fn unmeasured() -> u32 {
    #[cfg_attr(any(), track_energy(phase = "off"))]
    let one = 1;
    one
}

fn main() {
    assert_eq!(measured() + unmeasured(), 5);
}

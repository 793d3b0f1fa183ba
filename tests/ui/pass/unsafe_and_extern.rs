#![deny(warnings)]
use ergometer::track_energy;

/// # Safety
/// None needed.
#[track_energy]
unsafe fn dangerous(number: u32) -> u32 {
    number + 1
}

/// # Safety
/// None needed.
#[track_energy]
async unsafe fn dangerous_later(number: u32) -> u32 {
    #[track_energy(phase = "inside")]
    let next = unsafe { dangerous(number) };
    next
}

#[track_energy]
extern "C" fn callback(number: i32) -> i32 {
    -number
}

#[track_energy]
pub unsafe extern "C" fn both(number: i32) -> i32 {
    number
}

fn main() {
    let function: extern "C" fn(i32) -> i32 = callback;
    assert_eq!(function(1), -1);
    assert_eq!(unsafe { dangerous(1) }, 2);
    drop(unsafe { dangerous_later(1) });
    assert_eq!(unsafe { both(3) }, 3);
}

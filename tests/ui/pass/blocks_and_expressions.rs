#![deny(warnings)]
use ergometer::track_energy;

fn checked(number: i32) -> Result<i32, String> {
    if number < 0 { Err("negative".to_owned()) } else { Ok(number) }
}

#[track_energy]
fn statements(input: i32) -> Result<i32, String> {
    let mut total;
    #[track_energy(phase = "block")]
    {
        total = checked(input)?;
    }
    #[track_energy(phase = "unsafe")]
    unsafe {
        let pointer = &raw mut total;
        *pointer += 1;
    }
    #[track_energy(phase = "assignment")]
    total = checked(total)? + 1;
    #[track_energy(phase = "compound")]
    total += 1;
    #[track_energy(phase = "call")]
    drop(checked(1));
    #[track_energy(phase = "method")]
    "a".to_owned().push('b');
    #[track_energy(phase = "try")]
    checked(total)?;
    #[track_energy(phase = "macro")]
    assert!(total > 0);
    #[track_energy(phase = "braces")]
    assert! { total > 0 }
    #[track_energy(phase = "if")]
    if total > 3 {
        total -= 1;
    } else if total > 2 {
        total += 1;
    } else {
        return Err("small".into());
    }
    #[track_energy(phase = "match")]
    match total {
        0 => {}
        1 => return Ok(1),
        _ => total += 10,
    }
    #[track_energy(phase = "value")]
    match total {
        0 => Err("zero"),
        _ => Ok(()),
    }
    .map_err(String::from)?;
    let doubled = #[track_energy(phase = "expression")] {
        total * 2
    };
    let tripled = #[track_energy(phase = "expression")] if total > 0 { total * 3 } else { 0 };
    let sum = match input {
        0 => doubled,
        _ => #[track_energy(phase = "arm")] {
            tripled
        },
    };
    #[track_energy(phase = "tail")]
    checked(sum)
}

#[track_energy]
fn tail_block() -> String {
    #[track_energy(phase = "tail")]
    {
        let text = String::from("a");
        text + "b"
    }
}

#[track_energy]
fn tail_loop() {
    #[track_energy(phase = "tail")]
    for _ in 0..2 {}
}

fn main() {
    assert_eq!(statements(1), Ok(39));
    assert!(statements(-1).is_err());
    assert_eq!(tail_block(), "ab");
    tail_loop();
}

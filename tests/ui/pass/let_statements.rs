#![deny(warnings)]
use ergometer::track_energy;

#[track_energy]
fn lets(text: &str) -> Result<usize, std::num::ParseIntError> {
    #[track_energy(phase = "plain")]
    let number: usize = text.parse()?;

    // The temporary lives as long as it would without the attribute.
    #[track_energy(phase = "temporary")]
    let borrowed = &String::from("abc");
    #[track_energy(phase = "nested")]
    let nested = &[&mut vec![number], &mut vec![1]];

    #[track_energy(phase = "pattern")]
    let (mut first, ref second) = (borrowed.len(), nested.len());
    first += *second;

    #[track_energy(phase = "else")]
    let Some(last) = borrowed.chars().last() else {
        return Ok(0);
    };

    #[track_energy(epoch)]
    #[track_energy(phase = "both")]
    let chosen = match last {
        'c' => 1,
        _ => 2,
    };

    #[track_energy(phase = "unit")]
    let () = assert_ne!(last, 'd');

    #[allow(unused_variables)]
    #[track_energy(phase = "allowed")]
    let unused = 1;

    #[track_energy(phase = "closure")]
    let double = |number: usize| number * 2;

    Ok(double(first + chosen))
}

fn main() {
    assert_eq!(lets("1"), Ok(12));
    assert!(lets("x").is_err());
}

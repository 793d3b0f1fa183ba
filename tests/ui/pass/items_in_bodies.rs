#![deny(warnings)]
use ergometer::track_energy;

#[track_energy]
fn declares() -> usize {
    use std::collections::BTreeMap;
    const ONE: usize = 1;
    static TWO: usize = 2;
    struct Three(usize);
    macro_rules! four {
        () => {
            4
        };
    }
    let map: BTreeMap<usize, usize> = BTreeMap::new();
    ONE + TWO + Three(3).0 + four!() + map.len()
}

#[track_energy]
async fn declares_later() -> usize {
    type Number = usize;
    #[track_energy(phase = "let")]
    let number: Number = const { 5 };
    number
}

#[track_energy]
fn inline_const() -> usize {
    const { 5 }
}

fn main() {
    assert_eq!(declares() + inline_const(), 15);
    drop(declares_later());
}

#![deny(warnings)]
use ergometer::track_energy;

#[track_energy]
fn outer(numbers: &[u32]) -> u32 {
    fn unannotated(number: u32) -> u32 {
        #[track_energy(phase = "nested function")]
        let doubled = number * 2;
        doubled
    }

    #[track_energy(phase = "nested", crate = ::ergometer)]
    fn annotated(number: u32) -> u32 {
        #[track_energy(phase = "inner")]
        let tripled = number * 3;
        tripled
    }

    struct Local(u32);

    impl Local {
        fn get(&self) -> u32 {
            #[track_energy(phase = "method")]
            let value = self.0;
            value
        }
    }

    let closure = |number: u32| -> u32 {
        #[track_energy(phase = "closure")]
        let squared = number * number;
        squared
    };
    let each = |numbers: &[u32]| #[track_energy(step, items = 1)] for _ in numbers {};
    each(numbers);
    numbers.iter().map(|&number| closure(number) + unannotated(number) + annotated(number)).sum::<u32>()
        + Local(1).get()
}

fn main() {
    assert_eq!(outer(&[1, 2]), 1 + 2 + 3 + 4 + 4 + 6 + 1);
}

#![deny(warnings)]
use ergometer::track_energy;

macro_rules! function {
    ($(#[$attribute:meta])* $name:ident($($argument:ident: $type:ty),*) -> $output:ty $body:block) => {
        $(#[$attribute])*
        fn $name($($argument: $type),*) -> $output $body
    };
}

function! {
    #[track_energy(run, name = "made")]
    made(count: usize) -> usize {
        let mut total = 0;
        #[track_energy(step, items = number)]
        for number in 0..count {
            total += number;
        }
        total
    }
}

macro_rules! stepped {
    ($name:ident, $unit:literal, $count:expr, $value:expr) => {
        #[track_energy]
        fn $name() -> usize {
            #[track_energy(phase = $unit, items = $count, unit = $unit)]
            let value = $value;
            value
        }
    };
}

stepped!(stepped, "tokens", 1 + 2, 3 * (4 + 5));

function! {
    #[track_energy]
    later(count: usize) -> std::pin::Pin<Box<dyn std::future::Future<Output = usize>>> {
        Box::pin(async move { count })
    }
}

fn main() {
    assert_eq!(made(4), 6);
    assert_eq!(stepped(), 27);
    drop(later(1));
}

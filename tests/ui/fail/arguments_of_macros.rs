use ergometer::track_energy;

macro_rules! select {
    ($($name:ident = $future:expr => $body:block)*) => {
        $(let $name = $future; $body)*
    };
}

macro_rules! step {
    ($body:block) => {
        #[track_energy(step)]
        $body
    };
}

// The arguments of a macro are not code yet.
#[track_energy]
fn function() -> Option<u32> {
    println!("{}", #[track_energy(phase = "print")] { 1 });
    select! {
        one = 1 => #[track_energy(phase = "select")] { drop(one); }
    }
    std::convert::identity(Some(vec![#[track_energy(phase = "inside")] loop { break 1; }][0]))
}

// What it expands to is not seen.
#[track_energy]
fn expanded() {
    step!({});
}

fn main() {
    function();
    expanded();
}

#![deny(warnings)]
use ergometer::track_energy;

#[track_energy]
fn stop(code: i32) -> ! {
    std::process::exit(code)
}

#[track_energy]
async fn serve() -> ! {
    #[track_energy(step)]
    loop {
        std::future::ready(()).await;
    }
}

#[track_energy]
fn forever() -> u32 {
    #[track_energy(phase = "forever")]
    loop {
        #[track_energy(phase = "leave")]
        return 3;
    }
}

#[track_energy]
fn unreachable() -> u32 {
    #[track_energy(phase = "panic")]
    panic!("never called");
}

#[track_energy]
fn unwritten() -> Vec<String> {
    todo!()
}

fn main() {
    assert_eq!(forever(), 3);
    drop(serve());
    let _ = (unreachable as fn() -> _, unwritten as fn() -> _);
    stop(0);
}

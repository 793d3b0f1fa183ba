use ergometer::track_energy;

#[track_energy(run, budget = "2 kW")]
fn power() {}

#[track_energy(budget = "kWh")]
fn generic<T: Copy>(value: T) -> T {
    #[track_energy(epoch, budget = "-1 kWh")]
    for _ in 0..3 {}
    #[track_energy(phase = "p", budget = "2 kWh per epoch")]
    {}
    value
}

#[track_energy(run, budget = "0 J")]
fn future() -> impl Future<Output = ()> {
    async {}
}

fn main() {
    power();
    generic(1);
    drop(future());
}

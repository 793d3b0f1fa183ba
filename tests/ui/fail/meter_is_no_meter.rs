use ergometer::track_energy;

struct Trainer {
    label: String,
}

impl Trainer {
    #[track_energy(run, meter = self.label)]
    fn train(&self) {}

    #[track_energy(run, meter = self.meter)]
    fn resume(&self) {}
}

fn main() {
    let trainer = Trainer { label: String::new() };
    trainer.train();
    trainer.resume();
}

//! Budgets of all types, on everything but steps; nothing is moved and no lint has anything to say.

#![deny(warnings, unused)]
#![forbid(unsafe_code)]

use ergometer::{Budget, track_energy};

struct Config {
    budget: String,
    epoch: Budget,
}

const LIMIT: &str = "500 gCO2e";

#[track_energy(run, budget = config.budget, report)]
fn train<'a>(config: &'a Config, own: String) -> &'a str {
    #[track_energy(epoch, name = "train", budget = config.epoch)]
    for _ in 0..2 {
        #[track_energy(phase = "forward", budget = "0.1 kWh")]
        let _loss = 1;
    }
    #[track_energy(phase = "own", budget = own)]
    drop(own);
    #[track_energy(run, budget = LIMIT)]
    for _ in 0..2 {}
    #[track_energy(phase = "made", budget = format!("{} Wh", 3))]
    &config.budget
}

struct Model;

impl Model {
    #[track_energy(budget = "3 USD")]
    async fn fetch(&self) -> u32 {
        #[track_energy(phase = "wait", budget = &LIMIT)]
        std::future::ready(1).await
    }

    #[track_energy(phase = "later", budget = budget)]
    fn later(&self, budget: Budget) -> impl Future<Output = u32> {
        async { 1 }
    }
}

fn main() {
    let config = Config { budget: "2 kWh".to_owned(), epoch: "1 kWh".parse().unwrap() };
    assert_eq!(train(&config, "1 J".to_owned()), "2 kWh");
    drop(Model.fetch());
    drop(Model.later("$ 1".parse().unwrap()));
}

//! A generative adversarial network: the discriminator learns twice, then the generator once.

use ergometer::track_energy;

use super::{Intervals, assert_alone, assert_equal, assert_parts, compute, node, record_of, sum};

const EPOCHS: usize = 3;
const BATCHES: usize = 8;
const BATCH: usize = 32;
/// Updates of the discriminator for one of the generator.
const CRITICS: usize = 2;

#[derive(Default)]
struct Gan {
    /// Updates of the discriminator.
    critic: Intervals,
    /// Updates of the generator.
    maker: Intervals,
    /// Trainings.
    whole: Intervals,
}

impl Gan {
    fn discriminator(&self, _real: &[f32]) {
        self.critic.time(|| compute(100));
    }

    fn generator(&self) {
        self.maker.time(|| compute(200));
    }
}

/// Both networks are phases of one step.
#[track_energy(run)]
fn train(gan: &Gan, data: &[[f32; BATCH]]) {
    #[track_energy(epoch, name = "train")]
    for _ in 0..EPOCHS {
        #[track_energy(step, items = real.len(), unit = "images")]
        for real in data {
            #[track_energy(phase = "discriminator")]
            for _ in 0..CRITICS {
                gan.discriminator(real);
            }
            #[track_energy(phase = "generator")]
            gan.generator();
        }
    }
}

#[test]
fn two_networks_are_two_phases_of_each_step() {
    let gan = Gan::default();
    let program = || gan.whole.time(|| train(&gan, &[[0.0; BATCH]; BATCHES]));
    let test = "gan::two_networks_are_two_phases_of_each_step";
    let Some(record) = record_of(test, program) else { return };
    let steps = EPOCHS * BATCHES;
    assert_alone(&record.steps["train"], steps, steps * BATCH);
    assert!(record.steps_by_name.is_empty(), "steps of one name");
    let step = node(&record, &["train", "train", "step"]);
    let phase = |name| step.children.iter().find(|node| node.name == name).unwrap();
    let (critic, maker) = (phase("discriminator"), phase("generator"));
    assert_eq!(step.children.len(), 2);
    assert_eq!((critic.count, maker.count), (steps as u64, steps as u64));
    let parts = [(sum(&critic.by_domain), &gan.critic), (sum(&maker.by_domain), &gan.maker)];
    assert_parts(&parts, &gan.whole);
}

/// Each network has steps of its own, of which only one knows its items.
#[track_energy(run)]
fn train_in_turn(gan: &Gan, data: &[[f32; BATCH]]) {
    #[track_energy(epoch, name = "train")]
    for _ in 0..EPOCHS {
        for real in data {
            #[track_energy(step, name = "discriminator", items = real.len(), unit = "images")]
            for _ in 0..CRITICS {
                gan.discriminator(real);
            }
            #[track_energy(step, name = "generator")]
            gan.generator();
        }
    }
}

#[test]
fn two_networks_with_steps_of_their_own_have_a_row_each() {
    let gan = Gan::default();
    let program = || gan.whole.time(|| train_in_turn(&gan, &[[0.0; BATCH]; BATCHES]));
    let test = "gan::two_networks_with_steps_of_their_own_have_a_row_each";
    let Some(record) = record_of(test, program) else { return };
    let rounds = EPOCHS * BATCHES;
    let rows = &record.steps_by_name["train"];
    let row = |name| &rows.iter().find(|row| row.name == name).unwrap().steps;
    let (critic, maker) = (row("discriminator"), row("generator"));
    assert_alone(critic, CRITICS * rounds, CRITICS * rounds * BATCH);
    assert_eq!((maker.count, &maker.items), (rounds as u64, &None));
    let parts = [(sum(&critic.by_domain), &gan.critic), (sum(&maker.by_domain), &gan.maker)];
    assert_parts(&parts, &gan.whole);
    let all = &record.steps["train"];
    assert_eq!(all.count, ((CRITICS + 1) * rounds) as u64);
    assert_equal(sum(&all.by_domain), parts[0].0 + parts[1].0);
    // The energy of an item is over the steps that have items.
    let image =
        |items: &Option<ergometer::record::Items>| items.as_ref().unwrap().joules_per_item.get();
    assert_equal(image(&all.items), image(&critic.items));
}

//! In which order models run.

use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};

/// Every subject in every repeat, counted from 0. Within each repeat the order is random, so that none always runs
/// on a machine that another one has warmed up. A single repeat keeps the order given.
pub fn of<T: Clone>(subjects: &[T], repeats: u32, seed: u64) -> Vec<(T, u32)> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut order = Vec::new();
    for repeat in 0..repeats {
        let mut subjects = subjects.to_vec();
        if repeats > 1 {
            subjects.shuffle(&mut rng);
        }
        order.extend(subjects.into_iter().map(|subject| (subject, repeat)));
    }
    order
}

/// Whether the new side of each of `pairs` runs before its base.
pub fn new_first(pairs: u32, seed: u64) -> Vec<bool> {
    let mut rng = StdRng::seed_from_u64(seed);
    (0..pairs).map(|_| rng.random()).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::bench_models::choices::Model;

    #[test]
    fn every_repeat_has_every_model_in_an_order_of_its_own() {
        let models = [Model::Transformer, Model::Elmo, Model::Bert, Model::Gpt2];
        assert_eq!(of(&models, 1, 7), models.map(|model| (model, 0)));
        let order = of(&models, 20, 7);
        assert_eq!(order, of(&models, 20, 7), "the seed decides");
        let mut orders = BTreeSet::new();
        for (repeat, runs) in (0..).zip(order.chunks(4)) {
            assert!(runs.iter().all(|(_, of)| *of == repeat), "{runs:?}");
            assert!(models.iter().all(|model| runs.iter().any(|(one, _)| one == model)));
            orders.insert(format!("{runs:?}").replace(&format!("{repeat})"), ""));
        }
        assert!(orders.len() > 5, "{orders:?}");
    }

    #[test]
    fn neither_side_of_the_pairs_is_always_first() {
        let first = new_first(200, 3).into_iter().filter(|first| *first).count();
        assert!((70..130).contains(&first), "{first}");
    }
}

//! Layers, models and optimizers are methods of traits that can fail, as in candle.

use ergometer::track_energy;

use super::{Intervals, assert_alone, assert_parts, compute, epochs, node, record_of, sum};

const EPOCHS: usize = 4;
const BATCHES: usize = 6;
const ROWS: usize = 16;
const WIDTH: usize = 8;

#[derive(Debug, PartialEq)]
struct ShapeMismatch(usize, usize);

type Result<T> = std::result::Result<T, ShapeMismatch>;

#[derive(Clone, Copy)]
struct Tensor {
    rows: usize,
    width: usize,
}

trait Module {
    fn forward(&self, xs: &Tensor) -> Result<Tensor>;

    /// A method that implementors need not write.
    #[track_energy(phase = "predict")]
    fn predict(&self, xs: &Tensor) -> Result<usize> {
        Ok(self.forward(xs)?.rows)
    }
}

#[derive(Default)]
struct Linear {
    products: Intervals,
}

impl Module for Linear {
    #[track_energy(phase = "linear")]
    fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        if xs.width != WIDTH {
            return Err(ShapeMismatch(xs.width, WIDTH));
        }
        self.products.time(|| compute(60));
        Ok(*xs)
    }
}

struct Relu;

impl Module for Relu {
    #[track_energy(phase = "relu")]
    fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        compute(10);
        Ok(*xs)
    }
}

/// Layers one after the other, some of which are sequences themselves.
struct Sequential<'a> {
    name: &'static str,
    layers: Vec<&'a dyn Module>,
}

impl Module for Sequential<'_> {
    #[track_energy(phase = self.name)]
    fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        self.layers.iter().try_fold(*xs, |xs, layer| layer.forward(&xs))
    }
}

trait Optimizer {
    fn step(&mut self);

    #[track_energy(phase = "backward_step")]
    fn backward_step(&mut self, _loss: &Tensor) {
        self.step();
    }
}

#[derive(Default)]
struct Sgd {
    updates: Intervals,
}

impl Optimizer for Sgd {
    fn step(&mut self) {
        self.updates.time(|| compute(40));
    }
}

#[track_energy(run)]
fn train<M: Module, O: Optimizer>(model: &M, optimizer: &mut O, batches: &[Tensor]) -> Result<()> {
    for _ in 0..EPOCHS {
        #[track_energy(epoch, name = "train")]
        {
            #[track_energy(step, items = batch.rows, unit = "images")]
            for batch in batches {
                let output = model.forward(batch)?;
                optimizer.backward_step(&output);
            }
        }
        #[track_energy(epoch, name = "test")]
        let rows = model.predict(&batches[0])?;
        assert_eq!(rows, ROWS);
    }
    Ok(())
}

#[test]
fn methods_of_traits_are_phases_of_the_step_that_calls_them() {
    let (first, last, mut sgd) = (Linear::default(), Linear::default(), Sgd::default());
    let block = Sequential { name: "block", layers: vec![&first, &Relu] };
    let model = Sequential { name: "model", layers: vec![&block, &last] };
    let batches = [Tensor { rows: ROWS, width: WIDTH }; BATCHES];
    let whole = Intervals::default();
    let program = || whole.time(|| train(&model, &mut sgd, &batches)).unwrap();
    let test = "trait_methods::methods_of_traits_are_phases_of_the_step_that_calls_them";
    let Some(record) = record_of(test, program) else { return };

    let steps = EPOCHS * BATCHES;
    let both = |index| [("train", index), ("test", index)];
    assert_eq!(epochs(&record), (1..=EPOCHS as u64).flat_map(both).collect::<Vec<_>>());
    assert_alone(&record.steps["train"], steps, steps * ROWS);
    assert!(!record.steps.contains_key("test"), "a test without steps has none");
    let step = ["train", "train", "step"];
    let predict = ["train", "test", "predict"];
    let at = |around: &[&str], inside: &[&str]| node(&record, &[around, inside].concat());
    for path in
        [&["model"][..], &["model", "block"], &["model", "block", "relu"], &["backward_step"]]
    {
        assert_eq!(at(&step, path).count, steps as u64, "{path:?}");
    }
    // The same layer is in the tree for each of its callers.
    let layer = |path: &[&str]| {
        let (train, test) = (at(&step, path), at(&predict, path));
        assert_eq!((train.count, test.count), (steps as u64, EPOCHS as u64), "{path:?}");
        sum(&train.by_domain) + sum(&test.by_domain)
    };
    let parts = [
        (layer(&["model", "block", "linear"]), &first.products),
        (layer(&["model", "linear"]), &last.products),
        (sum(&at(&step, &["backward_step"]).by_domain), &sgd.updates),
    ];
    assert_parts(&parts, &whole);
}

/// The third batch does not fit.
#[test]
fn an_error_in_a_layer_closes_all_spans_that_it_leaves() {
    let (layer, mut sgd) = (Linear::default(), Sgd::default());
    let model = Sequential { name: "model", layers: vec![&layer] };
    let mut batches = [Tensor { rows: ROWS, width: WIDTH }; BATCHES];
    batches[2].width = WIDTH + 1;
    let program = || {
        let error = train(&model, &mut sgd, &batches).unwrap_err();
        assert_eq!(error, ShapeMismatch(WIDTH + 1, WIDTH));
        drop(ergometer::span("after"));
    };
    let test = "trait_methods::an_error_in_a_layer_closes_all_spans_that_it_leaves";
    let Some(record) = record_of(test, program) else { return };
    assert_eq!(epochs(&record), [("train", 1)]);
    assert_alone(&record.steps["train"], 3, 3 * ROWS);
    let names: Vec<_> = record.spans.iter().map(|node| &*node.name).collect();
    assert_eq!(names, ["train", "after"]);
    let count = |path: &[&str]| node(&record, &[&["train", "train", "step"], path].concat()).count;
    assert_eq!((count(&["model", "linear"]), count(&["backward_step"])), (3, 2));
}

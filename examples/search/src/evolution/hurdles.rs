//! Progressive dynamic hurdles: how far each trial is trained.

use super::Trial;

/// Stretches of training, with a hurdle between each two.
#[derive(Clone, Debug, PartialEq)]
pub struct Hurdles {
    steps: Vec<usize>,
    every: usize,
    children: usize,
    heights: Vec<f64>,
}

impl Hurdles {
    /// Training in stretches of `steps`; a further hurdle is made after each `every` children. With one stretch there
    /// is no hurdle.
    pub const fn new(steps: Vec<usize>, every: usize) -> Self {
        Self { steps, every, children: 0, heights: Vec::new() }
    }

    /// The steps of each stretch.
    pub fn steps(&self) -> &[usize] {
        &self.steps
    }

    /// How many stretches there are.
    pub fn stretches(&self) -> usize {
        self.steps.len()
    }

    /// The hurdles that there are so far.
    pub fn heights(&self) -> &[f64] {
        &self.heights
    }

    /// Whether a trial of this fitness goes on after `stretches`: it has to be above the hurdle there. Where no hurdle
    /// was made yet, none goes on.
    pub fn lets(&self, stretches: usize, fitness: f64) -> bool {
        stretches < self.steps.len()
            && self.heights.get(stretches - 1).is_some_and(|height| fitness > *height)
    }

    /// A child was tried; `population` is what there is now. After enough children the next hurdle is the mean fitness
    /// of those that trained as far as it, without those that diverged. Where none did, it waits for one.
    pub fn child<'a, C: 'a>(&mut self, population: impl Iterator<Item = &'a Trial<C>>) {
        self.children += 1;
        let stretch = self.heights.len() + 1;
        if self.children < self.every || stretch >= self.steps.len() {
            return;
        }
        let reached = population.filter(|trial| trial.stretches >= stretch);
        let fitness: Vec<f64> =
            reached.map(|trial| trial.fitness).filter(|fitness| fitness.is_finite()).collect();
        if !fitness.is_empty() {
            self.heights.push(fitness.iter().sum::<f64>() / fitness.len() as f64);
            self.children = 0;
        }
    }
}

//! All architectures that a search may try, and how one is made from another.

use rand::RngExt as _;
use rand::rngs::StdRng;

use super::{
    Activation, Architecture, Block, Branch, Cell, Combiner, Dimensions, Layer, transformer,
};

const ACTIVATIONS: [Activation; 4] =
    [Activation::Swish, Activation::Relu, Activation::LeakyRelu, Activation::None];
const COMBINERS: [Combiner; 3] = [Combiner::Add, Combiner::Concat, Combiner::Multiply];
/// Whether a branch normalises its input: the first choice of the gene is yes.
const NORMS: [bool; 2] = [true, false];
/// Genes of a branch: input, norm, layer, width, activation.
const BRANCH: usize = 5;
/// Place of the norm among them.
const NORM: usize = 1;
/// Genes of a block: two branches and a combiner.
const BLOCK: usize = 2 * BRANCH + 1;
/// Draws before a search gives up; one in some ten thousand is enough in all spaces here.
const DRAWS: usize = 5_000_000;

/// A search space. An architecture is a list of genes, each the number of a choice:
///
/// ```text
/// encoder: cells, (input norm layer width activation, the same on the right, combiner) × blocks; decoder: the same
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Space {
    dimensions: Dimensions,
    encoder_blocks: usize,
    decoder_blocks: usize,
    /// Layers of the encoder; the decoder has attention to the encoder too.
    layers: Vec<Layer>,
    /// Widths of a branch, in halves of the model's.
    halves: Vec<usize>,
    /// How many cells there may be.
    most_cells: usize,
    /// The Transformer that the search begins from, and that all have to have about as many parameters as.
    seed: Architecture,
    /// By how much of its parameters another may differ.
    tolerance: f64,
}

/// An architecture of a [`Space`]: it can be trained, and has about as many parameters as the space's seed.
///
/// Only the space makes one, so that there is none that cannot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    genes: Vec<usize>,
    architecture: Architecture,
    parameters: usize,
}

impl Candidate {
    /// What the genes stand for.
    pub const fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// Its trainable parameters.
    pub const fn parameters(&self) -> usize {
        self.parameters
    }

    /// The genes, as a short word each search space can be asked for again.
    pub fn word(&self) -> String {
        self.genes.iter().map(usize::to_string).collect::<Vec<_>>().join(".")
    }
}

impl Space {
    /// The published space (So et al., 2019): 6 and 8 blocks, up to six cells, within 3 of 61 million parameters.
    pub fn published(dimensions: Dimensions) -> Self {
        let convolutions = [1, 3].map(|width| Layer::Convolution { width });
        let separable = [3, 5, 7, 9, 11].map(|width| Layer::Separable { width });
        let heads = [4, 8, 16].map(|heads| Layer::Attention { heads });
        Self {
            dimensions,
            encoder_blocks: 6,
            decoder_blocks: 8,
            layers: layers(&[
                &convolutions,
                &separable,
                &lightweight(&[3, 5, 7, 15], &[1, 4, 16]),
                &heads,
            ]),
            halves: (1..=10).collect(),
            most_cells: 6,
            seed: transformer(2, 3, 8),
            tolerance: 3.0 / 61.1,
        }
    }

    /// A small one of the same form: 3 and 4 blocks, one layer of the Transformer a cell.
    pub fn small(dimensions: Dimensions, cells: usize) -> Self {
        let convolutions = [1, 3].map(|width| Layer::Convolution { width });
        let separable = [3, 5, 7].map(|width| Layer::Separable { width });
        let heads = [2, 4].map(|heads| Layer::Attention { heads });
        Self {
            dimensions,
            encoder_blocks: 3,
            decoder_blocks: 4,
            layers: layers(&[&convolutions, &separable, &lightweight(&[3, 7], &[1, 4]), &heads]),
            halves: vec![1, 2, 4, 8],
            most_cells: cells + 1,
            seed: transformer(1, cells, dimensions.heads),
            tolerance: 0.05,
        }
    }

    /// The dimensions of its models.
    pub const fn dimensions(&self) -> Dimensions {
        self.dimensions
    }

    /// How many choices each gene has.
    fn choices(&self) -> Vec<usize> {
        let side = |blocks, layers| {
            let block = move |number: usize| {
                let branch = [number, NORMS.len(), layers, self.halves.len(), ACTIVATIONS.len()];
                [branch, branch].concat().into_iter().chain([COMBINERS.len()])
            };
            std::iter::once(self.most_cells).chain((1..=blocks).flat_map(block))
        };
        let layers = self.layers.len();
        side(self.encoder_blocks, layers).chain(side(self.decoder_blocks, layers + 1)).collect()
    }

    /// How many lists of genes there are, sound or not: what the paper counts.
    pub fn size(&self) -> f64 {
        self.choices().iter().map(|choices| *choices as f64).product()
    }

    /// How many genes there are.
    pub fn genes(&self) -> usize {
        self.choices().len()
    }

    /// The Transformer that the search begins from.
    ///
    /// # Panics
    /// Never: the spaces here have their seed.
    pub fn seed(&self) -> Candidate {
        let genes = self.encode(&self.seed).expect("the seed has only layers of the space");
        self.candidate(genes).expect("the seed is sound")
    }

    /// Any architecture, all with the same probability.
    ///
    /// # Panics
    /// Where the space has next to none that is sound.
    pub fn random(&self, rng: &mut StdRng) -> Candidate {
        let choices = self.choices();
        let decoder = 1 + BLOCK * self.encoder_blocks;
        for _ in 0..DRAWS {
            // The cells' own rules do not depend on each other, so that each can be drawn until it follows them.
            let mut draw = |choices: &[usize], sound: &dyn Fn(&[usize]) -> bool| {
                (0..DRAWS)
                    .map(|_| choices.iter().map(|count| rng.random_range(0..*count)).collect())
                    .find(|genes: &Vec<usize>| sound(genes))
            };
            let encoder =
                draw(&choices[..decoder], &|genes| self.cell(genes, &self.layers).is_sound());
            let decoder = draw(&choices[decoder..], &|genes| {
                let cell = self.cell(genes, &self.decoder_layers());
                cell.is_sound() && cell.has(Layer::AttendToEncoder)
            });
            let genes = encoder.zip(decoder).map(|(encoder, decoder)| [encoder, decoder].concat());
            if let Some(candidate) = genes.and_then(|genes| self.candidate(genes)) {
                return candidate;
            }
        }
        panic!("no architecture of this space has about as many parameters as its seed");
    }

    /// A child: each gene of `parent` is drawn again with probability `rate`, until it is another architecture that
    /// is sound. A norm is never taken away.
    ///
    /// # Panics
    /// Where a parent has next to no sound neighbour.
    pub fn mutated(&self, parent: &Candidate, rate: f64, rng: &mut StdRng) -> Candidate {
        let choices = self.choices();
        for _ in 0..DRAWS {
            let mut genes = parent.genes.clone();
            for (gene, choices) in genes.iter_mut().zip(&choices) {
                if rng.random_bool(rate) {
                    *gene = rng.random_range(0..*choices);
                }
            }
            if genes != parent.genes
                && !self.loses_a_norm(&parent.genes, &genes)
                && let Some(child) = self.candidate(genes)
                && child.architecture != parent.architecture
            {
                return child;
            }
        }
        panic!("no child of {parent:?} is sound");
    }

    /// Whether a branch of `parent` normalises its input and the same branch of `child` does not.
    fn loses_a_norm(&self, parent: &[usize], child: &[usize]) -> bool {
        let decoder = 1 + BLOCK * self.encoder_blocks;
        let norm = |place: usize| {
            let place = if place < decoder { place } else { place - decoder };
            let within = place.checked_sub(1).map(|place| place % BLOCK);
            within.is_some_and(|within| within == NORM || within == BRANCH + NORM)
        };
        let places = parent.iter().zip(child).enumerate();
        places.into_iter().any(|(place, (parent, child))| norm(place) && parent < child)
    }

    /// The architecture of `genes`, where it is one that may be tried.
    fn candidate(&self, genes: Vec<usize>) -> Option<Candidate> {
        let decoder = 1 + BLOCK * self.encoder_blocks;
        let architecture = Architecture {
            encoder: self.cell(&genes[..decoder], &self.layers),
            decoder: self.cell(&genes[decoder..], &self.decoder_layers()),
        };
        if !architecture.is_sound() {
            return None;
        }
        let parameters = self.dimensions.parameters(&architecture);
        let seed = self.dimensions.parameters(&self.seed) as f64;
        let near = (parameters as f64 - seed).abs() <= self.tolerance * seed;
        near.then_some(Candidate { genes, architecture, parameters })
    }

    fn decoder_layers(&self) -> Vec<Layer> {
        [self.layers.as_slice(), &[Layer::AttendToEncoder]].concat()
    }

    /// The cell that genes stand for.
    fn cell(&self, genes: &[usize], layers: &[Layer]) -> Cell {
        let branch = |genes: &[usize]| Branch {
            input: genes[0],
            normed: NORMS[genes[NORM]],
            layer: layers[genes[2]],
            halves: self.halves[genes[3]],
            activation: ACTIVATIONS[genes[4]],
        };
        let block = |genes: &[usize]| Block {
            left: branch(&genes[..BRANCH]),
            right: branch(&genes[BRANCH..2 * BRANCH]),
            combiner: COMBINERS[genes[2 * BRANCH]],
        };
        Cell { repeats: genes[0] + 1, blocks: genes[1..].chunks(BLOCK).map(block).collect() }
    }

    /// The genes of an architecture; `None` where it has something that the space has not.
    fn encode(&self, architecture: &Architecture) -> Option<Vec<usize>> {
        fn place<T: PartialEq>(choices: &[T], choice: &T) -> Option<usize> {
            choices.iter().position(|one| one == choice)
        }
        let mut genes = Vec::new();
        let decoder = self.decoder_layers();
        for (cell, layers) in
            [(&architecture.encoder, &self.layers), (&architecture.decoder, &decoder)]
        {
            genes.push(cell.repeats.checked_sub(1).filter(|cells| *cells < self.most_cells)?);
            for block in &cell.blocks {
                for branch in [&block.left, &block.right] {
                    genes.extend([
                        branch.input,
                        place(&NORMS, &branch.normed)?,
                        place(layers, &branch.layer)?,
                        place(&self.halves, &branch.halves)?,
                        place(&ACTIVATIONS, &branch.activation)?,
                    ]);
                }
                genes.push(place(&COMBINERS, &block.combiner)?);
            }
        }
        Some(genes)
    }
}

fn lightweight(widths: &[usize], shared: &[usize]) -> Vec<Layer> {
    let of = |width: usize| shared.iter().map(move |&shared| Layer::Lightweight { width, shared });
    widths.iter().copied().flat_map(of).collect()
}

/// Layers of both sides: those given, and those without a number.
fn layers(given: &[&[Layer]]) -> Vec<Layer> {
    let mut layers = given.concat();
    layers.extend([Layer::Gated, Layer::Identity, Layer::Dead]);
    layers
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::super::evolved_transformer;
    use super::*;

    const DIMENSIONS: Dimensions = Dimensions { vocabulary: 400, d_model: 32, heads: 4 };

    fn small() -> Space {
        Space::small(DIMENSIONS, 2)
    }

    #[test]
    fn the_published_space_has_the_published_size() {
        let base = Dimensions { vocabulary: 33_288, d_model: 512, heads: 8 };
        let space = Space::published(base);
        assert_eq!((space.layers.len(), space.decoder_layers().len()), (25, 26));
        assert_eq!(space.genes(), 14 * 11 + 2);
        // The paper rounds to 7.30e115.
        assert!((space.size() / 7.2959e115 - 1.0).abs() < 1e-5, "{:e}", space.size());
        // What it found is in it, and so is what it began from.
        let found = space.encode(&evolved_transformer()).unwrap();
        assert_eq!(space.candidate(found).unwrap().parameters(), 64_064_512);
        assert_eq!(space.seed().parameters(), 61_147_136);
    }

    #[test]
    fn genes_and_architectures_stand_for_each_other() {
        let space = small();
        let mut rng = StdRng::seed_from_u64(1);
        for _ in 0..10 {
            let candidate = space.random(&mut rng);
            assert_eq!(space.encode(candidate.architecture()).as_ref(), Some(&candidate.genes));
        }
        assert_eq!(space.seed().architecture(), &transformer(1, 2, 4));
        assert_eq!(space.encode(&transformer(1, 4, 4)), None, "too many cells");
        assert_eq!(space.encode(&transformer(1, 2, 16)), None, "too many heads");
    }

    #[test]
    fn random_architectures_are_sound_different_and_about_as_large_as_the_seed() {
        let space = small();
        let mut rng = StdRng::seed_from_u64(2);
        let drawn: Vec<_> = (0..20).map(|_| space.random(&mut rng)).collect();
        let seed = space.seed().parameters() as f64;
        for candidate in &drawn {
            assert!(candidate.architecture().is_sound());
            let share = candidate.parameters() as f64 / seed;
            assert!((0.95..=1.05).contains(&share), "{share}");
        }
        assert!(drawn.windows(2).all(|two| two[0] != two[1]));
        let mut same = StdRng::seed_from_u64(2);
        assert_eq!(space.random(&mut same), drawn[0]);
    }

    #[test]
    fn a_child_differs_in_few_genes_and_keeps_its_norms() {
        let space = small();
        let mut rng = StdRng::seed_from_u64(3);
        let rate = 1.0 / space.genes() as f64;
        let parent = space.seed();
        let mut changed = 0;
        for _ in 0..100 {
            let child = space.mutated(&parent, rate, &mut rng);
            let genes = parent.genes.iter().zip(&child.genes);
            let different = genes.filter(|(parent, child)| parent != child).count();
            assert!(different > 0);
            changed += different;
            assert!(!space.loses_a_norm(&parent.genes, &child.genes));
            let norms = |candidate: &Candidate| {
                let architecture = candidate.architecture();
                let cells = [&architecture.encoder, &architecture.decoder];
                let blocks = cells.into_iter().flat_map(|cell| &cell.blocks);
                blocks.flat_map(|block| [block.left.normed, block.right.normed]).collect::<Vec<_>>()
            };
            let both = norms(&parent).into_iter().zip(norms(&child));
            assert!(both.into_iter().all(|(parent, child)| child || !parent));
        }
        // One in the mean, before those without a change are drawn again.
        assert!((100..400).contains(&changed), "{changed}");
    }
}

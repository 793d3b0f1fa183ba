//! The model's dimensions.

/// Dimensions of the model.
///
/// The paper's are those of the authors' training program (`bin/train_elmo.py` of bilm-tf).
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Width of a character's embedding.
    pub characters: usize,
    /// Convolutions over characters: (width, maps).
    pub filters: Vec<(usize, usize)>,
    /// Characters of a word that are read, its begin and end marks included.
    pub word_length: usize,
    /// Highway layers over the maps.
    pub highways: usize,
    /// Width of a word's representation and of an LSTM's output.
    pub projection: usize,
    /// Width of an LSTM's cell.
    pub cells: usize,
    /// LSTMs in each direction.
    pub layers: usize,
    /// Bound on the magnitude of a cell and of a projected output.
    pub clip: f64,
    /// Dropout of every LSTM's input and of the last one's output.
    pub dropout: f64,
}

/// Ids of the character alphabet: 256 bytes, two marks each for sentence and word, padding, and
/// the mask.
pub const ALPHABET: usize = 262;

impl Options {
    /// A model for tests: a step takes milliseconds, even unoptimised.
    pub fn smoke() -> Self {
        Self {
            characters: 4,
            filters: vec![(1, 4), (2, 4), (3, 8)],
            word_length: 12,
            projection: 8,
            cells: 16,
            ..Self::paper()
        }
    }

    /// Minutes on two processor cores.
    pub fn tiny() -> Self {
        Self {
            filters: vec![(1, 4), (2, 8), (3, 16), (4, 32), (5, 64)],
            word_length: 20,
            projection: 64,
            cells: 256,
            ..Self::paper()
        }
    }

    /// An hour or two on a workstation's GPU.
    pub fn small() -> Self {
        Self {
            filters: vec![(1, 32), (2, 32), (3, 64), (4, 128), (5, 256)],
            projection: 128,
            cells: 1024,
            ..Self::paper()
        }
    }

    /// The paper's model: 93.6 million parameters without the softmax.
    pub fn paper() -> Self {
        Self {
            characters: 16,
            filters: vec![(1, 32), (2, 32), (3, 64), (4, 128), (5, 256), (6, 512), (7, 1024)],
            word_length: 50,
            highways: 2,
            projection: 512,
            cells: 4096,
            layers: 2,
            clip: 3.0,
            dropout: 0.1,
        }
    }

    /// Feature maps of all convolutions together.
    pub fn maps(&self) -> usize {
        self.filters.iter().map(|(_, maps)| maps).sum()
    }

    /// Floating-point operations of a training step for each word, in both directions: two for each
    /// multiplication with addition, and twice as many backward as forward. `classes` are the words that the
    /// softmax of each direction compares. Characters are read once for both directions.
    pub fn training_flops_per_word(&self, classes: usize) -> u64 {
        3 * self.forward_flops(classes)
    }

    /// The same forward. Look-ups, activations and the softmax's exponentials are left out.
    pub fn forward_flops(&self, classes: usize) -> u64 {
        self.flops_by_part(classes).iter().sum()
    }

    /// Convolutions, highways, projection, LSTMs, softmax.
    fn flops_by_part(&self, classes: usize) -> [u64; 5] {
        let (maps, width) = (self.maps(), self.projection);
        let places = |filter: usize| self.word_length.saturating_sub(filter - 1);
        let convolution =
            |&(filter, maps): &(usize, usize)| 2 * places(filter) * filter * self.characters * maps;
        let lstm = 2 * 2 * width * 4 * self.cells + 2 * self.cells * width;
        [
            self.filters.iter().map(convolution).sum(),
            self.highways * 2 * 2 * maps * maps,
            2 * maps * width,
            2 * self.layers * lstm,
            2 * 2 * width * classes,
        ]
        .map(|count: usize| count as u64)
    }

    /// Parameters without the softmax, by formula.
    #[cfg(test)]
    pub fn parameters(&self) -> usize {
        let embedding = ALPHABET * self.characters;
        let convolutions: usize =
            self.filters.iter().map(|(width, maps)| maps * (width * self.characters + 1)).sum();
        let maps = self.maps();
        let highways = self.highways * 2 * maps * (maps + 1);
        let projection = (maps + 1) * self.projection;
        let gates = 4 * self.cells * (2 * self.projection + 1);
        let lstms = 2 * self.layers * (gates + self.cells * self.projection);
        embedding + convolutions + highways + projection + lstms
    }

    /// Parameters of the softmax over `vocabulary` words, by formula.
    #[cfg(test)]
    pub fn softmax_parameters(&self, vocabulary: usize) -> usize {
        vocabulary * (self.projection + 1)
    }
}

#[cfg(test)]
mod tests {
    use burn::module::Module;
    use burn::tensor::Device;

    use super::*;
    use crate::model::Elmo;

    /// Peters et al. (2018) and the released options: 93.6 M, and a softmax of 793,471 words.
    #[test]
    fn the_papers_model_has_the_papers_size() {
        let paper = Options::paper();
        assert_eq!(paper.maps(), 2048);
        assert_eq!(paper.parameters(), 93_600_864);
        assert_eq!(paper.softmax_parameters(793_471), 407_050_623);
    }

    #[test]
    fn operations_are_those_of_the_matrix_products() {
        let paper = Options::paper();
        let parts = [17_616_896, 33_554_432, 2_097_152, 150_994_944, 16_779_264];
        assert_eq!(paper.flops_by_part(8193), parts);
        assert_eq!(paper.training_flops_per_word(8193), 663_128_064);
        assert_eq!(paper.forward_flops(793_471), 1_829_292_032);
        let tiny = Options { word_length: 50, projection: 16, cells: 64, ..Options::tiny() };
        let tiny = Options { characters: 16, ..tiny };
        assert_eq!(tiny.flops_by_part(65), [768_768, 123_008, 3_968, 73_728, 4_160]);
    }

    /// Parameters are created when they are first used, so that counting them allocates nothing.
    #[test]
    fn the_model_has_the_parameters_of_the_formula() {
        for options in [Options::smoke(), Options::tiny(), Options::small(), Options::paper()] {
            let model = Elmo::new(&options, 793_471, &Device::default());
            let expected = options.parameters() + options.softmax_parameters(793_471);
            assert_eq!(model.num_params(), expected, "{options:?}");
        }
    }
}

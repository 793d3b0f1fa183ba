//! The model's dimensions, and what follows from them.

use crate::data::Shape;

/// Dimensions of the model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// Different tokens.
    pub vocabulary: usize,
    /// Longest pair, tokens.
    pub positions: usize,
    /// Width of a token's vector.
    pub width: usize,
    /// Attention heads a layer.
    pub heads: usize,
    /// Layers.
    pub layers: usize,
    /// Dropout of embeddings, attention weights and what each part of a layer gives.
    pub dropout: f64,
}

impl Options {
    /// A published uncased model: from Tiny (2 layers of 128) to Large (24 of 1024); heads are 64 wide.
    pub const fn published(layers: usize, width: usize) -> Self {
        Self { vocabulary: 30_522, positions: 512, width, heads: width / 64, layers, dropout: 0.1 }
    }

    /// Floating-point operations of a training step for each pair: two for each multiplication with
    /// addition, and twice as many backward as forward. Look-ups, norms, activations and the softmax are
    /// left out.
    pub const fn training_flops(&self, shape: Shape) -> u64 {
        3 * self.forward_flops(shape)
    }

    /// The same forward.
    pub const fn forward_flops(&self, shape: Shape) -> u64 {
        let (s, d, v) = (shape.length as u64, self.width as u64, self.vocabulary as u64);
        let layer = 24 * s * d * d + 4 * s * s * d;
        let (pooler, next) = (2 * d * d, 4 * d);
        let masked = shape.predictions as u64 * (2 * d * d + 2 * d * v);
        self.layers as u64 * layer + pooler + next + masked
    }
}

#[cfg(test)]
mod tests {
    use burn::module::Module;
    use burn::tensor::Device;

    use super::*;
    use crate::model::Bert;

    /// Layers, width, parameters of all that pre-training holds.
    const PUBLISHED: [(usize, usize, usize); 6] = [
        (2, 128, 4_433_468),
        (4, 256, 11_267_900),
        (4, 512, 29_058_876),
        (8, 512, 41_668_412),
        (12, 768, 110_106_428),
        (24, 1024, 336_226_108),
    ];

    /// Parameters are made when they are first used, so that counting them allocates nothing.
    #[test]
    fn models_have_the_published_number_of_parameters() {
        for (layers, width, parameters) in PUBLISHED {
            let model = Bert::new(&Options::published(layers, width), &Device::flex());
            assert_eq!(model.num_params(), parameters, "{layers} layers of {width}");
        }
    }

    #[test]
    fn operations_are_those_of_the_matrix_products() {
        let forward = |layers, width, length, predictions| {
            Options::published(layers, width).forward_flops(Shape { length, predictions })
        };
        assert_eq!(forward(2, 128, 128, 20), 274_401_792);
        assert_eq!(forward(4, 256, 128, 20), 1_187_714_048);
        assert_eq!(forward(4, 512, 128, 20), 3_991_545_856);
        assert_eq!(forward(8, 512, 128, 20), 7_346_989_056);
        assert_eq!(forward(12, 768, 128, 20), 23_309_663_232);
        assert_eq!(forward(12, 768, 512, 77), 100_338_677_760);
        let base = Options::published(12, 768);
        let step = |length, predictions| 256 * base.training_flops(Shape { length, predictions });
        assert_eq!(step(128, 20), 17_901_821_362_176);
        assert_eq!(step(512, 77), 77_060_104_519_680);
    }
}

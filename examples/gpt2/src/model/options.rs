//! The model's dimensions, and what follows from them.

/// Dimensions of the model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// Different tokens.
    pub vocabulary: usize,
    /// Longest window, tokens.
    pub context: usize,
    /// Width of a token's vector.
    pub width: usize,
    /// Attention heads a layer.
    pub heads: usize,
    /// Layers.
    pub layers: usize,
    /// Dropout of embeddings, attention weights and layers' outputs.
    pub dropout: f64,
}

impl Options {
    /// A published model (Radford et al., 2019, table 2); heads are 64 wide.
    pub const fn published(layers: usize, width: usize) -> Self {
        Self { vocabulary: 50_257, context: 1024, width, heads: width / 64, layers, dropout: 0.1 }
    }

    /// Floating-point operations of a training step for each token of a window of `time` tokens: two for
    /// each multiplication with addition, and twice as many backward as forward. Attention counts as the
    /// full square; look-ups, norms, activations and the softmax are left out.
    pub const fn training_flops_per_token(&self, time: usize) -> u64 {
        3 * self.forward_flops(time) / time as u64
    }

    /// The same forward, for one window.
    pub const fn forward_flops(&self, time: usize) -> u64 {
        let (s, d) = (time as u64, self.width as u64);
        let layer = 24 * s * d * d + 4 * s * s * d;
        self.layers as u64 * layer + 2 * s * d * self.vocabulary as u64
    }
}

#[cfg(test)]
mod tests {
    use burn::module::Module;
    use burn::tensor::Device;

    use super::*;
    use crate::model::Gpt2;

    /// nanoGPT's recipes for a processor and for one GPU, on 65 characters.
    const NANO: [Options; 2] = [
        Options { vocabulary: 65, context: 64, width: 128, heads: 4, layers: 4, dropout: 0.0 },
        Options { vocabulary: 65, context: 256, width: 384, heads: 6, layers: 6, dropout: 0.2 },
    ];

    /// Parameters are made when they are first used, so that counting them allocates nothing.
    #[test]
    fn models_have_the_published_number_of_parameters() {
        for ((layers, width), parameters) in [
            ((12, 768), 124_439_808),
            ((24, 1024), 354_823_168),
            ((36, 1280), 774_030_080),
            ((48, 1600), 1_557_611_200),
        ] {
            let options = Options::published(layers, width);
            let model = Gpt2::new(&options, &Device::flex());
            assert_eq!(model.num_params(), parameters, "{options:?}");
        }
        let small = NANO.map(|options| Gpt2::new(&options, &Device::flex()).num_params());
        assert_eq!(small, [809_856, 10_770_816]);
    }

    /// nanoGPT's own count agrees with the first; the others are the same sum.
    #[test]
    fn operations_are_those_of_the_matrix_products() {
        let small = Options::published(12, 768);
        assert_eq!(small.forward_flops(1024), 291_648_307_200);
        assert_eq!(small.training_flops_per_token(1024), 854_438_400);
        assert_eq!(3 * Options::published(48, 1600).forward_flops(1024), 10_520_110_694_400);
        assert_eq!(NANO[0].forward_flops(64), 110_116_864);
        assert_eq!(NANO[1].forward_flops(256), 6_052_577_280);
    }
}

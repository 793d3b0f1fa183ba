//! Noise that is the same whenever and wherever it is looked at.

use super::Levels;

/// Cells after which the noise repeats: a counter that started days ago costs no more than one that
/// started now.
const CELLS: u64 = 4096;

impl Levels {
    /// About normally distributed levels, one for each `cell_ns` of time, never below 0 W; the whole
    /// repeats after 4096 cells. `None` for a cell of no length.
    ///
    /// Each level depends on its cell's number and `seed` alone. It is the sum of twelve uniform
    /// numbers, which is made of exact arithmetic only and stays within 6 sigma.
    #[must_use]
    pub fn noise(mean: f64, sigma: f64, cell_ns: u64, seed: u64) -> Option<Self> {
        let period = cell_ns.checked_mul(CELLS)?;
        let watts = |cell| (mean + sigma * normal(seed, cell)).max(0.0);
        Self::new((0..CELLS).map(|cell| (cell * cell_ns, watts(cell))), period)
    }
}

/// A number of mean 0 and variance 1.
fn normal(seed: u64, cell: u64) -> f64 {
    let first = mixed(seed).wrapping_add(cell.wrapping_mul(3));
    let sum: u64 = (0..3)
        .map(|word| mixed(first.wrapping_add(word)))
        .map(|word| (0..4).map(|lane| (word >> (16 * lane)) & 0xffff).sum::<u64>())
        .sum();
    // Each lane stands for the middle of its 2^-16; twelve of variance 1/12.
    (sum as f64 + 6.0) / 65536.0 - 6.0
}

/// The finaliser of `SplitMix64`, <https://doi.org/10.1145/2660193.2660195>.
fn mixed(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn mean_and_sigma_are_as_asked() {
        let normals: Vec<f64> = (0..CELLS).map(|cell| normal(1, cell)).collect();
        let mean = normals.iter().sum::<f64>() / CELLS as f64;
        let variance = normals.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / CELLS as f64;
        // Four standard errors: 1 / sqrt(4096) of the mean, sqrt(2 / 4096) of the variance.
        assert!(mean.abs() < 0.063 && (variance - 1.0).abs() < 0.09, "{mean} {variance}");
    }

    #[test]
    fn cells_are_independent_of_their_neighbours() {
        let lag: f64 = (0..CELLS).map(|cell| normal(1, cell) * normal(1, cell + 1)).sum();
        assert!((lag / CELLS as f64).abs() < 0.063, "{lag}");
    }

    #[test]
    fn the_integral_is_the_sum_of_the_cells() {
        let levels = Levels::noise(250.0, 60.0, 10 * MS, 7).unwrap();
        let watts = |cell| 250.0 + 60.0 * normal(7, cell);
        let (from, to) = (15 * MS, 10_000 * MS + 3 * MS);
        let cells: f64 = (2..1000).map(|cell| watts(cell) * 0.01).sum();
        let sum = cells + watts(1) * 0.005 + watts(1000) * 0.003;
        assert!((levels.part(to) - levels.part(from) - sum).abs() < 1e-6);
        assert_eq!(levels.period_ns(), 40_960 * MS);
    }

    #[test]
    fn a_seed_is_a_noise_and_none_is_negative() {
        let noise = |seed| Levels::noise(10.0, 60.0, MS, seed).unwrap();
        assert_eq!(noise(1), noise(1));
        assert_ne!(noise(1), noise(2));
        let noise = noise(1);
        let sums: Vec<f64> = (0..CELLS).map(|cell| noise.part(cell * MS)).collect();
        assert!(sums.is_sorted());
    }
}

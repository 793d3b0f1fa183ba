//! Points on two interleaved spirals.

use std::f32::consts::PI;

/// A point, and which arm it lies on.
pub struct Point {
    pub at: [f32; 2],
    pub second_arm: bool,
}

/// Random points on both arms: the same for the same seed.
pub fn spirals(count: usize, seed: u64) -> Vec<Point> {
    let mut numbers = Numbers(seed);
    (0..count)
        .map(|number| {
            let second_arm = number % 2 == 1;
            let radius = 0.1 + 0.9 * numbers.uniform();
            let angle = radius * 3.0 * PI + if second_arm { PI } else { 0.0 };
            Point { at: [radius * angle.cos(), radius * angle.sin()], second_arm }
        })
        .collect()
}

/// Random numbers, by splitmix64 (Steele, Lea, Flood, 2014).
pub struct Numbers(pub u64);

impl Numbers {
    /// The next of the numbers from 0 to 1.
    pub fn uniform(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        // The upper 16 bits are enough here, and exact.
        f32::from((bits >> 48) as u16) / f32::from(u16::MAX)
    }
}

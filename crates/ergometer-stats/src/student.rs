//! Quantiles of Student's t distribution.

/// The 97.5 % quantile of the normal distribution.
pub const NORMAL: f64 = 1.959_963_985;

/// The value that a t-distributed variable with `freedom` degrees of freedom exceeds with probability
/// `1 - probability`. Not a number unless `0 < probability < 1`.
///
/// Runs that do not differ at all have no degrees of freedom (0 / 0); they count as 1, and have nothing to multiply.
#[must_use]
pub fn quantile(probability: f64, freedom: f64) -> f64 {
    if !(probability > 0.0 && probability < 1.0) {
        return f64::NAN;
    }
    let freedom = if freedom.is_finite() { freedom.max(1.0) } else { 1.0 };
    if probability < 0.5 {
        return -quantile(1.0 - probability, freedom);
    }
    let tail = 1.0 - probability;
    let (mut low, mut high) = (0.0, 1.0);
    while upper_tail(high, freedom) > tail {
        high *= 2.0;
    }
    // Each round halves the bracket: 80 leave nothing of it in the 53 bits of a number.
    for _ in 0..80 {
        let middle = f64::midpoint(low, high);
        if upper_tail(middle, freedom) > tail { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

/// P(T > t) for t ≥ 0.
fn upper_tail(t: f64, freedom: f64) -> f64 {
    incomplete_beta(freedom / 2.0, 0.5, freedom / (freedom + t * t)) / 2.0
}

/// The regularised incomplete beta function `I_x(a, b)`, by its continued fraction (Abramowitz and Stegun,
/// 26.5.8), which converges fast below x = (a + 1) / (a + b + 2).
fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta(b, a, 1.0 - x);
    }
    let front = log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * x.ln() + b * (1.0 - x).ln();
    // From the back: as many terms as any argument here needs.
    let mut fraction = 1.0;
    for m in (1..=400_u32).rev().map(f64::from) {
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        fraction = 1.0 + even / (1.0 + odd / fraction);
    }
    let first = -(a + b) * x / (a + 1.0);
    (front.exp() / a) / (1.0 + first / fraction)
}

/// ln Γ(x) for x > 0, by Stirling's series above 10 and the recurrence below.
fn log_gamma(x: f64) -> f64 {
    if x < 10.0 {
        return log_gamma(x + 1.0) - x.ln();
    }
    let square = x * x;
    let series = 1.0 / (12.0 * x) * (1.0 - 1.0 / (30.0 * square) * (1.0 - 2.0 / (7.0 * square)));
    (x - 0.5) * x.ln() - x + 0.5 * (2.0 * std::f64::consts::PI).ln() + series
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_tables() {
        for (probability, freedom, expected) in [
            (0.975, 1.0, 12.7062),
            (0.975, 2.0, 4.3027),
            (0.975, 7.0, 2.3646),
            (0.975, 30.0, 2.0423),
            (0.975, 1000.0, 1.9623),
            (0.8, 4.0, 0.9410),
            (0.9, 12.0, 1.3562),
            (0.025, 7.0, -2.3646),
        ] {
            let value = quantile(probability, freedom);
            assert!((value - expected).abs() < 1e-4, "{probability} {freedom}: {value}");
        }
        assert!((quantile(0.975, 1e7) - NORMAL).abs() < 1e-5);
        assert!(quantile(1.0, 3.0).is_nan() && quantile(0.5, 3.0).abs() < 1e-9);
        // Between whole numbers, too, and without a number of degrees at all.
        assert!((2.1314..2.1448).contains(&quantile(0.975, 14.5)));
        assert!((quantile(0.975, f64::NAN) - 12.7062).abs() < 1e-4);
    }
}

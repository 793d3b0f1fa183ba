//! Energies of intervals = Σ seconds of each label × its power: least squares for the powers.
//!
//! Each interval of known energy is an equation; some hundred of them make an overdetermined system. It is
//! weighted least squares with forgetting, in information form (A = Σ λ x xᵀ / σ², b = Σ λ x e / σ²), with a
//! prior: every label's power is the mean power, give or take [`PRIOR`]. What the equations do not tell apart
//! stays at the mean, and its covariance stays that of the prior.

use super::labels::{Index, LABELS, Seconds};

pub(super) type Matrix = [[f64; LABELS]; LABELS];

/// Standard deviation of a label's power about the mean power, as a share of it, before anything is known.
const PRIOR: f64 = 0.5;

/// Time constants of forgetting, seconds: the one whose powers predict better is used.
const FORGETTING: [f64; 2] = [25.0, 250.0];

/// A residual this many standard deviations long counts no more than that (Huber).
const OUTLYING: f64 = 3.0;

/// Share of mean power that the noise of an interval's power is at least.
const LEAST_NOISE: f64 = 0.002;

/// Relative standard deviation of the ratio of two sensors, before anything is known.
const GAIN: f64 = 0.07;

/// Seconds of residuals that may hang together.
const CLUSTER: f64 = 1.5;

/// Variance of power that the first guess takes, as a share of its mean's square, J² a second.
const FIRST_NOISE: f64 = 0.01;

/// Rounds of weighting.
const ROUNDS: usize = 3;

/// Equations beyond the number of labels from which the noise is known.
const ENOUGH: f64 = 6.0;

/// What an equation's energy was measured by: each has its noise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Two values of a counter, or a stretch of integrated power.
    Cell,
    /// A sample of power.
    Sample,
}

/// An interval whose energy is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Equation {
    pub from: f64,
    pub to: f64,
    pub joules: f64,
    pub class: Class,
    pub seconds: Seconds,
    /// The energy is less that of the same stretch this many seconds before, and tells nothing of their level.
    pub more_than: Option<f64>,
    /// The labels that gain and lose time if its beginning or its end is a little later.
    pub moved: [(Option<Index>, Option<Index>); 2],
    /// Variance of its beginning and of its end, s².
    pub misplaced: f64,
}

impl Equation {
    fn length(&self) -> f64 {
        self.to - self.from
    }

    pub(super) fn predicted(&self, watts: &Seconds) -> f64 {
        self.seconds.iter().zip(watts).map(|(seconds, watts)| seconds * watts).sum()
    }

    /// Variance of what is predicted that comes from where its ends are, J².
    fn blur(&self, watts: &Seconds) -> f64 {
        let of = |label: Option<Index>| label.map_or(0.0, |label| watts[usize::from(label)]);
        let jumps = self.moved.iter().map(|&(gains, loses)| (of(gains) - of(loses)).powi(2));
        self.misplaced * jumps.sum::<f64>()
    }
}

/// What older equations said.
#[derive(Clone, Debug)]
struct Memory {
    forgetting: f64,
    a: Matrix,
    b: Seconds,
    scatter: Matrix,
    /// Weighted squares of what its powers did not predict.
    surprise: f64,
}

/// The powers of labels in one domain.
#[derive(Clone, Debug)]
pub(super) struct Powers {
    pub watts: Seconds,
    pub covariance: Box<Matrix>,
    /// Variance of an interval's energy about what the powers say, J² a second, by class.
    pub noise: [f64; 2],
    gain: f64,
    /// Mean square of what cells differ from it, and from the mean of their two neighbours, W².
    pub residual: f64,
    pub bend: f64,
    pub cells: usize,
}

#[derive(Clone, Debug)]
pub(super) struct Regression {
    memories: [Memory; 2],
    noise: Option<[f64; 2]>,
    /// Joules of cells over those of samples.
    gain: f64,
}

impl Default for Regression {
    fn default() -> Self {
        let memory = |forgetting| Memory {
            forgetting,
            a: [[0.0; LABELS]; LABELS],
            b: [0.0; LABELS],
            scatter: [[0.0; LABELS]; LABELS],
            surprise: 0.0,
        };
        Self { memories: FORGETTING.map(memory), noise: None, gain: 1.0 }
    }
}

fn index(class: Class) -> usize {
    match class {
        Class::Cell => 0,
        Class::Sample => 1,
    }
}

fn mean_power(equations: &[Equation]) -> Option<f64> {
    let of = |class| {
        let chosen = || equations.iter().filter(move |equation| equation.class == class);
        let seconds: f64 = chosen().map(|equation| equation.seconds.iter().sum::<f64>()).sum();
        let joules: f64 = chosen().map(|equation| equation.joules).sum();
        (seconds > 0.0).then(|| joules / seconds)
    };
    of(Class::Cell).or_else(|| of(Class::Sample)).filter(|mean| *mean > 0.0)
}

impl Regression {
    fn best(&self) -> &Memory {
        let [fast, slow] = &self.memories;
        if fast.surprise < slow.surprise { fast } else { slow }
    }

    /// The powers by what is remembered and `equations`, those since the last [`Regression::remember`]. Where the
    /// cells are a counter's, `counted`, samples are another sensor with a gain of its own.
    pub(super) fn solve(&self, equations: &[Equation], counted: bool) -> Option<Powers> {
        let mean = mean_power(equations)?;
        let labels = seen(equations);
        let mut noise = self.noise.unwrap_or([FIRST_NOISE * mean * mean; 2]);
        let mut gain = self.gain;
        let mut equations = equations.to_vec();
        scale(&mut equations, gain);
        let mut watts = None;
        for _ in 0..ROUNDS {
            let (a, b) = information(&equations, &noise, watts.as_ref());
            let (solved, _) = self.best().posterior(&a, &b, mean)?;
            noise = residual_noise(&equations, &solved, &noise, mean, labels);
            if counted {
                let better = ratio(&equations, &solved, noise[1]);
                scale(&mut equations, better);
                gain *= better;
            }
            watts = Some(solved);
        }
        let (a, b) = information(&equations, &noise, watts.as_ref());
        let (watts, by_model) = self.best().posterior(&a, &b, mean)?;
        let scatter = self.best().scatter(&scatter(&equations, &watts, &noise), mean);
        let by_residuals = product(&product(&by_model, &scatter), &by_model);
        // What residuals say is right where noise is larger here than there or hangs together, but rests on few
        // clusters; the model is the other way round. The sum of the two is careful.
        let mut covariance = by_model;
        for (sum, new) in covariance.iter_mut().flatten().zip(by_residuals.iter().flatten()) {
            *sum += new;
        }
        let (residual, bend, cells) = fit(&equations, &watts);
        let covariance = Box::new(covariance);
        Some(Powers { watts, covariance, noise, gain, residual, bend, cells })
    }

    /// How badly powers, whichever they are, explain `equations` of such noise.
    pub(super) fn misfit(equations: &[Equation], noise: &[f64; 2]) -> Option<f64> {
        let mean = mean_power(equations)?;
        let (a, b) = information(equations, noise, None);
        let (watts, _) = Self::default().best().posterior(&a, &b, mean)?;
        let squares = equations.iter().map(|equation| {
            let off = equation.joules - equation.predicted(&watts);
            off * off / (noise[index(equation.class)] * equation.length())
        });
        Some(squares.sum::<f64>() / equations.len() as f64)
    }

    /// Takes `equations` into what is remembered.
    pub(super) fn remember(&mut self, equations: &[Equation], counted: bool) {
        let (Some(first), Some(last)) = (equations.first(), equations.last()) else { return };
        let Some(powers) = self.solve(equations, counted) else { return };
        let Some(mean) = mean_power(equations) else { return };
        let mut scaled = equations.to_vec();
        scale(&mut scaled, powers.gain);
        let (a, b) = information(&scaled, &powers.noise, Some(&powers.watts));
        let scatter = scatter(&scaled, &powers.watts, &powers.noise);
        for memory in &mut self.memories {
            memory.judge(&scaled, &powers.noise, mean);
            let kept = (-(last.to - first.from) / memory.forgetting).exp();
            let add = |sum: &mut f64, new: &f64, kept: f64| *sum = *sum * kept + new;
            let pairs = memory.a.iter_mut().flatten().zip(a.iter().flatten());
            pairs.for_each(|(sum, new)| add(sum, new, kept));
            memory.b.iter_mut().zip(&b).for_each(|(sum, new)| add(sum, new, kept));
            let pairs = memory.scatter.iter_mut().flatten().zip(scatter.iter().flatten());
            pairs.for_each(|(sum, new)| add(sum, new, kept * kept));
        }
        self.noise = Some(powers.noise);
        self.gain = powers.gain;
    }
}

impl Memory {
    /// Adds how far off its powers were for `equations`, which it does not hold yet.
    fn judge(&mut self, equations: &[Equation], noise: &[f64; 2], mean: f64) {
        let nothing = [[0.0; LABELS]; LABELS];
        let Some((watts, _)) = self.posterior(&nothing, &[0.0; LABELS], mean) else { return };
        let off = |equation: &Equation| {
            let off = equation.joules - equation.predicted(&watts);
            off * off / (noise[index(equation.class)] * equation.length())
        };
        self.surprise = 0.7 * self.surprise + equations.iter().map(off).sum::<f64>();
    }

    /// The powers and their covariance, with the prior about `mean`.
    fn posterior(&self, a: &Matrix, b: &Seconds, mean: f64) -> Option<(Seconds, Matrix)> {
        let prior = 1.0 / (PRIOR * mean).powi(2);
        let mut sum = *a;
        let mut right = *b;
        for (sum, old) in sum.iter_mut().flatten().zip(self.a.iter().flatten()) {
            *sum += old;
        }
        for i in 0..LABELS {
            // What was taken off may leave nothing, where labels hardly differ from cell to cell.
            sum[i][i] = sum[i][i].max(0.0) + prior;
            right[i] += self.b[i] + prior * mean;
        }
        let covariance = inverse(&sum, prior)?;
        let mut watts = [0.0; LABELS];
        for (watts, row) in watts.iter_mut().zip(&covariance) {
            let power: f64 = row.iter().zip(&right).map(|(c, r)| c * r).sum();
            *watts = power.max(0.0);
        }
        Some((watts, covariance))
    }

    /// Its scatter and `new`, and the prior's.
    fn scatter(&self, new: &Matrix, mean: f64) -> Matrix {
        let mut sum = *new;
        for (sum, old) in sum.iter_mut().flatten().zip(self.scatter.iter().flatten()) {
            *sum += old;
        }
        for (i, row) in sum.iter_mut().enumerate() {
            row[i] += 1.0 / (PRIOR * mean).powi(2);
        }
        sum
    }
}

/// Multiplies the energies of samples.
fn scale(equations: &mut [Equation], gain: f64) {
    for equation in equations.iter_mut().filter(|equation| equation.class == Class::Sample) {
        equation.joules *= gain;
    }
}

/// What samples have to be multiplied by to agree with `watts`, which rest on cells too.
fn ratio(equations: &[Equation], watts: &Seconds, noise: f64) -> f64 {
    let (mut product, mut square) = (0.0, 0.0);
    let levels = |e: &&Equation| e.class == Class::Sample && e.more_than.is_none();
    for equation in equations.iter().filter(levels) {
        let weight = 1.0 / (noise * equation.length());
        product += weight * equation.joules * equation.predicted(watts);
        // Of what is predicted, a part is there only because its ends are misplaced.
        square += weight * (equation.predicted(watts).powi(2) - equation.blur(watts));
    }
    let prior = 1.0 / (GAIN * GAIN);
    ((square + prior) / (product + prior).max(prior / 2.0)).clamp(0.5, 2.0)
}

/// Σ over clusters of neighbouring equations of (Σ w r x)(Σ w r x)ᵀ: what residuals say of the scatter of b.
fn scatter(equations: &[Equation], watts: &Seconds, noise: &[f64; 2]) -> Matrix {
    let mut scatter = [[0.0; LABELS]; LABELS];
    let mut sum = [0.0; LABELS];
    let mut begin = f64::NEG_INFINITY;
    let mut clusters = 0.0;
    let mut end_cluster = |sum: &mut Seconds| {
        for (row, a) in scatter.iter_mut().zip(sum.iter()).filter(|(_, a)| **a != 0.0) {
            row.iter_mut().zip(sum.iter()).for_each(|(entry, b)| *entry += a * b);
        }
        *sum = [0.0; LABELS];
    };
    for equation in equations {
        if equation.to - begin > CLUSTER {
            end_cluster(&mut sum);
            begin = equation.to;
            clusters += 1.0;
        }
        let (weight, off) = weight(equation, noise, Some(watts));
        for (sum, x) in sum.iter_mut().zip(&equation.seconds) {
            *sum += weight * off * x;
        }
    }
    end_cluster(&mut sum);
    // Residuals are smaller than errors: the powers were fitted to them.
    let few = clusters / (clusters - 1.0_f64).max(0.5);
    scatter.iter_mut().flatten().for_each(|entry| *entry *= few);
    scatter
}

fn product(a: &Matrix, b: &Matrix) -> Matrix {
    let mut product = [[0.0; LABELS]; LABELS];
    for (row, a) in product.iter_mut().zip(a) {
        for (&a, b) in a.iter().zip(b).filter(|(a, _)| **a != 0.0) {
            row.iter_mut().zip(b).for_each(|(sum, b)| *sum += a * b);
        }
    }
    product
}

/// The weight of an equation, and how far it is from what `watts` say; far ones count less.
fn weight(equation: &Equation, noise: &[f64; 2], watts: Option<&Seconds>) -> (f64, f64) {
    let variance = noise[index(equation.class)] * equation.length();
    let off = watts.map_or(0.0, |watts| equation.joules - equation.predicted(watts));
    ((OUTLYING * variance.sqrt() / off.abs()).min(1.0) / variance, off)
}

/// Labels that occur.
fn seen(equations: &[Equation]) -> usize {
    (0..LABELS).filter(|&l| equations.iter().any(|equation| equation.seconds[l] != 0.0)).count()
}

/// A and b of `equations`; those far from what `watts` say count less.
///
/// Seconds are not exact where the ends of intervals are not, which would pull powers to each other
/// (attenuation); what that adds to A is known, and is taken off again.
fn information(
    equations: &[Equation],
    noise: &[f64; 2],
    watts: Option<&Seconds>,
) -> (Matrix, Seconds) {
    let mut a = [[0.0; LABELS]; LABELS];
    let mut b = [0.0; LABELS];
    for equation in equations {
        let (weight, _) = weight(equation, noise, watts);
        for (i, &x) in equation.seconds.iter().enumerate().filter(|(_, x)| **x != 0.0) {
            b[i] += weight * x * equation.joules;
            for (entry, y) in a[i].iter_mut().zip(&equation.seconds) {
                *entry += weight * x * y;
            }
        }
        let misplaced = weight * equation.misplaced;
        for (gains, loses) in equation.moved {
            let (gains, loses) = (gains.map(usize::from), loses.map(usize::from));
            for label in [gains, loses].into_iter().flatten() {
                a[label][label] -= misplaced;
            }
            if let (Some(gains), Some(loses)) = (gains, loses) {
                a[gains][loses] += misplaced;
                a[loses][gains] += misplaced;
            }
        }
    }
    (a, b)
}

/// The inverse of a positive definite matrix, by Cholesky's factors. Labels that never occurred have `prior`
/// on the diagonal and nothing else.
fn inverse(matrix: &Matrix, prior: f64) -> Option<Matrix> {
    let mut inverse = [[0.0; LABELS]; LABELS];
    for (i, row) in inverse.iter_mut().enumerate() {
        row[i] = 1.0 / prior;
    }
    let occurring: Vec<usize> = (0..LABELS).filter(|&i| matrix[i][i] > prior).collect();
    let n = occurring.len();
    let mut lower = [[0.0; LABELS]; LABELS];
    for i in 0..n {
        for j in 0..=i {
            let sum: f64 = (0..j).map(|k| lower[i][k] * lower[j][k]).sum();
            let rest = matrix[occurring[i]][occurring[j]] - sum;
            if i == j {
                if rest.is_nan() || rest <= 0.0 {
                    return None;
                }
                lower[i][i] = rest.sqrt();
            } else {
                lower[i][j] = rest / lower[j][j];
            }
        }
    }
    // The inverse of the factor.
    let mut factor = [[0.0; LABELS]; LABELS];
    for j in 0..n {
        factor[j][j] = 1.0 / lower[j][j];
        for i in j + 1..n {
            let sum: f64 = (j..i).map(|k| lower[i][k] * factor[k][j]).sum();
            factor[i][j] = -sum / lower[i][i];
        }
    }
    for i in 0..n {
        for j in 0..=i {
            let sum: f64 = (i..n).map(|k| factor[k][i] * factor[k][j]).sum();
            inverse[occurring[i]][occurring[j]] = sum;
            inverse[occurring[j]][occurring[i]] = sum;
        }
    }
    Some(inverse)
}

/// Variance of energies about what `watts` say, J² a second, by class.
fn residual_noise(
    equations: &[Equation],
    watts: &Seconds,
    before: &[f64; 2],
    mean: f64,
    labels: usize,
) -> [f64; 2] {
    [Class::Cell, Class::Sample].map(|class| {
        let i = index(class);
        let chosen: Vec<_> = equations.iter().filter(|equation| equation.class == class).collect();
        let Some(first) = chosen.first() else { return before[i] };
        let cap = OUTLYING * OUTLYING * before[i];
        let squares: f64 = chosen
            .iter()
            .map(|equation| {
                let off = equation.joules - equation.predicted(watts);
                // Outliers are let in by halves, so that a first guess that is too small grows.
                (off * off / equation.length()).min(4.0 * cap)
            })
            .sum();
        let free = chosen.len() as f64 - labels as f64;
        let least = (LEAST_NOISE * mean).powi(2) * first.length();
        if free < ENOUGH {
            // Too few to tell.
            return (squares / (free.max(1.0))).max(0.01 * mean * mean * first.length());
        }
        (squares / free).max(least)
    })
}

/// Mean square of the residuals of cells and of their bends, W², and how many cells there are.
fn fit(equations: &[Equation], watts: &Seconds) -> (f64, f64, usize) {
    let cells: Vec<&Equation> =
        equations.iter().filter(|equation| equation.class == Class::Cell).collect();
    let power = |cell: &Equation| cell.joules / cell.length();
    let off = |cell: &&Equation| power(cell) - cell.predicted(watts) / cell.length();
    let mean = |sum: f64, count: usize| if count > 0 { sum / count as f64 } else { 0.0 };
    let residual = mean(cells.iter().map(|cell| off(cell).powi(2)).sum(), cells.len());
    let bends = cells
        .windows(3)
        .map(|three| (f64::midpoint(power(three[0]), power(three[2])) - power(three[1])).powi(2));
    let bend = mean(bends.sum(), cells.len().saturating_sub(2));
    (residual, bend, cells.len())
}

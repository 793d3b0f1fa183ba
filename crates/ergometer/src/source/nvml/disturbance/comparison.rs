//! A counter against integrated power: what samples of power say of a stretch, and how far off that may be.

/// Relative standard deviation of power, as long as nothing is known of it (as in `meter::shape`).
pub(super) const UNSEEN_SWING: f64 = 0.35;
/// Joules of integrated power below which nothing is concluded.
const EVIDENCE: f64 = 20.0;
/// Variance of the energy between two samples, over (the difference of their power × the time between)²: 1/12 if power
/// changed once, at a moment that is uniformly distributed; 1/2 if the samples are independent of each other.
const ONE_CHANGE: f64 = 1.0 / 12.0;
const EACH_ITSELF: f64 = 0.5;
/// A ratio of [`Swing::independence`] up to which samples depend on each other.
const DEPENDENT: f64 = 0.5;
/// What is assumed of power before it is seen counts as this many samples.
const PRIOR: f64 = 2.0;
/// What is kept of the swing of earlier stretches when another is added.
const KEPT: f64 = 5.0 / 6.0;
/// Nothing is concluded from a larger relative uncertainty, or where more of the stretch was not seen.
pub(super) const HALF: f64 = 0.5;
/// Samples further apart than this, seconds, and than this many times as far as they are in the mean, leave out what
/// happened between.
const HOLE: f64 = 0.3;
const HOLE_SPACINGS: f64 = 3.5;

/// A counter against power, over one stretch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Comparison {
    pub counter: f64,
    pub power: f64,
    /// Relative standard uncertainty of `power` that comes from sampling.
    pub error: f64,
    /// The part of the stretch of which no sample tells.
    pub unseen: f64,
}

impl Comparison {
    pub(super) fn ratio(self) -> f64 {
        self.counter / self.power
    }

    pub(super) fn conclusive(self) -> bool {
        self.power >= EVIDENCE && self.error < HALF && self.unseen < HALF
    }
}

/// Power over time by the samples nearest to each moment, and how far that may be off: between two
/// samples power changed at a time that is anybody's guess, and where they are far apart it may have been anything.
/// Where samples are independent of each other, power changes more than once between two. A stretch in which many of them
/// happen to be high looks steadier than power is, so that its error is no less than what is `usual` makes it. Samples average
/// `window` seconds each.
pub(super) fn integral(
    samples: &[(f64, f64)],
    (from, to): (f64, f64),
    window: f64,
    usual: Swing,
) -> Comparison {
    let (mut power, mut variance, mut unseen) = (0.0, 0.0, 0.0);
    let inside = samples.iter().filter(|(t, _)| (from..=to).contains(t)).count();
    let spacing = (to - from) / inside.max(1) as f64;
    let here = Swing::of(samples, from, to);
    // Far apart they are independent, and few of them may be alike by chance.
    let sparse = spacing > HOLE.max(window);
    let independent = if sparse { 1.0 } else { here.independence().max(usual.independence()) };
    let share = ONE_CHANGE + (EACH_ITSELF - ONE_CHANGE) * independent;
    let at_least = if sparse {
        here.with(usual).error_of_few(inside as f64)
    } else {
        usual.error(inside as f64)
    };
    // A sample or two do not tell of most of a stretch, however few they are.
    let hole = (HOLE_SPACINGS * spacing).min(HALF * (to - from)).max(HOLE);
    let mut begin = from;
    for (index, &(t, watts)) in samples.iter().enumerate() {
        let next = samples.get(index + 1);
        let end = next.map_or(to, |&(next, _)| f64::midpoint(t, next).min(to));
        if end > begin {
            power += watts * (end - begin);
            begin = end;
            if let Some(&(next, after)) = next {
                variance += share * ((after - watts) * (next - t)).powi(2);
            }
        }
        // Up to the first sample, between two, and after the last one.
        let before = if index == 0 { from } else { samples[index - 1].0 };
        unseen += stretch_beyond(before, t, hole, (from, to));
        if next.is_none() {
            unseen += stretch_beyond(t, to, hole, (from, to));
        }
    }
    let swing = UNSEEN_SWING * power * unseen / (to - from).max(f64::MIN_POSITIVE);
    Comparison {
        counter: 0.0,
        power,
        error: if power > 0.0 {
            ((variance + swing.powi(2)).sqrt() / power).max(at_least)
        } else {
            0.0
        },
        unseen: unseen / (to - from).max(f64::MIN_POSITIVE),
    }
}

/// How power varies from one sample to the next, in one stretch or over several: sums of squares, over that of the mean.
#[derive(Clone, Copy, Debug)]
pub(super) struct Swing {
    pub steps: f64,
    pub spread: f64,
    pub count: f64,
}

impl Swing {
    /// Samples are taken to be independent until there are some.
    pub(super) const UNKNOWN: Self = Self { steps: 2e-6, spread: 1e-6, count: 1.0 };

    pub(super) fn of(samples: &[(f64, f64)], from: f64, to: f64) -> Self {
        let inside =
            || samples.iter().filter(|(t, _)| (from..=to).contains(t)).map(|(_, watts)| watts);
        let count = inside().count() as f64;
        let mean = inside().sum::<f64>() / count;
        let spread: f64 = inside().map(|watts| (watts - mean).powi(2)).sum();
        let steps: f64 = inside().zip(inside().skip(1)).map(|(a, b)| (b - a).powi(2)).sum();
        if mean > 0.0 {
            Self { steps: steps / mean.powi(2), spread: spread / mean.powi(2), count }
        } else {
            Self { steps: 0.0, spread: 0.0, count: 0.0 }
        }
    }

    pub(super) fn remember(&mut self, new: Self) {
        let add = |sum: &mut f64, new: f64| *sum = KEPT * *sum + new;
        add(&mut self.steps, new.steps);
        add(&mut self.spread, new.spread);
        add(&mut self.count, new.count);
    }

    /// How independent samples are of each other, from 0 to 1, by the mean square of their successive differences over twice
    /// their variance (von Neumann, Annals of Mathematical Statistics 12, 1941): 1 in the mean where they are, less where
    /// power stays for several.
    fn independence(self) -> f64 {
        let ratio = if self.spread > 0.0 { self.steps / (2.0 * self.spread) } else { 0.0 };
        ((ratio - DEPENDENT) / (1.0 - DEPENDENT)).clamp(0.0, 1.0)
    }

    /// Relative standard error of the mean of `samples` samples, as far as they are independent.
    fn error(self, samples: f64) -> f64 {
        (self.independence() * self.spread / (self.count.max(1.0) * samples.max(1.0))).sqrt()
    }

    /// The same of independent samples, however few there are: until there are many, power swings as it does where nothing
    /// is known of it.
    fn error_of_few(self, samples: f64) -> f64 {
        let variance = (PRIOR * UNSEEN_SWING.powi(2) + self.spread) / (PRIOR + self.count);
        (variance / samples.max(1.0)).sqrt()
    }

    fn with(self, other: Self) -> Self {
        Self {
            steps: self.steps + other.steps,
            spread: self.spread + other.spread,
            count: self.count + other.count,
        }
    }
}

/// Seconds of a pause between two samples, if it is longer than `hole`, that lie inside the bounds.
fn stretch_beyond(from: f64, to: f64, hole: f64, bounds: (f64, f64)) -> f64 {
    if to - from <= hole { 0.0 } else { (to.min(bounds.1) - from.max(bounds.0)).max(0.0) }
}

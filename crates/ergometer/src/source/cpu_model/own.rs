//! Power between a machine's own idle and full power.

use crate::units::Watts;

/// What the processors of a machine draw in all when idle, and when they are fully busy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Own {
    /// When idle.
    pub idle: Watts,
    /// When all logical processors are busy.
    pub full: Watts,
}

impl Own {
    /// From text as `20,180`, in watts; `None` if it is not two powers.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (idle, full) = text.split_once(',')?;
        let watts = |text: &str| text.trim().parse().ok().map(Watts::new);
        Some(Self { idle: watts(idle)?, full: watts(full)? }).filter(Self::can_be)
    }

    /// Whether these are powers, and the second is more than the first.
    #[must_use]
    pub fn can_be(&self) -> bool {
        let (idle, full) = (self.idle.get(), self.full.get());
        idle >= 0.0 && full > idle && full <= 100e3
    }

    /// Power at `utilisation`, 0 to 1; what lies outside is moved to the edge.
    #[must_use]
    pub fn power(&self, utilisation: f64) -> Watts {
        OWN_CURVE.power(utilisation, *self)
    }

    /// The share of what lies between idle and full power that is drawn at `utilisation`, 0 to 1.
    #[must_use]
    pub fn share(utilisation: f64) -> f64 {
        OWN_CURVE.share(utilisation)
    }

    /// The share of these powers that `share` of the machine draws.
    #[must_use]
    pub(crate) fn scaled(&self, share: f64) -> Self {
        Self { idle: self.idle * share, full: self.full * share }
    }
}

/// A curve from idle to full power: it rises with a power of the load up to a load at which power is full. The
/// processors' second threads, and those that are busy last, add little.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct OwnCurve {
    /// Load, 0 to 1, from which power is full.
    pub(super) reached: f64,
    pub(super) exponent: f64,
}

/// The curve as fitted to five machines, each with its own two powers: least squares of the logarithm of power above
/// 5 % load, as for the line by TDP.
pub(super) const OWN_CURVE: OwnCurve = OwnCurve { reached: 0.82, exponent: 0.815 };

/// Standard uncertainty then: a share of the power, and one of full less idle power, so that 95 % of the points of each
/// machine that was left out of the fit lie within two of them.
pub(crate) const OWN_ERROR: (f64, f64) = (0.1, 0.2);

impl OwnCurve {
    pub(super) fn power(&self, utilisation: f64, own: Own) -> Watts {
        own.idle + (own.full - own.idle) * self.share(utilisation)
    }

    /// The share of what lies between idle and full power.
    fn share(&self, utilisation: f64) -> f64 {
        (utilisation.clamp(0.0, 1.0) / self.reached).min(1.0).powf(self.exponent)
    }
}

//! When a register may be read.

/// Seconds from the one to the other of which a read is as good as at any other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in super::super) struct Window {
    pub from: f64,
    pub by: f64,
}

impl Window {
    pub(in super::super) const NEVER: Self = Self::at(f64::INFINITY);

    pub(in super::super) const fn at(t: f64) -> Self {
        Self { from: t, by: t }
    }

    pub(in super::super) fn is_moment(self) -> bool {
        self.from >= self.by
    }

    /// What serves both, if anything does; else the earlier.
    pub(in super::super) fn and(self, other: Self) -> Self {
        let (first, second) = if self.by <= other.by { (self, other) } else { (other, self) };
        if second.from > first.by {
            return first;
        }
        Self { from: first.from.max(second.from), by: first.by }
    }
}

//! How many items a span processed.

use super::ItemCount;

/// A sum of counts of items, and how many counts were not valid: negative, infinite, or not a number.
///
/// Those are left out one by one, so that they cannot spoil the valid ones.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Tally {
    pub items: f64,
    /// 255 of that many and more.
    pub invalid: u8,
}

impl Tally {
    pub(crate) const NONE: Self = Self { items: 0.0, invalid: 0 };

    #[inline]
    pub(crate) fn add(&mut self, count: impl ItemCount) {
        let count = count.to_count();
        let items = self.items + count;
        if count >= 0.0 && items < f64::INFINITY {
            self.items = items;
        } else {
            self.leave_out();
        }
    }

    #[cold]
    fn leave_out(&mut self) {
        self.invalid = self.invalid.saturating_add(1);
    }

    #[inline]
    pub(crate) fn add_all(&mut self, other: Self) {
        self.add(other.items);
        self.invalid = self.invalid.saturating_add(other.invalid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_that_are_not_valid_are_left_out_one_by_one() {
        let mut tally = Tally::NONE;
        for count in
            [f64::NAN, 2.0, f64::INFINITY, -1.0, 3.5, f64::NEG_INFINITY, f64::MAX, f64::MAX]
        {
            tally.add(count);
        }
        assert_eq!(tally.invalid, 5, "the second MAX is more than a number can hold");
        assert_eq!(tally.items.to_bits(), f64::MAX.to_bits());
        for _ in 0..300 {
            tally.add(-1);
        }
        let mut sum = Tally::NONE;
        sum.add(7);
        sum.add_all(tally);
        assert_eq!((sum.invalid, sum.items.to_bits()), (255, f64::MAX.to_bits()));
    }
}

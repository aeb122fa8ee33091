//! The order of lines within an object: every row, and within it every variant, exactly once.

/// Walks the (row, variant) pairs that an object must hold.
pub(super) struct Sequence {
    first: (u64, u32),
    next: (u64, u32),
    end_row: u64,
    variants: u32,
}

/// What a line is within the order.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The one that was due.
    Due,
    /// A later one: those from the given pair on, so many of them, have no line before it.
    Skipped { from: (u64, u32), missing: u64 },
    /// An earlier one: there twice, or out of order.
    Again,
    /// No row of this object, or no variant of this campaign.
    Foreign,
}

impl Sequence {
    /// Begins before the first variant of the first row.
    pub(super) fn new(rows: (u64, u64), variants: u32) -> Self {
        Self { first: (rows.0, 0), next: (rows.0, 0), end_row: rows.1, variants }
    }

    /// Takes the next line's pair.
    pub(super) fn step(&mut self, found: (u64, u32)) -> Step {
        let due = self.next;
        if found < self.first || found.0 >= self.end_row || found.1 >= self.variants {
            return Step::Foreign;
        }
        if found < due {
            return Step::Again;
        }
        self.next = if found.1 + 1 == self.variants { (found.0 + 1, 0) } else { (found.0, found.1 + 1) };
        match self.index(found) - self.index(due) {
            0 => Step::Due,
            missing => Step::Skipped { from: due, missing },
        }
    }

    /// After the last line: the first pair that has none, and how many have none.
    pub(super) fn rest(&self) -> Option<((u64, u32), u64)> {
        let missing = self.index((self.end_row, 0)).saturating_sub(self.index(self.next));
        (missing > 0).then_some((self.next, missing))
    }

    fn index(&self, (row, variant): (u64, u32)) -> u64 {
        (row - self.first.0).saturating_mul(u64::from(self.variants)).saturating_add(u64::from(variant))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_is_due_once_and_in_order() {
        let mut sequence = Sequence::new((5, 7), 2);
        assert_eq!(sequence.step((5, 0)), Step::Due);
        assert_eq!(sequence.step((5, 0)), Step::Again);
        assert_eq!(sequence.step((6, 1)), Step::Skipped { from: (5, 1), missing: 2 });
        assert_eq!(sequence.step((6, 0)), Step::Again);
        for foreign in [(4, 0), (7, 0), (5, 2), (u64::MAX, 0)] {
            assert_eq!(sequence.step(foreign), Step::Foreign);
        }
        assert_eq!(sequence.rest(), None);
        assert_eq!(Sequence::new((5, 7), 2).rest(), Some(((5, 0), 4)));
        assert_eq!(Sequence::new((5, 5), 2).rest(), None);
    }
}

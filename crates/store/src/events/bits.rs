//! A set of rows inside one block.

/// Rows of a block: few enough that a block's columns stay in the processor's
/// cache while several tests look at them.
pub(super) const BLOCK_ROWS: usize = 4096;

/// Which rows of a block are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bits([u64; BLOCK_ROWS / 64]);

impl Bits {
    /// No row.
    pub(super) const fn none() -> Self {
        Bits([0; BLOCK_ROWS / 64])
    }

    /// The first `rows` rows.
    pub(super) fn first(rows: usize) -> Self {
        let mut bits = Bits::none();
        for (place, word) in bits.0.iter_mut().enumerate() {
            *word = match rows.saturating_sub(place * 64) {
                0 => 0,
                left @ 1..64 => (1 << left) - 1,
                _ => u64::MAX,
            };
        }
        bits
    }

    /// The rows of `test` that are true, for a column of values.
    pub(super) fn of<T: Copy>(column: &[T], mut test: impl FnMut(T) -> bool) -> Self {
        let mut bits = Bits::none();
        for (word, values) in bits.0.iter_mut().zip(column.chunks(64)) {
            for (place, &value) in values.iter().enumerate() {
                *word |= u64::from(test(value)) << place;
            }
        }
        bits
    }

    pub(super) fn set(&mut self, row: usize) {
        if let Some(word) = self.0.get_mut(row / 64) {
            *word |= 1 << (row % 64);
        }
    }

    pub(super) fn has(&self, row: usize) -> bool {
        self.0.get(row / 64).is_some_and(|word| word >> (row % 64) & 1 == 1)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|&word| word == 0)
    }

    pub(super) fn count(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    pub(super) fn and(mut self, other: &Bits) -> Self {
        self.0.iter_mut().zip(other.0).for_each(|(word, other)| *word &= other);
        self
    }

    pub(super) fn or(mut self, other: &Bits) -> Self {
        self.0.iter_mut().zip(other.0).for_each(|(word, other)| *word |= other);
        self
    }

    pub(super) fn without(mut self, other: &Bits) -> Self {
        self.0.iter_mut().zip(other.0).for_each(|(word, other)| *word &= !other);
        self
    }

    /// The rows, in ascending order.
    pub(super) fn rows(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().enumerate().flat_map(|(place, &word)| {
            std::iter::successors((word != 0).then_some(word), |&left| {
                let rest = left & (left - 1);
                (rest != 0).then_some(rest)
            })
            .map(move |left| place * 64 + left.trailing_zeros() as usize)
        })
    }

    /// The rows, in descending order.
    pub(super) fn rows_descending(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().enumerate().rev().flat_map(|(place, &word)| {
            std::iter::successors((word != 0).then_some(word), |&left| {
                let rest = left & !(1 << (63 - left.leading_zeros()));
                (rest != 0).then_some(rest)
            })
            .map(move |left| place * 64 + 63 - left.leading_zeros() as usize)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_in_order_and_in_reverse() {
        let wanted = [0, 1, 63, 64, 700, 4_095];
        let mut bits = Bits::none();
        wanted.iter().for_each(|&row| bits.set(row));
        assert_eq!(bits.rows().collect::<Vec<_>>(), wanted);
        assert_eq!(bits.rows_descending().collect::<Vec<_>>(), [4_095, 700, 64, 63, 1, 0]);
        assert_eq!(bits.count(), 6);
        assert_eq!(Bits::first(65).count(), 65);
        assert_eq!(Bits::first(64).without(&Bits::first(63)).rows().collect::<Vec<_>>(), [63]);
    }
}

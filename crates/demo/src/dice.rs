//! Chance with a seed: the same seed draws the same traffic.

use world::Chance;
use world::simulated::SeededChance;

/// A source of draws that nobody else draws from, so that what one errand
/// draws does not depend on which conversation ran first.
#[derive(Debug)]
pub(crate) struct Dice(SeededChance);

impl Dice {
    /// Dice that `seed` determines.
    pub(crate) fn new(seed: u64) -> Self {
        Dice(SeededChance::new(seed))
    }

    /// A seed for dice of somebody's own.
    pub(crate) fn seed(&self) -> u64 {
        self.0.number()
    }

    /// A number below `count`; 0 if that is 0.
    pub(crate) fn below(&self, count: u64) -> u64 {
        self.0.number().checked_rem(count).unwrap_or(0)
    }

    /// A number from `low` to `high`, both included.
    pub(crate) fn between(&self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low).saturating_add(1))
    }

    /// Yes in so many of a hundred cases.
    pub(crate) fn percent(&self, cases: u64) -> bool {
        self.below(100) < cases
    }

    /// A number from 0 up to 1.
    pub(crate) fn fraction(&self) -> f64 {
        const PARTS: u32 = 1 << 24;
        let part = u32::try_from(self.below(u64::from(PARTS))).unwrap_or(0);
        f64::from(part) / f64::from(PARTS)
    }

    /// One entry of a table.
    pub(crate) fn pick<'t, T>(&self, table: &'t [T]) -> &'t T {
        self.entry(table, self.0.number())
    }

    /// One entry of a table, the first ones more often: a few people get most
    /// of the mail.
    pub(crate) fn pick_early<'t, T>(&self, table: &'t [T]) -> &'t T {
        let count = table.len() as u64;
        self.entry(table, self.below(count).min(self.below(count)))
    }

    /// One word of a table.
    pub(crate) fn word(&self, table: &[&'static str]) -> &'static str {
        self.pick::<&str>(table)
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "a table has entries; the index is below their number"
    )]
    fn entry<'t, T>(&self, table: &'t [T], number: u64) -> &'t T {
        let count = table.len() as u64;
        &table[usize::try_from(number % count.max(1)).unwrap_or(0)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_and_early_entries_come_more_often() {
        let draw = |seed| {
            let dice = Dice::new(seed);
            (0..50).map(|_| dice.between(5, 9)).collect::<Vec<_>>()
        };
        assert_eq!(draw(3), draw(3));
        assert_ne!(draw(3), draw(4));
        assert!(draw(3).iter().all(|drawn| (5..=9).contains(drawn)));
        let dice = Dice::new(1);
        let early = (0..1_000).filter(|_| *dice.pick_early(&[0, 1, 2, 3]) < 2).count();
        assert!((650..850).contains(&early), "{early}");
    }
}

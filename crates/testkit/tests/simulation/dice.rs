//! Numbers from a seed.

use world::Chance;
use world::simulated::SeededChance;

pub(crate) struct Dice(SeededChance);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        // Another stream than the gateway's own chance.
        Dice(SeededChance::new(seed ^ 0x00d1_ce00))
    }

    /// A number below `end`.
    pub(crate) fn below(&self, end: u64) -> u64 {
        self.0.number() % end.max(1)
    }

    /// Whether one of so many times comes up.
    pub(crate) fn one_in(&self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// One of them.
    pub(crate) fn pick<T: Copy>(&self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }
}

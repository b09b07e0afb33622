//! Chance that repeats.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::chance::Chance;

/// The same octets for the same seed, in the order in which they are asked
/// for; with several threads asking, which of them gets which is open.
///
/// SplitMix64: good enough to look random, and no more than that.
#[derive(Debug)]
pub struct SeededChance {
    state: AtomicU64,
}

/// The increment of SplitMix64: 2⁶⁴ divided by the golden ratio, made odd.
const GOLDEN_GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

impl SeededChance {
    /// A source that `seed` determines.
    pub fn new(seed: u64) -> Self {
        SeededChance { state: AtomicU64::new(seed) }
    }

    fn next(&self) -> u64 {
        let state = self.state.fetch_add(GOLDEN_GAMMA, Ordering::Relaxed);
        let mut mixed = state.wrapping_add(GOLDEN_GAMMA);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

impl Chance for SeededChance {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            for (place, byte) in chunk.iter_mut().zip(self.next().to_le_bytes()) {
                *place = byte;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_octets_and_another_gives_others() {
        let draw = |seed| {
            let chance = SeededChance::new(seed);
            (0..100).map(|_| chance.id_bytes()).collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        let distinct: std::collections::HashSet<_> = draw(7).into_iter().collect();
        assert_eq!(distinct.len(), 100);
    }
}

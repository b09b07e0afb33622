//! Open windows by sender and recipient, whatever network they came from: a
//! permit that accepts a pair ends its waiting without knowing the network,
//! and asks this for every message it lets through.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::entry::Window;
use super::key::Key;

/// A hash of sender and recipient as sent. A collision costs a comparison,
/// so a short one will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pair(u64);

/// The keys of open windows by their pair. Locked after a shard, never
/// before one.
///
/// One ordered set of both: a flood from many networks opens any number of
/// windows of one pair, and each of them must be found again among the others
/// when it closes.
#[derive(Debug)]
pub(super) struct Pairs {
    parts: Vec<Mutex<BTreeSet<(Pair, Key)>>>,
}

/// Parts that are locked apart.
const PARTS: usize = 16;

impl Pair {
    pub(super) fn new(sender: &str, recipient: &str) -> Self {
        let mut crc = crc32fast::Hasher::new();
        crc.update(sender.as_bytes());
        let sender_crc = crc.clone().finalize();
        crc.update(recipient.as_bytes());
        Pair((u64::from(sender_crc) << 32) | u64::from(crc.finalize()))
    }

    pub(super) fn of(window: &Window) -> Self {
        Pair::new(raw_sender(window), window.recipient.key())
    }
}

impl Default for Pairs {
    fn default() -> Self {
        Pairs { parts: (0..PARTS).map(|_| Mutex::default()).collect() }
    }
}

impl Pairs {
    fn part(&self, pair: Pair) -> Option<MutexGuard<'_, BTreeSet<(Pair, Key)>>> {
        let part = self.parts.get(pair.0 as usize % PARTS)?;
        Some(part.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn insert(&self, pair: Pair, key: Key) {
        if let Some(mut part) = self.part(pair) {
            part.insert((pair, key));
        }
    }

    pub(super) fn remove(&self, pair: Pair, key: Key) {
        if let Some(mut part) = self.part(pair) {
            part.remove(&(pair, key));
        }
    }

    /// Open windows whose pair has this hash.
    pub(super) fn keys(&self, pair: Pair) -> Vec<Key> {
        let Some(part) = self.part(pair) else { return Vec::new() };
        part.range((pair, Key::FIRST)..=(pair, Key::LAST)).map(|(_, key)| *key).collect()
    }
}

/// Whether `window` is of this sender and recipient as sent.
pub(super) fn is_of(window: &Window, sender: &str, recipient: &str) -> bool {
    raw_sender(window) == sender && window.recipient.key() == recipient
}

fn raw_sender(window: &Window) -> &str {
    window.subject.reverse_path.as_ref().map_or("", |path| path.key())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u32) -> Key {
        Key::numbered(u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835))
    }

    /// With a list to look through for each that closes, this would be twenty
    /// thousand million steps.
    #[test]
    fn a_flood_of_one_pair_from_many_networks_is_forgotten_one_by_one() {
        const NETWORKS: u32 = 200_000;
        let pairs = Pairs::default();
        let (flood, other) = (Pair::new("x@y.example", "ann"), Pair::new("x@y.example", "bob"));
        pairs.insert(other, key(0));
        for number in 0..NETWORKS {
            pairs.insert(flood, key(number));
        }
        assert_eq!(pairs.keys(flood).len(), NETWORKS as usize);
        for number in (0..NETWORKS).rev() {
            pairs.remove(flood, key(number));
        }
        assert_eq!((pairs.keys(flood), pairs.keys(other)), (Vec::new(), vec![key(0)]));
    }
}

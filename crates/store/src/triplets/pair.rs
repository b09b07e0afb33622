//! Open windows by sender and recipient, whatever network they came from: a
//! permit that accepts a pair ends its waiting without knowing the network,
//! and asks this for every message it lets through.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::entry::Window;
use super::key::Key;

/// A hash of sender and recipient as sent. A collision costs a comparison,
/// so a short one will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Pair(u64);

/// The keys of open windows by their pair. Locked after a shard, never
/// before one.
#[derive(Debug)]
pub(super) struct Pairs {
    parts: Vec<Mutex<HashMap<Pair, Vec<Key>>>>,
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
    fn part(&self, pair: Pair) -> Option<MutexGuard<'_, HashMap<Pair, Vec<Key>>>> {
        let part = self.parts.get(pair.0 as usize % PARTS)?;
        Some(part.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn insert(&self, pair: Pair, key: Key) {
        if let Some(mut part) = self.part(pair) {
            part.entry(pair).or_default().push(key);
        }
    }

    pub(super) fn remove(&self, pair: Pair, key: Key) {
        let Some(mut part) = self.part(pair) else { return };
        if let Some(keys) = part.get_mut(&pair) {
            keys.retain(|other| *other != key);
            if keys.is_empty() {
                part.remove(&pair);
            }
        }
    }

    /// Open windows whose pair has this hash.
    pub(super) fn keys(&self, pair: Pair) -> Vec<Key> {
        self.part(pair).and_then(|part| part.get(&pair).cloned()).unwrap_or_default()
    }
}

/// Whether `window` is of this sender and recipient as sent.
pub(super) fn is_of(window: &Window, sender: &str, recipient: &str) -> bool {
    raw_sender(window) == sender && window.recipient.key() == recipient
}

fn raw_sender(window: &Window) -> &str {
    window.subject.reverse_path.as_ref().map_or("", |path| path.key())
}

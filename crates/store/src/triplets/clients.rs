//! How many pairs of sender and recipient of each client have come back and
//! are remembered: a client with several is one that queues, and a policy may
//! say that it need not prove that again with each new pair.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};

use types::policy::ClientIdentity;

use super::entry::Remembered;
use super::key::Key;

/// The counts, by the hash of the client. Locked after a shard, never before
/// one.
#[derive(Debug)]
pub(super) struct Clients {
    parts: Vec<Mutex<HashMap<Key, u32>>>,
}

/// Parts that are locked apart.
const PARTS: usize = 16;

impl Default for Clients {
    fn default() -> Self {
        Clients { parts: (0..PARTS).map(|_| Mutex::default()).collect() }
    }
}

impl Clients {
    fn part(&self, client: Key) -> Option<MutexGuard<'_, HashMap<Key, u32>>> {
        let part = self.parts.get(client.shard() % PARTS)?;
        Some(part.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn add(&self, known: &Remembered) {
        let client = client_of(known);
        if let Some(mut part) = self.part(client) {
            let count = part.entry(client).or_default();
            *count = count.saturating_add(1);
        }
    }

    pub(super) fn remove(&self, known: &Remembered) {
        let client = client_of(known);
        let Some(mut part) = self.part(client) else { return };
        if let Entry::Occupied(mut place) = part.entry(client) {
            match place.get_mut() {
                0 | 1 => drop(place.remove()),
                count => *count -= 1,
            }
        }
    }

    pub(super) fn count(&self, identity: ClientIdentity, client: &str) -> u32 {
        let client = Key::of_client(identity, client);
        self.part(client).and_then(|part| part.get(&client).copied()).unwrap_or(0)
    }
}

fn client_of(known: &Remembered) -> Key {
    let (client, ..) = known.parts();
    Key::of_client(known.identity, client)
}

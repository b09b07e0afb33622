//! The key of a triplet: a hash, because three texts per entry would be most
//! of the table.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use types::ForwardPath;
use types::policy::ClientIdentity;
use uuid::Uuid;

/// The first 128 bits of SHA-256 over the parts of a triplet. Senders choose
/// what is hashed; two triplets that collide would let one pass for the
/// other, so the hash must resist whoever looks for a collision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(u128);

/// Parts of the table that are locked apart. Stored in checkpoints: a change
/// needs a new format number there.
pub(super) const SHARDS: usize = 64;

impl Key {
    /// The first and the last of all keys, in their order.
    pub(super) const FIRST: Key = Key(0);
    pub(super) const LAST: Key = Key(u128::MAX);

    /// One without its parts.
    #[cfg(test)]
    pub(super) const fn numbered(number: u128) -> Key {
        Key(number)
    }

    /// The key of these parts.
    pub fn new(
        identity: ClientIdentity,
        client: &str,
        sender: &str,
        recipient: &ForwardPath,
    ) -> Key {
        Key::of_parts(identity, &[client, sender, recipient.key()])
    }

    /// The key of a client whatever it sends to whom.
    pub(super) fn of_client(identity: ClientIdentity, client: &str) -> Key {
        Key::of_parts(identity, &[client])
    }

    fn of_parts(identity: ClientIdentity, parts: &[&str]) -> Key {
        let mut hash = Sha256::new();
        hash.update([match identity {
            ClientIdentity::Address => 0,
            ClientIdentity::Network => 1,
            ClientIdentity::Pool => 2,
        }]);
        for part in parts {
            // With lengths, or "a" + "bc" would be "ab" + "c".
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let hash: [u8; 32] = hash.finalize().into();
        Key(hash.first_chunk().map_or(0, |first| u128::from_le_bytes(*first)))
    }

    /// Which part of the table has it.
    pub(super) fn shard(self) -> usize {
        (self.0 % SHARDS as u128) as usize
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Uuid::from_u128(self.0).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Uuid::deserialize(deserializer).map(|uuid| Key(uuid.as_u128()))
    }
}

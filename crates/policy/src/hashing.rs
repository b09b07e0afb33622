//! How texts and numbers are hashed in the compiled index.
//!
//! A decision makes some thirty look-ups of short texts and number triples,
//! so the hash is most of what the look-ups of a small set cost. The hasher is
//! keyed by chance, and what is in the tables was written by administrators
//! and recipients, never by senders: who looks up cannot make entries collide.

/// The hasher of every table that a decision looks into.
pub(crate) type Hashing = foldhash::fast::RandomState;

/// A map that a decision looks into.
pub(crate) type FastMap<K, V> = std::collections::HashMap<K, V, Hashing>;

/// A set that a decision looks into.
pub(crate) type FastSet<K> = std::collections::HashSet<K, Hashing>;

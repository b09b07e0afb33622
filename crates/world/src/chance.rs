//! Random octets: for identifiers, for the order among equal mail exchangers,
//! for the spread of retries.

use rand::Rng;

/// A source of random octets.
pub trait Chance: Send + Sync + 'static {
    /// Fills `bytes` with random octets.
    fn fill(&self, bytes: &mut [u8]);

    /// What a new identifier of [`types::id`] takes.
    fn id_bytes(&self) -> [u8; 10] {
        let mut bytes = [0; 10];
        self.fill(&mut bytes);
        bytes
    }

    /// A number from all of its range.
    fn number(&self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }
}

/// A cryptographically secure generator per thread, seeded and reseeded by
/// the operating system: an identifier that strangers see (a reply's
/// reference) must not let them guess the next one.
///
/// Takes no lock and, but for reseeding, makes no system call.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemChance;

impl Chance for SystemChance {
    fn fill(&self, bytes: &mut [u8]) {
        rand::rng().fill_bytes(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_differ_and_every_octet_is_used() {
        let ids: Vec<_> = (0..200).map(|_| SystemChance.id_bytes()).collect();
        let distinct: std::collections::HashSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len());
        for place in 0..10 {
            assert!(ids.iter().any(|id| id[place] != ids[0][place]), "octet {place}");
        }
        assert_ne!(SystemChance.number(), SystemChance.number());
    }
}

//! Secrets that are shown once and recognised again.

use std::fmt;

use sha2::{Digest, Sha256};
use store::state::accounts::SecretHash;
use types::hexadecimal;
use world::Chance;

/// Something only its holder may know; it does not show in logs.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A fresh one of 256 bits as 64 hexadecimal digits.
    pub(super) fn fresh(chance: &dyn Chance) -> Self {
        Secret::with_prefix(chance, "")
    }

    /// A fresh one that says what it is, so that scanners of leaked text
    /// recognise it.
    pub(super) fn with_prefix(chance: &dyn Chance, prefix: &str) -> Self {
        let mut octets = [0; 32];
        chance.fill(&mut octets);
        Secret(format!("{prefix}{}", hexadecimal(&octets)))
    }

    /// These octets in groups that can be typed.
    pub(crate) fn spoken(octets: &[u8]) -> Self {
        let groups: Vec<String> = octets.chunks(3).map(hexadecimal).collect();
        Secret(groups.join("-"))
    }

    /// The text, to hand it over.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What is kept of a secret. No salt and no slow hash: 256 random bits cannot
/// be guessed from it.
pub(super) fn hash(secret: &str) -> SecretHash {
    Sha256::digest(secret.as_bytes()).into()
}

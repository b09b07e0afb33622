//! The key to a zone: a label that stands before its name, known to whom
//! it was given alone. It is asked with, and shown to nobody.

use std::fmt;

use types::Domain;

/// Longest label (RFC 1035 section 2.3.4).
const OCTETS_MAX: usize = 63;

/// The key to a zone. Nothing that shows settings shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct ZoneKey {
    label: Box<str>,
    /// The zone as it is asked.
    asked: Domain,
}

impl ZoneKey {
    /// The key to `zone`, if the name of it can begin with this.
    pub fn new(text: &str, zone: &Domain) -> Option<ZoneKey> {
        let fits = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_';
        let is_label = !text.is_empty() && text.len() <= OCTETS_MAX && text.bytes().all(fits);
        let asked = is_label.then(|| format!("{text}.{zone}"))?.parse().ok()?;
        Some(ZoneKey { label: text.to_ascii_lowercase().into(), asked })
    }

    /// The zone as it is asked.
    pub(super) fn asked(&self) -> &Domain {
        &self.asked
    }

    /// Whether `text` names it: a list may repeat what it was asked for, and
    /// such a text is kept nowhere.
    pub(super) fn is_in(&self, text: &str) -> bool {
        text.to_ascii_lowercase().contains(&*self.label)
    }
}

impl fmt::Debug for ZoneKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ZoneKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_one_label_and_is_not_shown() {
        let zone = "bl.example".parse().unwrap();
        for wrong in ["", "a b", "a.b", "schlüssel", "x/y", &"a".repeat(64)] {
            assert_eq!(ZoneKey::new(wrong, &zone), None, "{wrong}");
        }
        let key = ZoneKey::new("Secret-1", &zone).unwrap();
        assert_eq!(format!("{key:?}"), "ZoneKey(…)");
        assert_eq!(key.asked().as_str(), "secret-1.bl.example");
    }
}

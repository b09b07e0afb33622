//! Who has which value of the attributes that policies can name: kept while
//! a directory is read, and only if its settings name any.
//!
//! As with groups, values that cannot be had whole are none at all: who is
//! missing would be permitted or blocked no more.

use std::collections::BTreeMap;

use types::{DirectoryAttribute, EmailAddress};
use world::ldap::LdapEntry;

use super::groups::MEMBERSHIPS_MAX;

/// Values that an entry may have of one attribute.
const VALUES_OF_ENTRY_MAX: usize = 20;
/// Different values of all attributes.
const VALUES_MAX: usize = 5_000;

/// Of what there is too much for values to be had whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TooManyValues {
    #[error("{entry} has more than {VALUES_OF_ENTRY_MAX} values of {attribute}")]
    OfEntry { entry: String, attribute: String },
    #[error(
        "the entries have more than {VALUES_MAX} different values of {}: policies can name \
         attributes that have few",
        .0.join(", ")
    )]
    Different(Vec<String>),
    #[error(
        "the entries have more than {MEMBERSHIPS_MAX} addresses with values of {}: let \
         policy_attributes name fewer, or filter find fewer entries",
        .0.join(", ")
    )]
    Holders(Vec<String>),
}

/// Each value with the addresses of those who have it.
pub(super) type Held = Vec<(DirectoryAttribute, Vec<EmailAddress>)>;

/// Collects values as entries come.
pub(super) struct Values {
    /// The attributes, as the settings spell them.
    wanted: Vec<String>,
    /// By key. Of several spellings the first in order is kept, whatever the
    /// order in which entries come.
    held: BTreeMap<String, (DirectoryAttribute, Vec<EmailAddress>)>,
    holders: usize,
    unusable: usize,
    error: Option<TooManyValues>,
}

impl Values {
    /// Nobody's, of these attributes.
    pub(super) fn new(wanted: &[String]) -> Values {
        Values {
            wanted: wanted.to_vec(),
            held: BTreeMap::new(),
            holders: 0,
            unusable: 0,
            error: None,
        }
    }

    /// Takes the values of who has these addresses.
    pub(super) fn add(&mut self, entry: &LdapEntry, addresses: &[EmailAddress]) {
        if addresses.is_empty() || self.error.is_some() {
            return;
        }
        for (attribute, values) in &entry.attributes {
            let bare = attribute.split(';').next().unwrap_or_default();
            let is = |wanted: &&String| wanted.eq_ignore_ascii_case(bare);
            let Some(name) = self.wanted.iter().find(is).cloned() else { continue };
            if values.len() > VALUES_OF_ENTRY_MAX {
                let (entry, attribute) = (entry.name.clone(), name);
                self.error = Some(TooManyValues::OfEntry { entry, attribute });
                return;
            }
            for value in values {
                self.value(&name, value, addresses);
            }
        }
    }

    fn value(&mut self, name: &str, value: &[u8], addresses: &[EmailAddress]) {
        let text = std::str::from_utf8(value).ok();
        let Some(held) = text.and_then(|text| DirectoryAttribute::new(name, text).ok()) else {
            self.unusable += 1;
            return;
        };
        self.holders = self.holders.saturating_add(addresses.len());
        if self.holders > MEMBERSHIPS_MAX {
            self.error = Some(TooManyValues::Holders(self.wanted.clone()));
            return;
        }
        let (spelled, holders) =
            self.held.entry(held.key()).or_insert_with(|| (held.clone(), Vec::new()));
        if held.value < spelled.value {
            *spelled = held;
        }
        holders.extend_from_slice(addresses);
        if self.held.len() > VALUES_MAX {
            self.error = Some(TooManyValues::Different(self.wanted.clone()));
        }
    }

    /// What there is, and how many values could not be used.
    ///
    /// # Errors
    /// It cannot be had whole.
    pub(super) fn finish(self) -> Result<(Held, usize), TooManyValues> {
        match self.error {
            Some(error) => Err(error),
            None => Ok((self.held.into_values().collect(), self.unusable)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(values: &[(&str, &[&[u8]])]) -> LdapEntry {
        let attribute = |(name, values): &(&str, &[&[u8]])| {
            ((*name).to_owned(), values.iter().map(|value| value.to_vec()).collect())
        };
        let attributes = values.iter().map(attribute).collect();
        LdapEntry { name: "cn=x".to_owned(), attributes }
    }

    fn addresses(all: &[&str]) -> Vec<EmailAddress> {
        all.iter().map(|one| one.parse().unwrap()).collect()
    }

    fn wanted() -> Values {
        Values::new(&["department".to_owned(), "l".to_owned()])
    }

    #[test]
    fn spellings_of_a_value_are_one_and_what_cannot_be_used_is_counted() {
        let ann = entry(&[("Department", &[b"sales"]), ("l;lang-de", &[b"Bad \xc3\x96ls"])]);
        let bob = entry(&[("department", &[b" SALES ", b"", b"\xff", &[b'x'; 300]])]);
        let eve = entry(&[("department", &[b"Purchase"]), ("title", &[b"Head"])]);
        let told = |order: &[(&LdapEntry, &str)]| {
            let mut values = wanted();
            for (entry, who) in order {
                values.add(entry, &addresses(&[who]));
            }
            let (held, unusable) = values.finish().unwrap();
            let words = |(held, who): (DirectoryAttribute, Vec<EmailAddress>)| {
                format!("{held}: {}", who.len())
            };
            (held.into_iter().map(words).collect::<Vec<_>>(), unusable)
        };
        let (ann, bob, eve) =
            ((&ann, "ann@x.example"), (&bob, "bob@x.example"), (&eve, "e@x.example"));
        let expected = ["department = Purchase: 1", "department = SALES: 2", "l = Bad Öls: 1"];
        assert_eq!(told(&[ann, bob, eve]), (expected.map(str::to_owned).to_vec(), 3));
        assert_eq!(told(&[eve, bob, ann]), told(&[ann, bob, eve]));
        let mut values = wanted();
        values.add(ann.0, &[]);
        assert_eq!(values.finish(), Ok((Vec::new(), 0)), "nobody whom mail could name");
    }

    #[test]
    fn what_cannot_be_had_whole_is_an_error() {
        let many = vec![&b"x"[..]; VALUES_OF_ENTRY_MAX + 1];
        let mut values = wanted();
        values.add(&entry(&[("l", &many[1..])]), &addresses(&["a@x.example"]));
        assert!(values.error.is_none());
        values.add(&entry(&[("l", &many)]), &addresses(&["a@x.example"]));
        let error = values.finish().unwrap_err().to_string();
        assert_eq!(error, "cn=x has more than 20 values of l");
        let mut values = wanted();
        for number in 0..=VALUES_MAX {
            let text = number.to_string();
            values.add(&entry(&[("l", &[text.as_bytes()])]), &addresses(&["a@x.example"]));
        }
        let error = values.finish().unwrap_err().to_string();
        assert!(error.contains("5000 different values of department, l"), "{error}");
        let crowd: Vec<String> =
            (0..=MEMBERSHIPS_MAX / 2).map(|n| format!("p{n}@x.example")).collect();
        let crowd: Vec<&str> = crowd.iter().map(String::as_str).collect();
        let mut values = wanted();
        values.add(&entry(&[("l", &[b"x"])]), &addresses(&crowd));
        assert!(values.error.is_none());
        values.add(&entry(&[("department", &[b"x"])]), &addresses(&crowd));
        assert!(matches!(values.finish(), Err(TooManyValues::Holders(_))));
    }
}

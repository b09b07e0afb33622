//! Who was read, by the names that groups call them: kept while a directory
//! is read, and only if its groups are.

use std::collections::HashMap;

use types::EmailAddress;
use world::ldap::LdapEntry;

use super::names::comparable;

/// The attribute by whose value `memberUid` names people (RFC 2307).
pub(super) const UID: &str = "uid";

/// One of the people, by number.
pub(super) type Number = u32;

/// What is known of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// Somebody with addresses.
    Person(Number),
    /// Somebody whose account is switched off.
    SwitchedOff,
}

/// People by their names. As many as entries are taken, with their names and
/// addresses.
#[derive(Default)]
pub(super) struct People {
    addresses: Vec<Vec<EmailAddress>>,
    by_name: HashMap<Box<str>, Who>,
    by_uid: HashMap<Box<str>, Who>,
}

impl People {
    /// Remembers who has these addresses.
    pub(super) fn add(&mut self, entry: &LdapEntry, addresses: Vec<EmailAddress>) {
        if addresses.is_empty() {
            return;
        }
        let Ok(number) = Number::try_from(self.addresses.len()) else { return };
        self.addresses.push(addresses);
        self.call(entry, Who::Person(number));
    }

    /// Remembers whose account is switched off.
    pub(super) fn switched_off(&mut self, entry: &LdapEntry) {
        self.call(entry, Who::SwitchedOff);
    }

    fn call(&mut self, entry: &LdapEntry, who: Who) {
        self.by_name.extend(comparable(&entry.name).map(|name| (name, who)));
        let named = |(name, _): &&(String, Vec<Vec<u8>>)| name.eq_ignore_ascii_case(UID);
        for uid in entry.attributes.iter().filter(named).flat_map(|(_, values)| values) {
            self.by_uid.extend(folded(uid).map(|uid| (uid, who)));
        }
    }

    /// Who is called so, by a name in comparable form.
    pub(super) fn named(&self, name: &str) -> Option<Who> {
        self.by_name.get(name).copied()
    }

    /// Who has this value of `uid`.
    pub(super) fn of_uid(&self, uid: &[u8]) -> Option<Who> {
        self.by_uid.get(&folded(uid)?).copied()
    }

    /// Somebody's addresses.
    pub(super) fn addresses(&self, number: Number) -> &[EmailAddress] {
        let place = usize::try_from(number).unwrap_or(usize::MAX);
        self.addresses.get(place).map_or(&[], Vec::as_slice)
    }
}

fn folded(uid: &[u8]) -> Option<Box<str>> {
    Some(std::str::from_utf8(uid).ok()?.trim().to_lowercase().into())
}

//! Who was read, by the names that groups call them: kept while a directory
//! is read, and only if its groups are.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use types::EmailAddress;
use world::ldap::LdapEntry;

use super::groups::GroupsError;
use super::names::comparable;
use super::reading::{ADDRESSES_MAX, OCTETS_MAX};
use super::sid::{self, OBJECT_SID, PRIMARY_GROUP, Sid};

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
    /// One of several, who cannot be told apart.
    Several,
}

/// People by their names. As many as entries are taken, with their names and
/// addresses.
pub(super) struct People {
    addresses: Vec<Vec<EmailAddress>>,
    by_name: HashMap<Box<str>, Who>,
    by_uid: HashMap<Box<str>, Who>,
    /// Those who have a primary group, by what Windows calls that.
    by_primary: HashMap<Sid, Vec<Who>>,
    /// Addresses of whatever domain, and octets of them, that may still come.
    room: (usize, usize),
    /// Whether there was room for all.
    is_whole: bool,
}

impl Default for People {
    fn default() -> People {
        People {
            addresses: Vec::new(),
            by_name: HashMap::new(),
            by_uid: HashMap::new(),
            by_primary: HashMap::new(),
            room: (ADDRESSES_MAX, OCTETS_MAX),
            is_whole: true,
        }
    }
}

impl People {
    /// Remembers who has these addresses, each once, while there is room.
    pub(super) fn add(&mut self, entry: &LdapEntry, mut addresses: Vec<EmailAddress>) {
        addresses.sort_unstable_by(|one, other| one.key().cmp(other.key()));
        addresses.dedup_by(|one, other| one.key() == other.key());
        if addresses.is_empty() || !self.makes_room(&addresses) {
            return;
        }
        addresses.shrink_to_fit();
        let Ok(number) = Number::try_from(self.addresses.len()) else { return };
        self.addresses.push(addresses);
        self.call(entry, Who::Person(number));
    }

    /// Whether these can be remembered too. After the first that cannot,
    /// nobody is.
    fn makes_room(&mut self, addresses: &[EmailAddress]) -> bool {
        let octets = addresses.iter().map(|address| address.as_str().len()).sum();
        let left = self.room.0.checked_sub(addresses.len()).zip(self.room.1.checked_sub(octets));
        self.is_whole &= left.is_some();
        self.room = left.unwrap_or_default();
        self.is_whole
    }

    /// Whether everybody was remembered.
    ///
    /// # Errors
    /// There were too many: groups without the others would not be whole.
    pub(super) fn whole(&self) -> Result<(), GroupsError> {
        if self.is_whole { Ok(()) } else { Err(GroupsError::TooManyAddresses) }
    }

    /// Remembers whose account is switched off.
    pub(super) fn switched_off(&mut self, entry: &LdapEntry) {
        self.call(entry, Who::SwitchedOff);
    }

    fn call(&mut self, entry: &LdapEntry, who: Who) {
        self.by_name.extend(comparable(&entry.name).map(|name| (name, who)));
        if let Some(group) = primary_group(entry) {
            self.by_primary.entry(group).or_default().push(who);
        }
        let named = |(name, _): &&(String, Vec<Vec<u8>>)| name.eq_ignore_ascii_case(UID);
        for uid in entry.attributes.iter().filter(named).flat_map(|(_, values)| values) {
            let Some(uid) = folded(uid) else { continue };
            match self.by_uid.entry(uid) {
                Entry::Vacant(free) => drop(free.insert(who)),
                Entry::Occupied(mut known) if *known.get() != who => {
                    known.insert(Who::Several);
                }
                Entry::Occupied(_) => {}
            }
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

    /// Whose primary group is called so.
    pub(super) fn of_primary(&self, group: &Sid) -> &[Who] {
        self.by_primary.get(group).map_or(&[], Vec::as_slice)
    }

    /// Somebody's addresses.
    pub(super) fn addresses(&self, number: Number) -> &[EmailAddress] {
        let place = usize::try_from(number).unwrap_or(usize::MAX);
        self.addresses.get(place).map_or(&[], Vec::as_slice)
    }
}

/// The first value of an attribute.
fn value<'a>(entry: &'a LdapEntry, attribute: &str) -> Option<&'a [u8]> {
    let named = |(name, _): &&(String, Vec<Vec<u8>>)| name.eq_ignore_ascii_case(attribute);
    let (_, values) = entry.attributes.iter().find(named)?;
    values.first().map(Vec::as_slice)
}

/// The primary group of an account of Active Directory.
fn primary_group(entry: &LdapEntry) -> Option<Sid> {
    let number = sid::number(value(entry, PRIMARY_GROUP)?)?;
    Some(Sid::read(value(entry, OBJECT_SID)?)?.sibling(number))
}

fn folded(uid: &[u8]) -> Option<Box<str>> {
    Some(std::str::from_utf8(uid).ok()?.trim().to_lowercase().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_any_domain_need_room_once_in_an_entry_and_nobody_is_left_out_in_silence() {
        let entry = LdapEntry::default();
        let all = |all: &[&str]| all.iter().map(|one| one.parse().unwrap()).collect();
        for (room, fits) in [((3, 100), true), ((2, 100), false), ((3, 20), false)] {
            let mut people = People { room, ..People::default() };
            people.add(&entry, all(&["a@x.example", "A@x.example", "a@x.example"]));
            assert_eq!(people.whole(), Ok(()), "{room:?}");
            people.add(&entry, all(&["b@y.example", "c@z.example"]));
            assert_eq!(people.whole().is_ok(), fits, "{room:?}");
            people.add(&entry, all(&["d@z.example"]));
            assert_eq!(people.addresses.len(), if fits { 2 } else { 1 }, "{room:?}");
        }
    }
}

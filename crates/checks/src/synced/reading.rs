//! What an entry of a directory says of recipients.

use std::collections::{HashMap, HashSet};

use types::{Domain, EmailAddress};
use world::ldap::LdapEntry;

use super::SyncSettings;
use super::people::People;
use super::values::Values;

/// The attribute of Active Directory whose second bit says that an account is
/// switched off.
pub(super) const ACCOUNT_CONTROL: &str = "userAccountControl";
const SWITCHED_OFF: i64 = 2;

/// The attribute of Exchange that says what an entry is for mail.
pub(super) const RECIPIENT_TYPE: &str = "msExchRecipientTypeDetails";

/// Mailboxes whose accounts are always switched off: shared, legacy, room and
/// equipment ones, here and in the cloud. They have mail all the same.
const WITHOUT_SIGN_IN: &[i64] = &[2, 4, 8, 16, 32, 8_589_934_592, 17_179_869_184, 34_359_738_368];

/// Longest value taken for an address, in octets; RFC 5321 section 4.5.3.1
/// allows 254, and a prefix stands before it.
const ADDRESS_OCTETS_MAX: usize = 400;

/// What was not taken, by why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Entries whose account is switched off.
    pub switched_off: usize,
    /// Entries without an address of ours.
    pub without_address: usize,
    /// Values that are no address.
    pub no_address: usize,
    /// Addresses of other domains than those that ask the directory.
    pub elsewhere: usize,
}

/// Addresses of one directory in all: some hundred megabytes of memory.
pub(super) const ADDRESSES_MAX: usize = 2_000_000;
/// Octets of them in all.
pub(super) const OCTETS_MAX: usize = 128 << 20;

/// Reads entries as they come.
pub(super) struct Reading<'a> {
    settings: &'a SyncSettings,
    /// Addresses in comparable form, by domain.
    pub(super) people: HashMap<Domain, HashSet<Box<str>>>,
    pub(super) left_out: LeftOut,
    /// Addresses, and octets of them, that may still come.
    room: (usize, usize),
    /// Of what there was more than is taken, and how much is: what was read is
    /// not whole.
    pub(super) too_much: Option<(&'static str, usize)>,
    /// Who is called how, if groups are read.
    pub(super) names: Option<People>,
    /// Who has which value of an attribute, if policies can name any.
    pub(super) values: Option<Values>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(settings: &'a SyncSettings) -> Reading<'a> {
        let nobody = |domain: &Domain| (domain.clone(), HashSet::new());
        Reading {
            settings,
            people: settings.domains.iter().map(nobody).collect(),
            left_out: LeftOut::default(),
            room: (ADDRESSES_MAX, OCTETS_MAX),
            too_much: None,
            names: settings.groups.as_ref().map(|_| People::default()),
            values: (!settings.policy_attributes.is_empty())
                .then(|| Values::new(&settings.policy_attributes)),
        }
    }

    /// Takes the addresses of an entry.
    pub(super) fn entry(&mut self, entry: &LdapEntry) {
        if !self.settings.disabled_accounts && is_switched_off(entry) {
            self.left_out.switched_off += 1;
            self.names.iter_mut().for_each(|names| names.switched_off(entry));
            return;
        }
        let mut is_ours = false;
        let mut all = Vec::new();
        for (attribute, values) in &entry.attributes {
            if self.holds_addresses(attribute) {
                values.iter().for_each(|value| is_ours |= self.value(value, &mut all));
            }
        }
        self.values.iter_mut().for_each(|values| values.add(entry, &all));
        self.names.iter_mut().for_each(|names| names.add(entry, std::mem::take(&mut all)));
        if !is_ours {
            self.left_out.without_address += 1;
        }
    }

    /// Whether addresses stand in this attribute, whatever its options.
    fn holds_addresses(&self, attribute: &str) -> bool {
        let bare = attribute.split(';').next().unwrap_or_default();
        self.settings.attributes.iter().any(|one| one.eq_ignore_ascii_case(bare))
    }

    /// Takes a value; whether it is an address of ours. If groups or attributes
    /// are read, any address is added to `all`.
    fn value(&mut self, value: &[u8], all: &mut Vec<EmailAddress>) -> bool {
        match address(value) {
            Value::Address(address) => {
                if self.settings.feeds_policies() {
                    all.push(address.clone());
                }
                let domain = address.domain_key().parse::<Domain>().ok();
                match domain.filter(|domain| self.people.contains_key(domain)) {
                    Some(domain) => {
                        self.take(&domain, address.key());
                        return true;
                    }
                    None => self.left_out.elsewhere += 1,
                }
            }
            Value::OfAnotherKind => {}
            Value::NoAddress => self.left_out.no_address += 1,
        }
        false
    }

    /// Keeps an address while there is room.
    fn take(&mut self, domain: &Domain, address: &str) {
        let Some(people) = self.people.get_mut(domain).filter(|all| !all.contains(address)) else {
            return;
        };
        match (self.room.0.checked_sub(1), self.room.1.checked_sub(address.len())) {
            (Some(addresses), Some(octets)) => {
                self.room = (addresses, octets);
                people.insert(address.into());
            }
            (None, _) => self.too_much = Some(("addresses", ADDRESSES_MAX)),
            (_, None) => self.too_much = Some(("octets of addresses", OCTETS_MAX)),
        }
    }
}

/// What a value is.
#[derive(Debug, PartialEq)]
enum Value {
    Address(EmailAddress),
    /// `X500:…`, `sip:…`: an address, but not for mail.
    OfAnotherKind,
    NoAddress,
}

/// Reads a value: an address, bare or as Exchange writes it
/// (`smtp:ann@corp.example`).
fn address(value: &[u8]) -> Value {
    if value.len() > ADDRESS_OCTETS_MAX {
        return Value::NoAddress;
    }
    let Ok(text) = std::str::from_utf8(value) else { return Value::NoAddress };
    let bare = match text.split_once(':') {
        Some((kind, rest)) if kind.eq_ignore_ascii_case("smtp") => rest,
        Some((kind, _)) if !kind.is_empty() && kind.bytes().all(|b| b.is_ascii_alphanumeric()) => {
            return Value::OfAnotherKind;
        }
        _ => text,
    };
    bare.trim().parse().map_or(Value::NoAddress, Value::Address)
}

/// Whether an account of Active Directory is switched off, and is none of the
/// mailboxes of which Exchange says that their accounts always are.
fn is_switched_off(entry: &LdapEntry) -> bool {
    let is_off = number(entry, ACCOUNT_CONTROL).is_some_and(|flags| flags & SWITCHED_OFF != 0);
    let kind = number(entry, RECIPIENT_TYPE);
    is_off && !kind.is_some_and(|kind| WITHOUT_SIGN_IN.contains(&kind))
}

fn number(entry: &LdapEntry, attribute: &str) -> Option<i64> {
    let named = |(name, _): &&(String, Vec<Vec<u8>>)| name.eq_ignore_ascii_case(attribute);
    let (_, values) = entry.attributes.iter().find(named)?;
    std::str::from_utf8(values.first()?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_addresses_with_or_without_their_kind() {
        let is = |value: &str, expected: &str| {
            assert_eq!(address(value.as_bytes()), Value::Address(expected.parse().unwrap()));
        };
        is("ann@corp.example", "ann@corp.example");
        is("SMTP:Ann@corp.example", "Ann@corp.example");
        is("smtp: ann@corp.example ", "ann@corp.example");
        for other in ["X500:/o=Corp/cn=ann", "sip:ann@corp.example", "EUM:12;phone-context=x"] {
            assert_eq!(address(other.as_bytes()), Value::OfAnotherKind, "{other}");
        }
        let long = format!("{}@corp.example", "a".repeat(500));
        for wrong in ["", "ann", "smtp:", "*)(uid=*", "a b@corp.example", &long] {
            assert_eq!(address(wrong.as_bytes()), Value::NoAddress, "{wrong}");
        }
        assert_eq!(address(b"\xff\xfe@corp.example"), Value::NoAddress);
    }

    #[test]
    fn more_addresses_or_octets_of_them_than_there_is_room_for_are_told() {
        let settings = super::super::tests::settings(&["corp.example"]);
        let entry = |values: &[&str]| {
            let values = values.iter().map(|value| value.as_bytes().to_vec()).collect();
            LdapEntry { attributes: vec![("mail".to_owned(), values)], ..LdapEntry::default() }
        };
        for (room, expected) in [
            ((2, 100), None),
            ((1, 100), Some(("addresses", ADDRESSES_MAX))),
            ((2, 31), Some(("octets of addresses", OCTETS_MAX))),
        ] {
            let mut reading = Reading { room, ..Reading::new(&settings) };
            let twice = ["a@corp.example", "smtp:A@corp.example", "eve@other.example"];
            reading.entry(&entry(&twice));
            assert_eq!(reading.too_much, None, "the same twice needs no room");
            reading.entry(&entry(&["bobby@corp.example"]));
            assert_eq!(reading.too_much, expected, "{room:?}");
        }
    }

    #[test]
    fn accounts_that_are_switched_off_are_left_out_but_not_shared_mailboxes() {
        let entry = |pairs: &[(&str, &str)]| {
            let attribute = |(name, value): &(&str, &str)| {
                ((*name).to_owned(), vec![value.as_bytes().to_vec()])
            };
            let attributes = pairs.iter().map(attribute).collect();
            LdapEntry { name: String::new(), attributes }
        };
        assert!(!is_switched_off(&entry(&[])));
        assert!(!is_switched_off(&entry(&[(ACCOUNT_CONTROL, "512")])));
        assert!(is_switched_off(&entry(&[("useraccountcontrol", "514")])));
        assert!(is_switched_off(&entry(&[(ACCOUNT_CONTROL, "514"), (RECIPIENT_TYPE, "1")])));
        assert!(!is_switched_off(&entry(&[(ACCOUNT_CONTROL, "514"), (RECIPIENT_TYPE, "4")])));
        assert!(!is_switched_off(&entry(&[(ACCOUNT_CONTROL, "many")])));
        // Where nobody says what such an entry is, it is taken unless that is not wanted.
        let shared = entry(&[("mail", "info@corp.example"), (ACCOUNT_CONTROL, "514")]);
        for disabled_accounts in [true, false] {
            let settings = super::super::tests::settings(&["corp.example"]);
            let settings = SyncSettings { disabled_accounts, ..settings };
            let mut reading = Reading::new(&settings);
            reading.entry(&shared);
            let count: usize = reading.people.values().map(HashSet::len).sum();
            let left_out = reading.left_out.switched_off;
            assert_eq!((count, left_out), if disabled_accounts { (1, 0) } else { (0, 1) });
        }
    }
}

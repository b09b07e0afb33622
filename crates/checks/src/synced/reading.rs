//! What an entry of a directory says of recipients.

use types::EmailAddress;
use world::ldap::LdapEntry;

use super::SyncSettings;

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

/// Reads entries as they come.
pub(super) struct Reading<'a> {
    pub(super) settings: &'a SyncSettings,
    pub(super) addresses: Vec<Box<str>>,
    pub(super) left_out: LeftOut,
}

impl Reading<'_> {
    /// Takes the addresses of an entry.
    pub(super) fn entry(&mut self, entry: &LdapEntry) {
        if !self.settings.disabled_accounts && is_switched_off(entry) {
            self.left_out.switched_off += 1;
            return;
        }
        let before = self.addresses.len();
        for (attribute, values) in &entry.attributes {
            if self.holds_addresses(attribute) {
                values.iter().for_each(|value| self.value(value));
            }
        }
        if self.addresses.len() == before {
            self.left_out.without_address += 1;
        }
    }

    /// Whether addresses stand in this attribute, whatever its options.
    fn holds_addresses(&self, attribute: &str) -> bool {
        let bare = attribute.split(';').next().unwrap_or_default();
        self.settings.attributes.iter().any(|one| one.eq_ignore_ascii_case(bare))
    }

    fn value(&mut self, value: &[u8]) {
        match address(value) {
            Value::Address(address) => {
                let is_ours = |domain: &&types::Domain| domain.as_str() == address.domain_key();
                match self.settings.domains.iter().find(is_ours) {
                    Some(_) => self.addresses.push(address.key().into()),
                    None => self.left_out.elsewhere += 1,
                }
            }
            Value::OfAnotherKind => {}
            Value::NoAddress => self.left_out.no_address += 1,
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
/// mailboxes whose accounts always are.
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
    }
}

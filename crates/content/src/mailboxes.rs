//! The mailboxes of an address field: From, Reply-To.

use mail_parser::HeaderForm;
use types::{EmailAddress, HeaderMailbox};

use crate::addr_spec::addresses;
use crate::facts::{VALUE_OCTETS_MAX, comparable, cut};
use crate::header::Field;

/// Longest address kept, in octets: one line of a header (RFC 5322 section
/// 2.1.1), since it need not be a valid one.
const ADDRESS_OCTETS_MAX: usize = 998;
/// Longest display name kept, in characters.
const NAME_CHARS_MAX: usize = 500;

/// The mailboxes of an address field, groups included, at most `max`.
///
/// A text that is no mailbox stays as it was written: a program that shows it
/// as the author must not be better informed than the policy.
pub(crate) fn mailboxes(field: &Field<'_>, max: usize) -> Vec<HeaderMailbox> {
    let value = field.value_up_to(VALUE_OCTETS_MAX);
    let parsed = HeaderForm::Addresses.parse(value);
    let value_parsed = parsed.value();
    let listed = value_parsed.as_address().into_iter().flat_map(|list| list.mailboxes());
    let named = listed.filter_map(|mailbox| match (mailbox.name(), mailbox.address()) {
        (name, Some(address)) => Some((name, address)),
        (Some(name), None) => Some((None, name)),
        (None, None) => None,
    });
    let mut found: Vec<HeaderMailbox> = named
        .take(max)
        .map(|(name, address)| HeaderMailbox {
            name: name.map(|name| name.chars().take(NAME_CHARS_MAX).collect()),
            address: cut(address.trim(), ADDRESS_OCTETS_MAX).to_owned(),
        })
        .collect();
    let raw = String::from_utf8_lossy(value);
    add_hidden(&raw, max, &mut found);
    if found.is_empty() && max > 0 && !raw.trim().is_empty() {
        let address = cut(raw.trim(), ADDRESS_OCTETS_MAX).to_owned();
        found.push(HeaderMailbox { name: None, address });
    }
    found
}

/// Adds the addresses that the library does not find in their spelling, in
/// place of what it took for addresses.
fn add_hidden(raw: &str, max: usize, found: &mut Vec<HeaderMailbox>) {
    let named = addresses(raw, max);
    if named.is_all && !named.addresses.is_empty() {
        found.retain(|mailbox| comparable(&mailbox.address).parse::<EmailAddress>().is_ok());
    }
    for address in named.addresses {
        let is_known = |mailbox: &HeaderMailbox| comparable(&mailbox.address) == address.key();
        if found.len() < max && !found.iter().any(is_known) {
            found.push(HeaderMailbox { name: None, address: address.as_str().to_owned() });
        }
    }
}

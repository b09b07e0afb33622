//! The entries of a list that is kept in memory.

use std::collections::HashMap;
use std::iter::successors;
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use prefix_trie::PrefixMap;
use types::address::parent_of;
use types::{Domain, ListAnswer};

use super::file::Value;

/// What an entry says: the place of its value, or that it is an exception.
type Said = Option<u32>;

/// Addresses, networks and names. The most specific entry counts.
#[derive(Debug, Default)]
pub(super) struct Entries {
    v4: PrefixMap<Ipv4Net, Said>,
    v6: PrefixMap<Ipv6Net, Said>,
    names: HashMap<Box<str>, NameEntry>,
    /// Many entries say the same.
    values: Vec<Value>,
    places: HashMap<Value, u32>,
    count: usize,
}

/// What is known of a name, and of all names below it.
#[derive(Clone, Copy, Debug, Default)]
struct NameEntry {
    itself: Option<Said>,
    below: Option<Said>,
}

impl Entries {
    /// How many lines made it.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    pub(super) fn network(&mut self, network: IpNet, value: Option<&Value>) {
        self.count += 1;
        let said = self.said(value);
        match network {
            IpNet::V4(network) => drop(self.v4.insert(network, said)),
            IpNet::V6(network) => drop(self.v6.insert(network, said)),
        }
    }

    pub(super) fn domain(
        &mut self,
        name: &str,
        (itself, below): (bool, bool),
        value: Option<&Value>,
    ) {
        self.count += 1;
        let said = self.said(value);
        let entry = self.names.entry(name.into()).or_default();
        if itself {
            entry.itself = Some(said);
        }
        if below {
            entry.below = Some(said);
        }
    }

    fn said(&mut self, value: Option<&Value>) -> Said {
        let value = value?;
        if let Some(place) = self.places.get(value) {
            return Some(*place);
        }
        // A file has fewer lines than this can count.
        let place = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
        self.values.push(value.clone());
        self.places.insert(value.clone(), place);
        Some(place)
    }

    /// What the list says of an address.
    pub(super) fn of_ip(&self, ip: IpAddr) -> ListAnswer {
        let said = match ip.to_canonical() {
            IpAddr::V4(v4) => self.v4.get_lpm(&Ipv4Net::from(v4)).map(|(_, said)| *said),
            IpAddr::V6(v6) => self.v6.get_lpm(&Ipv6Net::from(v6)).map(|(_, said)| *said),
        };
        self.answer(said.flatten(), || ip.to_string())
    }

    /// What the list says of a domain.
    pub(super) fn of_domain(&self, domain: &Domain) -> ListAnswer {
        let name = domain.as_str();
        let itself = self.names.get(name).and_then(|entry| entry.itself);
        let mut above = successors(parent_of(name), |name| parent_of(name));
        let said = itself.or_else(|| above.find_map(|name| self.names.get(name)?.below));
        self.answer(said.flatten(), || name.to_owned())
    }

    fn answer(&self, said: Said, subject: impl FnOnce() -> String) -> ListAnswer {
        let place = said.and_then(|place| usize::try_from(place).ok());
        match place.and_then(|place| self.values.get(place)) {
            None => ListAnswer::NotListed,
            Some(value) => {
                let text = value.text.as_deref().map(|text| filled(text, &subject()));
                ListAnswer::listed(vec![value.answer], text.as_deref())
            }
        }
    }
}

/// The text with what was looked up in the place of each `$`; `$$` is one
/// dollar.
fn filled(text: &str, subject: &str) -> String {
    let mut filled = String::with_capacity(text.len() + subject.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        filled.push_str(before);
        rest = match after.strip_prefix('$') {
            Some(after) => {
                filled.push('$');
                after
            }
            None => {
                filled.push_str(subject);
                after
            }
        };
    }
    filled.push_str(rest);
    filled
}

//! Source restrictions as numbers: networks in a prefix trie, host names by
//! their suffixes.

use std::iter::successors;
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use prefix_trie::PrefixMap;
use types::Domain;
use types::address::parent_of;

use crate::hashing::FastMap;

/// The number of no restriction.
pub(crate) const ANYWHERE: u32 = 0;

/// The networks and hosts that policies name.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    v4: PrefixMap<Ipv4Net, u32>,
    v6: PrefixMap<Ipv6Net, u32>,
    hosts: FastMap<Box<str>, u32>,
    given: u32,
}

impl Sources {
    /// The number of a network.
    pub(crate) fn network(&mut self, network: IpNet) -> u32 {
        let next = self.given + 1;
        let number = match network.trunc() {
            IpNet::V4(network) => *self.v4.entry(network).or_insert(next),
            IpNet::V6(network) => *self.v6.entry(network).or_insert(next),
        };
        self.given = self.given.max(number);
        number
    }

    /// The number of a host with everything below it.
    pub(crate) fn host(&mut self, host: &Domain) -> u32 {
        let next = self.given + 1;
        let number = *self.hosts.entry(host.as_str().into()).or_insert(next);
        self.given = self.given.max(number);
        number
    }

    /// Whether there is any host.
    pub(crate) fn names_hosts(&self) -> bool {
        !self.hosts.is_empty()
    }

    /// The numbers that cover a client: anywhere, its networks, its host.
    pub(crate) fn of(&self, ip: IpAddr, host_name: Option<&str>) -> Vec<u32> {
        let mut numbers = vec![ANYWHERE];
        match ip {
            IpAddr::V4(ip) => numbers.extend(self.v4.cover_values(&Ipv4Net::from(ip))),
            IpAddr::V6(ip) => numbers.extend(self.v6.cover_values(&Ipv6Net::from(ip))),
        }
        if let Some(host) = host_name.filter(|_| !self.hosts.is_empty()).and_then(host_domain) {
            let names = successors(Some(host.as_str()), |name| parent_of(name));
            numbers.extend(names.filter_map(|name| self.hosts.get(name)));
        }
        numbers
    }
}

/// A host name as DNS gives it, in comparable form.
pub(crate) fn host_domain(name: &str) -> Option<Domain> {
    name.trim_end_matches('.').parse().ok()
}

//! The names of a suite as a resolver.

use std::collections::HashMap;
use std::net::IpAddr;

use types::Domain;
use world::{BoxFuture, DnsError, Family, MxAnswer, Resolver};

/// One record of a zone.
#[derive(Clone, Debug)]
pub(crate) enum Record {
    Text(Vec<u8>),
    Address(IpAddr),
    Mx(u16, String),
    Ptr(String),
}

/// Names with their records.
#[derive(Default)]
pub(crate) struct Zone {
    pub(crate) records: HashMap<String, Vec<Record>>,
    /// Names whose questions run into a time-out, unless a record of the
    /// kind that is asked for stands there.
    pub(crate) silent: HashMap<String, ()>,
}

impl Zone {
    fn find<T>(&self, name: &str, pick: impl Fn(&Record) -> Option<T>) -> Result<Vec<T>, DnsError> {
        let name = name.trim_end_matches('.').to_lowercase();
        let known = self.records.get(&name);
        let found: Vec<T> = known.into_iter().flatten().filter_map(pick).collect();
        match (found.is_empty(), self.silent.contains_key(&name), known) {
            (false, ..) => Ok(found),
            (true, true, _) => Err(DnsError::TimedOut),
            (true, false, Some(_)) => Err(DnsError::NoRecords),
            (true, false, None) => Err(DnsError::NoSuchName),
        }
    }

    fn answer<'a, T: Send + 'a>(answer: T) -> BoxFuture<'a, T> {
        Box::pin(std::future::ready(answer))
    }
}

/// `4.3.2.1.in-addr.arpa` for 1.2.3.4.
fn reverse_name(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(ip) => {
            let nibbles = ip.octets().into_iter().rev().flat_map(|octet| [octet & 15, octet >> 4]);
            let labels: Vec<String> = nibbles.map(|nibble| format!("{nibble:x}")).collect();
            format!("{}.ip6.arpa", labels.join("."))
        }
    }
}

impl Resolver for Zone {
    fn mx<'a>(&'a self, _: &'a Domain) -> BoxFuture<'a, Result<MxAnswer, DnsError>> {
        Zone::answer(Err(DnsError::NoSuchName))
    }

    fn exchangers<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<String>, DnsError>> {
        let found = self.find(name, |record| match record {
            Record::Mx(preference, host) => Some((*preference, host.clone())),
            _ => None,
        });
        Zone::answer(found.map(|mut found| {
            found.sort();
            found.into_iter().map(|(_, host)| host).filter(|host| !host.is_empty()).collect()
        }))
    }

    fn addresses<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, DnsError>> {
        Zone::answer(self.find(host, |record| match record {
            Record::Address(ip) => Some(*ip),
            _ => None,
        }))
    }

    fn addresses_in<'a>(
        &'a self,
        family: Family,
        host: &'a str,
    ) -> BoxFuture<'a, Result<Vec<IpAddr>, DnsError>> {
        Zone::answer(self.find(host, |record| match record {
            Record::Address(ip) if Family::of(*ip) == family => Some(*ip),
            _ => None,
        }))
    }

    fn texts<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<Vec<u8>>, DnsError>> {
        Zone::answer(self.find(name, |record| match record {
            Record::Text(text) => Some(text.clone()),
            _ => None,
        }))
    }

    fn reverse(&self, ip: IpAddr) -> BoxFuture<'_, Result<Vec<Domain>, DnsError>> {
        Zone::answer(self.find(&reverse_name(ip), |record| match record {
            Record::Ptr(name) => name.parse().ok(),
            _ => None,
        }))
    }
}

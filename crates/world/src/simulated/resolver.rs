//! The domain name system as a table.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use types::Domain;

use crate::BoxFuture;
use crate::clock::Clock;
use crate::dns::{DnsError, Family, MxAnswer, MxHost, Resolver, as_address};

/// Names and what is known of them; what was never entered does not exist.
#[derive(Default)]
pub struct SimulatedResolver {
    tables: RwLock<Tables>,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Asked {
    /// Mail exchangers.
    Mx,
    /// Addresses.
    Addresses,
    /// The names of an address.
    Names,
    /// Texts.
    Texts,
}

/// How late an answer comes, and by which clock.
type Late = (Duration, Arc<dyn Clock>);

#[derive(Default)]
struct Tables {
    late: HashMap<(Asked, String), Late>,
    mx: HashMap<Domain, Result<MxAnswer, DnsError>>,
    addresses: HashMap<String, Result<Vec<IpAddr>, DnsError>>,
    names: HashMap<IpAddr, Result<Vec<Domain>, DnsError>>,
    texts: HashMap<String, Result<Vec<Vec<u8>>, DnsError>>,
}

impl SimulatedResolver {
    /// A world without names.
    pub fn new() -> Self {
        SimulatedResolver::default()
    }

    /// Enters the mail exchangers of `domain`, or why there are none.
    pub fn set_mx(&self, domain: &Domain, answer: Result<MxAnswer, DnsError>) {
        let answer = answer.map(|answer| match answer {
            MxAnswer::Hosts(mut hosts) => {
                hosts.sort();
                MxAnswer::Hosts(hosts)
            }
            MxAnswer::Null => MxAnswer::Null,
        });
        self.change(|tables| tables.mx.insert(domain.clone(), answer));
    }

    /// Enters one mail exchanger for `domain`, of preference 10.
    pub fn set_mx_host(&self, domain: &Domain, host: &Domain) {
        let host = MxHost { preference: 10, host: host.clone() };
        self.set_mx(domain, Ok(MxAnswer::Hosts(vec![host])));
    }

    /// Enters the addresses of `host`, or why there are none.
    pub fn set_addresses(&self, host: &str, answer: Result<Vec<IpAddr>, DnsError>) {
        self.change(|tables| tables.addresses.insert(host.to_ascii_lowercase(), answer));
    }

    /// Enters the names that `ip` claims, or why there are none.
    pub fn set_reverse(&self, ip: IpAddr, answer: Result<Vec<Domain>, DnsError>) {
        self.change(|tables| tables.names.insert(ip, answer));
    }

    /// Enters the texts at `name`, or why there are none.
    pub fn set_texts(&self, name: &str, answer: Result<Vec<Vec<u8>>, DnsError>) {
        self.change(|tables| tables.texts.insert(name.to_ascii_lowercase(), answer));
    }

    /// Enters one text more at `name`.
    pub fn add_text(&self, name: &str, text: &str) {
        self.change(|tables| {
            let entry = tables.texts.entry(name.to_ascii_lowercase());
            match entry.or_insert_with(|| Ok(Vec::new())) {
                Ok(texts) => texts.push(text.into()),
                none => *none = Ok(vec![text.into()]),
            }
        });
    }

    /// Lets each answer about `name`, or an address, come after `wait`.
    pub fn set_late(&self, asked: Asked, name: &str, wait: Duration, clock: Arc<dyn Clock>) {
        let about = (asked, name.to_ascii_lowercase());
        self.change(|tables| tables.late.insert(about, (wait, clock)));
    }

    /// The answer when its time has come.
    fn in_time<T: Send + 'static>(
        &self,
        asked: Asked,
        name: &str,
        answer: T,
    ) -> BoxFuture<'static, T> {
        let late = |tables: &Tables| tables.late.get(&(asked, name.to_owned())).cloned();
        let Some((wait, clock)) = self.look(late) else {
            return Box::pin(std::future::ready(answer));
        };
        Box::pin(async move {
            clock.sleep(wait).await;
            answer
        })
    }

    fn change<T>(&self, change: impl FnOnce(&mut Tables) -> T) {
        change(&mut self.tables.write().unwrap_or_else(PoisonError::into_inner));
    }

    fn look<T>(&self, look: impl FnOnce(&Tables) -> T) -> T {
        look(&self.tables.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Tables {
    /// Whether the name has a record of any kind: what has none of the kind
    /// asked for is then `NoRecords` rather than `NoSuchName`.
    fn missing(&self, name: &str) -> DnsError {
        let known = self.addresses.contains_key(name)
            || self.texts.contains_key(name)
            || name.parse().is_ok_and(|domain: Domain| self.mx.contains_key(&domain));
        if known { DnsError::NoRecords } else { DnsError::NoSuchName }
    }
}

impl Resolver for SimulatedResolver {
    fn mx<'a>(&'a self, domain: &'a Domain) -> BoxFuture<'a, Result<MxAnswer, DnsError>> {
        let answer = self.look(|tables| {
            let entry = tables.mx.get(domain).cloned();
            entry.unwrap_or_else(|| Err(tables.missing(domain.as_str())))
        });
        self.in_time(Asked::Mx, domain.as_str(), answer)
    }

    fn exchangers<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<String>, DnsError>> {
        Box::pin(async {
            let Ok(domain) = name.parse() else {
                return Err(self.look(|tables| tables.missing(name)));
            };
            let MxAnswer::Hosts(hosts) = self.mx(&domain).await? else { return Ok(Vec::new()) };
            Ok(hosts.into_iter().map(|one| one.host.as_str().to_owned()).collect())
        })
    }

    fn addresses<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, DnsError>> {
        let host = host.to_ascii_lowercase();
        let answer = self.look(|tables| {
            let entry = tables.addresses.get(&host).cloned();
            let entry = as_address(&host).map(|ip| Ok(vec![ip])).or(entry);
            entry.unwrap_or_else(|| Err(tables.missing(&host)))
        });
        self.in_time(Asked::Addresses, &host, answer)
    }

    fn addresses_in<'a>(
        &'a self,
        family: Family,
        host: &'a str,
    ) -> BoxFuture<'a, Result<Vec<IpAddr>, DnsError>> {
        Box::pin(async move {
            let mut found = self.addresses(host).await?;
            found.retain(|ip| Family::of(*ip) == family);
            if found.is_empty() { Err(DnsError::NoRecords) } else { Ok(found) }
        })
    }

    fn texts<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<Vec<u8>>, DnsError>> {
        let name = name.to_ascii_lowercase();
        let answer = self.look(|tables| {
            let entry = tables.texts.get(&name).cloned();
            entry.unwrap_or_else(|| Err(tables.missing(&name)))
        });
        self.in_time(Asked::Texts, &name, answer)
    }

    fn reverse(&self, ip: IpAddr) -> BoxFuture<'_, Result<Vec<Domain>, DnsError>> {
        let answer = self.look(|tables| tables.names.get(&ip).cloned());
        self.in_time(Asked::Names, &ip.to_string(), answer.unwrap_or(Err(DnsError::NoSuchName)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_entered_is_answered_and_the_rest_does_not_exist() {
        let world = SimulatedResolver::new();
        let domain: Domain = "corp.example".parse().unwrap();
        let host: Domain = "mx.corp.example".parse().unwrap();
        let ip: IpAddr = "192.0.2.1".parse().unwrap();
        assert_eq!(world.mx(&domain).await, Err(DnsError::NoSuchName));
        world.set_mx_host(&domain, &host);
        world.set_addresses("MX.corp.example", Ok(vec![ip]));
        world.set_reverse(ip, Ok(vec![host.clone()]));
        assert!(
            matches!(world.mx(&domain).await, Ok(MxAnswer::Hosts(hosts)) if hosts[0].host == host)
        );
        assert_eq!(world.mx(&host).await, Err(DnsError::NoRecords));
        assert_eq!(world.host_name(ip).await, Ok(Some("mx.corp.example".into())));
        world.set_addresses("mx.corp.example", Err(DnsError::TimedOut));
        assert_eq!(world.addresses("mx.corp.example").await, Err(DnsError::TimedOut));
        assert_eq!(world.host_name(ip).await, Err(DnsError::TimedOut));
        world.set_addresses("mx.corp.example", Ok(vec!["192.0.2.2".parse().unwrap()]));
        assert_eq!(world.host_name(ip).await, Ok(None));
        world.set_addresses("mx.corp.example", Ok(vec![ip]));
        for literal in ["192.0.2.1", "[192.0.2.1]"] {
            assert_eq!(world.addresses(literal).await, Ok(vec![ip]));
        }
    }
}

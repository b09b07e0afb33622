//! The demo's domain name system: every name below `.example` and `.test`
//! exists, everything else does not, and no question leaves the machine.

use std::net::{IpAddr, Ipv4Addr};

use types::Domain;
use world::{BoxFuture, DnsError, Family, MxAnswer, MxHost, Resolver};

use crate::cast;
use crate::listed;
use crate::origin::{Origin, Side};
use crate::seal;

/// A resolver that knows the demo's cast: ordinary senders have a name that
/// is confirmed, bots and home connections have none.
#[derive(Clone, Copy, Debug, Default)]
pub struct DemoNames;

/// A domain that says it takes no mail (RFC 7505), and yet sends some.
pub(crate) const MUTE: &str = "noreply-only.test";

/// Where all mail exchangers outside are (RFC 5737: nobody is).
const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 250));

impl Resolver for DemoNames {
    fn mx<'a>(&'a self, domain: &'a Domain) -> BoxFuture<'a, Result<MxAnswer, DnsError>> {
        let host = format!("mx.{domain}").parse::<Domain>();
        let answer = match host {
            _ if domain.as_str() == MUTE => Ok(MxAnswer::Null),
            Ok(host) if is_ours(domain.as_str()) => {
                Ok(MxAnswer::Hosts(vec![MxHost { preference: 10, host }]))
            }
            _ => Err(DnsError::NoSuchName),
        };
        Box::pin(std::future::ready(answer))
    }

    fn exchangers<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<String>, DnsError>> {
        let answer = match is_ours(name) {
            true if name == MUTE => Ok(Vec::new()),
            true => Ok(vec![format!("mx.{name}")]),
            false => Err(DnsError::NoSuchName),
        };
        Box::pin(std::future::ready(answer))
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
        if let Some(text) = listed::text_in_zone(name) {
            return Box::pin(std::future::ready(Ok(vec![text.into_bytes()])));
        }
        let none = if is_ours(name) { DnsError::NoRecords } else { DnsError::NoSuchName };
        let answer = match seal::texts(name) {
            None => Err(DnsError::ServerFailure),
            Some(texts) if texts.is_empty() => Err(none),
            Some(texts) => Ok(texts.into_iter().map(String::into_bytes).collect()),
        };
        Box::pin(std::future::ready(answer))
    }

    fn addresses<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, DnsError>> {
        if let Some(answer) = listed::in_zone(host) {
            return Box::pin(std::future::ready(answer));
        }
        let answer = match (host.parse::<IpAddr>(), origin(host)) {
            (Ok(ip), _) => Ok(vec![ip]),
            (_, Some(origin)) => {
                Ok(vec![origin.address(Side::Simulated), origin.address(Side::Loopback)])
            }
            (_, None) if is_ours(host) => Ok(vec![ELSEWHERE]),
            (_, None) => Err(DnsError::NoSuchName),
        };
        Box::pin(std::future::ready(answer))
    }

    fn reverse(&self, ip: IpAddr) -> BoxFuture<'_, Result<Vec<Domain>, DnsError>> {
        let name = Origin::of(ip).and_then(confirmed_name);
        let name = name.and_then(|name| name.parse().ok()).ok_or(DnsError::NoSuchName);
        Box::pin(std::future::ready(name.map(|name: Domain| vec![name])))
    }
}

fn is_ours(name: &str) -> bool {
    name.ends_with(".example") || name.ends_with(".test")
}

/// The name of a host that has one, which its address confirms.
pub(crate) fn confirmed_name(origin: Origin) -> Option<String> {
    cast::is_named(origin.net).then(|| host_name(origin))
}

/// The name of a sender's host, which is also what it says in EHLO.
pub(crate) fn host_name(origin: Origin) -> String {
    let family = if origin.v6 { "six" } else { "out" };
    format!("{family}{}.{}", origin.host, cast::domain_of(origin.net))
}

/// The host a name stands for, if [`host_name`] made it.
fn origin(name: &str) -> Option<Origin> {
    let (label, domain) = name.split_once('.')?;
    let (v6, host) = match label.strip_prefix("six") {
        Some(host) => (true, host),
        None => (false, label.strip_prefix("out")?),
    };
    Some(Origin { net: cast::net_of(domain)?, host: host.parse().ok()?, v6 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn senders_have_confirmed_names_and_bots_have_none() {
        let sender = Origin { net: cast::net_of("supplier.example").unwrap(), host: 7, v6: false };
        for side in [Side::Simulated, Side::Loopback] {
            let name = DemoNames.host_name(sender.address(side)).await;
            assert_eq!(name.unwrap().as_deref(), Some("out7.supplier.example"));
        }
        let bot = Origin { net: 200, host: 7, v6: false };
        assert_eq!(DemoNames.host_name(bot.address(Side::Loopback)).await, Ok(None));
        let real: Domain = "rust-lang.org".parse().unwrap();
        assert_eq!(DemoNames.mx(&real).await, Err(DnsError::NoSuchName));
    }
}

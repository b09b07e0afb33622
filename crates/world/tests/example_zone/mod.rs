//! The names that the test server knows, and a resolver that asks it.

use std::time::Duration;

use hickory_proto::rr::RData;
use hickory_proto::rr::rdata::{A, AAAA, MX, PTR, TXT};
use types::Domain;
use world::{DnsResolver, ResolverSettings};

use crate::dns_server::{DnsServer, Table};

/// A domain that is one.
pub(crate) fn domain(name: &str) -> Domain {
    name.parse().unwrap()
}

fn mx(preference: u16, host: &str) -> RData {
    RData::MX(MX::new(preference, host.parse().unwrap()))
}

fn a(ip: &str) -> RData {
    RData::A(A(ip.parse().unwrap()))
}

fn table() -> Table {
    let ptr = |name: &str| RData::PTR(PTR(name.parse().unwrap()));
    Table::from([
        ("corp.example.", vec![mx(20, "b.corp.example."), mx(10, "A.corp.example.")]),
        ("null.example.", vec![mx(0, ".")]),
        ("both.example.", vec![mx(0, "."), mx(5, "a.corp.example.")]),
        ("odd.example.", vec![mx(0, "*.odd.example.")]),
        ("a.corp.example.", vec![a("192.0.2.1"), a("192.0.2.2")]),
        ("six.example.", vec![RData::AAAA(AAAA("2001:db8::1".parse().unwrap()))]),
        (
            "_dmarc.text.example.",
            vec![
                RData::TXT(TXT::new(vec!["v=DMARC1; ".to_owned(), "p=none".to_owned()])),
                a("192.0.2.9"),
            ],
        ),
        ("1.2.0.192.in-addr.arpa.", vec![ptr("lie.example."), ptr("a.corp.example.")]),
        ("9.2.0.192.in-addr.arpa.", vec![ptr("a.corp.example.")]),
    ])
}

/// A server of the zone and a resolver that asks it, and waits longer than any
/// busy machine needs to answer.
pub(crate) async fn resolver() -> (DnsServer, DnsResolver) {
    resolver_that_waits(Duration::from_secs(20)).await
}

/// The same for tests of silence, which is to end: what is answered has less
/// time there.
pub(crate) async fn resolver_that_waits(timeout: Duration) -> (DnsServer, DnsResolver) {
    let server = DnsServer::start(table()).await;
    let settings =
        ResolverSettings { servers: vec![server.at], timeout, ..ResolverSettings::default() };
    let resolver = DnsResolver::new(&settings).unwrap();
    (server, resolver)
}

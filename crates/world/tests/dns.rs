//! The real resolver against a name server on loopback.

#[cfg(test)]
mod dns_server;
#[cfg(test)]
mod example_zone;
#[cfg(test)]
mod hostile;

use std::net::IpAddr;
use std::time::Duration;

use example_zone::{domain, resolver, resolver_that_waits};
use world::{DnsError, DnsResolver, Family, MxAnswer, MxHost, Resolver, ResolverSettings};

/// How long silence is waited for: tests wait for it several times, and what is
/// answered must come within it on a busy machine.
const PATIENCE: Duration = Duration::from_secs(1);

#[tokio::test]
async fn mail_exchangers_come_in_order_of_preference_and_from_the_cache() {
    let (server, resolver) = resolver().await;
    let host = |preference, name| MxHost { preference, host: domain(name) };
    let expected = MxAnswer::Hosts(vec![host(10, "a.corp.example"), host(20, "b.corp.example")]);
    for _ in 0..3 {
        assert_eq!(resolver.mx(&domain("corp.example")).await, Ok(expected.clone()));
    }
    assert_eq!(server.questions(), 1);
}

#[tokio::test]
async fn what_does_not_exist_is_kept_as_long_as_its_zone_allows() {
    let (server, resolver) = resolver().await;
    for (name, asked) in [("missing.example", 1), ("bare.example", 3)] {
        let before = server.questions();
        for _ in 0..3 {
            assert_eq!(resolver.texts(name).await, Err(DnsError::NoSuchName));
        }
        assert_eq!(server.questions() - before, asked, "{name}");
    }
}

#[tokio::test]
async fn what_is_known_is_said_while_the_servers_are_gone() {
    let (server, resolver) = resolver_that_waits(PATIENCE).await;
    let answer = resolver.texts("_dmarc.text.example").await;
    assert!(answer.is_ok(), "{answer:?}");
    server.set_silent(true);
    for name in ["one.example", "two.example"] {
        assert_eq!(resolver.texts(name).await, Err(DnsError::TimedOut), "{name}");
    }
    assert!(resolver.are_servers_gone());
    assert_eq!(resolver.texts("_dmarc.text.example").await, answer);
    // Names have no case.
    assert_eq!(resolver.texts("_DMARC.Text.example").await, answer);
}

#[tokio::test]
async fn a_null_mx_is_no_host_and_counts_only_alone() {
    let (_server, resolver) = resolver().await;
    assert_eq!(resolver.mx(&domain("null.example")).await, Ok(MxAnswer::Null));
    let both = resolver.mx(&domain("both.example")).await.unwrap();
    assert!(matches!(both, MxAnswer::Hosts(hosts) if hosts.len() == 1));
    assert_eq!(resolver.mx(&domain("odd.example")).await, Err(DnsError::NoRecords));
}

#[tokio::test]
async fn addresses_of_both_families_are_found() {
    let (_server, resolver) = resolver().await;
    let expect =
        |ips: &[&str]| Ok(ips.iter().map(|ip| ip.parse().unwrap()).collect::<Vec<IpAddr>>());
    assert_eq!(resolver.addresses("A.Corp.Example").await, expect(&["192.0.2.1", "192.0.2.2"]));
    assert_eq!(resolver.addresses("six.example").await, expect(&["2001:db8::1"]));
    assert_eq!(resolver.addresses("null.example").await, Err(DnsError::NoRecords));
    assert_eq!(resolver.addresses("[IPv6:2001:db8::1]").await, expect(&["2001:db8::1"]));
}

#[tokio::test]
async fn texts_are_joined_and_one_family_is_one_question() {
    let (server, resolver) = resolver().await;
    let texts = resolver.texts("_DMARC.text.example").await;
    assert_eq!(texts, Ok(vec![b"v=DMARC1; p=none".to_vec()]));
    assert_eq!(resolver.texts("six.example").await, Err(DnsError::NoRecords));
    assert_eq!(resolver.texts("missing.example").await, Err(DnsError::NoSuchName));
    let before = server.questions();
    let found = resolver.addresses_in(Family::V4, "_dmarc.text.example").await;
    assert_eq!(found, Ok(vec!["192.0.2.9".parse().unwrap()]));
    assert_eq!(server.questions(), before + 1);
    assert_eq!(
        resolver.addresses_in(Family::V6, "_dmarc.text.example").await,
        Err(DnsError::NoRecords)
    );
    assert_eq!(resolver.exchangers("null.example").await, Ok(Vec::new()));
    let odd = Ok(vec!["*.odd.example".to_owned()]);
    assert_eq!(resolver.exchangers("odd.example").await, odd);
}

#[tokio::test]
async fn every_failure_has_its_name() {
    let (_server, resolver) = resolver_that_waits(PATIENCE).await;
    for (name, error) in [
        ("missing.example", DnsError::NoSuchName),
        ("six.example", DnsError::NoRecords),
        ("servfail.example", DnsError::ServerFailure),
        ("silent.example", DnsError::TimedOut),
        ("garbage.example", DnsError::Malformed),
    ] {
        assert_eq!(resolver.mx(&domain(name)).await, Err(error), "{name}");
    }
    let long = "a".repeat(300);
    assert_eq!(resolver.addresses(&long).await, Err(DnsError::Malformed));
    assert_eq!(resolver.addresses("servfail.example").await, Err(DnsError::ServerFailure));
    assert_eq!(resolver.addresses("missing.example").await, Err(DnsError::NoSuchName));
}

#[tokio::test]
async fn a_host_name_is_one_that_leads_back_to_the_address() {
    let (_server, resolver) = resolver().await;
    let name = |ip: &str| {
        let ip = ip.parse().unwrap();
        let resolver = &resolver;
        async move { resolver.host_name(ip).await.ok().flatten().map(|name| name.to_string()) }
    };
    assert_eq!(name("192.0.2.1").await.as_deref(), Some("a.corp.example"));
    assert_eq!(name("192.0.2.9").await, None);
    assert_eq!(name("192.0.2.77").await, None);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_failure_of_the_servers() {
    let (server, _) = resolver().await;
    let mut gone = server.at;
    gone.set_ip("127.0.0.77".parse().unwrap());
    let settings = ResolverSettings {
        servers: vec![gone],
        timeout: Duration::from_millis(200),
        concurrent_max: 1,
    };
    let resolver = DnsResolver::new(&settings).unwrap();
    assert!(resolver.mx(&domain("corp.example")).await.unwrap_err().is_temporary());
}

#[tokio::test]
async fn servers_that_are_gone_hold_nobody_up_until_they_are_back() {
    let (server, resolver) = resolver_that_waits(PATIENCE).await;
    // A name that nobody answers for does not make the servers gone.
    for name in ["silent.example", "silent.one.example", "silent.two.example"] {
        assert_eq!(resolver.texts(name).await, Err(DnsError::TimedOut), "{name}");
    }
    assert!(!resolver.are_servers_gone());
    assert!(resolver.mx(&domain("corp.example")).await.is_ok());
    server.set_silent(true);
    for name in ["one.example", "two.example"] {
        assert_eq!(resolver.texts(name).await, Err(DnsError::TimedOut), "{name}");
    }
    assert!(resolver.are_servers_gone());
    let before = server.questions();
    for number in 0..100 {
        let name = format!("n{number}.example");
        assert_eq!(resolver.texts(&name).await, Err(DnsError::TimedOut));
    }
    let asked = server.questions() - before;
    assert!(asked < 10, "{asked} questions were put to servers that are gone");
    server.set_silent(false);
    let mut answer = Err(DnsError::TimedOut);
    for _ in 0..200 {
        answer = resolver.texts("_dmarc.text.example").await;
        if answer.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(answer.is_ok(), "{answer:?}");
    assert!(!resolver.are_servers_gone());
}

#[tokio::test]
async fn a_question_that_failed_is_not_put_again_at_once() {
    let (server, resolver) = resolver().await;
    let ask = || resolver.texts("servfail.example");
    assert_eq!(ask().await, Err(DnsError::ServerFailure));
    let asked = server.questions();
    for _ in 0..5 {
        assert_eq!(ask().await, Err(DnsError::ServerFailure));
    }
    assert_eq!(server.questions(), asked);
}

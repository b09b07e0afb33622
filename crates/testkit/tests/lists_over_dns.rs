//! Lists asked through the real resolver, of a name server on loopback that
//! answers, fails, lies and keeps silent.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use checks::{
    CheckSettings, Checks, Directories, HarvestLimits, KnownLimits, ListKey, ListSettings,
    RateLimit, RateLimits, RecipientSettings, SpfQuestion, WhenStale,
};
use testkit::{DnsServer, DnsTable};
use types::policy::GreylistTimes;
use types::{
    Domain, Flaw, ListAnswer, ListFailure, ListQuestion, ListSubject, Observed, SpfResult,
    Timestamp,
};
use world::simulated::{SimulatedClock, SimulatedProbe};
use world::{Clock, DnsResolver, ResolverSettings};

const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);
/// How long a list may take by the clock of the checks, which stands still
/// until a test moves it: however busy the machine is, only what is meant to be
/// late is late.
const LIST_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a sender's domain may take to be authenticated, by the same clock.
const AUTHENTICATION_DEADLINE: Duration = Duration::from_secs(2);

/// Checks whose time passes by this clock alone.
#[cfg(test)]
fn checks(clock: &SimulatedClock) -> Checks {
    let clock = Arc::new(clock.clone());
    let settings = CheckSettings {
        greylist: GreylistTimes::default(),
        rate: RateLimits {
            client: RateLimit::NONE,
            network: RateLimit::NONE,
            sender: RateLimit::NONE,
            recipient: RateLimit::NONE,
            submitter: RateLimit::NONE,
        },
        harvest: HarvestLimits::NONE,
        harvest_exempt: Vec::new(),
        recipients: RecipientSettings {
            known: KnownLimits { learn_for: Duration::ZERO, remember: Duration::ZERO, max: 0 },
            stale_after: Duration::MAX,
            when_stale: WhenStale::Defer,
        },
        deadline: Duration::from_secs(15),
        authentication_deadline: AUTHENTICATION_DEADLINE,
        sender_domains: true,
        client_names: true,
    };
    let disk = Arc::new(store::disk::SimulatedDisk::new());
    let options = store::StoreOptions::simulated("/data");
    let (store, _) = store::Store::open(disk, options, clock.now()).expect("a store");
    let directory = Arc::new(Directories::default());
    Checks::new(clock, settings, directory, Arc::new(SimulatedProbe::new()), Arc::new(store))
}

#[cfg(test)]
fn domain(name: &str) -> Domain {
    name.parse().expect("a domain")
}

/// A resolver that waits for an answer longer than any test.
#[cfg(test)]
fn resolver(server: &DnsServer) -> DnsResolver {
    let settings = ResolverSettings {
        servers: vec![server.at()],
        timeout: Duration::from_secs(600),
        concurrent_max: 64,
    };
    DnsResolver::new(&settings).expect("a resolver")
}

/// Lets other tasks go on until this is so.
#[cfg(test)]
async fn until(is_so: impl Fn() -> bool) {
    for _ in 0..12_000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it does not come about");
}

#[cfg(test)]
fn by_ip(list: &str) -> ListQuestion {
    ListQuestion { list: domain(list), of: ListSubject::Ip }
}

#[cfg(test)]
fn key(ip: &str) -> ListKey {
    ListKey::Ip(ip.parse().expect("an address"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn zones_that_answer_fail_lie_and_keep_silent() {
    let listed: IpAddr = "127.0.0.2".parse().expect("an address");
    let table = DnsTable::new()
        .address("2.0.0.127.bl.example", listed)
        .address("1.2.0.192.bl.example", "127.0.0.4".parse().expect("an address"))
        .txt("1.2.0.192.bl.example", "see https://bl.example/?192.0.2.1")
        .address("2.2.0.192.bl.example", "127.255.255.254".parse().expect("an address"))
        .servfail("3.2.0.192.bl.example")
        .garbage("4.2.0.192.bl.example")
        .silent("5.2.0.192.bl.example")
        .kept("6.2.0.192.bl.example")
        .address("6.2.0.192.bl.example", listed)
        .address("2.0.0.127.bad.example", listed)
        .address("1.0.0.127.bad.example", listed)
        .address("1.2.0.192.bad.example", listed);
    let server = DnsServer::start(table).await.expect("a name server");
    let resolver = resolver(&server);
    let clock = SimulatedClock::new(NOW);
    let checks = checks(&clock);
    let list =
        |name: &str| ListSettings { timeout: LIST_TIMEOUT, ..ListSettings::zone(domain(name)) };
    checks.lists().replace(vec![list("bl.example"), list("bad.example")]);
    let ask = async |list: &str, ip: &str| {
        checks.lists().ask(&by_ip(list), Some(&key(ip)), &resolver).await.answer
    };
    let explained = "see https://bl.example/?192.0.2.1";
    assert_eq!(
        ask("bl.example", "192.0.2.1").await,
        ListAnswer::listed(vec!["127.0.0.4".parse().expect("an address")], Some(explained))
    );
    let lie = "127.255.255.254".parse().expect("an address");
    let failed = ListAnswer::Failed;
    assert_eq!(ask("bl.example", "192.0.2.2").await, failed(ListFailure::ErrorAnswer(lie)));
    assert_eq!(ask("bl.example", "192.0.2.3").await, failed(ListFailure::Unreachable));
    assert_eq!(ask("bl.example", "192.0.2.7").await, ListAnswer::NotListed);
    assert_eq!(ask("bad.example", "192.0.2.1").await, failed(ListFailure::Suspended));
    let before = server.questions();
    assert!(matches!(ask("bl.example", "192.0.2.1").await, ListAnswer::Listed { .. }));
    assert_eq!(ask("bad.example", "192.0.2.2").await, failed(ListFailure::Suspended));
    assert_eq!(server.questions(), before, "one answer is remembered, the other not asked for");
    // What is no DNS is thrown away or taken for a failure; never for a
    // listing. Nobody waits longer than the time of the list.
    for late in ["192.0.2.4", "192.0.2.5", "192.0.2.6"] {
        let before = server.questions();
        let in_time = async {
            until(|| server.questions() > before).await;
            clock.advance(LIST_TIMEOUT);
        };
        let (answer, ()) = tokio::join!(ask("bl.example", late), in_time);
        match late {
            "192.0.2.4" => assert!(matches!(answer, ListAnswer::Failed(_)), "{answer:?}"),
            _ => assert_eq!(answer, failed(ListFailure::TimedOut), "{late}"),
        }
    }
    assert_eq!(ask("bl.example", "192.0.2.8").await, ListAnswer::NotListed);
}

/// What a list and a domain say to those they refuse comes late: what they
/// say of them holds all the same, when their time is over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_explanations_are_not_waited_for() {
    let listed = Ipv4Addr::new(127, 0, 0, 4);
    let table = DnsTable::new()
        .address("2.0.0.127.bl.example", "127.0.0.2".parse().expect("an address"))
        .address("1.2.0.192.bl.example", listed.into())
        .txt("1.2.0.192.bl.example", "see https://bl.example/?192.0.2.1")
        .kept_texts("1.2.0.192.bl.example")
        .txt("sender.example", "v=spf1 exp=why.sender.example -all")
        .txt("why.sender.example", "%{i} is no server of ours")
        .kept_texts("why.sender.example");
    let server = DnsServer::start(table).await.expect("a name server");
    let resolver = resolver(&server);
    let clock = SimulatedClock::new(NOW);
    let checks = checks(&clock);
    checks.lists().replace(vec![ListSettings {
        timeout: LIST_TIMEOUT,
        ..ListSettings::zone(domain("bl.example"))
    }]);
    // The time is over when the explanation is asked for.
    let over = async |kept: usize, span: Duration| {
        until(|| server.kept() >= kept).await;
        clock.advance(span);
    };
    let (question, of) = (by_ip("bl.example"), key("192.0.2.1"));
    let asked = checks.lists().ask(&question, Some(&of), &resolver);
    let (said, ()) = tokio::join!(asked, over(1, LIST_TIMEOUT));
    assert_eq!(said.answer, ListAnswer::listed(vec![listed], None));
    let sender = types::ReversePath::Address("ann@sender.example".parse().expect("an address"));
    let client: IpAddr = "192.0.2.1".parse().expect("an address");
    let question = SpfQuestion::about(client, None, &sender, "mx.corp.example", clock.now());
    let asked = checks.spf(&question, &resolver);
    let (found, ()) = tokio::join!(asked, over(2, AUTHENTICATION_DEADLINE));
    let found = found.observed;
    let Observed::Spf(facts) = &found else { panic!("{found:?}") };
    assert_eq!((facts.result, facts.flaw), (SpfResult::Fail, Some(Flaw::Unexplained)));
    assert!(found.is_degraded(), "it is recorded as what could not be found out");
}

/// A hundred questions to a list that does not answer yet do not keep others
/// from their answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_list_keeps_nobody_else_waiting() {
    const AT_ONCE: usize = 32;
    let table =
        (0..100).fold(DnsTable::new(), |table, n| table.kept(&format!("{n}.2.0.192.slow.example")));
    let server = DnsServer::start(table).await.expect("a name server");
    let resolver = Arc::new(resolver(&server));
    let checks = Arc::new(checks(&SimulatedClock::new(NOW)));
    let list = |name: &str| ListSettings {
        concurrent_max: AT_ONCE,
        has_test_entries: false,
        ..ListSettings::zone(domain(name))
    };
    checks.lists().replace(vec![list("slow.example"), list("fast.example")]);
    let ask = |list: &str, n: u8| {
        let (checks, resolver) = (Arc::clone(&checks), Arc::clone(&resolver));
        let (question, key) = (by_ip(list), ListKey::Ip(IpAddr::from([192, 0, 2, n])));
        async move { checks.lists().ask(&question, Some(&key), &*resolver).await.answer }
    };
    let slow: Vec<_> = (0..100).map(|n| tokio::spawn(ask("slow.example", n))).collect();
    until(|| server.kept() >= AT_ONCE).await;
    assert_eq!(ask("fast.example", 200).await, ListAnswer::NotListed);
    assert!(!slow.iter().any(tokio::task::JoinHandle::is_finished), "it waited for the others");
    server.let_go();
    for one in slow {
        assert_eq!(one.await.expect("an answer"), ListAnswer::NotListed);
    }
}

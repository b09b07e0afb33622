//! Lists asked through the real resolver, of a name server on loopback that
//! answers, fails, lies and keeps silent.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use checks::{
    CheckSettings, Checks, Directories, HarvestLimits, KnownLimits, ListKey, ListSettings,
    RateLimit, RateLimits, RecipientSettings, SpfQuestion, WhenStale,
};
use testkit::{DnsServer, DnsTable};
use types::policy::GreylistTimes;
use types::{
    Domain, Flaw, ListAnswer, ListFailure, ListQuestion, ListSubject, Observed, SpfResult,
};
use world::simulated::SimulatedProbe;
use world::{Clock, DnsResolver, ResolverSettings, SystemClock};

#[cfg(test)]
fn checks() -> Checks {
    let clock = Arc::new(SystemClock::new());
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
        authentication_deadline: Duration::from_secs(2),
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
        .slow("6.2.0.192.bl.example", Duration::from_secs(5))
        .address("6.2.0.192.bl.example", listed)
        .address("2.0.0.127.bad.example", listed)
        .address("1.0.0.127.bad.example", listed)
        .address("1.2.0.192.bad.example", listed);
    let server = DnsServer::start(table).await.expect("a name server");
    let settings = ResolverSettings {
        servers: vec![server.at()],
        timeout: Duration::from_secs(3),
        concurrent_max: 64,
    };
    let resolver = DnsResolver::new(&settings).expect("a resolver");
    let checks = checks();
    let timeout = Duration::from_millis(700);
    let list = |name: &str| ListSettings { timeout, ..ListSettings::zone(domain(name)) };
    checks.lists().replace(vec![list("bl.example"), list("bad.example")]);
    let ask = async |list: &str, ip: &str| {
        let question = ListQuestion { list: domain(list), of: ListSubject::Ip };
        let key = ListKey::Ip(ip.parse().expect("an address"));
        checks.lists().ask(&question, Some(&key), &resolver).await.answer
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
    // What is no DNS is thrown away or taken for a failure; never for a listing.
    assert!(matches!(ask("bl.example", "192.0.2.4").await, ListAnswer::Failed(_)));
    for silent in ["192.0.2.5", "192.0.2.6"] {
        let began = Instant::now();
        assert_eq!(ask("bl.example", silent).await, failed(ListFailure::TimedOut), "{silent}");
        assert!(began.elapsed() < Duration::from_secs(3), "its own time, not the resolver's");
    }
    assert_eq!(ask("bl.example", "192.0.2.7").await, ListAnswer::NotListed);
    assert_eq!(ask("bad.example", "192.0.2.1").await, failed(ListFailure::Suspended));
    let before = server.questions();
    assert!(matches!(ask("bl.example", "192.0.2.1").await, ListAnswer::Listed { .. }));
    assert_eq!(ask("bad.example", "192.0.2.2").await, failed(ListFailure::Suspended));
    assert_eq!(server.questions(), before, "one answer is remembered, the other not asked for");
}

/// What a list and a domain say to those they refuse comes late: what they
/// say of them holds all the same, when their time is over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_explanations_are_not_waited_for() {
    let (listed, late) = (Ipv4Addr::new(127, 0, 0, 4), Duration::from_secs(12));
    let table = DnsTable::new()
        .address("2.0.0.127.bl.example", "127.0.0.2".parse().expect("an address"))
        .address("1.2.0.192.bl.example", listed.into())
        .txt("1.2.0.192.bl.example", "see https://bl.example/?192.0.2.1")
        .late_texts("1.2.0.192.bl.example", late)
        .txt("sender.example", "v=spf1 exp=why.sender.example -all")
        .txt("why.sender.example", "%{i} is no server of ours")
        .late_texts("why.sender.example", late);
    let server = DnsServer::start(table).await.expect("a name server");
    let settings = ResolverSettings {
        servers: vec![server.at()],
        timeout: Duration::from_secs(15),
        concurrent_max: 64,
    };
    let resolver = DnsResolver::new(&settings).expect("a resolver");
    let checks = checks();
    let timeout = Duration::from_secs(1);
    checks
        .lists()
        .replace(vec![ListSettings { timeout, ..ListSettings::zone(domain("bl.example")) }]);
    let client: IpAddr = "192.0.2.1".parse().expect("an address");
    let question = ListQuestion { list: domain("bl.example"), of: ListSubject::Ip };
    let began = Instant::now();
    let said = checks.lists().ask(&question, Some(&ListKey::Ip(client)), &resolver).await;
    assert_eq!(said.answer, ListAnswer::listed(vec![listed], None));
    let sender = types::ReversePath::Address("ann@sender.example".parse().expect("an address"));
    let now = SystemClock::new().now();
    let question = SpfQuestion::about(client, None, &sender, "mx.corp.example", now);
    let found = checks.spf(&question, &resolver).await.observed;
    assert!(began.elapsed() < late / 2, "{:?}", began.elapsed());
    let Observed::Spf(facts) = &found else { panic!("{found:?}") };
    assert_eq!((facts.result, facts.flaw), (SpfResult::Fail, Some(Flaw::Unexplained)));
    assert!(found.is_degraded(), "it is recorded as what could not be found out");
}

/// A hundred questions to a list that takes two seconds do not keep others
/// from their answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_list_keeps_nobody_else_waiting() {
    let mut table = DnsTable::new();
    for n in 0..100 {
        table = table.slow(&format!("{n}.2.0.192.slow.example"), Duration::from_secs(2));
    }
    let server = DnsServer::start(table).await.expect("a name server");
    let settings = ResolverSettings {
        servers: vec![server.at()],
        timeout: Duration::from_secs(3),
        concurrent_max: 64,
    };
    let resolver = Arc::new(DnsResolver::new(&settings).expect("a resolver"));
    let checks = Arc::new(checks());
    let list = |name: &str, concurrent_max| ListSettings {
        concurrent_max,
        has_test_entries: false,
        ..ListSettings::zone(domain(name))
    };
    checks.lists().replace(vec![list("slow.example", 32), list("fast.example", 32)]);
    let ask = |list: &str, n: u32| {
        let (checks, resolver) = (Arc::clone(&checks), Arc::clone(&resolver));
        let question = ListQuestion { list: domain(list), of: ListSubject::Ip };
        async move {
            let key = ListKey::Ip(IpAddr::from([192, 0, 2, (n & 255) as u8]));
            checks.lists().ask(&question, Some(&key), &*resolver).await.answer
        }
    };
    let slow: Vec<_> = (0..100).map(|n| tokio::spawn(ask("slow.example", n))).collect();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let began = Instant::now();
    assert_eq!(ask("fast.example", 200).await, ListAnswer::NotListed);
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    for one in slow {
        let answer = one.await.expect("an answer");
        assert!(matches!(answer, ListAnswer::NotListed | ListAnswer::Failed(_)), "{answer:?}");
    }
}

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use checks::{
    CheckSettings, Checks, Directories, HarvestLimits, KnownLimits, ListFormat, ListKey,
    ListSettings, ListSource, RateLimit, RateLimits, RecipientSettings, Refusing, WhenStale,
    ZoneKey,
};
use types::policy::GreylistTimes;
use types::{Domain, ListAnswer, ListFacts, ListFailure, ListQuestion, ListSubject, Timestamp};
use world::simulated::{SimulatedClock, SimulatedProbe, SimulatedResolver};
use world::{BoxFuture, Clock, DnsError, Family, MxAnswer, Resolver};

const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

pub(super) struct World {
    pub(super) clock: SimulatedClock,
    pub(super) checks: Arc<Checks>,
}

pub(super) fn world() -> World {
    let clock = SimulatedClock::new(NOW);
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
        authentication_deadline: Duration::from_secs(20),
        sender_domains: true,
        client_names: true,
    };
    let disk = Arc::new(store::disk::SimulatedDisk::new());
    let options = store::StoreOptions::simulated("/data");
    let (store, _) = store::Store::open(disk, options, NOW).unwrap();
    let checks = Checks::new(
        Arc::new(clock.clone()),
        settings,
        Arc::new(Directories::default()),
        Arc::new(SimulatedProbe::default()),
        Arc::new(store),
    );
    World { clock, checks: Arc::new(checks) }
}

fn domain(name: &str) -> Domain {
    name.parse().unwrap()
}

fn by_ip(list: &str) -> ListQuestion {
    ListQuestion { list: domain(list), of: ListSubject::Ip }
}

fn client(ip: &str) -> ListKey {
    ListKey::Ip(ip.parse().unwrap())
}

/// A zone with the test entries of RFC 5782.
pub(super) fn zone() -> SimulatedResolver {
    let names = SimulatedResolver::new();
    enter(&names, "2.0.0.127.bl.example", "127.0.0.2");
    names
}

pub(super) fn enter(names: &SimulatedResolver, name: &str, ip: &str) {
    names.set_addresses(name, Ok(vec![ip.parse().unwrap()]));
}

pub(super) async fn ask(world: &World, ip: &str, resolver: &dyn Resolver) -> ListFacts {
    world.checks.lists().ask(&by_ip("bl.example"), Some(&client(ip)), resolver).await
}

pub(super) fn failed(facts: &ListFacts) -> Option<ListFailure> {
    match facts.answer {
        ListAnswer::Failed(why) => Some(why),
        _ => None,
    }
}

#[tokio::test]
async fn a_zone_answers_with_addresses_and_explains_itself() {
    let (world, names) = (world(), zone());
    enter(&names, "1.2.0.192.bl.example", "127.0.0.4");
    names.add_text("1.2.0.192.bl.example", "Listed\r\n250 yes");
    let facts = ask(&world, "192.0.2.1", &names).await;
    assert_eq!(facts.subject, "192.0.2.1");
    assert_eq!(
        facts.answer,
        ListAnswer::listed(vec!["127.0.0.4".parse().unwrap()], Some("Listed  250 yes"))
    );
    assert_eq!(ask(&world, "192.0.2.2", &names).await.answer, ListAnswer::NotListed);
    assert_eq!(ask(&world, "10.0.0.1", &names).await.answer, ListAnswer::NotAsked);
    let nothing = world.checks.lists().ask(&by_ip("bl.example"), None, &names).await;
    assert_eq!((nothing.answer, nothing.subject.as_str()), (ListAnswer::NotAsked, ""));
}

#[tokio::test]
async fn lies_and_failures_are_never_listings() {
    let (world, names) = (world(), zone());
    for (last, answers) in [
        (1, vec!["127.255.255.254"]),
        (2, vec!["192.0.2.80"]),
        (3, vec!["127.0.0.2", "127.255.255.252"]),
        (4, vec!["127.0.0.2", "8.8.8.8"]),
    ] {
        let answers = answers.iter().map(|ip| ip.parse().unwrap()).collect();
        names.set_addresses(&format!("{last}.2.0.192.bl.example"), Ok(answers));
        let facts = ask(&world, &format!("192.0.2.{last}"), &names).await;
        assert!(matches!(failed(&facts), Some(ListFailure::ErrorAnswer(_))), "{facts:?}");
        // It is not refusals in a row that this is about.
        assert_eq!(ask(&world, "198.51.100.1", &names).await.answer, ListAnswer::NotListed);
    }
    for (error, failure) in [
        (DnsError::TimedOut, ListFailure::TimedOut),
        (DnsError::ServerFailure, ListFailure::Unreachable),
        (DnsError::Malformed, ListFailure::Malformed),
    ] {
        names.set_addresses("9.2.0.192.bl.example", Err(error));
        assert_eq!(failed(&ask(&world, "192.0.2.9", &names).await), Some(failure));
    }
    // Thousands of answers are one listing with a few of them.
    let many = (0..4_000_u32).map(|n| IpAddr::from((0x7f00_0002 + n).to_be_bytes())).collect();
    names.set_addresses("8.2.0.192.bl.example", Ok(many));
    let facts = ask(&world, "192.0.2.8", &names).await;
    assert!(matches!(facts.answer, ListAnswer::Listed { answers, .. } if answers.len() == 8));
}

#[tokio::test]
async fn a_list_that_refuses_us_is_told_of_until_it_answers_for_a_while() {
    let (world, names) = (world(), zone());
    let refusing = || world.checks.lists().status()[0].refusing;
    ask(&world, "192.0.2.2", &names).await;
    assert_eq!(refusing(), None);
    for (last, answer) in [(7, "127.255.255.255"), (8, "127.255.255.254")] {
        enter(&names, &format!("{last}.2.0.192.bl.example"), answer);
        world.clock.advance(Duration::from_secs(1));
        ask(&world, &format!("192.0.2.{last}"), &names).await;
    }
    let answer = "127.255.255.254".parse().unwrap();
    let (since, last) = (NOW + Duration::from_secs(1), NOW + Duration::from_secs(2));
    let told = Some(Refusing { answer, count: 2, since, last, left_alone_until: None });
    assert_eq!(refusing(), told);
    // Another resolver, say, is answered; and what timed out says nothing.
    for _ in 0..40 {
        ask(&world, "192.0.2.2", &names).await;
    }
    assert_eq!(refusing(), told, "soon after it is no proof");
    world.clock.advance(Duration::from_secs(600));
    ask(&world, "192.0.2.8", &names).await;
    world.clock.advance(Duration::from_secs(600));
    for n in 0..15 {
        ask(&world, &format!("198.51.100.{n}"), &names).await;
    }
    assert_eq!(refusing().map(|refusing| refusing.count), Some(3), "few answers are no proof");
    ask(&world, "198.51.100.15", &names).await;
    assert_eq!(refusing(), None);
}

#[tokio::test]
async fn a_list_that_goes_on_refusing_us_is_left_alone_for_longer_and_longer() {
    let (world, names) = (world(), zone());
    let refusal = "127.255.255.255";
    for last in 1..100 {
        enter(&names, &format!("{last}.2.0.192.bl.example"), refusal);
    }
    let answer = refusal.parse().unwrap();
    for last in 1..=3 {
        let facts = ask(&world, &format!("192.0.2.{last}"), &names).await;
        assert_eq!(failed(&facts), Some(ListFailure::ErrorAnswer(answer)));
    }
    let status = || world.checks.lists().status().remove(0);
    for minutes in [1, 2, 4, 8, 16, 32, 60, 60] {
        let pause = Duration::from_secs(minutes * 60);
        let until = world.clock.now() + pause;
        for last in 4..50 {
            let facts = ask(&world, &format!("192.0.2.{last}"), &names).await;
            assert_eq!(failed(&facts), Some(ListFailure::LeftAlone(answer)), "{minutes} min");
        }
        assert_eq!(status().refusing.unwrap().left_alone_until, Some(until));
        world.clock.advance(pause);
        let facts = ask(&world, "192.0.2.50", &names).await;
        assert_eq!(failed(&facts), Some(ListFailure::ErrorAnswer(answer)), "one asks");
    }
    // Once it answers, everybody asks again.
    names.set_addresses("51.2.0.192.bl.example", Err(DnsError::NoSuchName));
    world.clock.advance(Duration::from_secs(3_600));
    assert_eq!(ask(&world, "192.0.2.51", &names).await.answer, ListAnswer::NotListed);
    assert_eq!(status().refusing.unwrap().left_alone_until, None);
    let facts = ask(&world, "192.0.2.52", &names).await;
    assert_eq!(failed(&facts), Some(ListFailure::ErrorAnswer(answer)));
    assert_eq!(status().answers[5], 8 * 46);
}

#[tokio::test]
async fn a_list_with_wrong_test_entries_is_suspended_and_says_so() {
    let (world, names) = (world(), zone());
    enter(&names, "1.0.0.127.bl.example", "127.0.0.2");
    enter(&names, "1.2.0.192.bl.example", "127.0.0.2");
    assert_eq!(failed(&ask(&world, "192.0.2.1", &names).await), Some(ListFailure::Suspended));
    let status = world.checks.lists().status();
    let (why, since) = status[0].suspended.unwrap();
    assert_eq!((why.words(), since), ("it lists the test entry that no list may have", NOW));
    names.set_addresses("1.0.0.127.bl.example", Err(DnsError::NoSuchName));
    assert_eq!(failed(&ask(&world, "192.0.2.1", &names).await), Some(ListFailure::Suspended));
    world.clock.advance(Duration::from_secs(300));
    assert!(matches!(ask(&world, "192.0.2.1", &names).await.answer, ListAnswer::Listed { .. }));
    assert_eq!(world.checks.lists().status()[0].suspended, None);
}

/// Which of the clients from the 40th on is the first to find the list
/// suspended, if all from there on are listed.
async fn suspended_in_a_flood(has_test_entries: bool) -> Option<u32> {
    let (world, names) = (world(), zone());
    let list = ListSettings { has_test_entries, ..ListSettings::zone(domain("bl.example")) };
    assert!(world.checks.lists().replace(vec![list]).is_empty());
    let number = |n: u32| IpAddr::from((0xcb00_7100 + n).to_be_bytes()).to_string();
    for n in 0..40 {
        assert_eq!(ask(&world, &number(n), &names).await.answer, ListAnswer::NotListed);
    }
    for n in 40..240 {
        enter(&names, &format!("{n}.113.0.203.bl.example"), "127.0.0.2");
        let facts = ask(&world, &number(n), &names).await;
        if failed(&facts) == Some(ListFailure::Suspended) {
            return Some(n);
        }
    }
    None
}

#[tokio::test]
async fn a_list_that_begins_to_list_everybody_is_suspended_unless_its_test_entries_are_right() {
    assert_eq!(suspended_in_a_flood(false).await, Some(167), "the 128th in a row");
    assert_eq!(suspended_in_a_flood(true).await, None, "a flood must not switch it off");
}

#[tokio::test]
async fn the_settings_give_a_list_another_zone_and_no_test_entries() {
    let (world, names) = (world(), SimulatedResolver::new());
    let settings = ListSettings {
        source: ListSource::Zone(domain("key.bl.example")),
        has_test_entries: false,
        ..ListSettings::zone(domain("bl.example"))
    };
    assert!(world.checks.lists().replace(vec![settings]).is_empty());
    enter(&names, "1.2.0.192.key.bl.example", "127.0.0.2");
    let facts = ask(&world, "192.0.2.1", &names).await;
    assert!(matches!(facts.answer, ListAnswer::Listed { .. }), "{facts:?}");
    assert_eq!(facts.list.as_str(), "bl.example", "the key is nobody's business");
}

#[tokio::test]
async fn no_part_of_a_key_is_kept_of_an_explanation() {
    let (world, names) = (world(), SimulatedResolver::new());
    let zone_key = ZoneKey::new("Secret", &domain("bl.example"));
    let settings = ListSettings {
        zone_key,
        has_test_entries: false,
        ..ListSettings::zone(domain("bl.example"))
    };
    assert!(world.checks.lists().replace(vec![settings]).is_empty());
    // The second lies across the end of what is kept.
    let rows = ["see SECRET", &format!("{}secret.bl", "x".repeat(197)), "see bl.example"];
    for (number, text) in rows.into_iter().enumerate() {
        let name = format!("{number}.2.0.192.secret.bl.example");
        enter(&names, &name, "127.0.0.2");
        names.add_text(&name, text);
        let facts = ask(&world, &format!("192.0.2.{number}"), &names).await;
        let kept = (number == 2).then_some(text);
        let expected = ListAnswer::listed(vec!["127.0.0.2".parse().unwrap()], kept);
        assert_eq!(facts.answer, expected, "{text}");
    }
}

/// Answers after a time, and counts what is under way.
struct Slow {
    clock: SimulatedClock,
    after: Duration,
    open: AtomicUsize,
    most: AtomicUsize,
}

macro_rules! unused {
    ($($name:ident($argument:ty) -> $answer:ty;)*) => {
        $(fn $name<'a>(&'a self, _: $argument) -> BoxFuture<'a, Result<$answer, DnsError>> {
            Box::pin(std::future::ready(Err(DnsError::NoSuchName)))
        })*
    };
}

struct Open<'a>(&'a AtomicUsize);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Resolver for Slow {
    unused! {
        mx(&'a Domain) -> MxAnswer;
        exchangers(&'a str) -> Vec<String>;
        addresses(&'a str) -> Vec<IpAddr>;
        texts(&'a str) -> Vec<Vec<u8>>;
    }

    fn reverse(&self, _: IpAddr) -> BoxFuture<'_, Result<Vec<Domain>, DnsError>> {
        Box::pin(std::future::ready(Err(DnsError::NoSuchName)))
    }

    fn addresses_in<'a>(
        &'a self,
        _: Family,
        _: &'a str,
    ) -> BoxFuture<'a, Result<Vec<IpAddr>, DnsError>> {
        Box::pin(async {
            let open = self.open.fetch_add(1, Ordering::Relaxed) + 1;
            self.most.fetch_max(open, Ordering::Relaxed);
            // Given back even if nobody waits any more.
            let _open = Open(&self.open);
            self.clock.sleep(self.after).await;
            Ok(vec!["127.0.0.2".parse().unwrap()])
        })
    }
}

#[tokio::test]
async fn a_silent_list_ends_after_its_time_and_few_wait_for_it_at_once() {
    let world = world();
    let settings = ListSettings {
        timeout: Duration::from_secs(2),
        concurrent_max: 3,
        has_test_entries: false,
        ..ListSettings::zone(domain("bl.example"))
    };
    world.checks.lists().replace(vec![settings]);
    let slow = Arc::new(Slow {
        clock: world.clock.clone(),
        after: Duration::from_secs(3_600),
        open: AtomicUsize::new(0),
        most: AtomicUsize::new(0),
    });
    let asked: Vec<_> = (0..10)
        .map(|n| {
            let (checks, slow) = (Arc::clone(&world.checks), Arc::clone(&slow));
            tokio::spawn(async move {
                let key = client(&format!("192.0.2.{n}"));
                checks.lists().ask(&by_ip("bl.example"), Some(&key), &*slow).await
            })
        })
        .collect();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    world.clock.advance(Duration::from_secs(2));
    let mut failures = Vec::new();
    for one in asked {
        let facts = one.await.unwrap();
        assert_eq!(facts.took.0, 2_000_000);
        failures.extend(failed(&facts));
    }
    assert_eq!(failures.iter().filter(|f| **f == ListFailure::TimedOut).count(), 3);
    assert_eq!(failures.iter().filter(|f| **f == ListFailure::Limited).count(), 7);
    assert_eq!(slow.most.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn a_file_is_a_list_and_is_read_again_when_it_changes() {
    let world = world();
    let folder = std::env::temp_dir().join(format!("portcullis-lists-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path: PathBuf = folder.join("bad.txt");
    std::fs::write(&path, "192.0.2.0/24\n10.0.0.1\n").unwrap();
    let source = ListSource::File { path: path.clone(), format: ListFormat::Text };
    let settings = ListSettings { source, ..ListSettings::zone(domain("bl.example")) };
    assert!(world.checks.lists().replace(vec![settings.clone()]).is_empty());
    let names = SimulatedResolver::new();
    let facts = ask(&world, "192.0.2.1", &names).await;
    assert!(matches!(facts.answer, ListAnswer::Listed { .. }), "{facts:?}");
    let own = ask(&world, "10.0.0.1", &names).await;
    assert!(matches!(own.answer, ListAnswer::Listed { .. }), "in a file private addresses count");
    world.clock.advance(Duration::from_secs(90));
    assert_eq!(ask(&world, "192.0.2.1", &names).await.read_ago_s, Some(90));
    assert!(world.checks.lists().reread().is_empty());
    assert_eq!(ask(&world, "192.0.2.1", &names).await.read_ago_s, Some(90), "it did not change");
    let change = |text: &str, seconds: u64| {
        std::fs::write(&path, text).unwrap();
        let later = std::time::SystemTime::now() + Duration::from_secs(seconds);
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(later).unwrap();
    };
    change("192.0.2.999\n", 5);
    let errors = world.checks.lists().reread();
    assert!(errors[0].to_string().contains("bad.txt:1: \"192.0.2.999\""), "{errors:?}");
    let broken = || world.checks.lists().status()[0].broken;
    assert!(broken());
    assert!(matches!(ask(&world, "192.0.2.1", &names).await.answer, ListAnswer::Listed { .. }));
    change("198.51.100.1\n", 9);
    assert!(world.checks.lists().reread().is_empty());
    assert_eq!(ask(&world, "192.0.2.1", &names).await.answer, ListAnswer::NotListed);
    assert_eq!(world.checks.lists().status()[0].file, Some(Some((1, 0))));
    assert!(!broken());
    change("192.0.2.999\n", 20);
    assert_eq!(world.checks.lists().reread().len(), 1);
    change("198.51.100.1\n", 9);
    assert!(broken());
    assert!(world.checks.lists().reread().is_empty() && !broken(), "the one that was read is back");
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(world.checks.lists().reread().len(), 1);
    assert_eq!(
        ask(&world, "198.51.100.1", &names).await.read_ago_s,
        Some(0),
        "what was read stays"
    );
    let other = ListSettings { timeout: Duration::from_secs(9), ..settings };
    assert_eq!(world.checks.lists().replace(vec![other]).len(), 1);
    let facts = ask(&world, "198.51.100.1", &names).await;
    assert_eq!(failed(&facts), Some(ListFailure::NotRead));
}

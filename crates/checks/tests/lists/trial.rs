//! What becomes of sessions while a list is being tested.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use checks::Suspicion;
use types::{Domain, ListAnswer, ListFailure};
use world::simulated::{SimulatedClock, SimulatedResolver};
use world::{BoxFuture, Clock, DnsError, Family, MxAnswer, Resolver};

use super::asked::{World, ask, enter, failed, world, zone};

/// A zone that answers for its test entries after a time.
struct SlowTest {
    names: SimulatedResolver,
    clock: SimulatedClock,
    millis: AtomicU64,
    /// Whether explanations never come.
    unexplained: AtomicBool,
}

impl SlowTest {
    fn new(world: &World, names: SimulatedResolver, millis: u64) -> Arc<Self> {
        let (clock, millis) = (world.clock.clone(), AtomicU64::new(millis));
        Arc::new(SlowTest { names, clock, millis, unexplained: AtomicBool::new(false) })
    }
}

impl Resolver for SlowTest {
    fn mx<'a>(&'a self, domain: &'a Domain) -> BoxFuture<'a, Result<MxAnswer, DnsError>> {
        self.names.mx(domain)
    }

    fn exchangers<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<String>, DnsError>> {
        self.names.exchangers(name)
    }

    fn addresses<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, DnsError>> {
        self.names.addresses(name)
    }

    fn texts<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<Vec<u8>>, DnsError>> {
        Box::pin(async move {
            if self.unexplained.load(Ordering::Relaxed) {
                std::future::pending::<()>().await;
            }
            self.names.texts(name).await
        })
    }

    fn reverse(&self, ip: IpAddr) -> BoxFuture<'_, Result<Vec<Domain>, DnsError>> {
        self.names.reverse(ip)
    }

    fn addresses_in<'a>(
        &'a self,
        family: Family,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Vec<IpAddr>, DnsError>> {
        Box::pin(async move {
            if name.contains(".0.0.127.") {
                let time = Duration::from_millis(self.millis.load(Ordering::Relaxed));
                self.clock.sleep(time).await;
            }
            self.names.addresses_in(family, name).await
        })
    }
}

/// A zone that lists its tests, six clients and, if it is shut down, the
/// entry that no list may have.
fn listing(shut_down: bool) -> SimulatedResolver {
    let names = zone();
    if shut_down {
        enter(&names, "1.0.0.127.bl.example", "127.0.0.2");
    }
    (1..=6).for_each(|n| enter(&names, &format!("{n}.2.0.192.bl.example"), "127.0.0.2"));
    names
}

/// What six clients are told of whom each comes 70 ms after the one before.
async fn six(world: &World, resolver: &Arc<SlowTest>) -> Vec<ListAnswer> {
    let mut asked = Vec::new();
    for n in 1..=6 {
        let (checks, resolver) = (Arc::clone(&world.checks), Arc::clone(resolver));
        let clock = world.clock.clone();
        asked.push(tokio::spawn(async move {
            let world = World { clock, checks };
            ask(&world, &format!("192.0.2.{n}"), &*resolver).await
        }));
        pass(world, 70).await;
    }
    // As long as any of them may wait.
    for _ in 0..50 {
        pass(world, 100).await;
    }
    let mut answers = Vec::new();
    for one in asked {
        answers.push(one.await.unwrap().answer);
    }
    answers
}

/// Time passes, and everybody does what there is to do.
async fn pass(world: &World, millis: u64) {
    settle().await;
    world.clock.advance(Duration::from_millis(millis));
    settle().await;
}

async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

fn all_are(answers: &[ListAnswer], failure: ListFailure) -> bool {
    answers.iter().all(|answer| *answer == ListAnswer::Failed(failure))
}

fn suspicion(world: &World) -> Option<Suspicion> {
    world.checks.lists().status()[0].suspended.map(|(why, _)| why)
}

#[tokio::test]
async fn nobody_is_listed_by_a_zone_that_lists_everything_while_it_is_tested() {
    let world = world();
    let resolver = SlowTest::new(&world, listing(true), 400);
    let answers = six(&world, &resolver).await;
    assert!(all_are(&answers, ListFailure::Suspended), "{answers:?}");
    assert_eq!(suspicion(&world), Some(Suspicion::ListsTheUnlistable));
}

#[tokio::test]
async fn a_good_list_that_is_shut_down_refuses_nobody_once_its_test_is_due() {
    let world = world();
    let resolver = SlowTest::new(&world, listing(false), 400);
    let answers = six(&world, &resolver).await;
    let listed = |answer: &ListAnswer| matches!(answer, ListAnswer::Listed { .. });
    assert!(answers.iter().all(listed), "they waited for the test: {answers:?}");
    enter(&resolver.names, "1.0.0.127.bl.example", "127.0.0.2");
    pass(&world, 600_000).await;
    let answers = six(&world, &resolver).await;
    assert!(all_are(&answers, ListFailure::Suspended), "{answers:?}");
}

#[tokio::test]
async fn a_test_that_is_never_answered_in_time_is_a_failed_one() {
    let world = world();
    let resolver = SlowTest::new(&world, listing(true), 3_600_000);
    let answers = six(&world, &resolver).await;
    assert!(!answers.iter().any(|answer| matches!(answer, ListAnswer::Listed { .. })));
    assert_eq!(suspicion(&world), Some(Suspicion::TestUnanswered));
}

#[tokio::test]
async fn one_slow_test_of_a_good_list_does_not_suspend_it() {
    let world = world();
    let resolver = SlowTest::new(&world, listing(false), 10);
    six(&world, &resolver).await;
    resolver.millis.store(3_600_000, Ordering::Relaxed);
    pass(&world, 600_000).await;
    let answers = six(&world, &resolver).await;
    assert!(all_are(&answers, ListFailure::TimedOut), "{answers:?}");
    assert_eq!(suspicion(&world), None);
    resolver.millis.store(0, Ordering::Relaxed);
    let facts = ask(&world, "192.0.2.1", &*resolver).await;
    assert!(matches!(facts.answer, ListAnswer::Listed { .. }), "{facts:?}");
    assert_eq!(failed(&facts), None);
}

#[tokio::test]
async fn a_test_counts_though_the_explanation_of_a_listing_is_slow() {
    let world = world();
    let resolver = SlowTest::new(&world, listing(false), 400);
    resolver.unexplained.store(true, Ordering::Relaxed);
    let answers = six(&world, &resolver).await;
    assert!(answers.iter().all(|answer| matches!(answer, ListAnswer::Listed { .. })));
    assert_eq!(suspicion(&world), None);
}

#[tokio::test]
async fn a_client_that_hangs_up_does_not_end_the_test_for_others() {
    let world = world();
    let resolver = SlowTest::new(&world, listing(false), 400);
    let (checks, clock, slow) =
        (Arc::clone(&world.checks), world.clock.clone(), Arc::clone(&resolver));
    let first = tokio::spawn(async move {
        ask(&World { clock, checks }, "192.0.2.9", &*slow).await;
    });
    pass(&world, 10).await;
    first.abort();
    let answers = six(&world, &resolver).await;
    let listed = |answer: &ListAnswer| matches!(answer, ListAnswer::Listed { .. });
    assert!(answers.iter().all(listed), "{answers:?}");
}

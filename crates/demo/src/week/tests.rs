//! A simulated evening: the generator against a server in this process that
//! takes everything, so that both sides can be compared.

use std::sync::atomic::{AtomicU64, Ordering};

use world::simulated::SimulatedNetwork;

use super::*;
use crate::sink::{Sink, SinkCounts};

/// Counts ticks and holds them to their order.
#[derive(Default)]
struct Ticks {
    count: AtomicU64,
    last: AtomicU64,
    widest: AtomicU64,
}

impl Timers for Ticks {
    fn tick(&self, now: Timestamp) -> BoxFuture<'_, ()> {
        let now = u64::try_from(now.as_millis()).unwrap();
        let before = self.last.swap(now, Ordering::Relaxed);
        assert!(now >= before);
        if self.count.fetch_add(1, Ordering::Relaxed) > 0 {
            self.widest.fetch_max(now - before, Ordering::Relaxed);
        }
        Box::pin(std::future::ready(()))
    }
}

async fn evening(seed: u64) -> (WeekReport, SinkCounts, Ticks) {
    let start: Timestamp = "2026-11-20T16:00:00Z".parse().unwrap();
    let clock = SimulatedClock::new(start);
    let network = SimulatedNetwork::new(Arc::new(clock.clone()));
    let target: SocketAddr = "192.0.2.25:25".parse().unwrap();
    let mut listener = network.listen(target);
    let sink = Sink::new(Arc::new(clock.clone()));
    let server = sink.clone();
    let serving = tokio::spawn(async move {
        while let Some((stream, _)) = listener.accept().await {
            let server = server.clone();
            tokio::spawn(async move { server.serve(stream).await });
        }
    });
    let end = start + Duration::from_secs(6 * 3_600);
    let plan = WeekPlan { seed, start, end, attempts: 500, messages: None };
    let ticks = Ticks::default();
    let world = DemoWorld { clock: clock.clone(), dial: Arc::new(network), target };
    let report = week(plan, world, &ticks).await;
    assert_eq!(world::Clock::now(&clock), end);
    serving.abort();
    (report, sink.counts(), ticks)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_evening_passes_and_both_sides_count_the_same() {
    let (report, sink, ticks) = evening(7).await;
    let counts = report.counts;
    assert!(report.errands >= 200 && counts.attempts > 300, "{report:?}");
    assert_eq!((sink.connections, counts.failed), (counts.connections, 0), "{counts:?} {sink:?}");
    assert!(sink.messages > 100 && sink.octets > sink.messages * 200, "{sink:?}");
    assert!(sink.deferred > 0 && sink.refused > 0, "{sink:?}");
    assert!(counts.accepted >= sink.messages / 2 && counts.refused > 0, "{counts:?} {sink:?}");
    let widest = Duration::from_millis(ticks.widest.into_inner());
    assert!(widest <= 2 * AHEAD_MAX, "{widest:?} without a tick");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_seed_makes_the_same_evening() {
    let (first, ..) = evening(3).await;
    let (second, ..) = evening(3).await;
    assert_eq!(first.errands, second.errands);
    let near = first.counts.attempts.abs_diff(second.counts.attempts);
    // Who meets the busy mailbox first is open, and with it who comes back.
    assert!(near <= 20, "{first:?} {second:?}");
}

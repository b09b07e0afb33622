//! A simulated evening: the generator against a server in this process that
//! takes everything, so that both sides can be compared.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use world::simulated::{SimulatedListener, SimulatedNetwork};

use super::*;
use crate::origin::Origin;
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

    fn stop(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// A mail server that takes mail from the world, directly or by way of the
/// balancer, and has no TLS, so that nobody submits.
async fn serve(sink: Sink, mut listener: SimulatedListener) {
    let balancer = Origin::BALANCER.address(Side::Simulated);
    while let Some((mut stream, peer)) = listener.accept().await {
        let sink = sink.clone();
        tokio::spawn(async move {
            // Octet by octet: what follows the header belongs to the dialogue.
            while peer.ip() == balancer && stream.read_u8().await.is_ok_and(|octet| octet != b'\n')
            {
            }
            sink.serve(stream).await;
        });
    }
}

/// Tells everybody who asks to go on.
async fn advise(mut listener: SimulatedListener) {
    while let Some((stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            let mut stream = BufReader::new(stream);
            let mut line = String::new();
            while stream.read_line(&mut line).await.is_ok_and(|octets| octets > 0) {
                if std::mem::take(&mut line) == "\n" {
                    stream.write_all(b"action=DUNNO\n\n").await.unwrap();
                }
            }
        });
    }
}

async fn evening(seed: u64) -> (WeekReport, SinkCounts, Ticks) {
    let start: Timestamp = "2026-11-20T16:00:00Z".parse().unwrap();
    let clock = SimulatedClock::new(start);
    let network = SimulatedNetwork::new(Arc::new(clock.clone()));
    let inbound: SocketAddr = "192.0.2.25:25".parse().unwrap();
    let policy_service: SocketAddr = "192.0.2.25:10023".parse().unwrap();
    let sink = Sink::new(Arc::new(clock.clone()));
    let serving = tokio::spawn(serve(sink.clone(), network.listen(inbound)));
    let advising = tokio::spawn(advise(network.listen(policy_service)));
    let end = start + Duration::from_secs(6 * 3_600);
    let plan = WeekPlan { seed, start, end, attempts: 700, messages: None };
    let ticks = Ticks::default();
    let tls = world::Authorities::none().connector().unwrap();
    let doors = Doors { inbound, submission: inbound, policy_service, tls };
    let world = DemoWorld { clock: clock.clone(), dial: Arc::new(network), doors };
    let report = week(plan, world, &ticks).await;
    assert_eq!(world::Clock::now(&clock), end);
    serving.abort();
    advising.abort();
    (report, sink.counts(), ticks)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_evening_passes_and_both_sides_count_the_same() {
    let (report, sink, ticks) = evening(7).await;
    let counts = report.counts;
    assert!(report.errands >= 200 && counts.attempts > 300, "{report:?}");
    assert_eq!(counts.failed, 0, "{counts:?} {sink:?}");
    let asked = counts.connections - sink.connections;
    assert!((1..30).contains(&asked), "{asked} questions of another server");
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

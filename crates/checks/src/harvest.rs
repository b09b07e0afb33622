//! Who asks for recipients that do not exist, again and again: a list of
//! names is being tried out (directory harvesting).
//!
//! Each client and each network has a bucket that unknown recipients fill and
//! time empties. From half full on, the replies about unknown recipients are
//! slowed; when it is full, nothing is said about any recipient until there is
//! room again, so that what exists cannot be told from what does not.
//! Whoever is exempt is neither counted nor looked at.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use ipnet::IpNet;
use quick_cache::sync::Cache;
use types::{Observed, Rate, Timestamp, host_key, network_key};

/// Clients and networks that are remembered, each; forgetting one that was
/// quiet is harmless.
const REMEMBERED_MAX: usize = 100_000;

/// How many unknown recipients are too many, and what is done before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HarvestLimits {
    /// Of one client (IPv6: of one /64) in a window; 0 for no limit.
    pub by_client_max: u32,
    /// Of one network in a window; 0 for no limit.
    pub by_network_max: u32,
    /// The time in which a full bucket empties.
    pub window: Duration,
    /// How long replies are held back from half of a limit on.
    pub delay: Duration,
    /// Replies held back at once; beyond, they are given at once.
    pub delayed_max: u32,
}

impl HarvestLimits {
    /// No limits.
    pub const NONE: HarvestLimits = HarvestLimits {
        by_client_max: 0,
        by_network_max: 0,
        window: Duration::ZERO,
        delay: Duration::ZERO,
        delayed_max: 0,
    };

    fn of_client(&self) -> Option<Bucket> {
        Bucket::new(self.by_client_max, self.window)
    }

    fn of_network(&self) -> Option<Bucket> {
        Bucket::new(self.by_network_max, self.window)
    }
}

/// Whether a client is in one of the networks that may ask for as many unknown
/// recipients as they like.
pub(crate) fn is_exempt(ip: IpAddr, networks: &[IpNet]) -> bool {
    let ip = ip.to_canonical();
    networks.iter().any(|network| network.contains(&ip))
}

/// Unknown recipients since the start, for the metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HarvestCounts {
    /// Replies about unknown recipients that were held back.
    pub delayed: u64,
    /// Replies held back now.
    pub delayed_now: u32,
    /// Recipients about which nothing was said.
    pub refused: u64,
}

/// A limit over a time, on one remembered instant (see [`types::rate`]).
#[derive(Clone, Copy, Debug)]
struct Bucket {
    max: u32,
    every_ms: i64,
}

impl Bucket {
    fn new(max: u32, window: Duration) -> Option<Bucket> {
        let window_ms = i64::try_from(window.as_millis()).unwrap_or(i64::MAX);
        let every_ms = window_ms.checked_div(i64::from(max))?.max(1);
        Some(Bucket { max, every_ms })
    }

    /// How full it is, rounded up.
    fn level(self, due_ms: i64, now: Timestamp) -> u32 {
        let ahead_ms = due_ms.saturating_sub(now.as_millis()).max(0);
        let level = ahead_ms.saturating_add(self.every_ms - 1) / self.every_ms;
        u32::try_from(level).unwrap_or(u32::MAX)
    }

    /// In how many seconds there is room for one, if it is full.
    fn full_for_s(self, due_ms: i64, now: Timestamp) -> Option<u64> {
        self.rate().take(due_ms, now.as_millis()).err().map(|wait_ms| wait_ms.div_ceil(1_000))
    }

    fn rate(self) -> Rate {
        Rate::every_ms(u32::try_from(self.every_ms).unwrap_or(u32::MAX), self.max)
    }
}

/// What was counted of everybody.
pub struct Harvest {
    clients: Cache<IpAddr, Arc<AtomicI64>>,
    networks: Cache<IpAddr, Arc<AtomicI64>>,
    delayed_now: AtomicU32,
    delayed: AtomicU64,
    refused: AtomicU64,
}

impl Default for Harvest {
    fn default() -> Self {
        Harvest {
            clients: Cache::new(REMEMBERED_MAX),
            networks: Cache::new(REMEMBERED_MAX),
            delayed_now: AtomicU32::new(0),
            delayed: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }
}

impl Harvest {
    /// Whether a client or its network has asked for too many; nothing if not.
    pub(crate) fn look(
        &self,
        ip: IpAddr,
        now: Timestamp,
        limits: HarvestLimits,
    ) -> Option<Observed> {
        let over = |cell: Option<Arc<AtomicI64>>, bucket: Option<Bucket>, by_network| {
            let (bucket, due) = (bucket?, cell?.load(Ordering::Relaxed));
            let retry_in_s = bucket.full_for_s(due, now)?;
            let (unknown, max) = (bucket.level(due, now), bucket.max);
            Some(Observed::Harvest { unknown, max, by_network, retry_in_s })
        };
        over(self.clients.get(&host_key(ip)), limits.of_client(), false)
            .or_else(|| over(self.networks.get(&network_key(ip)), limits.of_network(), true))
    }

    /// Counts a recipient about which nothing was said for this.
    pub fn count_refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts an unknown recipient; whether the reply is to be held back.
    pub(crate) fn count(&self, ip: IpAddr, now: Timestamp, limits: HarvestLimits) -> bool {
        let counted = |cells: &Cache<IpAddr, Arc<AtomicI64>>, key, bucket: Option<Bucket>| {
            let Some(bucket) = bucket else { return false };
            let Ok(cell) = cells.get_or_insert_with(&key, || {
                Ok::<_, std::convert::Infallible>(Arc::new(AtomicI64::new(i64::MIN)))
            });
            fill(&cell, bucket, now) > bucket.max / 2
        };
        let client = counted(&self.clients, host_key(ip), limits.of_client());
        let network = counted(&self.networks, network_key(ip), limits.of_network());
        client || network
    }

    /// A place among the replies that are held back, for as long as it is
    /// kept; none if there are too many.
    pub(crate) fn hold(self: &Arc<Self>, limits: HarvestLimits) -> Option<HeldBack> {
        let taken = self.delayed_now.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| {
            (now < limits.delayed_max).then_some(now + 1)
        });
        taken.ok()?;
        self.delayed.fetch_add(1, Ordering::Relaxed);
        Some(HeldBack(Arc::clone(self)))
    }

    /// What was counted since the start.
    pub fn counts(&self) -> HarvestCounts {
        HarvestCounts {
            delayed: self.delayed.load(Ordering::Relaxed),
            delayed_now: self.delayed_now.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
        }
    }
}

/// Puts one into a bucket, which may overflow by as many as ask at the same
/// moment; gives how full it is then.
fn fill(cell: &AtomicI64, bucket: Bucket, now: Timestamp) -> u32 {
    let believed = |due: i64| bucket.rate().believed(due, now.as_millis());
    let filled = |due: i64| believed(due).saturating_add(bucket.every_ms);
    let before = cell.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |due| Some(filled(due)));
    bucket.level(filled(before.unwrap_or(i64::MIN)), now)
}

/// A reply that is held back; dropped, its place is free again.
pub struct HeldBack(Arc<Harvest>);

impl Drop for HeldBack {
    fn drop(&mut self) {
        self.0.delayed_now.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: HarvestLimits = HarvestLimits {
        by_client_max: 4,
        by_network_max: 6,
        window: Duration::from_secs(40),
        delay: Duration::from_secs(5),
        delayed_max: 1,
    };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(1_795_000_000_000 + second * 1_000)
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn half_is_slowed_full_is_refused_and_time_makes_room() {
        let harvest = Harvest::default();
        let one = ip("192.0.2.1");
        let slowed: Vec<bool> = (0..4).map(|_| harvest.count(one, at(0), LIMITS)).collect();
        assert_eq!(slowed, [false, false, true, true]);
        let full = Observed::Harvest { unknown: 4, max: 4, by_network: false, retry_in_s: 10 };
        assert_eq!(harvest.look(one, at(0), LIMITS), Some(full));
        assert_eq!(harvest.look(one, at(10), LIMITS), None, "one has run out");
        assert_eq!(harvest.look(ip("192.0.2.2"), at(0), LIMITS), None, "a neighbour may go on");
        assert_eq!(harvest.counts().refused, 0, "looking refuses nobody");
        harvest.count_refused();
        assert_eq!(harvest.counts().refused, 1);
    }

    #[test]
    fn who_spreads_over_a_network_is_counted_by_it() {
        let harvest = Harvest::default();
        for host in 1..=6 {
            harvest.count(ip(&format!("192.0.2.{host}")), at(0), LIMITS);
        }
        let seen = harvest.look(ip("192.0.2.77"), at(0), LIMITS);
        assert!(matches!(seen, Some(Observed::Harvest { by_network: true, max: 6, .. })));
        assert_eq!(harvest.look(ip("192.0.3.1"), at(0), LIMITS), None);
        let none = HarvestLimits::NONE;
        assert_eq!(harvest.look(ip("192.0.2.77"), at(0), none), None);
        assert!(!harvest.count(ip("192.0.2.77"), at(0), none));
    }

    #[test]
    fn who_is_in_an_exempt_network_is_known_in_every_spelling() {
        let networks = ["192.0.2.0/25", "2001:db8::/48"].map(|net| net.parse().unwrap());
        for (client, exempt) in [
            ("192.0.2.1", true),
            ("::ffff:192.0.2.1", true),
            ("192.0.2.200", false),
            ("2001:db8::7", true),
            ("2001:db9::7", false),
        ] {
            assert_eq!(is_exempt(ip(client), &networks), exempt, "{client}");
            assert!(!is_exempt(ip(client), &[]));
        }
    }

    #[test]
    fn only_so_many_replies_are_held_back() {
        let harvest = Arc::new(Harvest::default());
        let first = harvest.hold(LIMITS);
        assert!(first.is_some() && harvest.hold(LIMITS).is_none());
        drop(first);
        assert!(harvest.hold(LIMITS).is_some());
        assert_eq!(harvest.counts().delayed, 2);
    }
}

//! Connections held by one client and by all.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use types::finding::RateHolder;
use types::{CheckName, Finding, Micros, Observed, Source, Stage, Timestamp, host_key};

use crate::rate::{RateLimit, Rates};

/// What may be held and opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// By one client (IPv6: one /64) at a time (20).
    pub by_client_max: u32,
    /// In all at a time.
    pub in_all_max: u32,
    /// Opened by one client in a time.
    pub rate: RateLimit,
}

/// Counts open connections.
#[derive(Default)]
pub struct ConnectionCounts {
    in_all: AtomicU32,
    by_client: Mutex<HashMap<IpAddr, u32>>,
    rates: Rates,
}

/// A counted connection; it is counted until this is dropped.
#[must_use = "a connection is counted only while this is held"]
pub struct Held {
    counts: Arc<ConnectionCounts>,
    client: IpAddr,
}

impl ConnectionCounts {
    /// Counts a connection and says what that makes.
    pub fn enter(
        self: &Arc<Self>,
        ip: IpAddr,
        at: Timestamp,
        limits: ConnectionLimits,
    ) -> (Held, Vec<Finding>) {
        let client = host_key(ip);
        let in_all = self.in_all.fetch_add(1, Ordering::Relaxed) + 1;
        let by_client = {
            let mut counts = self.by_client.lock().unwrap_or_else(PoisonError::into_inner);
            let count = counts.entry(client).or_insert(0);
            *count += 1;
            *count
        };
        let held = Held { counts: Arc::clone(self), client };
        let mut findings = vec![at_connect(
            CheckName::Connections,
            Observed::Connections {
                by_client,
                by_client_max: limits.by_client_max,
                in_all,
                in_all_max: limits.in_all_max,
            },
        )];
        if let Some(retry_in_s) = self.rates.of_client(ip, at, limits.rate) {
            let per_minute_max = limits.rate.per_minute_max;
            let rate = Observed::Rate {
                exceeded: true,
                per_minute_max,
                retry_in_s,
                of: RateHolder::Client,
            };
            findings.push(at_connect(CheckName::Rate, rate));
        }
        (held, findings)
    }

    /// Connections open now.
    pub fn open(&self) -> u32 {
        self.in_all.load(Ordering::Relaxed)
    }
}

fn at_connect(check: CheckName, observed: Observed) -> Finding {
    Finding { check, stage: Stage::Connect, observed, source: Source::Memory, took: Micros(0) }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.counts.in_all.fetch_sub(1, Ordering::Relaxed);
        let mut counts = self.counts.by_client.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: ConnectionLimits = ConnectionLimits {
        by_client_max: 2,
        in_all_max: 10,
        rate: RateLimit { per_minute_max: 0, burst_max: 0 },
    };

    fn enter(counts: &Arc<ConnectionCounts>, ip: &str) -> (Held, u32, u32) {
        let (held, findings) = counts.enter(ip.parse().unwrap(), Timestamp::EPOCH, LIMITS);
        match findings[0].observed {
            Observed::Connections { by_client, in_all, .. } => (held, by_client, in_all),
            ref other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_connection_counts_until_it_is_dropped() {
        let counts = Arc::new(ConnectionCounts::default());
        let (first, ..) = enter(&counts, "192.0.2.1");
        let (_second, by_client, in_all) = enter(&counts, "192.0.2.1");
        assert_eq!((by_client, in_all), (2, 2));
        let (_other, by_client, in_all) = enter(&counts, "192.0.2.2");
        assert_eq!((by_client, in_all), (1, 3));
        drop(first);
        let (_third, by_client, in_all) = enter(&counts, "192.0.2.1");
        assert_eq!((by_client, in_all, counts.open()), (2, 3, 3));
    }

    #[test]
    fn too_many_in_a_minute_are_a_finding_of_their_own() {
        let counts = Arc::new(ConnectionCounts::default());
        let rate = RateLimit { per_minute_max: 1, burst_max: 1 };
        let limits = ConnectionLimits { rate, ..LIMITS };
        let ip = "192.0.2.1".parse().unwrap();
        let (_one, findings) = counts.enter(ip, Timestamp::EPOCH, limits);
        assert_eq!(findings.len(), 1);
        let (_two, findings) = counts.enter(ip, Timestamp::EPOCH, limits);
        assert!(matches!(findings[1].observed, Observed::Rate { exceeded: true, .. }));
    }
}

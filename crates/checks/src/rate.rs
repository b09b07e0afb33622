//! How many recipients one client offers in a time.
//!
//! A cell per client (IPv6: per /64), which is one number (see
//! [`types::rate`]). The table is bounded; forgetting a quiet client is harmless.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use quick_cache::sync::Cache;
use types::{Observed, Rate, Source, Timestamp, host_key};

use crate::Seen;

/// A rate, and how much may come at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Per minute in the long run; 0 means no limit.
    pub per_minute_max: u32,
    /// At once, after a quiet time.
    pub burst_max: u32,
}

/// Clients whose rate is remembered.
const CLIENTS_MAX: usize = 200_000;

/// One cell per client.
pub(crate) struct Rates {
    cells: Cache<IpAddr, Arc<AtomicI64>>,
}

impl Default for Rates {
    fn default() -> Self {
        Rates { cells: Cache::new(CLIENTS_MAX) }
    }
}

impl Rates {
    /// Counts one recipient of this client, unless it is over the limit.
    pub(crate) fn look(&self, ip: IpAddr, at: Timestamp, limit: RateLimit) -> Seen {
        let over = self.count(ip, at, limit);
        let observed = Observed::Rate {
            exceeded: over.is_some(),
            per_minute_max: limit.per_minute_max,
            retry_in_s: over.unwrap_or(0),
        };
        (observed, Source::Memory)
    }

    /// Counts one event of this client; over the limit, says in how many
    /// seconds the next one passes and counts nothing.
    pub(crate) fn count(&self, ip: IpAddr, at: Timestamp, limit: RateLimit) -> Option<u64> {
        let rate = Rate::per_minute(limit.per_minute_max, limit.burst_max)?;
        let key = host_key(ip);
        let Ok(cell) = self.cells.get_or_insert_with(&key, || {
            Ok::<_, std::convert::Infallible>(Arc::new(AtomicI64::new(i64::MIN)))
        });
        take(&cell, at, rate)
    }
}

/// Takes one place from a cell, or says in how many seconds there is one.
fn take(cell: &AtomicI64, at: Timestamp, rate: Rate) -> Option<u64> {
    let mut due = cell.load(Ordering::Relaxed);
    loop {
        let next = match rate.take(due, at.as_millis()) {
            Ok(next) => next,
            Err(wait_ms) => return Some(wait_ms.div_ceil(1_000)),
        };
        match cell.compare_exchange_weak(due, next, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => return None,
            Err(current) => due = current,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: RateLimit = RateLimit { per_minute_max: 60, burst_max: 3 };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(1_795_000_000_000 + second * 1_000)
    }

    #[test]
    fn a_burst_passes_then_one_a_second() {
        let cell = AtomicI64::new(i64::MIN);
        let rate = Rate::per_minute(LIMIT.per_minute_max, LIMIT.burst_max).unwrap();
        for _ in 0..3 {
            assert_eq!(take(&cell, at(0), rate), None);
        }
        assert_eq!(take(&cell, at(0), rate), Some(1));
        assert_eq!(take(&cell, at(1), rate), None);
        assert_eq!(take(&cell, at(1), rate), Some(1));
        assert_eq!(take(&cell, at(60), rate), None);
    }

    #[test]
    fn no_limit_and_other_clients_are_not_counted() {
        let rates = Rates::default();
        let one = "192.0.2.1".parse().unwrap();
        let none = RateLimit { per_minute_max: 0, burst_max: 0 };
        for _ in 0..10 {
            assert_eq!(rates.count(one, at(0), none), None);
        }
        let single = RateLimit { per_minute_max: 1, burst_max: 1 };
        assert_eq!(rates.count(one, at(0), single), None);
        assert_eq!(rates.count(one, at(0), single), Some(60));
        assert_eq!(rates.count("192.0.2.2".parse().unwrap(), at(0), single), None);
    }
}

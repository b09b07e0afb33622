//! How many recipients one client, one network or one sender offers in a
//! time, and how many mails one recipient is offered.
//!
//! A cell each, which is one number (see [`types::rate`]). The table is
//! bounded; forgetting who was quiet is harmless.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use quick_cache::sync::Cache;
use types::finding::RateHolder;
use types::{Observed, Rate, Source, Timestamp, host_key, network_key, triplet};

use crate::{Seen, TransactionView};

/// A rate, and how much may come at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Per minute in the long run; 0 means no limit.
    pub per_minute_max: u32,
    /// At once, after a quiet time.
    pub burst_max: u32,
}

impl RateLimit {
    /// No limit.
    pub const NONE: RateLimit = RateLimit { per_minute_max: 0, burst_max: 0 };
}

/// The rates of recipients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimits {
    /// Offered by one client (IPv6: by one /64).
    pub client: RateLimit,
    /// Offered by one network.
    pub network: RateLimit,
    /// Offered by one sender, whatever numbers its address has; null
    /// reverse-paths have no sender.
    pub sender: RateLimit,
    /// Mails offered to one recipient.
    pub recipient: RateLimit,
    /// Offered by one submitter, of mail that leaves us; no [`types::Need`]
    /// asks for it.
    pub submitter: RateLimit,
}

impl RateLimits {
    /// Whether [`types::Need::Rate`] has anything to count: a rate of the
    /// client, its network, the sender or the recipient.
    pub fn limits_recipients(&self) -> bool {
        let RateLimits { client, network, sender, recipient, submitter: _ } = self;
        [client, network, sender, recipient].into_iter().any(|limit| limit.per_minute_max > 0)
    }
}

/// Holders whose rate is remembered.
const REMEMBERED_MAX: usize = 200_000;

/// Whose cell it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Holder {
    Client(IpAddr),
    Network(IpAddr),
    Sender(Box<str>),
    Recipient(Box<str>),
    Submitter(Arc<str>),
}

/// One cell per holder.
pub(crate) struct Rates {
    cells: Cache<Holder, Arc<AtomicI64>>,
}

impl Default for Rates {
    fn default() -> Self {
        Rates { cells: Cache::new(REMEMBERED_MAX) }
    }
}

impl Rates {
    /// Counts one recipient with everybody whose rate is limited, unless one
    /// of them is over the limit: then it is counted with nobody behind that
    /// one.
    pub(crate) fn look(&self, transaction: &TransactionView<'_>, limits: RateLimits) -> Seen {
        let ip = transaction.subject.client.client.ip;
        let at = transaction.at;
        let sender = || {
            let path = transaction.reverse_path;
            path.address().map(|_| Holder::Sender(triplet::normalised(path).into()))
        };
        let recipient = || {
            let address = transaction.recipient.address();
            address.map(|address| Holder::Recipient(address.key().into()))
        };
        let limited = [
            (RateHolder::Client, limits.client),
            (RateHolder::Network, limits.network),
            (RateHolder::Sender, limits.sender),
            (RateHolder::Recipient, limits.recipient),
        ];
        let limited = limited.into_iter().filter(|(_, limit)| limit.per_minute_max > 0);
        let (shown, shown_limit) =
            limited.clone().next().unwrap_or((RateHolder::Client, RateLimit::NONE));
        for (of, limit) in limited {
            let holder = match of {
                RateHolder::Client => Some(Holder::Client(host_key(ip))),
                RateHolder::Network => Some(Holder::Network(network_key(ip))),
                RateHolder::Sender => sender(),
                RateHolder::Recipient => recipient(),
                RateHolder::Submitter => None,
            };
            if let Some(retry_in_s) = holder.and_then(|holder| self.count(holder, at, limit)) {
                return (observed(of, limit, Some(retry_in_s)), Source::Memory);
            }
        }
        (observed(shown, shown_limit, None), Source::Memory)
    }

    /// Counts one event of this client alone; over the limit, says in how
    /// many seconds the next one passes and counts nothing.
    pub(crate) fn of_client(&self, ip: IpAddr, at: Timestamp, limit: RateLimit) -> Option<u64> {
        self.count(Holder::Client(host_key(ip)), at, limit)
    }

    /// Counts one recipient of this submitter, if that is not over its limit,
    /// which is said else.
    pub(crate) fn of_submitter(
        &self,
        name: &Arc<str>,
        at: Timestamp,
        limits: RateLimits,
    ) -> Option<Observed> {
        let holder = Holder::Submitter(Arc::clone(name));
        let over = self.count(holder, at, limits.submitter)?;
        Some(observed(RateHolder::Submitter, limits.submitter, Some(over)))
    }

    fn count(&self, holder: Holder, at: Timestamp, limit: RateLimit) -> Option<u64> {
        let rate = Rate::per_minute(limit.per_minute_max, limit.burst_max)?;
        let Ok(cell) = self.cells.get_or_insert_with(&holder, || {
            Ok::<_, std::convert::Infallible>(Arc::new(AtomicI64::new(i64::MIN)))
        });
        take(&cell, at, rate)
    }
}

fn observed(of: RateHolder, limit: RateLimit, over: Option<u64>) -> Observed {
    Observed::Rate {
        exceeded: over.is_some(),
        per_minute_max: limit.per_minute_max,
        retry_in_s: over.unwrap_or(0),
        of,
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
            assert_eq!(rates.of_client(one, at(0), none), None);
        }
        let single = RateLimit { per_minute_max: 1, burst_max: 1 };
        assert_eq!(rates.of_client(one, at(0), single), None);
        assert_eq!(rates.of_client(one, at(0), single), Some(60));
        assert_eq!(rates.of_client("192.0.2.2".parse().unwrap(), at(0), single), None);
    }
}

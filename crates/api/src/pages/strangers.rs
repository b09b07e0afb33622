//! How often strangers may ask: so many times per address and no more.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::Api;
use crate::auth::Guest;

/// The address a stranger asks from. Where it is not known, all share one.
pub(super) struct From(pub(super) IpAddr);

impl FromRequestParts<Api> for From {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _api: &Api) -> Result<Self, Infallible> {
        let guest = parts.extensions.get::<Guest>();
        Ok(From(guest.map_or(UNKNOWN, |guest| guest.origin.address)))
    }
}

/// Stands for every address that is not known or cannot be remembered.
const UNKNOWN: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// Counts the requests of strangers, by address (IPv6: by /64), after the
/// generic cell rate algorithm: one instant each, at which the next request
/// would be due if all came evenly spaced.
pub(crate) struct Strangers {
    due: Mutex<HashMap<IpAddr, Instant>>,
    /// One every so often, in the long run.
    every: Duration,
    /// This many at once, after a quiet time.
    burst: u32,
}

/// Addresses remembered; beyond, those that are quiet are forgotten, and if
/// none is, all share what is left.
const ADDRESSES_MAX: usize = 10_000;

impl Strangers {
    /// For those who read pages.
    pub(crate) fn readers() -> Self {
        Strangers::paced(Duration::from_secs(6), 20)
    }

    /// For those who write to us.
    pub(crate) fn writers() -> Self {
        Strangers::paced(Duration::from_secs(600), 3)
    }

    fn paced(every: Duration, burst: u32) -> Self {
        Strangers { due: Mutex::new(HashMap::new()), every, burst }
    }

    /// Counts one request; over the limit, how long to wait.
    pub(super) fn over(&self, ip: IpAddr) -> Option<Duration> {
        self.over_at(ip, Instant::now())
    }

    fn over_at(&self, ip: IpAddr, now: Instant) -> Option<Duration> {
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        let mut key = host(ip);
        if due.len() >= ADDRESSES_MAX && !due.contains_key(&key) {
            due.retain(|_, next| *next > now);
            if due.len() >= ADDRESSES_MAX {
                key = UNKNOWN;
            }
        }
        let next = due.get(&key).copied().unwrap_or(now).max(now);
        let early = next.duration_since(now).saturating_sub(self.every * (self.burst - 1));
        if !early.is_zero() {
            return Some(early);
        }
        due.insert(key, next + self.every);
        None
    }
}

/// An IPv6 client owns its whole /64.
fn host(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & !u128::from(u64::MAX)).into()),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_then_one_at_a_time_and_memory_is_bounded() {
        let strangers = Strangers::readers();
        let now = Instant::now();
        let ip: IpAddr = "2001:db8::1".parse().unwrap();
        let neighbour: IpAddr = "2001:db8::ffff".parse().unwrap();
        for _ in 0..strangers.burst {
            assert_eq!(strangers.over_at(ip, now), None);
        }
        assert_eq!(strangers.over_at(neighbour, now), Some(strangers.every), "the same /64");
        assert_eq!(strangers.over_at(ip, now + strangers.every), None);
        assert_eq!(strangers.over_at("192.0.2.1".parse().unwrap(), now), None);
        for number in 0..10_100u32 {
            let _ = strangers.over_at(IpAddr::V4((0x0a00_0000 + number).into()), now);
        }
        assert!(strangers.due.lock().unwrap().len() <= ADDRESSES_MAX + 1);
        assert!(strangers.over_at("198.51.100.1".parse().unwrap(), now).is_some());
        assert_eq!(
            strangers.over_at("198.51.100.1".parse().unwrap(), now + strangers.every * 9_000),
            None
        );
    }
}

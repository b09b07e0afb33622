//! How often somebody who is not signed in may ask for what costs us
//! something, by address.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use types::{Rate, host_key};

use crate::Api;
use crate::auth::Guest;

/// The address a stranger asks from. Where it is not known, all share one.
pub(crate) struct From(pub(crate) IpAddr);

impl FromRequestParts<Api> for From {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _api: &Api) -> Result<Self, Infallible> {
        let guest = parts.extensions.get::<Guest>();
        Ok(From(guest.map_or(UNKNOWN, |guest| guest.origin.address)))
    }
}

/// Stands for every address that is not known or cannot be remembered.
const UNKNOWN: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// Addresses remembered; beyond, those that are quiet are forgotten, and if
/// none is, all share what is left.
const ADDRESSES_MAX: usize = 10_000;

/// How often one may read the public page of a refusal.
pub(crate) const READING: Rate = Rate::every_ms(6_000, 20);
/// How often one may write that a refusal is wrong.
pub(crate) const WRITING: Rate = Rate::every_ms(600_000, 3);
/// How often one may ask for the pages of sign-in and set-up: an office behind
/// one address comes to work in the morning.
pub(crate) const ENTERING: Rate = Rate::every_ms(1_000, 120);

/// Counts the requests of strangers, by address (IPv6: by /64): one instant
/// each (see [`types::rate`]), in milliseconds since the first of all.
pub(crate) struct Strangers {
    rate: Rate,
    begun: Instant,
    due: Mutex<HashMap<IpAddr, i64>>,
}

impl Strangers {
    /// Nobody has asked yet.
    pub(crate) fn new(rate: Rate) -> Self {
        Strangers { rate, begun: Instant::now(), due: Mutex::default() }
    }

    /// Counts one request; over the limit, how long to wait.
    pub(crate) fn over(&self, ip: IpAddr) -> Option<Duration> {
        self.over_at(ip, Instant::now())
    }

    fn over_at(&self, ip: IpAddr, now: Instant) -> Option<Duration> {
        let now = i64::try_from((now - self.begun).as_millis()).unwrap_or(i64::MAX);
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        let mut key = host_key(ip);
        if due.len() >= ADDRESSES_MAX && !due.contains_key(&key) {
            due.retain(|_, next| *next > now);
            if due.len() >= ADDRESSES_MAX {
                key = UNKNOWN;
            }
        }
        match self.rate.take(due.get(&key).copied().unwrap_or(now), now) {
            Ok(next) => {
                due.insert(key, next);
                None
            }
            Err(wait_ms) => Some(Duration::from_millis(wait_ms)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_then_one_at_a_time_and_memory_is_bounded() {
        let (every, burst) = (Duration::from_secs(6), 20);
        let strangers = Strangers::new(READING);
        let now = Instant::now();
        let ip: IpAddr = "2001:db8::1".parse().unwrap();
        let neighbour: IpAddr = "2001:db8::ffff".parse().unwrap();
        for _ in 0..burst {
            assert_eq!(strangers.over_at(ip, now), None);
        }
        assert_eq!(strangers.over_at(neighbour, now), Some(every), "the same /64");
        assert_eq!(strangers.over_at(ip, now + every), None);
        assert_eq!(strangers.over_at("192.0.2.1".parse().unwrap(), now), None);
        for number in 0..10_100u32 {
            let _ = strangers.over_at(IpAddr::V4((0x0a00_0000 + number).into()), now);
        }
        assert!(strangers.due.lock().unwrap().len() <= ADDRESSES_MAX + 1);
        assert!(strangers.over_at("198.51.100.1".parse().unwrap(), now).is_some());
        assert_eq!(strangers.over_at("198.51.100.1".parse().unwrap(), now + every * 9_000), None);
    }
}

//! How many notices may be sent: a rate for all and one per domain.
//!
//! The reverse-path of unwanted mail is forged. A gateway that bounces what
//! its next hops refuse must not become a source of backscatter.

use std::sync::{Mutex, PoisonError};

use quick_cache::unsync::Cache;
use types::{Rate, Timestamp};

use crate::settings::BounceLimits;

/// Domains whose rate is remembered. When there are more, the coldest is
/// forgotten: the rate for all holds in any case.
const DOMAINS_MAX: usize = 10_000;

/// Counts notices; of a rate one instant is remembered (see [`types::rate`]).
pub(crate) struct BounceRate {
    state: Mutex<State>,
}

struct State {
    all: Timestamp,
    domains: Cache<Box<str>, Timestamp>,
}

impl BounceRate {
    pub(crate) fn new() -> Self {
        let state = State { all: Timestamp::EPOCH, domains: Cache::new(DOMAINS_MAX) };
        BounceRate { state: Mutex::new(state) }
    }

    /// Takes one notice to `domain` out of the rates; false if either is used
    /// up, and then neither is touched.
    pub(crate) fn take(&self, domain: &str, limits: &BounceLimits, now: Timestamp) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let of_domain = state.domains.get(domain).copied().unwrap_or_default();
        let all = used(state.all, limits.per_minute_max, now);
        let of_domain = used(of_domain, limits.per_domain_per_minute_max, now);
        let (Some(all), Some(of_domain)) = (all, of_domain) else { return false };
        state.all = all;
        state.domains.insert(domain.into(), of_domain);
        true
    }
}

/// What to remember of a rate once one more is taken, if there is one left:
/// all that a minute allows may come at once.
fn used(due: Timestamp, per_minute_max: u32, now: Timestamp) -> Option<Timestamp> {
    let rate = Rate::per_minute(per_minute_max, per_minute_max)?;
    let next = rate.take(due.as_millis(), now.as_millis()).ok()?;
    Some(Timestamp::from_millis(next))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LIMITS: BounceLimits = BounceLimits { per_minute_max: 5, per_domain_per_minute_max: 2 };

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(1_795_000_000_000) + Duration::from_secs(seconds)
    }

    /// Takes at each (second, domain) and compares which were allowed.
    fn check(limits: BounceLimits, takes: &[(u64, &str, bool)]) {
        let rate = BounceRate::new();
        for &(second, domain, allowed) in takes {
            assert_eq!(rate.take(domain, &limits, at(second)), allowed, "{second} {domain}");
        }
    }

    #[test]
    fn one_domain_cannot_use_up_the_rate_of_all() {
        check(LIMITS, &[(0, "a", true), (0, "a", true), (0, "a", false), (0, "b", true)]);
    }

    #[test]
    fn all_together_are_limited_and_time_gives_it_back() {
        check(
            LIMITS,
            &[
                (0, "a", true),
                (0, "b", true),
                (0, "c", true),
                (0, "d", true),
                (0, "e", true),
                (0, "f", false),
                (11, "f", false),
                (12, "f", true),
            ],
        );
    }

    #[test]
    fn a_rate_of_zero_sends_nothing() {
        check(BounceLimits { per_minute_max: 0, ..LIMITS }, &[(0, "a", false)]);
    }
}

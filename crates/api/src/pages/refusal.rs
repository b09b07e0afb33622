//! The public page `/r/{reference}`: what a refused sender may know. No
//! sign-in; the same answer for a reference that does not exist and for one
//! that is not public; so many requests per address and no more.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use askama::Template;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use center::explain::public::PublicRefusal;

use super::{assets, shown};
use crate::Api;
use crate::auth::Guest;
use crate::routes::working;

/// Whether there are such pages, and for which refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefusalPages {
    /// Whether there are any.
    pub enabled: bool,
    /// Whether refusals for a score have one too.
    pub for_scores: bool,
}

impl Default for RefusalPages {
    fn default() -> Self {
        RefusalPages { enabled: true, for_scores: false }
    }
}

#[derive(Template)]
#[template(path = "refusal.html")]
struct RefusalPage {
    css: String,
    /// Nothing if nothing may be told.
    told: Option<PublicRefusal>,
    /// Seconds to wait, if there were too many requests.
    wait_s: Option<u64>,
}

impl RefusalPage {
    /// `21 Nov 2026 10:04:15`, in UTC: nobody has signed in, so nobody's zone
    /// is known.
    fn time(told: &PublicRefusal) -> String {
        super::clock::Zone::named("UTC").shown(told.time, "%-d %b %Y %H:%M:%S")
    }
}

pub(super) async fn page(
    State(api): State<Api>,
    client: From,
    Path(reference): Path<String>,
) -> Response {
    let css = assets::path("console.css");
    if let Some(wait) = api.strangers.over(client.0) {
        let wait_s = wait.as_secs().max(1);
        let page = RefusalPage { css, told: None, wait_s: Some(wait_s) };
        let retry = [(header::RETRY_AFTER, wait_s.to_string())];
        return private((StatusCode::TOO_MANY_REQUESTS, retry, shown(&page)).into_response());
    }
    let pages = api.refusal_pages;
    let found = match pages.enabled {
        true => {
            working(&api, move |center| center.public_refusal(&reference, pages.for_scores)).await
        }
        false => Ok(None),
    };
    let (status, told) = match found {
        Ok(Some(told)) => (StatusCode::OK, Some(told)),
        Ok(None) => (StatusCode::NOT_FOUND, None),
        // Our failure tells a stranger nothing, and is not for good.
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, None),
    };
    let page = RefusalPage { css, told, wait_s: None };
    private((status, shown(&page)).into_response())
}

/// Not for search engines, whatever the template says.
fn private(mut response: Response) -> Response {
    let noindex = HeaderValue::from_static("noindex, nofollow, noarchive");
    response.headers_mut().insert("x-robots-tag", noindex);
    response
}

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
}

/// One page every so often, in the long run.
const EVERY: Duration = Duration::from_secs(6);
/// This many at once, after a quiet time.
const BURST: u32 = 20;
/// Addresses remembered; beyond, those that are quiet are forgotten, and if
/// none is, all share what is left.
const ADDRESSES_MAX: usize = 10_000;

impl Default for Strangers {
    fn default() -> Self {
        Strangers { due: Mutex::new(HashMap::new()) }
    }
}

impl Strangers {
    /// Counts one request; over the limit, how long to wait.
    fn over(&self, ip: IpAddr) -> Option<Duration> {
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
        let early = next.duration_since(now).saturating_sub(EVERY * (BURST - 1));
        if !early.is_zero() {
            return Some(early);
        }
        due.insert(key, next + EVERY);
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
        let strangers = Strangers::default();
        let now = Instant::now();
        let ip: IpAddr = "2001:db8::1".parse().unwrap();
        let neighbour: IpAddr = "2001:db8::ffff".parse().unwrap();
        for _ in 0..BURST {
            assert_eq!(strangers.over_at(ip, now), None);
        }
        assert_eq!(strangers.over_at(neighbour, now), Some(EVERY), "the same /64");
        assert_eq!(strangers.over_at(ip, now + EVERY), None);
        assert_eq!(strangers.over_at("192.0.2.1".parse().unwrap(), now), None);
        for number in 0..10_100u32 {
            let _ = strangers.over_at(IpAddr::V4((0x0a00_0000 + number).into()), now);
        }
        assert!(strangers.due.lock().unwrap().len() <= ADDRESSES_MAX + 1);
        assert!(strangers.over_at("198.51.100.1".parse().unwrap(), now).is_some());
        assert_eq!(strangers.over_at("198.51.100.1".parse().unwrap(), now + EVERY * 9_000), None);
    }
}

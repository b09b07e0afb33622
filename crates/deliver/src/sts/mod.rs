//! MTA-STS (RFC 8461): a domain can say that mail for it goes to these hosts
//! alone, with certificates that prove who they are, and everybody who was
//! told once keeps to it.
//!
//! ```text
//! DNS: _mta-sts.DOMAIN ─→ record ─id→ known? ─no→ https://mta-sts.DOMAIN ─→ policy ─→ table
//! ```
//!
//! A policy that is known counts until its time is over, whatever becomes of
//! the record and the web host: who can make them vanish must gain nothing.
//! What it asks of a connection is in [`demand`].

mod demand;
mod policy;
mod record;
mod table;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::{FutureExt, Shared};
use futures_util::stream::{self, StreamExt};
use quick_cache::sync::Cache;
use store::StoreError;
use store::state::TransportPolicyState;
use tokio::sync::Notify;
use types::{Domain, Timestamp};
use world::{BoxFuture, Clock, DnsError, Fetch, Resolver, WebAddress, WebError};

use crate::status::{Counters, count};

pub(crate) use demand::{Demand, UNLISTED};
pub use policy::{Mode, MxPattern, POLICY_OCTETS_MAX, Policy, PolicyError};
pub use record::{PolicyId, RecordError, announced_in};
pub use table::Kept;

use table::Table;

/// How long fetching a policy may take (RFC 8461 section 3.3 suggests a
/// minute; mail waits for it).
pub const FETCH_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a version that could not be fetched is not asked for again
/// (RFC 8461 section 3.3).
const FETCHED_AGAIN_AFTER: Duration = Duration::from_secs(300);
/// Failures remembered; the oldest are forgotten.
const FAILURES_MAX: usize = 10_000;
/// Policies renewed at a time.
const RENEWALS_AT_ONCE: usize = 8;

/// How policies are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StsSettings {
    /// The port of the web hosts that have policies: 443 (RFC 8461 section 3.3).
    pub port: u16,
}

/// Why a domain has no policy that can be had.
#[derive(Debug, thiserror::Error)]
pub enum NoPolicy {
    /// The name system has no answer, or says that there is no record.
    #[error("looking up {0}: {1}")]
    Name(String, DnsError),
    /// The record does not count.
    #[error("{0}")]
    Record(#[from] RecordError),
    /// The web host does not give the document.
    #[error("{0}")]
    Web(#[from] WebError),
    /// It is something else (RFC 8461 section 3.3).
    #[error("the document is {0:?} and not text/plain")]
    MediaType(String),
    /// It is no policy.
    #[error("the document is no policy: {0}")]
    Policy(#[from] PolicyError),
}

/// Where a domain has its record.
fn record_name(domain: &Domain) -> String {
    format!("_mta-sts.{domain}")
}

/// Which policy `domain` announces now.
///
/// # Errors
/// None.
pub async fn announced(resolver: &dyn Resolver, domain: &Domain) -> Result<PolicyId, NoPolicy> {
    let name = record_name(domain);
    match resolver.texts(&name).await {
        Ok(texts) => Ok(announced_in(&texts)?),
        Err(error) => Err(NoPolicy::Name(name, error)),
    }
}

/// Where `domain` has its policy.
///
/// # Errors
/// The name would be too long.
pub fn address(domain: &Domain, settings: StsSettings) -> Result<WebAddress, NoPolicy> {
    let port = match settings.port {
        443 => String::new(),
        port => format!(":{port}"),
    };
    let text = format!("https://mta-sts.{domain}{port}/.well-known/mta-sts.txt");
    text.parse().map_err(|_| NoPolicy::Name(format!("mta-sts.{domain}"), DnsError::Malformed))
}

/// The policy that `domain` publishes now.
///
/// # Errors
/// It cannot be fetched, or is none.
pub async fn fetched(
    fetch: &dyn Fetch,
    domain: &Domain,
    settings: StsSettings,
) -> Result<Policy, NoPolicy> {
    let found = fetch.fetch(&address(domain, settings)?, POLICY_OCTETS_MAX).await?;
    match found.media_type.as_str() {
        "text/plain" => Ok(Policy::read(&found.body)?),
        _ => Err(NoPolicy::MediaType(found.media_type)),
    }
}

/// A version that could not be fetched, and until when that is remembered.
#[derive(Clone)]
struct Failed {
    id: PolicyId,
    until: Timestamp,
}

/// What policies are looked for with.
pub(crate) struct StsParts {
    pub(crate) resolver: Arc<dyn Resolver>,
    pub(crate) fetch: Arc<dyn Fetch>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) state: Arc<dyn TransportPolicyState>,
    pub(crate) counters: Arc<Counters>,
}

/// The policies of other domains, as far as they are known.
pub(crate) struct TransportPolicies {
    parts: StsParts,
    table: Mutex<Table>,
    failures: Cache<Domain, Failed>,
    /// Fetches that somebody waits for; others who want the same wait too.
    under_way: Mutex<HashMap<Domain, Shared<BoxFuture<'static, ()>>>>,
    /// Rings when there is one more.
    changed: Notify,
}

impl TransportPolicies {
    pub(crate) fn new(parts: StsParts) -> Self {
        let (table, under_way, changed) = Default::default();
        let failures = Cache::new(FAILURES_MAX);
        TransportPolicies { parts, table, failures, under_way, changed }
    }

    /// Takes in what was stored.
    pub(crate) fn restore(&self) -> Result<(), StoreError> {
        let stored = self.parts.state.transport_policies()?;
        self.table().restore(&stored);
        self.changed.notify_one();
        Ok(())
    }

    /// Stores what has changed. Blocks for the database.
    pub(crate) fn keep(&self) -> Result<(), StoreError> {
        let (stored, forgotten) = self.table().take_changes();
        if stored.is_empty() && forgotten.is_empty() {
            return Ok(());
        }
        let kept = self.parts.state.keep_transport_policies(&stored, &forgotten);
        if kept.is_err() {
            self.table().give_back(stored, forgotten);
        }
        kept
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What mail for `domain` has to meet, looked up now.
    pub(crate) async fn look_up(
        self: &Arc<Self>,
        domain: &Domain,
        settings: StsSettings,
    ) -> Option<Demand> {
        // Whatever is wrong with the record: what is known counts on.
        if let Ok(id) = announced(self.parts.resolver.as_ref(), domain).await
            && self.wants(domain, &id)
        {
            self.fetch_once(domain, id, settings).await;
        }
        self.known(domain)
    }

    /// The same as far as it is known.
    fn known(&self, domain: &Domain) -> Option<Demand> {
        Demand::of(domain, self.policy(domain)?)
    }

    /// The policy that mail for `domain` goes by, as far as it is known.
    pub(crate) fn policy(&self, domain: &Domain) -> Option<Arc<Policy>> {
        self.table().used(domain, self.parts.clock.now())
    }

    /// Whether this version is new to us and may be asked for.
    fn wants(&self, domain: &Domain, id: &PolicyId) -> bool {
        let now = self.parts.clock.now();
        let failed = self.failures.get(domain).is_some_and(|f| f.id == *id && now < f.until);
        !failed && self.table().get(domain, now).is_none_or(|kept| kept.id != *id)
    }

    /// Fetches the policy, or waits for who does so already.
    async fn fetch_once(self: &Arc<Self>, domain: &Domain, id: PolicyId, settings: StsSettings) {
        let fetching = {
            let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
            let begin = || {
                let (policies, domain) = (Arc::clone(self), domain.clone());
                async move { policies.fetch(&domain, id, settings).await }.boxed().shared()
            };
            under_way.entry(domain.clone()).or_insert_with(begin).clone()
        };
        fetching.await;
    }

    async fn fetch(&self, domain: &Domain, id: PolicyId, settings: StsSettings) {
        let found = fetched(self.parts.fetch.as_ref(), domain, settings).await;
        let now = self.parts.clock.now();
        match found {
            Ok(policy) => {
                count(&self.parts.counters.sts_policies_fetched);
                self.failures.remove(domain);
                self.table().put(domain, id, policy, now);
                self.changed.notify_one();
            }
            Err(_) => {
                count(&self.parts.counters.sts_fetches_failed);
                self.failures
                    .insert(domain.clone(), Failed { id, until: now + FETCHED_AGAIN_AFTER });
            }
        }
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(domain);
    }

    /// Waits until a policy is to be renewed, or there is one more to look at.
    pub(crate) async fn renewal_due(&self) {
        let changed = self.changed.notified();
        let next = self.table().next_renewal();
        match next {
            Some(at) => {
                let due = self.parts.clock.sleep_until(at);
                futures_util::future::select(std::pin::pin!(changed), due).await;
            }
            None => changed.await,
        }
    }

    /// Asks again for the policies whose turn it is (RFC 8461 section 10.2),
    /// so that whoever keeps us from it has to do so for all of their time.
    pub(crate) async fn renew(self: &Arc<Self>, settings: Option<StsSettings>) {
        let due = self.table().take_renewals(self.parts.clock.now());
        let Some(settings) = settings else { return };
        let renew = |domain: Domain| async move {
            if let Ok(id) = announced(self.parts.resolver.as_ref(), &domain).await {
                self.fetch_once(&domain, id, settings).await;
            }
        };
        stream::iter(due).for_each_concurrent(RENEWALS_AT_ONCE, renew).await;
    }
}

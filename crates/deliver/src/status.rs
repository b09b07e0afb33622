//! What can be seen of delivery from outside, as plain values.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use types::Timestamp;

use crate::route::NextHop;

/// Delivery at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryStatus {
    /// What was done since start.
    pub counts: DeliveryCounts,
    /// The next hops in use or remembered, by name.
    pub hops: Vec<HopStatus>,
}

/// One next hop at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HopStatus {
    /// Its hosts, or the domain whose mail exchangers it is.
    pub name: Arc<str>,
    /// Whether the settings name it; else a sender's domain did.
    pub ours: bool,
    /// Whether it is used.
    pub state: HopState,
    /// Connections open for delivery.
    pub connections: usize,
    /// Messages leased and waiting for a connection.
    pub waiting: usize,
    /// Whether it offers SMTPUTF8, once it was asked.
    pub smtputf8: Option<bool>,
    /// What it answered last, and when.
    pub last_answer: Option<(Timestamp, Arc<str>)>,
}

impl HopStatus {
    /// One that nothing was handed to yet.
    pub(crate) fn untried(next_hop: &NextHop, ours: bool) -> Self {
        HopStatus {
            name: next_hop.to_string().into(),
            ours,
            state: HopState::Up,
            connections: 0,
            waiting: 0,
            smtputf8: None,
            last_answer: None,
        }
    }
}

/// Whether a next hop is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HopState {
    /// It took the last connection, or was not tried yet.
    Up,
    /// It takes no connection.
    BackingOff {
        /// Failures in a row.
        failures: u32,
        /// When it is tried again.
        until: Timestamp,
    },
}

macro_rules! counters {
    ($($(#[doc = $doc:literal])* $name:ident,)*) => {
        /// What was done since start.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct DeliveryCounts {
            $($(#[doc = $doc])* pub $name: u64,)*
        }

        /// The counters behind [`DeliveryCounts`].
        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $(pub(crate) $name: AtomicU64,)*
        }

        impl Counters {
            /// All of them now.
            pub(crate) fn read(&self) -> DeliveryCounts {
                DeliveryCounts { $($name: self.$name.load(Ordering::Relaxed),)* }
            }
        }

        impl DeliveryCounts {
            /// Name and value of each, for metrics.
            pub fn named(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name),)*]
            }
        }
    };
}

counters! {
    /// Recipients that a next hop took.
    delivered,
    /// Tries per recipient that are made again.
    deferred,
    /// Recipients that a next hop refused for good.
    rejected,
    /// Recipients given up for lack of time.
    expired,
    /// Notices of failure queued.
    bounced,
    /// Recipients whose sender was not told of the failure.
    bounces_suppressed,
    /// Warnings of delay queued.
    delays_warned,
    /// Messages put off because their next hop is left alone.
    put_off,
    /// Connections opened, those to ask for recipients included.
    connections_opened,
    /// Connections that could not be opened.
    connections_failed,
    /// Connections that were encrypted, with TLS 1.2.
    sessions_tls12,
    /// The same with TLS 1.3.
    sessions_tls13,
    /// The same with another version.
    sessions_tls_other,
    /// Connections with TLS 1.2 whose host showed a certificate that proves
    /// that it is the host: asked only where a policy of its domain is there.
    sessions_verified_tls12,
    /// The same with TLS 1.3.
    sessions_verified_tls13,
    /// The same with another version.
    sessions_verified_tls_other,
    /// TLS handshakes that failed.
    tls_failed,
    /// Policies of other domains (MTA-STS) that were fetched.
    sts_policies_fetched,
    /// The same that could not be.
    sts_fetches_failed,
    /// Hosts that got no mail because such a policy forbids it.
    sts_hosts_refused,
    /// Questions for a recipient that reached a next hop.
    probes_asked,
    /// Questions for a recipient that an earlier answer settled.
    probes_remembered,
}

/// Adds one.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

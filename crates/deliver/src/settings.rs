//! What an operator can set about delivery, as values. Reading them from a
//! file is the binary's business; the defaults are those of the product.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use types::Domain;

use crate::route::RoutingTable;
use crate::schedule::RetrySchedule;
use crate::sts::StsSettings;

/// Everything that steers delivery.
#[derive(Clone, Debug)]
pub struct DeliverySettings {
    /// Our name in EHLO.
    pub helo: Arc<str>,
    /// Which next hops each domain has.
    pub routes: RoutingTable,
    /// When to try again.
    pub schedule: RetrySchedule,
    /// How much of one next hop is used.
    pub hop: HopLimits,
    /// How long to wait for a next hop.
    pub timeouts: Timeouts,
    /// Whether connections are encrypted.
    pub tls: TlsUse,
    /// How the policies of other domains about their mail exchangers are
    /// looked for (MTA-STS); if absent, or without TLS, none counts.
    pub mta_sts: Option<StsSettings>,
    /// Who we are, so that mail is not sent to ourselves.
    pub own: OwnHosts,
    /// How many notices are sent to senders.
    pub bounces: BounceLimits,
    /// How recipients are asked for.
    pub probe: ProbeSettings,
    /// The local address to dial from; the system's choice if absent.
    pub source: Option<IpAddr>,
    /// Messages leased at once; the rest waits in the queue.
    pub leased_max: usize,
    /// How long transfers may go on after the order to stop.
    pub stop_grace: Duration,
}

impl DeliverySettings {
    /// The defaults, with `helo` as our name and `routes` as the way.
    pub fn new(helo: &str, routes: RoutingTable) -> Self {
        DeliverySettings {
            helo: helo.into(),
            routes,
            schedule: RetrySchedule::default(),
            hop: HopLimits::default(),
            timeouts: Timeouts::default(),
            tls: TlsUse::Opportunistic,
            mta_sts: None,
            own: OwnHosts { names: helo.parse().into_iter().collect(), ..OwnHosts::default() },
            bounces: BounceLimits::default(),
            probe: ProbeSettings::default(),
            source: None,
            leased_max: 20_000,
            stop_grace: Duration::from_secs(20),
        }
    }
}

impl DeliverySettings {
    /// How policies of other domains are looked for, if they count: who sends
    /// in clear text on purpose has decided otherwise.
    pub(crate) fn mta_sts_counts(&self) -> Option<StsSettings> {
        self.mta_sts.filter(|_| self.tls != TlsUse::Never)
    }
}

/// How much of one next hop is used, and how its failures are met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HopLimits {
    /// Connections at once.
    pub connections_max: usize,
    /// Messages sent over one connection before it is closed.
    pub messages_per_connection_max: u32,
    /// Recipients per transaction, unless the next hop announces fewer
    /// (RCPTMAX of RFC 9422).
    pub recipients_max: usize,
    /// How long an unused connection is kept open.
    pub idle_max: Duration,
    /// How long a next hop is left alone after its first failure to take a
    /// connection; doubled with each further one.
    pub back_off_first: Duration,
    /// How long it is left alone at most.
    pub back_off_max: Duration,
}

impl Default for HopLimits {
    /// 20 connections of 1000 messages each, 100 recipients, idle for 30 s,
    /// back-off from 30 s to 5 min.
    ///
    /// A back-off shorter than the waits of the default schedule leaves a
    /// lone message its 30 attempts.
    fn default() -> Self {
        HopLimits {
            connections_max: 20,
            messages_per_connection_max: 1_000,
            recipients_max: 100,
            idle_max: Duration::from_secs(30),
            back_off_first: Duration::from_secs(30),
            back_off_max: Duration::from_secs(300),
        }
    }
}

/// How long to wait for a next hop. Each is for the whole of what is named,
/// so that octets that drip one by one do not extend it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Opening a connection to one address.
    pub connect: Duration,
    /// The greeting (RFC 5321 section 4.5.3.2.1).
    pub greeting: Duration,
    /// The answer to EHLO, HELO and STARTTLS, and the TLS handshake.
    pub hello: Duration,
    /// The answers to MAIL, RCPT and RSET (RFC 5321 sections 4.5.3.2.2, .3).
    pub envelope: Duration,
    /// The answer to DATA (RFC 5321 section 4.5.3.2.4).
    pub data: Duration,
    /// Taking one piece of content (RFC 5321 section 4.5.3.2.5).
    pub piece: Duration,
    /// The answer to the end of the content (RFC 5321 section 4.5.3.2.6).
    pub end_of_data: Duration,
    /// The answer to QUIT, which nobody needs.
    pub quit: Duration,
    /// All of the content of one message. The RFC has no such limit; without
    /// it a next hop that reads just fast enough holds a message for days.
    pub content: Duration,
}

impl Default for Timeouts {
    /// 30 s to connect, the minimums of RFC 5321 section 4.5.3.2, 4 h for one
    /// message.
    fn default() -> Self {
        Timeouts {
            connect: Duration::from_secs(30),
            greeting: Duration::from_secs(300),
            hello: Duration::from_secs(300),
            envelope: Duration::from_secs(300),
            data: Duration::from_secs(120),
            piece: Duration::from_secs(180),
            end_of_data: Duration::from_secs(600),
            quit: Duration::from_secs(5),
            content: Duration::from_secs(4 * 3_600),
        }
    }
}

/// Whether connections to next hops are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsUse {
    /// With STARTTLS where it is offered and works, else in clear text. The
    /// certificate is not verified: who could forge it could as well hide
    /// the offer (RFC 7435).
    Opportunistic,
    /// Never without, but still to anybody.
    Required,
    /// In clear text.
    Never,
}

/// Who we are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnHosts {
    /// Names under which mail exchanger records may list us.
    pub names: Vec<Domain>,
    /// Addresses and ports we listen on.
    pub addresses: Vec<SocketAddr>,
}

/// How many notices (bounces and warnings) are sent. What is beyond is not
/// sent and recorded as such: the reverse-path of unwanted mail is forged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BounceLimits {
    /// In the long run, in all, per minute.
    pub per_minute_max: u32,
    /// In the long run, to addresses of one domain, per minute.
    pub per_domain_per_minute_max: u32,
}

impl Default for BounceLimits {
    /// 60 a minute in all, 10 a minute to one domain.
    fn default() -> Self {
        BounceLimits { per_minute_max: 60, per_domain_per_minute_max: 10 }
    }
}

/// How recipients are asked for at their next hop (call-forward).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeSettings {
    /// How long one question may take; then it has no answer.
    pub timeout: Duration,
    /// Questions under way at one next hop; others wait, within their time.
    pub connections_max: usize,
    /// How long a *yes* is kept; zero keeps none.
    pub known_kept: Duration,
    /// How long a *no* is kept; zero keeps none.
    pub unknown_kept: Duration,
    /// Answers kept.
    pub answers_max: usize,
}

impl Default for ProbeSettings {
    /// 10 s, 5 connections, yes for an hour, no for 5 minutes, 100,000 answers.
    fn default() -> Self {
        ProbeSettings {
            timeout: Duration::from_secs(10),
            connections_max: 5,
            known_kept: Duration::from_secs(3_600),
            unknown_kept: Duration::from_secs(300),
            answers_max: 100_000,
        }
    }
}

//! From the settings to the option structs of the crates they steer. Values
//! only; nothing is opened here.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use checks::{
    CheckSettings, ConnectionLimits, DataLimits, HarvestLimits, KnownLimits, ListSettings,
    ListSource, PlaceSettings, RateLimit, RateLimits, RecipientSettings, WhenStale, ZoneKey,
};
use deliver::settings::{
    BounceLimits, DeliverySettings, HopLimits, OwnHosts, ProbeSettings, Timeouts as HopTimeouts,
    TlsUse,
};
use deliver::sts::{FETCH_TIMEOUT, StsSettings};
use deliver::{FixedHosts, Host, Preference, RetrySchedule, Route, RoutingTable, Target};
use receive::policy_service::{AdviceMode, PolicyServiceSettings};
use receive::{DoorRole, ListenerSettings, ReceiveSettings, Timeouts};
use smtp::{ContentLimits, SessionLimits};
use store::StoreOptions;
use types::definition::LocalReputation;
use types::policy::{BasePolicies, GreylistTimes, RecipientValidation};
use types::{Domain, NodeName};
use world::{Authorities, Reach, ResolverSettings, WebSettings};

use crate::settings::kinds;
use crate::settings::kinds::{
    ClientCertificates, HopHost, HopTls, ListFormat, ListenerRole, NextHop, PolicyServiceMode,
    Recipients,
};
use crate::settings::value::Rate;
use crate::settings::{HostName, Settings, recipients_of};

/// The name this server shows: the one that is set, else the machine's, else
/// `localhost` where that is no name a client could be shown.
pub(super) fn host_name(settings: &Settings) -> String {
    let machine = || {
        let system = rustix::system::uname();
        let name = system.nodename().to_str().ok()?;
        HostName::new(name.parse().ok()?)
    };
    let name = settings.server.hostname.clone().or_else(machine);
    name.map_or_else(|| "localhost".to_owned(), |name| name.as_str().to_owned())
}

/// The name written into events.
pub(super) fn node(settings: &Settings) -> NodeName {
    match &settings.server.node {
        Some(node) => NodeName(node.as_str().into()),
        None => NodeName(host_name(settings).into()),
    }
}

/// What policies stand on.
pub(crate) fn base_policies(settings: &Settings) -> BasePolicies {
    BasePolicies {
        size_max_octets: settings.smtp.message_size_max.0,
        greylist: greylist_times(settings),
        reputation: LocalReputation {
            defer_score: settings.reputation.defer_score,
            reject_score: settings.reputation.reject_score,
        },
        permitted_lists: super::lists::permitted(settings),
        lists: super::lists::known(settings),
        limits_recipient_rate: rates(settings).limits_recipients(),
        domains: settings
            .domains
            .iter()
            .map(|domain| (domain.name.clone(), validation(recipients_of(domain))))
            .collect(),
    }
}

fn validation(recipients: Recipients) -> RecipientValidation {
    match recipients {
        Recipients::AcceptAll => RecipientValidation::AcceptAll,
        Recipients::Directory => RecipientValidation::Directory,
        Recipients::Known => RecipientValidation::Known,
        Recipients::CallForward => RecipientValidation::CallForward,
        Recipients::CallForwardNull => RecipientValidation::CallForwardNull,
    }
}

fn greylist_times(settings: &Settings) -> GreylistTimes {
    let greylist = &settings.greylist;
    GreylistTimes {
        retry_after: greylist.retry_after,
        retry_within: greylist.retry_within,
        remember: greylist.remember,
    }
}

/// What the checks are bounded by.
pub(super) fn checks(settings: &Settings) -> CheckSettings {
    let smtp = &settings.smtp;
    CheckSettings {
        greylist: greylist_times(settings),
        rate: rates(settings),
        harvest: HarvestLimits {
            by_client_max: smtp.unknown_recipients_per_client_max,
            by_network_max: smtp.unknown_recipients_per_network_max,
            window: smtp.unknown_recipients_window,
            delay: smtp.unknown_recipients_delay,
            delayed_max: smtp.unknown_recipients_delayed_max,
        },
        harvest_exempt: smtp.unknown_recipients_exempt.clone(),
        recipients: recipients(settings),
        // The probe keeps its own time and says more of why; this is the net
        // below it.
        deadline: settings.call_forward.timeout + Duration::from_secs(1),
        authentication_deadline: settings.dns.authentication_timeout,
        sender_domains: settings.dns.sender_domains,
        client_names: settings.dns.client_names,
    }
}

fn rates(settings: &Settings) -> RateLimits {
    let smtp = &settings.smtp;
    RateLimits {
        client: rate(smtp.recipient_rate_per_client_max, smtp.recipient_burst_max),
        network: rate(smtp.recipient_rate_per_network_max, smtp.recipient_burst_max),
        sender: rate(smtp.recipient_rate_per_sender_max, smtp.recipient_burst_max),
        recipient: rate(smtp.mail_rate_per_recipient_max, smtp.recipient_burst_max),
        submitter: rate(smtp.submitter_rate_max, smtp.submitter_burst_max),
    }
}

fn recipients(settings: &Settings) -> RecipientSettings {
    let recipients = &settings.recipients;
    RecipientSettings {
        known: KnownLimits {
            learn_for: recipients.learn_for,
            remember: recipients.remember,
            max: usize::try_from(recipients.known_max).unwrap_or(usize::MAX),
        },
        stale_after: recipients.stale_after,
        when_stale: match recipients.when_stale {
            kinds::WhenStale::Defer => WhenStale::Defer,
            kinds::WhenStale::Accept => WhenStale::Accept,
        },
    }
}

fn rate(rate: Rate, burst_max: u32) -> RateLimit {
    RateLimit { per_minute_max: rate.per_minute, burst_max }
}

/// What sessions are bounded by; `connections_max` is what the system allows.
pub(super) fn receive(settings: &Settings, connections_max: u32) -> ReceiveSettings {
    let smtp = &settings.smtp;
    let content = ContentLimits {
        message_octets_max: smtp.message_size_max.0,
        line_octets_max: smtp.line_length_max.0,
        ..ContentLimits::default()
    };
    ReceiveSettings {
        host_name: host_name(settings).into(),
        // Replies name only a page that there is.
        public_url: (settings.server.public_url.as_ref())
            .filter(|_| settings.http.refusal_pages)
            .map(|url| url.0.as_str().into()),
        explains_scores: settings.http.score_refusal_pages,
        connections: ConnectionLimits {
            by_client_max: smtp.connections_per_ip_max,
            in_all_max: connections_max,
            rate: rate(smtp.connection_rate_per_ip_max, smtp.connection_burst_max),
        },
        session: SessionLimits {
            recipients_max: smtp.recipients_max,
            commands_wrong_max: smtp.commands_wrong_max,
            commands_max: smtp.commands_max,
            content,
        },
        data: DataLimits { received_fields_max: smtp.received_fields_max },
        timeouts: Timeouts {
            idle: smtp.idle_timeout,
            session: smtp.session_timeout,
            handshake: smtp.tls_timeout,
        },
        greeting_delay: smtp.greeting_delay,
        asks_for_certificates: settings.smtp_tls.client_certificates == ClientCertificates::Ask,
        examined_octets_max: usize::try_from(smtp.examined_memory_max.0).unwrap_or(usize::MAX),
    }
}

/// Where and how data is kept.
pub(super) fn store(settings: &Settings) -> StoreOptions {
    let store = &settings.store;
    StoreOptions {
        segment_octets: store.journal_segment_size.0,
        segments_max: count(store.journal_segments_max),
        own_file_octets: store.own_file_above.0,
        content_memory_octets: store.content_memory_max.0,
        reserve_octets: store.disk_reserve.0,
        triplets_max: count(store.triplets_max),
        flush_interval: store.flush_interval,
        checkpoint_interval: store.checkpoint_interval,
        // The message center ends retention: it knows which days are in the
        // daily log already.
        retention: None,
        ..StoreOptions::new(&settings.server.data_dir)
    }
}

/// The listeners, in the order of the settings.
pub(crate) fn listeners(settings: &Settings) -> Vec<ListenerSettings> {
    // Where both unspecified addresses are named, each takes its own family;
    // `[::]` alone takes both.
    let is_named = |listen: SocketAddr| settings.listeners.iter().any(|l| l.listen == listen);
    let listener = |listener: &crate::settings::ListenerSettings| ListenerSettings {
        listen: listener.listen,
        ipv6_only: is_named((Ipv4Addr::UNSPECIFIED, listener.listen.port()).into()),
        proxy_protocol_from: listener.proxy_protocol_from.clone(),
        role: match listener.role {
            ListenerRole::Inbound => DoorRole::Inbound,
            ListenerRole::Outbound => {
                let (allow_from, auth) = (listener.allow_from.as_slice().into(), listener.auth);
                DoorRole::Outbound { allow_from, auth }
            }
        },
    };
    settings.listeners.iter().map(|numbered| listener(numbered)).collect()
}

/// The policy services, in the order of the settings.
pub(super) fn policy_services(settings: &Settings) -> Vec<PolicyServiceSettings> {
    let service = |service: &crate::settings::PolicyServiceSettings| PolicyServiceSettings {
        listen: service.listen,
        allow_from: service.allow_from.clone(),
        mode: match service.mode {
            PolicyServiceMode::Enforce => AdviceMode::Enforce,
            PolicyServiceMode::Observe => AdviceMode::Observe,
        },
        connections_max: service.connections_max,
    };
    settings.policy_services.iter().map(|numbered| service(numbered)).collect()
}

/// The files that say where clients are.
pub(crate) fn places(settings: &Settings) -> PlaceSettings {
    PlaceSettings {
        databases: settings.geo.database.clone(),
        map: settings.server.data_dir.join(PLACE_MAP),
    }
}

/// What alerts may be posted to.
///
/// # Errors
/// The file of authorities cannot be read. A sentence for the operator.
pub(super) fn posting(settings: &Settings) -> Result<WebSettings, String> {
    let alerts = &settings.alerts;
    Ok(WebSettings {
        reach: Reach::with(alerts.webhook_inward.clone(), "alerts.webhook_inward"),
        authorities: Authorities::load(alerts.webhook_ca_file.as_deref())?,
        timeout: POST_TIMEOUT,
    })
}

/// How long a receiver of alerts may take, from its name to its answer.
const POST_TIMEOUT: Duration = Duration::from_secs(10);

/// Where mail may go that others send, and whose certificates count there;
/// policies of their domains are fetched within the same bounds.
///
/// # Errors
/// The file of authorities cannot be read. A sentence for the operator.
pub(crate) fn fetching(settings: &Settings) -> Result<WebSettings, String> {
    let delivery = &settings.delivery;
    Ok(WebSettings {
        reach: Reach::with(delivery.mx_inward.clone(), "delivery.mx_inward"),
        authorities: Authorities::load(delivery.ca_file.as_deref())?,
        timeout: FETCH_TIMEOUT,
    })
}

/// Whose certificates of clients count.
///
/// # Errors
/// The file of authorities cannot be read. A sentence for the operator.
pub(crate) fn client_authorities(settings: &Settings) -> Result<Authorities, String> {
    Authorities::load(settings.smtp_tls.client_ca_file.as_deref())
}

/// The map of places that was imported, in the data folder.
const PLACE_MAP: &str = "geo/places.map";

/// One list, with the key to its zone.
pub(super) fn list(
    list: &crate::settings::ListTableSettings,
    zone: Domain,
    zone_key: Option<ZoneKey>,
) -> ListSettings {
    ListSettings {
        name: list.name.clone(),
        zone_key,
        source: match &list.file {
            None => ListSource::Zone(zone),
            Some(path) => ListSource::File {
                path: path.clone(),
                format: match list.format {
                    ListFormat::Text => checks::ListFormat::Text,
                    ListFormat::Ip4set => checks::ListFormat::Ip4set,
                    ListFormat::Dnset => checks::ListFormat::Dnset,
                },
            },
        },
        timeout: list.timeout,
        concurrent_max: count(list.concurrent_max),
        has_test_entries: list.test_entries,
    }
}

/// How names are looked up.
pub(crate) fn resolver(settings: &Settings) -> ResolverSettings {
    ResolverSettings {
        servers: settings.dns.resolver.clone(),
        timeout: settings.dns.timeout,
        concurrent_max: count(settings.dns.concurrent_max),
    }
}

/// How accepted mail is handed on; `own` is where we listen.
pub(crate) fn delivery(settings: &Settings, own: Vec<SocketAddr>) -> DeliverySettings {
    let delivery = &settings.delivery;
    let name = host_name(settings);
    let mut converted = DeliverySettings::new(&name, routes(settings));
    let warn_after = (delivery.delay_warning_after > 0).then_some(delivery.delay_warning_after);
    let waits = delivery.retry_schedule.0.clone();
    if let Ok(schedule) = RetrySchedule::new(waits, delivery.expire_after, warn_after) {
        converted.schedule = schedule;
    }
    converted.hop = HopLimits {
        connections_max: count(delivery.connections_per_hop_max),
        messages_per_connection_max: delivery.messages_per_connection_max,
        recipients_max: count(delivery.recipients_per_transaction_max),
        idle_max: delivery.keep_open,
        back_off_first: delivery.back_off_first,
        back_off_max: delivery.back_off_max,
    };
    converted.timeouts = HopTimeouts {
        connect: delivery.connect_timeout,
        greeting: delivery.command_timeout,
        hello: delivery.command_timeout,
        envelope: delivery.command_timeout,
        data: delivery.command_timeout,
        end_of_data: delivery.data_timeout,
        ..HopTimeouts::default()
    };
    converted.tls = match delivery.tls {
        HopTls::Opportunistic => TlsUse::Opportunistic,
        HopTls::Required => TlsUse::Required,
        HopTls::Off => TlsUse::Never,
    };
    converted.mta_sts = u16::try_from(delivery.mta_sts_port)
        .ok()
        .filter(|_| delivery.mta_sts)
        .map(|port| StsSettings { port });
    converted.own = OwnHosts { names: name.parse().into_iter().collect(), addresses: own };
    converted.bounces = BounceLimits {
        per_minute_max: delivery.bounce_rate_max.per_minute,
        per_domain_per_minute_max: delivery.bounce_rate_per_domain_max.per_minute,
    };
    converted.probe = probe(settings);
    converted.source = delivery.source;
    converted.stop_grace = settings.server.drain_timeout;
    converted
}

fn probe(settings: &Settings) -> ProbeSettings {
    let call_forward = &settings.call_forward;
    ProbeSettings {
        timeout: call_forward.timeout,
        connections_max: count(call_forward.concurrent_max),
        known_kept: call_forward.known_for,
        unknown_kept: call_forward.unknown_for,
        answers_max: count(call_forward.remembered_max),
    }
}

fn routes(settings: &Settings) -> RoutingTable {
    let mut routes = RoutingTable::new();
    for domain in &settings.domains {
        routes.insert(&domain.name, route(&domain.next_hop));
    }
    routes.set_elsewhere(route(&settings.delivery.bounce_hop));
    routes.set_outbound(route(&settings.delivery.outbound_hop));
    if let Ok(port) = u16::try_from(settings.delivery.mx_port) {
        routes.set_mx_port(port);
    }
    routes
}

/// Whether a next hop is found by its name, that of outbound mail included
/// where there is any.
pub(super) fn needs_names(settings: &Settings) -> bool {
    let named =
        |hop: &NextHop| matches!(hop, NextHop::Mx | NextHop::Host { host: HopHost::Name(_), .. });
    let outbound = settings.listeners.iter().any(|one| one.role == ListenerRole::Outbound);
    let to_the_world = settings.delivery.outbound_hop.iter().filter(|_| outbound);
    let of_domains = settings.domains.iter().flat_map(|domain| &domain.next_hop);
    of_domains.chain(to_the_world).any(named)
}

/// The hosts that the settings name as next hops, as events and metrics do.
pub(super) fn next_hop_names(settings: &Settings) -> impl Iterator<Item = String> + '_ {
    let of_domains = settings.domains.iter().flat_map(|domain| &domain.next_hop);
    let delivery = &settings.delivery;
    let hops = of_domains.chain(&delivery.bounce_hop).chain(&delivery.outbound_hop);
    hops.filter_map(target).map(|target| target.to_string())
}

fn target(hop: &NextHop) -> Option<Target> {
    let NextHop::Host { host, port } = hop else { return None };
    let host = match host {
        HopHost::Name(name) => Host::Name(name.clone()),
        HopHost::Ip(ip) => Host::Address(*ip),
    };
    Some(Target { host, port: *port })
}

/// The settings make sure that `mx` stands alone and that there is a hop.
fn route(hops: &[NextHop]) -> Route {
    let hosts: Vec<Target> = hops.iter().filter_map(target).collect();
    match hosts.is_empty() {
        true => Route::Mx,
        false => Route::Hosts(Arc::new(FixedHosts { hosts, preference: Preference::InOrder })),
    }
}

fn count(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

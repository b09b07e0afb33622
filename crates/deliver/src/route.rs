//! Where the mail of a domain goes: the table of the settings, and the list
//! of hosts that an entry of it stands for.
//!
//! Nothing here opens a connection; names of hosts become addresses only when
//! their turn has come ([`crate::opening`]).

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use store::QueuedMessage;
use types::address::literal_ip;
use types::{Direction, Domain, EnhancedCode, ForwardPath};
use world::{Chance, DnsError, MxAnswer, MxHost, Reach, Resolver, is_inward};

use crate::settings::OwnHosts;

/// The port of SMTP between servers.
pub const SMTP_PORT: u16 = 25;

/// Most hosts of one next hop that are tried in one attempt. Whoever owns the
/// domain of a reverse-path owns its list of mail exchangers.
pub const HOSTS_MAX: usize = 10;

/// The text names no host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a next hop: {0:?} (expected host:port, [IPv6]:port, or \"mx\")")]
pub struct RouteError(String);

/// A host and its port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// The host.
    pub host: Host,
    /// The port.
    pub port: u16,
}

/// A host by name or by address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// To be looked up.
    Name(Domain),
    /// As it is.
    Address(IpAddr),
}

impl Host {
    /// The name, if it has one.
    pub(crate) fn name(&self) -> Option<&Domain> {
        match self {
            Host::Name(name) => Some(name),
            Host::Address(_) => None,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Name(name) => write!(f, "{name}:{}", self.port),
            Host::Address(IpAddr::V4(ip)) => write!(f, "{ip}:{}", self.port),
            Host::Address(IpAddr::V6(ip)) => write!(f, "[{ip}]:{}", self.port),
        }
    }
}

impl FromStr for Target {
    type Err = RouteError;

    /// Reads `host`, `host:port`, `192.0.2.1:25`, `[2001:db8::1]:25` or a
    /// bare address.
    fn from_str(text: &str) -> Result<Self, RouteError> {
        let error = || RouteError(text.chars().take(100).collect());
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Ok(Target { host: Host::Address(ip), port: SMTP_PORT });
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse().ok().filter(|&port| port != 0).ok_or_else(error)?)
            }
            _ => (text, SMTP_PORT),
        };
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host = match bare.unwrap_or(host).parse::<IpAddr>() {
            Ok(ip) => Host::Address(ip),
            Err(_) if bare.is_some() => return Err(error()),
            Err(_) => Host::Name(host.parse().map_err(|_| error())?),
        };
        Ok(Target { host, port })
    }
}

/// Where the mail of one domain goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// To the mail exchangers that the domain name system names.
    Mx,
    /// To fixed hosts.
    Hosts(Arc<FixedHosts>),
}

/// A list of hosts from the settings.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FixedHosts {
    /// The hosts, at least one.
    pub hosts: Vec<Target>,
    /// Which is tried first.
    pub preference: Preference,
}

/// Which of several fixed hosts is tried first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Preference {
    /// The first; the others stand by.
    InOrder,
    /// Any: the load is spread over all of them.
    Equal,
}

impl Route {
    /// Reads one route: the word `mx`, or hosts that are tried in order.
    ///
    /// # Errors
    /// A host that cannot be read, or none.
    pub fn parse(hosts: &[&str]) -> Result<Self, RouteError> {
        match hosts {
            [] => Err(RouteError(String::new())),
            [word] if word.eq_ignore_ascii_case("mx") => Ok(Route::Mx),
            hosts => {
                let hosts = hosts.iter().map(|host| host.parse()).collect::<Result<_, _>>()?;
                let preference = Preference::InOrder;
                Ok(Route::Hosts(Arc::new(FixedHosts { hosts, preference })))
            }
        }
    }
}

/// The next hops of every domain.
#[derive(Clone, Debug)]
pub struct RoutingTable {
    /// By domain, in comparable form.
    domains: HashMap<Box<str>, Route>,
    /// Where everything else goes: bounces to senders.
    elsewhere: Route,
    /// Where mail of our own servers to the world goes.
    outbound: Route,
    /// The domain whose next hop gets mail for the bare postmaster.
    postmaster: Option<Domain>,
    /// The port of mail exchangers.
    mx_port: u16,
}

impl Default for RoutingTable {
    fn default() -> Self {
        RoutingTable::new()
    }
}

impl RoutingTable {
    /// A table without entries: everything goes by mail exchangers.
    pub fn new() -> Self {
        RoutingTable {
            domains: HashMap::new(),
            elsewhere: Route::Mx,
            outbound: Route::Mx,
            postmaster: None,
            mx_port: SMTP_PORT,
        }
    }

    /// Enters the route of `domain`. The first domain entered is that of the
    /// bare postmaster.
    pub fn insert(&mut self, domain: &Domain, route: Route) {
        self.postmaster.get_or_insert_with(|| domain.clone());
        self.domains.insert(domain.as_str().into(), route);
    }

    /// Sends everything that has no entry (bounces) by `route`.
    pub fn set_elsewhere(&mut self, route: Route) {
        self.elsewhere = route;
    }

    /// Sends mail of our own servers to the world by `route`.
    pub fn set_outbound(&mut self, route: Route) {
        self.outbound = route;
    }

    /// Connects to mail exchangers at this port.
    pub fn set_mx_port(&mut self, port: u16) {
        self.mx_port = port;
    }

    /// Whether the settings say where mail for `domain` goes.
    pub fn is_ours(&self, domain: &Domain) -> bool {
        self.domains.contains_key(domain.as_str())
    }

    /// The next hop for the recipient `path` of a message of this kind.
    ///
    /// # Errors
    /// The bare postmaster while no domain is set up; accepted mail for a
    /// domain that is not set up any more.
    pub fn next_hop(&self, path: &ForwardPath, mail: Mail) -> Result<NextHop, RouteFailure> {
        if let (Mail::Accepted, ForwardPath::Address(address)) = (mail, path)
            && !self.domains.contains_key(address.domain_key())
        {
            return Err(not_ours_any_more(address.domain_key()));
        }
        let otherwise = match mail {
            Mail::Outbound => &self.outbound,
            Mail::Accepted | Mail::Notice => &self.elsewhere,
        };
        match (path, &self.postmaster) {
            (ForwardPath::Postmaster, Some(domain)) => self.of_domain(domain.as_str()),
            // It was accepted while there was one: the operator's to mend.
            (ForwardPath::Postmaster, None) => Err(RouteFailure::Temporary {
                why: "no domain is set up that could have a postmaster".into(),
            }),
            (ForwardPath::Address(address), _) => self.by(address.domain_key(), otherwise),
        }
    }

    /// Whether all mail for the world goes to these hosts.
    pub(crate) fn is_smarthost(&self, next_hop: &NextHop) -> bool {
        match (&self.outbound, next_hop) {
            (Route::Hosts(outbound), NextHop::Hosts(hosts)) => outbound == hosts,
            _ => false,
        }
    }

    /// The lists of hosts that the settings name. A host that only an address
    /// literal of a sender names is in none of them.
    pub(crate) fn named_hosts(&self) -> HashSet<&FixedHosts> {
        let routes = self.domains.values().chain([&self.elsewhere, &self.outbound]);
        let hosts = routes.filter_map(|route| match route {
            Route::Hosts(hosts) => Some(hosts.as_ref()),
            Route::Mx => None,
        });
        hosts.collect()
    }

    /// The next hop for `domain`, in its comparable form.
    ///
    /// # Errors
    /// The text is no domain.
    pub fn of_domain(&self, domain: &str) -> Result<NextHop, RouteFailure> {
        self.by(domain, &self.elsewhere)
    }

    /// The next hop for `domain`; by `otherwise` if it is none of ours.
    fn by(&self, domain: &str, otherwise: &Route) -> Result<NextHop, RouteFailure> {
        let (route, chosen) = match self.domains.get(domain) {
            Some(route) => (route, Chosen::ByOperator),
            None => (otherwise, Chosen::BySender),
        };
        match route {
            Route::Hosts(hosts) => Ok(NextHop::Hosts(Arc::clone(hosts))),
            Route::Mx => match domain.strip_prefix('[').and_then(|ip| ip.strip_suffix(']')) {
                Some(literal) => match literal_ip(literal) {
                    Ok(ip) if chosen == Chosen::BySender && is_inward(ip) => {
                        Err(leads_inward(domain))
                    }
                    Ok(ip) => Ok(NextHop::address(ip, self.mx_port)),
                    Err(_) => Err(no_such_domain(domain)),
                },
                None => domain
                    .parse()
                    .map(|domain| NextHop::Mx { domain, port: self.mx_port, chosen })
                    .map_err(|_| no_such_domain(domain)),
            },
        }
    }
}

/// Mail is accepted only for domains that are set up, so its domain was
/// removed since: the operator's to mend, and nobody else's mail exchangers
/// get it meanwhile.
fn not_ours_any_more(domain: &str) -> RouteFailure {
    let why = format!(
        "{domain} is not among the domains of the settings any more; set it up again, or delete \
         the message"
    );
    RouteFailure::Temporary { why }
}

fn no_such_domain(domain: &str) -> RouteFailure {
    let why = format!("{domain}: not a domain that mail can be sent to");
    RouteFailure::Permanent { status: EnhancedCode(5, 1, 2), why }
}

/// A sender's domain whose mail would go to an address that [`is_inward`].
pub(crate) fn leads_inward(name: &str) -> RouteFailure {
    let why = format!("{name}: its address is not a public one");
    // RFC 3463 section 3.5: unable to route.
    RouteFailure::Permanent { status: EnhancedCode(5, 4, 4), why }
}

/// What kind of message is to be routed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mail {
    /// One that was accepted for a domain of ours.
    Accepted,
    /// One that we wrote to a sender: it may go anywhere.
    Notice,
    /// One of our own servers to the world.
    Outbound,
}

impl Mail {
    /// The kind of a queued message.
    pub fn of(message: &QueuedMessage) -> Self {
        match (message.notice, message.client.client.direction) {
            (true, _) => Mail::Notice,
            (false, Direction::Outbound) => Mail::Outbound,
            (false, Direction::Inbound) => Mail::Accepted,
        }
    }
}

/// A next hop: what shares connections, limits and back-off.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum NextHop {
    /// The mail exchangers of a domain.
    Mx {
        /// The domain.
        domain: Domain,
        /// The port of its exchangers.
        port: u16,
        /// Who chose the domain.
        chosen: Chosen,
    },
    /// Fixed hosts, shared by all domains with the same list.
    Hosts(Arc<FixedHosts>),
}

/// Who chose a domain that mail goes to by its mail exchangers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Chosen {
    /// The operator, who set it up as one of ours: that nobody can be found
    /// there is his mistake, and mail that was accepted waits until it is
    /// mended.
    ByOperator,
    /// The sender, by the reverse-path of mail that came in or the recipients
    /// of mail that leaves us: what is wrong there is nobody's to mend here.
    BySender,
}

impl NextHop {
    /// Whether the settings name it, whose lists of hosts are `named`; else a
    /// sender did.
    pub(crate) fn is_ours(&self, named: &HashSet<&FixedHosts>) -> bool {
        match self {
            NextHop::Mx { chosen, .. } => *chosen == Chosen::ByOperator,
            NextHop::Hosts(hosts) => named.contains(hosts.as_ref()),
        }
    }

    /// The domain whose exchangers it is, if a sender chose it.
    pub(crate) fn domain_of_sender(&self) -> Option<&Domain> {
        match self {
            NextHop::Mx { domain, chosen: Chosen::BySender, .. } => Some(domain),
            _ => None,
        }
    }

    /// Whether a host at this address may be connected to: fixed hosts are
    /// the operator's, a sender's exchangers must not lead inward, except
    /// where `reach` says so.
    pub(crate) fn may_be_at(&self, ip: IpAddr, reach: &Reach) -> bool {
        self.domain_of_sender().is_none() || reach.has(ip)
    }

    /// What a failure to find a host means at this next hop: where the
    /// operator chose it, a host without an address, or one that is
    /// ourselves, is his mistake.
    pub(crate) fn meaning(&self, failure: RouteFailure) -> RouteFailure {
        match (failure, self) {
            (failure, NextHop::Mx { chosen: Chosen::BySender, .. }) => failure,
            (RouteFailure::Permanent { why, .. }, _) => RouteFailure::Temporary { why },
            (failure, _) => failure,
        }
    }

    fn address(ip: IpAddr, port: u16) -> Self {
        let hosts = vec![Target { host: Host::Address(ip), port }];
        NextHop::Hosts(Arc::new(FixedHosts { hosts, preference: Preference::InOrder }))
    }
}

impl fmt::Display for NextHop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NextHop::Mx { domain, .. } => write!(f, "mx of {domain}"),
            NextHop::Hosts(hosts) => {
                for (place, host) in hosts.hosts.iter().enumerate() {
                    let between = if place == 0 { "" } else { ", " };
                    write!(f, "{between}{host}")?;
                }
                Ok(())
            }
        }
    }
}

/// Why there is no host to send to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteFailure {
    /// There will be none later either.
    Permanent {
        /// What is wrong, by class and detail (RFC 3463).
        status: EnhancedCode,
        /// In words.
        why: String,
    },
    /// Asking again later may help.
    Temporary {
        /// In words.
        why: String,
    },
}

/// The hosts of `hop` in the order in which to try them, at least one and at
/// most [`HOSTS_MAX`].
///
/// # Errors
/// There is none: by a null MX, by a name that does not exist, because we are
/// the best mail exchanger ourselves, or because the name servers fail. None
/// of it is for good at a next hop of ours.
pub async fn hosts(
    hop: &NextHop,
    resolver: &dyn Resolver,
    chance: &dyn Chance,
    own: &OwnHosts,
) -> Result<Vec<Target>, RouteFailure> {
    let mut hosts = match hop {
        NextHop::Hosts(fixed) => {
            let mut hosts = fixed.hosts.clone();
            if fixed.preference == Preference::Equal {
                shuffle(&mut hosts, chance);
            }
            hosts
        }
        NextHop::Mx { domain, port, .. } => {
            let exchangers = exchangers(domain, resolver, chance, own).await;
            let exchangers = exchangers.map_err(|failure| hop.meaning(failure))?;
            let target = |host| Target { host: Host::Name(host), port: *port };
            exchangers.into_iter().map(target).collect()
        }
    };
    hosts.truncate(HOSTS_MAX);
    Ok(hosts)
}

/// The mail exchangers of `domain` by RFC 5321 section 5.1.
async fn exchangers(
    domain: &Domain,
    resolver: &dyn Resolver,
    chance: &dyn Chance,
    own: &OwnHosts,
) -> Result<Vec<Domain>, RouteFailure> {
    let mut listed = match resolver.mx(domain).await {
        Ok(MxAnswer::Hosts(hosts)) => hosts,
        // No record: the domain is its own exchanger, with preference 0.
        Err(DnsError::NoRecords) => vec![MxHost { preference: 0, host: domain.clone() }],
        Ok(MxAnswer::Null) => {
            // RFC 7505 section 4.
            return Err(RouteFailure::Permanent {
                status: EnhancedCode(5, 1, 10),
                why: format!("{domain} accepts no mail (null MX)"),
            });
        }
        Err(error) => return Err(no_answer(domain.as_str(), error)),
    };
    shuffle(&mut listed, chance);
    listed.sort_by_key(|mx| mx.preference);
    if let Some(ours) = listed.iter().find(|mx| own.names.contains(&mx.host)) {
        // Whoever is as far away as we are, or farther, would send it back.
        let bound = ours.preference;
        listed.retain(|mx| mx.preference < bound);
    }
    if listed.is_empty() {
        return Err(RouteFailure::Permanent {
            status: EnhancedCode(5, 4, 6),
            why: format!("mail for {domain} loops: its best mail exchanger is this server"),
        });
    }
    Ok(listed.into_iter().map(|mx| mx.host).collect())
}

/// What a failed look-up of `name` means for mail to it.
pub(crate) fn no_answer(name: &str, error: DnsError) -> RouteFailure {
    let why = format!("looking up {name}: {error}");
    if error.is_temporary() {
        RouteFailure::Temporary { why }
    } else {
        // RFC 3463 section 3.2: bad destination system address.
        RouteFailure::Permanent { status: EnhancedCode(5, 1, 2), why }
    }
}

/// Any order with equal probability (Fisher and Yates). The bias of the
/// remainder does not matter for lists this short.
fn shuffle<T>(items: &mut [T], chance: &dyn Chance) {
    for last in (1..items.len()).rev() {
        let range = u64::try_from(last).unwrap_or(u64::MAX).saturating_add(1);
        let other = usize::try_from(chance.number() % range).unwrap_or(0);
        items.swap(last, other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use world::simulated::{SeededChance, SimulatedResolver};

    fn domain(text: &str) -> Domain {
        text.parse().unwrap()
    }

    #[test]
    fn targets_are_read_and_shown_as_people_write_them() {
        for (text, shown) in [
            ("mail.corp.example", "mail.corp.example:25"),
            ("mail.corp.example:2525", "mail.corp.example:2525"),
            ("192.0.2.7", "192.0.2.7:25"),
            ("192.0.2.7:26", "192.0.2.7:26"),
            ("2001:db8::7", "[2001:db8::7]:25"),
            ("[2001:DB8::7]", "[2001:db8::7]:25"),
            ("[2001:db8::7]:26", "[2001:db8::7]:26"),
        ] {
            assert_eq!(text.parse::<Target>().map(|t| t.to_string()), Ok(shown.into()));
        }
        for text in ["", ":25", "host:", "host:0", "host:70000", "[mail]:25", "a b:25", "[::1"] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_domain_has_its_own_route_and_all_others_one() {
        let mut table = RoutingTable::new();
        let hop = |table: &RoutingTable, path: &str| {
            let path = match path {
                "postmaster" => ForwardPath::Postmaster,
                path => ForwardPath::Address(path.parse().unwrap()),
            };
            table
                .next_hop(&path, Mail::Notice)
                .map(|hop| hop.to_string())
                .unwrap_or_else(|e| format!("{e:?}"))
        };
        assert!(hop(&table, "postmaster").contains("Temporary"));
        table.insert(&domain("corp.example"), Route::parse(&["a:25", "192.0.2.1:26"]).unwrap());
        table.insert(&domain("mx.example"), Route::parse(&["MX"]).unwrap());
        assert_eq!(hop(&table, "Bob@CORP.example"), "a:25, 192.0.2.1:26");
        assert_eq!(hop(&table, "postmaster"), "a:25, 192.0.2.1:26");
        assert_eq!(hop(&table, "bob@mx.example"), "mx of mx.example");
        assert_eq!(hop(&table, "bob@[192.0.2.9]"), "192.0.2.9:25");
        assert_eq!(hop(&table, "bob@[IPv6:2001:db8::9]"), "[2001:db8::9]:25");
        assert!(hop(&table, "bob@[127.0.0.1]").contains("5, 4, 4"));
        assert!(hop(&table, "bob@[IPv6:::1]").contains("5, 4, 4"));
        table.insert(&domain("[10.0.0.1]"), Route::Mx);
        assert_eq!(hop(&table, "bob@[10.0.0.1]"), "10.0.0.1:25");
        table.set_elsewhere(Route::parse(&["smart.example:587"]).unwrap());
        assert_eq!(hop(&table, "bob@other.example"), "smart.example:587");
        assert!(Route::parse(&[]).is_err());
    }

    #[test]
    fn mail_that_leaves_us_has_a_route_of_its_own_and_our_domains_keep_theirs() {
        let mut table = RoutingTable::new();
        table.insert(&domain("corp.example"), Route::parse(&["a:25"]).unwrap());
        table.set_elsewhere(Route::parse(&["bounces.example:25"]).unwrap());
        let hop = |table: &RoutingTable, path: &str, mail| {
            let path = ForwardPath::Address(path.parse().unwrap());
            table.next_hop(&path, mail).unwrap().to_string()
        };
        assert_eq!(hop(&table, "x@other.example", Mail::Outbound), "mx of other.example");
        table.set_outbound(Route::parse(&["smart.example:587"]).unwrap());
        assert_eq!(hop(&table, "x@other.example", Mail::Outbound), "smart.example:587");
        assert_eq!(hop(&table, "x@other.example", Mail::Notice), "bounces.example:25");
        assert_eq!(hop(&table, "bob@corp.example", Mail::Outbound), "a:25");
        let literal = ForwardPath::Address("x@[127.0.0.1]".parse().unwrap());
        table.set_outbound(Route::Mx);
        assert!(table.next_hop(&literal, Mail::Outbound).is_err());
        let accepted = ForwardPath::Address("x@other.example".parse().unwrap());
        assert!(table.next_hop(&accepted, Mail::Accepted).is_err());
    }

    /// The order of hosts for these exchangers, or why there are none.
    async fn check(answer: Result<MxAnswer, DnsError>, expected: &str) {
        check_hop(Chosen::BySender, answer, expected).await;
    }

    async fn check_hop(chosen: Chosen, answer: Result<MxAnswer, DnsError>, expected: &str) {
        let resolver = SimulatedResolver::new();
        resolver.set_mx(&domain("corp.example"), answer);
        let own = OwnHosts { names: vec![domain("us.example")], ..OwnHosts::default() };
        let hop = NextHop::Mx { domain: domain("corp.example"), port: 25, chosen };
        let found = hosts(&hop, &resolver, &SeededChance::new(7), &own).await;
        let shown = match found {
            Ok(hosts) => hosts.iter().map(Target::to_string).collect::<Vec<_>>().join(" "),
            Err(RouteFailure::Permanent { status, .. }) => status.to_string(),
            Err(RouteFailure::Temporary { .. }) => "later".into(),
        };
        assert_eq!(shown, expected);
    }

    fn listed(hosts: &[(u16, &str)]) -> Result<MxAnswer, DnsError> {
        let host = |&(preference, host): &(u16, &str)| MxHost { preference, host: domain(host) };
        Ok(MxAnswer::Hosts(hosts.iter().map(host).collect()))
    }

    #[tokio::test]
    async fn exchangers_are_chosen_by_rfc_5321_section_5_1() {
        check(listed(&[(20, "b.example"), (10, "a.example")]), "a.example:25 b.example:25").await;
        check(Err(DnsError::NoRecords), "corp.example:25").await;
        check(Ok(MxAnswer::Null), "5.1.10").await;
        check(Err(DnsError::NoSuchName), "5.1.2").await;
        check(Err(DnsError::TimedOut), "later").await;
        check(Err(DnsError::ServerFailure), "later").await;
        check(
            listed(&[(5, "a.example"), (10, "us.example"), (10, "b.example"), (20, "c.example")]),
            "a.example:25",
        )
        .await;
        check(listed(&[(10, "us.example"), (20, "c.example")]), "5.4.6").await;
    }

    #[tokio::test]
    async fn a_mistake_in_a_route_of_ours_is_never_for_good() {
        for (answer, expected) in [
            (listed(&[(10, "us.example"), (20, "c.example")]), "later"),
            (Err(DnsError::NoSuchName), "later"),
            (Ok(MxAnswer::Null), "later"),
            (listed(&[(10, "a.example")]), "a.example:25"),
        ] {
            check_hop(Chosen::ByOperator, answer, expected).await;
        }
    }

    #[tokio::test]
    async fn equal_exchangers_share_the_load() {
        let resolver = SimulatedResolver::new();
        let names = ["a.example", "b.example", "c.example"].map(|name| (10, name));
        resolver.set_mx(&domain("corp.example"), listed(&names));
        let chosen = Chosen::BySender;
        let hop = NextHop::Mx { domain: domain("corp.example"), port: 25, chosen };
        let chance = SeededChance::new(3);
        let mut firsts = std::collections::HashSet::new();
        for _ in 0..50 {
            let hosts = hosts(&hop, &resolver, &chance, &OwnHosts::default()).await.unwrap();
            firsts.insert(hosts[0].to_string());
        }
        assert_eq!(firsts.len(), 3);
    }
}

//! From a next hop to an open connection: its hosts in order, their
//! addresses, greeting, EHLO, STARTTLS. What fails leads to the next address.
//! Where a policy of the domain asks for more than any connection
//! ([`crate::sts`]), what does not meet it fails.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use futures_util::future::{self, Either};
use rustls::pki_types::CertificateDer;
use smtp::{ClientOutput, ClientSettings};
use types::{EnhancedCode, Timestamp, TlsPolicy};
use world::DialOptions;

use crate::connection::{HopConnection, Lost};
use crate::hop::Hop;
use crate::route::{self, Host, RouteFailure, Target};
use crate::settings::{DeliverySettings, TlsUse};
use crate::shared::Shared;
use crate::status::count;
use crate::sts::{Demand, UNLISTED};
use crate::tls;
use crate::tried::{Answer, Reached};

/// Most addresses tried for one attempt, over all hosts.
const ADDRESSES_MAX: usize = 10;

/// No connection could be opened.
#[derive(Debug)]
pub(crate) struct NotOpened {
    /// Where it was tried last.
    pub(crate) at: Reached,
    /// What the next hop answered, or what kept it from answering.
    pub(crate) answer: Answer,
    /// Whether it answered something that is no SMTP.
    pub(crate) nonsense: bool,
}

impl NotOpened {
    /// In words.
    pub(crate) fn why(&self) -> String {
        let host = &self.at.host;
        match &self.answer {
            Answer::Silent(why) | Answer::Forbidden(why) | Answer::Impossible(_, why) => {
                format!("{host}: {why}")
            }
            Answer::Took(quoted) | Answer::Later(quoted) | Answer::Refused(quoted) => {
                format!("{host}: {quoted}")
            }
        }
    }

    /// Whether trying again is of no use.
    fn is_final(&self) -> bool {
        matches!(self.answer, Answer::Impossible(..))
    }

    fn no_route(name: &Arc<str>, failure: RouteFailure) -> Self {
        let answer = match failure {
            RouteFailure::Permanent { status, why } => Answer::Impossible(status, why),
            RouteFailure::Temporary { why } => Answer::Silent(why),
        };
        NotOpened { at: Reached::only(Arc::clone(name)), answer, nonsense: false }
    }

    /// A host that the policy of the domain does not list.
    fn refused(name: &Arc<str>, demand: &Demand) -> Self {
        let answer = Answer::Forbidden(demand.refusal(UNLISTED));
        NotOpened { at: Reached::only(Arc::clone(name)), answer, nonsense: false }
    }

    fn lost(at: Reached, lost: Lost) -> Self {
        let nonsense = matches!(lost, Lost::Peer(smtp::ClientError::Malformed(_)));
        NotOpened { at, answer: lost.into_answer(), nonsense }
    }
}

/// Opens a connection to the first address of `hop` that takes one.
pub(crate) async fn open(
    shared: &Shared,
    hop: &Hop,
    settings: &DeliverySettings,
) -> Result<HopConnection, NotOpened> {
    let parts = &shared.parts;
    let hosts =
        route::hosts(&hop.next_hop, parts.resolver.as_ref(), parts.chance.as_ref(), &settings.own)
            .await
            .map_err(|failure| NotOpened::no_route(&hop.name, failure))?;
    let demand = demand(shared, hop, settings).await;
    let policy = Some(policy(demand.as_ref(), hop, settings));
    match open_one_of(hosts, shared, hop, settings, demand.as_ref()).await {
        Ok(mut connection) => {
            connection.reached.policy = policy;
            Ok(connection)
        }
        Err(mut failed) => {
            failed.at.policy = policy;
            Err(failed)
        }
    }
}

/// What decides how connections to this next hop have to be protected.
fn policy(demand: Option<&Demand>, hop: &Hop, settings: &DeliverySettings) -> TlsPolicy {
    match (demand, settings.tls) {
        (Some(demand), _) => demand.policy(),
        (None, TlsUse::Never) => TlsPolicy::Never,
        (None, TlsUse::Required) => TlsPolicy::Required,
        (None, TlsUse::Opportunistic) if settings.routes.is_smarthost(&hop.next_hop) => {
            TlsPolicy::Smarthost
        }
        (None, TlsUse::Opportunistic) => TlsPolicy::Opportunistic,
    }
}

/// Opens a connection to the first address of these hosts that takes one as
/// it has to be.
async fn open_one_of(
    hosts: Vec<Target>,
    shared: &Shared,
    hop: &Hop,
    settings: &DeliverySettings,
    demand: Option<&Demand>,
) -> Result<HopConnection, NotOpened> {
    let mut left = ADDRESSES_MAX;
    let mut last = None;
    for target in hosts {
        let label: Arc<str> = target.to_string().into();
        if let Some(demand) = demand.filter(|one| one.is_enforced() && !one.lists(&target.host)) {
            count(&shared.counters.sts_hosts_refused);
            let refused = NotOpened::refused(&label, demand);
            // What a policy forbids may go another day; that another host is
            // not there must not make it final.
            if last.as_ref().is_none_or(NotOpened::is_final) {
                last = Some(refused);
            }
            continue;
        }
        let addresses = match addresses(shared, hop, settings, &target).await {
            Ok(addresses) => addresses,
            Err(failure) => {
                // Another host's failure to answer says more than a name
                // that does not exist.
                last.get_or_insert(NotOpened::no_route(&label, failure));
                continue;
            }
        };
        for ip in addresses.into_iter().take(left) {
            left -= 1;
            let way = Way { shared, settings, demand, target: &target, label: &label, ip };
            match way.open().await {
                Ok(connection) => {
                    hop.offers_smtputf8(connection.capabilities().smtputf8);
                    return Ok(connection);
                }
                Err(failed) => last = Some(failed),
            }
        }
    }
    count(&shared.counters.connections_failed);
    let nothing = RouteFailure::Temporary { why: "no host to connect to".into() };
    Err(last.unwrap_or_else(|| NotOpened::no_route(&hop.name, nothing)))
}

/// What the domain of a sender asks of connections for its mail.
async fn demand(shared: &Shared, hop: &Hop, settings: &DeliverySettings) -> Option<Demand> {
    let (domain, sts) = (hop.next_hop.domain_of_sender()?, settings.mta_sts_counts()?);
    shared.transport.look_up(domain, sts).await
}

/// The addresses of one host, without our own and, where a sender chose the
/// host, without those that lead inward.
async fn addresses(
    shared: &Shared,
    hop: &Hop,
    settings: &DeliverySettings,
    target: &Target,
) -> Result<Vec<IpAddr>, RouteFailure> {
    let mut found = match &target.host {
        Host::Address(ip) => vec![*ip],
        Host::Name(name) => match shared.parts.resolver.addresses(name.as_str()).await {
            Ok(found) => found,
            Err(error) => {
                return Err(hop.next_hop.meaning(route::no_answer(name.as_str(), error)));
            }
        },
    };
    found.retain(|ip| !settings.own.addresses.contains(&SocketAddr::new(*ip, target.port)));
    if found.is_empty() {
        let why = format!("mail for {target} loops: it is an address of this server");
        let loops = RouteFailure::Permanent { status: EnhancedCode(5, 4, 6), why };
        return Err(hop.next_hop.meaning(loops));
    }
    found.retain(|ip| hop.next_hop.may_be_at(*ip, &shared.parts.reach));
    if found.is_empty() {
        return Err(route::leads_inward(&target.to_string()));
    }
    Ok(found)
}

/// One address on the way to an open connection.
struct Way<'a> {
    shared: &'a Shared,
    settings: &'a DeliverySettings,
    demand: Option<&'a Demand>,
    target: &'a Target,
    label: &'a Arc<str>,
    ip: IpAddr,
}

/// Why a connection could not be encrypted.
enum NotSecured {
    /// It is used up; another may do without TLS.
    HandshakeFailed(String),
    /// There is to be none without.
    Forbidden(NotOpened),
}

impl Way<'_> {
    async fn open(&self) -> Result<HopConnection, NotOpened> {
        let connection = self.greeted().await?;
        if self.settings.tls == TlsUse::Never {
            return Ok(connection);
        }
        if !connection.capabilities().starttls {
            return match self.demand {
                _ if self.needs_tls() => Err(self.no_tls("it does not offer TLS")),
                None => Ok(connection),
                Some(demand) => Ok(in_clear(connection, demand.told_in_clear("TLS not offered"))),
            };
        }
        match self.secure(connection).await {
            Ok(connection) => Ok(connection),
            Err(NotSecured::HandshakeFailed(why)) => self.without_tls(why).await,
            Err(NotSecured::Forbidden(failed)) => Err(failed),
        }
    }

    /// Whether nothing goes in clear text.
    fn needs_tls(&self) -> bool {
        self.settings.tls == TlsUse::Required || self.enforced().is_some()
    }

    /// What is asked for and not only tried out.
    fn enforced(&self) -> Option<&Demand> {
        self.demand.filter(|demand| demand.is_enforced())
    }

    /// After a failed handshake: once more without TLS, if that is allowed.
    async fn without_tls(&self, why: String) -> Result<HopConnection, NotOpened> {
        count(&self.shared.counters.tls_failed);
        if self.needs_tls() {
            return Err(self.no_tls(&why));
        }
        Ok(in_clear(self.greeted().await?, self.told_in_clear(&why)))
    }

    fn told_in_clear(&self, why: &str) -> String {
        self.demand.map_or_else(|| format!("none ({why})"), |demand| demand.told_in_clear(why))
    }

    fn no_tls(&self, why: &str) -> NotOpened {
        let answer = match self.enforced() {
            Some(demand) => {
                count(&self.shared.counters.sts_hosts_refused);
                Answer::Forbidden(demand.refusal(why))
            }
            None => Answer::Silent(format!("TLS is required: {why}")),
        };
        NotOpened { at: self.reached(), answer, nonsense: false }
    }

    /// Whether these certificates prove that this is the host.
    fn verified(&self, shown: &[CertificateDer<'_>]) -> Result<(), String> {
        let name = match &self.target.host {
            Host::Name(name) => name.as_str().to_owned(),
            Host::Address(ip) => ip.to_string(),
        };
        let parts = &self.shared.parts;
        parts.authorities.verify(shown, &name, parts.clock.now())
    }

    /// The certificate does not prove that this is the host.
    fn not_proved(&self, why: &str, how: Arc<str>) -> NotOpened {
        let mut failed = self.no_tls(why);
        failed.at.tls = Some(how);
        failed
    }

    fn reached(&self) -> Reached {
        Reached { host: Arc::clone(self.label), ip: Some(self.ip), tls: None, policy: None }
    }

    /// The end of all patience for one step.
    fn latest(&self) -> Timestamp {
        let timeouts = &self.settings.timeouts;
        self.shared.parts.clock.now() + timeouts.greeting + timeouts.hello
    }

    /// Dials, and gets through greeting and EHLO.
    async fn greeted(&self) -> Result<HopConnection, NotOpened> {
        let to = SocketAddr::new(self.ip, self.target.port);
        let source = self.settings.source.filter(|ip| ip.is_ipv4() == self.ip.is_ipv4());
        let timeout = self.settings.timeouts.connect;
        let options = DialOptions { source, timeout };
        let dialled = self.shared.parts.dial.dial(to, options).await;
        let stream = match dialled {
            Ok(connection) => connection.stream,
            Err(error) => {
                let answer = Answer::Silent(format!("connecting to {to}: {error}"));
                return Err(NotOpened { at: self.reached(), answer, nonsense: false });
            }
        };
        count(&self.shared.counters.connections_opened);
        let client = ClientSettings {
            helo_name: Arc::clone(&self.settings.helo),
            // DATA works everywhere; BDAT saves looking for dots and nothing else.
            chunking: false,
            pipelining: true,
        };
        let clock = Arc::clone(&self.shared.parts.clock);
        let mut connection =
            HopConnection::new(stream, self.reached(), client, clock, self.settings.timeouts);
        match connection.turn(self.latest()).await {
            Ok(_) => Ok(connection),
            Err(lost) => Err(NotOpened::lost(connection.reached, lost)),
        }
    }

    /// STARTTLS and what follows.
    async fn secure(&self, mut connection: HopConnection) -> Result<HopConnection, NotSecured> {
        use NotSecured::HandshakeFailed;
        connection.session.start_tls(&mut connection.out);
        match connection.turn(self.latest()).await {
            Ok(ClientOutput::StartTls) => {}
            Ok(ClientOutput::StartTlsRefused(reply)) => {
                let why = format!("STARTTLS refused: {}", reply.quoted);
                return match self.needs_tls() {
                    true => Err(NotSecured::Forbidden(self.no_tls(&why))),
                    false => Ok(in_clear(connection, self.told_in_clear(&why))),
                };
            }
            Ok(_) => return Err(HandshakeFailed("STARTTLS was not answered".into())),
            Err(lost) => return Err(HandshakeFailed(format!("STARTTLS: {lost}"))),
        }
        let stream = connection.take_stream();
        let handshake = self.shared.tls.connect(&self.target.host, self.ip, stream);
        let limit = self.shared.parts.clock.sleep(self.settings.timeouts.hello);
        let stream = match future::select(std::pin::pin!(handshake), limit).await {
            Either::Left((Ok(stream), _)) => stream,
            Either::Left((Err(error), _)) => {
                return Err(HandshakeFailed(format!("TLS handshake failed: {error}")));
            }
            Either::Right(_) => {
                return Err(HandshakeFailed("TLS handshake timed out".into()));
            }
        };
        let verified = self.demand.map(|_| self.verified(tls::shown(&stream)));
        tls::counted(&stream, matches!(verified, Some(Ok(()))), &self.shared.counters);
        let how = match self.demand.zip(verified) {
            None => tls::describe(&stream, tls::NOT_VERIFIED),
            Some((demand, verified)) => {
                let lacking = (!demand.lists(&self.target.host)).then_some(UNLISTED);
                let how = tls::describe(&stream, &demand.told(&verified, lacking));
                match verified {
                    Ok(()) => connection.proved = self.target.host.name().cloned(),
                    Err(why) if demand.is_enforced() => {
                        return Err(NotSecured::Forbidden(self.not_proved(&why, how)));
                    }
                    Err(_) => {}
                }
                how
            }
        };
        connection.encrypted(Box::new(stream), how);
        match connection.turn(self.latest()).await {
            Ok(_) => Ok(connection),
            Err(lost) => Err(HandshakeFailed(format!("after the TLS handshake: {lost}"))),
        }
    }
}

/// Notes why a connection is in clear text.
fn in_clear(mut connection: HopConnection, how: String) -> HopConnection {
    connection.reached.tls = Some(how.into());
    connection
}

//! The domain name system, as far as mail needs it: mail exchangers,
//! addresses, and the name of an address.

use std::borrow::Cow;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError as HickoryDnsError, NetError, NoRecords};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use types::Domain;

use crate::BoxFuture;
use crate::clock::monotonic;
use crate::dns_answers::{Answer, Answers, Question, found_until, nothing_until};
use crate::dns_failures::{Advice, Failures};

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DnsError {
    /// The name does not exist (NXDOMAIN).
    #[error("the name does not exist")]
    NoSuchName,
    /// The name exists, but has no record of this kind.
    #[error("the name has no such record")]
    NoRecords,
    /// No server answered in time.
    #[error("no name server answered in time")]
    TimedOut,
    /// The servers answered that they cannot (SERVFAIL, REFUSED), or could
    /// not be reached.
    #[error("the name servers failed")]
    ServerFailure,
    /// The question or the answer is no DNS.
    #[error("not a name, or the answer could not be read")]
    Malformed,
}

impl DnsError {
    /// Whether asking again later may give another answer. Only what the
    /// name system says clearly is final: nobody's mail is given up because
    /// of a garbled packet.
    pub fn is_temporary(self) -> bool {
        !matches!(self, DnsError::NoSuchName | DnsError::NoRecords)
    }
}

/// Where a domain takes its mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MxAnswer {
    /// At these hosts, lowest preference first. Whoever delivers picks at
    /// random among equals (RFC 5321 section 5.1).
    Hosts(Vec<MxHost>),
    /// Nowhere: the null MX (RFC 7505).
    Null,
}

/// A kind of address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// Four octets: A records.
    V4,
    /// Sixteen octets: AAAA records.
    V6,
}

impl Family {
    /// The family of `ip`.
    pub fn of(ip: IpAddr) -> Family {
        if ip.is_ipv4() { Family::V4 } else { Family::V6 }
    }
}

/// One mail exchanger.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MxHost {
    /// Lower is tried earlier.
    pub preference: u16,
    /// The host.
    pub host: Domain,
}

/// Asks the domain name system.
pub trait Resolver: Send + Sync + 'static {
    /// The mail exchangers of `domain`. [`DnsError::NoRecords`] means that
    /// the domain itself is the host (RFC 5321 section 5.1).
    fn mx<'a>(&'a self, domain: &'a Domain) -> BoxFuture<'a, Result<MxAnswer, DnsError>>;

    /// The same for a plain DNS name: the names of the exchangers, whatever
    /// they are, lowest preference first; none for the null MX.
    fn exchangers<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<String>, DnsError>>;

    /// The addresses of `host`, IPv4 and IPv6, at least one. An address, or
    /// an address literal in brackets, is its own answer.
    fn addresses<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, DnsError>>;

    /// The addresses of `host` in one family alone, at least one: what is
    /// asked where a question is counted (RFC 7208 section 4.6.4). The name
    /// is a plain DNS name and may have labels that no host has.
    fn addresses_in<'a>(
        &'a self,
        family: Family,
        host: &'a str,
    ) -> BoxFuture<'a, Result<Vec<IpAddr>, DnsError>>;

    /// The texts at `name`, the strings of each record joined (RFC 7208
    /// section 3.3); at least one.
    fn texts<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<Vec<u8>>, DnsError>>;

    /// The names that `ip` claims, unconfirmed; at least one.
    fn reverse(&self, ip: IpAddr) -> BoxFuture<'_, Result<Vec<Domain>, DnsError>>;

    /// The name of `ip`, if one of the first [`REVERSE_NAMES_MAX`] names it
    /// claims has that address (RFC 8601 section 2.7.3, "iprev"). An error
    /// says that a question had no answer and none of the others a name.
    fn host_name(&self, ip: IpAddr) -> BoxFuture<'_, Result<Option<Arc<str>>, DnsError>> {
        let final_or = |error: DnsError| if error.is_temporary() { Err(error) } else { Ok(None) };
        Box::pin(async move {
            let names = match self.reverse(ip).await {
                Ok(names) => names,
                Err(error) => return final_or(error),
            };
            let mut unconfirmed = Ok(None);
            for name in names.into_iter().take(REVERSE_NAMES_MAX) {
                match self.addresses(name.as_str()).await {
                    Ok(found) if found.contains(&ip) => return Ok(Some(name.as_str().into())),
                    Ok(_) => {}
                    Err(error) => unconfirmed = unconfirmed.and(final_or(error)),
                }
            }
            unconfirmed
        })
    }
}

/// The address that `host` is, if it is one: bare as in a settings file or in
/// brackets as in an envelope.
pub(crate) fn as_address(host: &str) -> Option<IpAddr> {
    let literal = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    match literal {
        Some(literal) => types::address::literal_ip(literal).ok(),
        None => host.parse().ok(),
    }
}

/// Most names of one address that are confirmed: whoever owns the address
/// owns the list, and each entry costs us a query.
pub const REVERSE_NAMES_MAX: usize = 5;

/// How to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolverSettings {
    /// The name servers; those of the system if empty.
    pub servers: Vec<SocketAddr>,
    /// How long one server may take for one question.
    pub timeout: Duration,
    /// Most questions under way at once; others wait.
    pub concurrent_max: usize,
}

impl Default for ResolverSettings {
    /// The system's servers, 5 seconds, 1,024 questions.
    fn default() -> Self {
        ResolverSettings {
            servers: Vec::new(),
            timeout: Duration::from_secs(5),
            concurrent_max: 1_024,
        }
    }
}

/// The real domain name system. Answers are kept for as long as their records
/// live, and failures as RFC 9520 says.
#[derive(Debug)]
pub struct DnsResolver {
    inner: TokioResolver,
    /// Less patient: what is asked to see whether the servers are there.
    looking: TokioResolver,
    permits: Semaphore,
    answers: Answers,
    failures: Failures,
}

impl DnsResolver {
    /// A resolver; must be made inside the runtime it will run on.
    ///
    /// # Errors
    /// The system's resolver configuration cannot be read, or the settings
    /// make no resolver.
    pub fn new(settings: &ResolverSettings) -> io::Result<Self> {
        let inner = resolver_of(settings, settings.timeout)?;
        let looking = resolver_of(settings, settings.timeout.min(LOOK_TIMEOUT))?;
        let permits = Semaphore::new(settings.concurrent_max.max(1));
        let (answers, failures) = Default::default();
        Ok(DnsResolver { inner, looking, permits, answers, failures })
    }

    /// Whether the name servers count as gone: nothing at all is answered.
    /// Until one is, every question fails at once but one now and then, which
    /// is tried.
    pub fn are_servers_gone(&self) -> bool {
        self.failures.are_servers_gone()
    }

    /// One question, unless its answer is known; `complete` makes a name of
    /// the text.
    async fn ask(
        &self,
        kind: RecordType,
        text: &str,
        complete: impl FnOnce(&str) -> Result<Name, DnsError>,
    ) -> Answer {
        let text = lower_case(text);
        let question = Question { kind, text: &text };
        if let Some(answer) = self.answers.get(question, monotonic()) {
            return answer;
        }
        let (answer, until) = self.ask_anew((complete(&text)?, kind)).await;
        if let Some(until) = until {
            self.answers.keep(question, &answer, until);
        }
        answer
    }

    /// One question, unless it is known to fail; with the time until which
    /// the answer may be kept.
    async fn ask_anew(&self, key: (Name, RecordType)) -> (Answer, Option<Instant>) {
        match self.failures.advice(&key, monotonic()) {
            // Any answer brings the servers back, so whoever looks asks too.
            Advice::Ask | Advice::TryAgain => {}
            Advice::Fail(error) => return (Err(error), None),
        }
        let (answer, until) = self.ask_servers(&key).await;
        match answer {
            Err(DnsError::TimedOut) => {
                if self.failures.timed_out(&key, monotonic()) {
                    self.look().await;
                }
            }
            Err(DnsError::ServerFailure) => self.failures.failed(&key, monotonic()),
            _ => self.failures.answered(&key),
        }
        (answer, until)
    }

    /// One question, under the limit of concurrency.
    async fn ask_servers(&self, (name, kind): &(Name, RecordType)) -> (Answer, Option<Instant>) {
        let Ok(_permit) = self.permits.acquire().await else {
            // Never closed, so this only happens if that changes.
            return (Err(DnsError::ServerFailure), None);
        };
        match self.inner.lookup(name.clone(), *kind).await {
            Ok(lookup) => {
                let until = found_until(lookup.valid_until().into(), monotonic());
                let data = lookup.answers().iter().map(|record| record.data.clone());
                (Ok(data.collect()), Some(until))
            }
            Err(error) => {
                let until = no_records(&error).and_then(|none| nothing_until(none, monotonic()));
                let error = classify(&error);
                // A failure of the servers is kept as one, not as an answer.
                (Err(error), until.filter(|_| !error.is_temporary()))
            }
        }
    }

    /// Whether the servers answer what all of them can: who serves the root.
    async fn look(&self) -> bool {
        let answer = self.looking.lookup(Name::root(), RecordType::NS).await;
        let present = !matches!(answer, Err(NetError::Timeout));
        self.failures.looked(present, monotonic());
        present
    }

    async fn mx_of(&self, domain: &Domain) -> Result<MxAnswer, DnsError> {
        let mut hosts = Vec::new();
        let mut null = false;
        for data in &*self.ask(RecordType::MX, domain.as_str(), absolute).await? {
            let RData::MX(mx) = data else { continue };
            null |= mx.exchange.is_root();
            // A name that no host can have is no place to deliver to.
            if let Ok(host) = unrooted(&mx.exchange).parse() {
                hosts.push(MxHost { preference: mx.preference, host });
            }
        }
        hosts.sort();
        match (hosts.is_empty(), null) {
            (false, _) => Ok(MxAnswer::Hosts(hosts)),
            (true, true) => Ok(MxAnswer::Null),
            (true, false) => Err(DnsError::NoRecords),
        }
    }

    /// Both families at once. One that fails is no loss if the other answers.
    async fn addresses_of(&self, host: &str) -> Result<Vec<IpAddr>, DnsError> {
        if let Some(ip) = as_address(host) {
            return Ok(vec![ip]);
        }
        let (v4, v6) = futures_util::future::join(
            self.ask(RecordType::A, host, absolute),
            self.ask(RecordType::AAAA, host, absolute),
        )
        .await;
        let both = v4.iter().chain(&v6).flat_map(|found| found.iter());
        let found: Vec<IpAddr> = both.filter_map(address).collect();
        if !found.is_empty() {
            return Ok(found);
        }
        // A temporary failure of either leaves the question open.
        let errors = [v4.err(), v6.err()].into_iter().flatten();
        Err(errors.max_by_key(|e| e.is_temporary()).unwrap_or(DnsError::NoRecords))
    }
}

/// The address in a record, if it has one.
fn address(data: &RData) -> Option<IpAddr> {
    match data {
        RData::A(ip) => Some(IpAddr::V4(ip.0)),
        RData::AAAA(ip) => Some(IpAddr::V6(ip.0)),
        _ => None,
    }
}

/// What was found, or that nothing was.
fn at_least_one<T>(found: Vec<T>) -> Result<Vec<T>, DnsError> {
    if found.is_empty() { Err(DnsError::NoRecords) } else { Ok(found) }
}

impl Resolver for DnsResolver {
    fn addresses_in<'a>(
        &'a self,
        family: Family,
        host: &'a str,
    ) -> BoxFuture<'a, Result<Vec<IpAddr>, DnsError>> {
        let kind = match family {
            Family::V4 => RecordType::A,
            Family::V6 => RecordType::AAAA,
        };
        Box::pin(async move {
            let records = self.ask(kind, host, plain).await?;
            at_least_one(records.iter().filter_map(address).collect())
        })
    }

    fn texts<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<Vec<u8>>, DnsError>> {
        Box::pin(async move {
            let text = |data: &RData| match data {
                RData::TXT(txt) => Some(txt.txt_data.concat()),
                _ => None,
            };
            let records = self.ask(RecordType::TXT, name, plain).await?;
            at_least_one(records.iter().filter_map(text).collect())
        })
    }

    fn mx<'a>(&'a self, domain: &'a Domain) -> BoxFuture<'a, Result<MxAnswer, DnsError>> {
        Box::pin(self.mx_of(domain))
    }

    fn exchangers<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<String>, DnsError>> {
        Box::pin(async move {
            let exchanger = |data: &RData| match data {
                RData::MX(mx) => Some((mx.preference, unrooted(&mx.exchange))),
                _ => None,
            };
            let records = self.ask(RecordType::MX, name, plain).await?;
            let mut found = at_least_one(records.iter().filter_map(exchanger).collect())?;
            found.sort();
            Ok(found.into_iter().map(|(_, name)| name).filter(|name| !name.is_empty()).collect())
        })
    }

    fn addresses<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, DnsError>> {
        Box::pin(self.addresses_of(host))
    }

    fn reverse(&self, ip: IpAddr) -> BoxFuture<'_, Result<Vec<Domain>, DnsError>> {
        Box::pin(async move {
            let reversed = |_: &str| Ok(Name::from(ip));
            let records = self.ask(RecordType::PTR, &ip.to_string(), reversed).await?;
            let name = |data: &RData| match data {
                RData::PTR(ptr) => unrooted(&ptr.0).parse().ok(),
                _ => None,
            };
            at_least_one(records.iter().filter_map(name).collect())
        })
    }
}

/// UDP first, TCP for what does not fit, both at the port given.
fn name_server(at: SocketAddr) -> NameServerConfig {
    let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
    connections.iter_mut().for_each(|connection| connection.port = at.port());
    NameServerConfig::new(at.ip(), true, connections)
}

/// A resolver of the library that asks the servers of `settings`.
fn resolver_of(settings: &ResolverSettings, timeout: Duration) -> io::Result<TokioResolver> {
    let provider = TokioRuntimeProvider::default();
    let mut builder = if settings.servers.is_empty() {
        TokioResolver::builder(provider).map_err(io::Error::other)?
    } else {
        let servers = settings.servers.iter().copied().map(name_server).collect();
        let config = ResolverConfig::from_parts(None, Vec::new(), servers);
        TokioResolver::builder_with_config(config, provider)
    };
    set_options(builder.options_mut(), timeout);
    builder.build().map_err(io::Error::other)
}

/// How long servers that may be gone are given to answer, twice.
const LOOK_TIMEOUT: Duration = Duration::from_secs(1);

fn set_options(options: &mut ResolverOpts, timeout: Duration) {
    options.timeout = timeout;
    // The first question and one more; delivery comes back by itself.
    options.attempts = 2;
    // Answers are kept before the library is asked.
    options.cache_size = 0;
    // Names here are complete: a search list of this machine must never turn
    // `corp` of an envelope into `corp.example.com`.
    options.ndots = 0;
}

/// The text with which an answer is kept: names have no case.
fn lower_case(text: &str) -> Cow<'_, str> {
    match text.bytes().any(|octet| octet.is_ascii_uppercase()) {
        true => Cow::Owned(text.to_ascii_lowercase()),
        false => Cow::Borrowed(text),
    }
}

/// The name, marked as complete.
fn absolute(name: &str) -> Result<Name, DnsError> {
    let mut name = Name::from_utf8(name).map_err(|_| DnsError::Malformed)?;
    name.set_fqdn(true);
    Ok(name)
}

/// The same for a name that need not be one of a host: `_dmarc`, or whatever
/// a macro of SPF makes.
fn plain(name: &str) -> Result<Name, DnsError> {
    if !name.is_ascii() {
        return absolute(name);
    }
    let mut name = Name::from_ascii(name).map_err(|_| DnsError::Malformed)?;
    name.set_fqdn(true);
    Ok(name)
}

/// The name without the dot of the root.
fn unrooted(name: &Name) -> String {
    let mut text = name.to_ascii();
    if text.ends_with('.') {
        text.pop();
    }
    text
}

/// What the servers said of records that do not exist.
fn no_records(error: &NetError) -> Option<&NoRecords> {
    match error {
        NetError::Dns(HickoryDnsError::NoRecordsFound(none)) => Some(none),
        _ => None,
    }
}

/// Sorts the library's many errors into the five that matter to mail.
fn classify(error: &NetError) -> DnsError {
    if let Some(none) = no_records(error) {
        return match none.response_code {
            ResponseCode::NXDomain => DnsError::NoSuchName,
            ResponseCode::NoError => DnsError::NoRecords,
            _ => DnsError::ServerFailure,
        };
    }
    match error {
        NetError::Timeout => DnsError::TimedOut,
        NetError::Dns(HickoryDnsError::ResponseCode(ResponseCode::FormErr))
        | NetError::Proto(_) => DnsError::Malformed,
        _ => DnsError::ServerFailure,
    }
}

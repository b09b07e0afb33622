//! What a test can set of the gateway, with the defaults of the product
//! where they do not stand in the way of a short story.

use std::time::Duration;

use center::submitters::NewSubmitter;
use checks::{
    CheckSettings, ConnectionLimits, DataLimits, HarvestLimits, KnownLimits, RateLimit, RateLimits,
    RecipientSettings, WhenStale,
};
use deliver::{DeliverySettings, Route, RouteError, RoutingTable};
use ipnet::IpNet;
use receive::{ReceiveSettings, Timeouts};
use smtp::{ContentLimits, SessionLimits};
use types::definition::PermittedList;
use types::policy::{BasePolicies, GreylistTimes, RecipientValidation};
use types::{Domain, EmailAddress, ListQuestion, ListSubject};

/// Why a setting was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingError(pub String);

impl std::fmt::Display for SettingError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SettingError {}

/// The greylisting policy that a test starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Greylisting {
    /// None: first contacts pass.
    Off,
    /// Clients are known by their network.
    Network,
    /// Clients are known by their very address.
    Address,
}

/// One of our domains.
#[derive(Clone, Debug)]
pub struct OurDomain {
    /// The domain.
    pub domain: Domain,
    /// How its recipients are found.
    pub validation: RecipientValidation,
    /// Its directory.
    pub recipients: Vec<EmailAddress>,
}

/// Everything a test can set.
#[derive(Clone, Debug)]
pub struct GatewaySettings {
    /// Our name.
    pub host_name: String,
    /// Our domains; `corp.example` with bob, cid and dan unless told else.
    pub domains: Vec<OurDomain>,
    /// Whether first contacts have to come back.
    pub greylisting: Greylisting,
    /// Whether there are the policies of a new installation that look at SPF,
    /// DKIM and DMARC.
    pub authentication: bool,
    /// The three times of greylisting.
    pub greylist: GreylistTimes,
    /// Largest message in octets.
    pub size_max_octets: u64,
    /// Octets of all messages that are kept in memory.
    pub examined_octets_max: usize,
    /// What sessions are bounded by.
    pub session: SessionLimits,
    /// How long clients are waited for.
    pub timeouts: Timeouts,
    /// How long the greeting is held back.
    pub greeting_delay: Duration,
    /// Connections held and opened.
    pub connections: ConnectionLimits,
    /// Recipients one client may offer.
    pub rate: RateLimits,
    /// Unknown recipients that may be asked for.
    pub harvest: HarvestLimits,
    /// What recipients are looked up by.
    pub lookup: RecipientSettings,
    /// Hops behind a message.
    pub received_fields_max: u32,
    /// How long a look-up may take.
    pub look_up_deadline: Duration,
    /// How long a step of sender authentication may take.
    pub authentication_deadline: Duration,
    /// Peers that must send a PROXY header.
    pub proxies: Vec<IpNet>,
    /// Whose unknown recipients are not counted.
    pub harvest_exempt: Vec<IpNet>,
    /// Networks that may send through the outbound listener.
    pub outbound_from: Vec<IpNet>,
    /// Devices and programs that may send through the outbound listener.
    pub submitters: Vec<NewSubmitter>,
    /// Global permitted lists, which are zones.
    pub permitted_lists: Vec<PermittedList>,
    /// Whether STARTTLS is offered.
    pub tls: bool,
    /// Whether clients are asked for a certificate whatever policies say.
    pub asks_for_certificates: bool,
    /// Triplets the table holds.
    pub triplets_max: usize,
    /// How long events are kept; nothing keeps them for ever.
    pub retention: Option<Duration>,
    /// Base address of the explanation pages.
    pub public_url: Option<String>,
    /// Where clients are: lines of a map, `203.0.113.0-203.0.113.255 XA`.
    pub places: Vec<String>,
}

const NO_RATE: RateLimit = RateLimit { per_minute_max: 0, burst_max: 0 };

impl Default for GatewaySettings {
    fn default() -> Self {
        let ours = OurDomain::with_directory("corp.example", &["bob", "cid", "dan"]);
        GatewaySettings {
            host_name: "mx.corp.example".to_owned(),
            domains: ours.into_iter().collect(),
            greylisting: Greylisting::Network,
            authentication: true,
            greylist: GreylistTimes::default(),
            size_max_octets: 200 << 20,
            examined_octets_max: 64 << 20,
            session: SessionLimits::default(),
            timeouts: Timeouts {
                idle: Duration::from_secs(600),
                session: Duration::from_secs(3_600),
                handshake: Duration::from_secs(30),
            },
            greeting_delay: Duration::ZERO,
            connections: ConnectionLimits { by_client_max: 20, in_all_max: 20_000, rate: NO_RATE },
            rate: RateLimits {
                client: NO_RATE,
                network: NO_RATE,
                sender: NO_RATE,
                recipient: NO_RATE,
                submitter: NO_RATE,
            },
            harvest: HarvestLimits {
                window: Duration::from_secs(600),
                delay: Duration::from_secs(5),
                delayed_max: 1_000,
                ..HarvestLimits::NONE
            },
            lookup: RecipientSettings {
                known: KnownLimits {
                    learn_for: Duration::from_secs(30 * 86_400),
                    remember: Duration::from_secs(400 * 86_400),
                    max: 1_000,
                },
                stale_after: Duration::MAX,
                when_stale: WhenStale::Defer,
            },
            received_fields_max: 25,
            look_up_deadline: Duration::from_secs(15),
            authentication_deadline: Duration::from_secs(20),
            proxies: Vec::new(),
            harvest_exempt: Vec::new(),
            outbound_from: vec![IpNet::V4(ipnet::Ipv4Net::new_assert([10, 0, 0, 0].into(), 8))],
            submitters: Vec::new(),
            permitted_lists: Vec::new(),
            tls: false,
            asks_for_certificates: false,
            triplets_max: 100_000,
            retention: Some(Duration::from_secs(7 * 86_400)),
            public_url: None,
            places: Vec::new(),
        }
    }
}

impl OurDomain {
    /// A domain with a directory of these local parts.
    fn with_directory(domain: &str, locals: &[&str]) -> Result<OurDomain, SettingError> {
        let wrong = |_| SettingError(format!("not a domain, or not local parts: {domain}"));
        let address = |local: &&str| format!("{local}@{domain}").parse().map_err(wrong);
        Ok(OurDomain {
            domain: domain.parse().map_err(wrong)?,
            validation: RecipientValidation::Directory,
            recipients: locals.iter().map(address).collect::<Result<_, _>>()?,
        })
    }
}

impl GatewaySettings {
    /// Says how the recipients of `domain` are found; a new domain is added.
    ///
    /// # Errors
    /// No domain, or no way of validation.
    pub fn validate(&mut self, domain: &str, way: &str) -> Result<(), SettingError> {
        use RecipientValidation as V;
        let ways = [V::AcceptAll, V::Directory, V::Known, V::CallForward, V::CallForwardNull];
        let names = ["accept_all", "directory", "known", "call_forward", "call_forward_null"];
        let found = names.iter().zip(ways).find(|(name, _)| **name == way);
        let (_, validation) =
            found.ok_or_else(|| SettingError(format!("not a recipient validation: {way}")))?;
        self.domain(domain)?.validation = validation;
        Ok(())
    }

    /// Sets the directory of `domain`; a new domain is added.
    ///
    /// # Errors
    /// No domain.
    pub fn recipients(&mut self, domain: &str, locals: &[&str]) -> Result<(), SettingError> {
        let read = OurDomain::with_directory(domain, locals)?;
        self.domain(domain)?.recipients = read.recipients;
        Ok(())
    }

    fn domain(&mut self, name: &str) -> Result<&mut OurDomain, SettingError> {
        let new = OurDomain::with_directory(name, &[])?;
        let known = self.domains.iter().position(|ours| ours.domain == new.domain);
        let place = known.unwrap_or(self.domains.len());
        if known.is_none() {
            self.domains.push(new);
        }
        self.domains.get_mut(place).ok_or_else(|| SettingError(name.to_owned()))
    }

    /// Sets one value by the name a scenario uses.
    ///
    /// # Errors
    /// An unknown name, or a value it cannot have.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), SettingError> {
        let wrong = || SettingError(format!("{key}: not a value it can have: {value}"));
        let number = || value.parse::<u64>().map_err(|_| wrong());
        let small = || value.parse::<u32>().map_err(|_| wrong());
        let span = || span(value).ok_or_else(wrong);
        match key {
            "authentication" => {
                self.authentication =
                    chosen(value, [("on", true), ("off", false)]).ok_or_else(wrong)?;
            }
            "greylisting" => {
                let choices = [
                    ("off", Greylisting::Off),
                    ("network", Greylisting::Network),
                    ("address", Greylisting::Address),
                ];
                self.greylisting = chosen(value, choices).ok_or_else(wrong)?;
            }
            "size_max" => self.size_max_octets = number()?,
            "examined_max" => {
                self.examined_octets_max = usize::try_from(number()?).map_err(|_| wrong())?;
            }
            "line_max" => self.session.content.line_octets_max = number()?,
            "excess_max" => self.session.content.excess_octets_max = number()?,
            "recipients_max" => self.session.recipients_max = small()?,
            "commands_wrong_max" => self.session.commands_wrong_max = small()?,
            "received_fields_max" => self.received_fields_max = small()?,
            "idle" => self.timeouts.idle = span()?,
            "session" => self.timeouts.session = span()?,
            "greeting_delay" => self.greeting_delay = span()?,
            "look_up_deadline" => self.look_up_deadline = span()?,
            "authentication_deadline" => self.authentication_deadline = span()?,
            "connections_per_client" => self.connections.by_client_max = small()?,
            "connections_in_all" => self.connections.in_all_max = small()?,
            "connections_per_minute" => self.connections.rate = rate(small()?),
            "recipients_per_minute" => self.rate.client = rate(small()?),
            "network_recipients_per_minute" => self.rate.network = rate(small()?),
            "sender_recipients_per_minute" => self.rate.sender = rate(small()?),
            "mails_per_minute" => self.rate.recipient = rate(small()?),
            "learn_for" => self.lookup.known.learn_for = span()?,
            "remember" => self.lookup.known.remember = span()?,
            "stale_after" => self.lookup.stale_after = span()?,
            "when_stale" => {
                let choices = [("defer", WhenStale::Defer), ("accept", WhenStale::Accept)];
                self.lookup.when_stale = chosen(value, choices).ok_or_else(wrong)?;
            }
            "unknown_recipients_max" => self.harvest.by_client_max = small()?,
            "unknown_recipients_exempt" => {
                self.harvest_exempt = vec![value.parse().map_err(|_| wrong())?];
            }
            "network_unknown_recipients_max" => self.harvest.by_network_max = small()?,
            "proxies" => self.proxies = vec![value.parse().map_err(|_| wrong())?],
            "permitted_list" => {
                let list = value.parse().map_err(|_| wrong())?;
                let question = ListQuestion { list, of: ListSubject::Ip };
                self.permitted_lists = vec![PermittedList { question, answers: Vec::new() }];
            }
            "tls" => self.tls = value == "on",
            "client_certificates" => self.asks_for_certificates = value == "ask",
            "triplets_max" => {
                self.triplets_max = usize::try_from(number()?).map_err(|_| wrong())?
            }
            "public_url" => self.public_url = Some(value.to_owned()),
            _ => return Err(SettingError(format!("no such setting: {key}"))),
        }
        Ok(())
    }

    pub(crate) fn receive(&self) -> ReceiveSettings {
        let content =
            ContentLimits { message_octets_max: self.size_max_octets, ..self.session.content };
        ReceiveSettings {
            host_name: self.host_name.as_str().into(),
            public_url: self.public_url.as_deref().map(Into::into),
            explains_scores: false,
            connections: self.connections,
            session: SessionLimits { content, ..self.session },
            data: DataLimits { received_fields_max: self.received_fields_max },
            timeouts: self.timeouts,
            greeting_delay: self.greeting_delay,
            asks_for_certificates: self.asks_for_certificates,
            examined_octets_max: self.examined_octets_max,
        }
    }

    pub(crate) fn checks(&self) -> CheckSettings {
        CheckSettings {
            greylist: self.greylist,
            rate: self.rate,
            harvest: self.harvest,
            harvest_exempt: self.harvest_exempt.clone(),
            recipients: self.lookup,
            deadline: self.look_up_deadline,
            authentication_deadline: self.authentication_deadline,
            sender_domains: true,
            client_names: true,
        }
    }

    pub(crate) fn base(&self) -> BasePolicies {
        BasePolicies {
            size_max_octets: self.size_max_octets,
            greylist: self.greylist,
            reputation: Default::default(),
            permitted_lists: self.permitted_lists.clone(),
            lists: Vec::new(),
            limits_recipient_rate: self.rate.limits_recipients(),
            domains: self.domains.iter().map(|d| (d.domain.clone(), d.validation)).collect(),
        }
    }

    /// Every domain goes to the one next hop; the rest (bounces) by MX.
    pub(crate) fn delivery(&self, next_hop: &str) -> Result<DeliverySettings, RouteError> {
        let mut routes = RoutingTable::new();
        for ours in &self.domains {
            routes.insert(&ours.domain, Route::parse(&[next_hop])?);
        }
        // What is under way is broken off at once: a test that wants it to
        // end lets it end before it stops the gateway.
        let stop_grace = Duration::ZERO;
        Ok(DeliverySettings { stop_grace, ..DeliverySettings::new(&self.host_name, routes) })
    }
}

/// A rate whose burst is a minute's worth.
fn rate(per_minute_max: u32) -> RateLimit {
    RateLimit { per_minute_max, burst_max: per_minute_max }
}

/// A span such as `61s`, `12h`, `11h59m59s` or `36d`.
pub(crate) fn span(text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at(digits);
        let unit = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit);
        let number: u64 = number.parse().ok()?;
        total += match unit {
            "ms" => Duration::from_millis(number),
            "s" => Duration::from_secs(number),
            "m" => Duration::from_secs(number * 60),
            "h" => Duration::from_secs(number * 3_600),
            "d" => Duration::from_secs(number * 86_400),
            _ => return None,
        };
        rest = tail;
    }
    (!text.is_empty()).then_some(total)
}

/// The choice of this name.
fn chosen<T, const N: usize>(name: &str, choices: [(&str, T); N]) -> Option<T> {
    choices.into_iter().find(|(known, _)| *known == name).map(|(_, choice)| choice)
}

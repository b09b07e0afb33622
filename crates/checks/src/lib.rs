//! Evidence: one file per check.
//!
//! A check looks at the world or at what we remember and returns what it saw.
//! It cannot decide: this crate does not know the policy crate. What to look
//! at is asked by policy through [`Need`], one piece at a time, so that a
//! costly or stateful check runs only where it can still matter.

mod authentication;
mod auto_allow;
mod connections;
mod data;
mod directory;
mod display_name;
mod greylist;
mod harvest;
mod helo;
mod host_name;
mod known;
mod lists;
mod places;
mod rate;
mod recipient;
mod relay;
mod reputation;
mod sender_domain;
mod signing;
mod smtputf8;
mod synced;

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use ipnet::IpNet;
use store::TripletTable;
use types::policy::{GreylistTimes, RecipientValidation};
use types::{
    CheckName, ClientFacts, Domain, EmailAddress, Event, EventId, Finding, Flaw, ForwardPath,
    Inconclusive, LifeLineId, MessageFacts, Micros, Need, Observed, ReversePath, SessionId, Source,
    SpfFacts, SpfResult, Stage, Subject, Timestamp,
};
use world::{Clock, RecipientProbe, Resolver};

pub use authentication::{
    Arrived, Authenticated, AuthenticationQuestion, DmarcCounts, DmarcPolicy, KeyRecord,
    SIGNATURES_MAX, SpfNode, SpfProblem, SpfQuestion, SpfTerm, SpfTree, Walked, authenticate,
    dmarc_policy, key_record, spf, spf_tree,
};
pub use auto_allow::auto_allow_finding;
pub use connections::{ConnectionCounts, ConnectionLimits, Held};
pub use data::{DataLimits, message_findings, unavailable};
pub use directory::{Directories, Directory, DirectoryError, DirectoryStatus};
pub use harvest::{Harvest, HarvestCounts, HarvestLimits, HeldBack};
pub use known::{KnownDomain, KnownLimits, KnownQuery, KnownRecipients, TooManyRecipients};
pub use lists::{
    LIST_RESULTS, ListFileError, ListFormat, ListKey, ListSettings, ListSource, ListStatus, Lists,
    Refusing, Suspicion, ZoneKey, needs_address_only, read_any_list, unknown_subject,
};
pub use places::{PlaceFileStatus, PlaceMap, PlaceSettings, Places, PlacesError};
pub use rate::{RateLimit, RateLimits};
use recipient::RecipientSources;
pub use recipient::{RecipientSettings, WhenStale};
pub use relay::{NamedBy, relay_finding};
use reputation::system_in;
pub use reputation::{Reputation, Reputed};
pub use signing::{
    KeyKind, Leaving, PublishedKey, Signed, Signing, SigningFailed, SigningKey, SigningKeyError,
    SigningSettings, SigningStatus, published,
};
pub use synced::{
    GroupBook, GroupSettings, LeftOut, Refused, SyncError, SyncHow, SyncPart, SyncReport,
    SyncSettings, SyncStatus, SyncedDirectories, Unread,
};

/// What one attempt shows to the checks.
#[derive(Clone, Copy, Debug)]
pub struct TransactionView<'a> {
    /// When the attempt is judged.
    pub at: Timestamp,
    /// MAIL FROM.
    pub reverse_path: &'a ReversePath,
    /// RCPT TO.
    pub recipient: &'a ForwardPath,
    /// What SPF said of it, if that was asked.
    pub spf: Option<&'a SpfFacts>,
    /// Where its client is, if a file may know.
    pub place: Option<&'a Observed>,
    /// All that is known of the attempt, for what is written later.
    pub subject: &'a Subject,
    /// The event the attempt will become.
    pub event: EventId,
    /// The life-line to open if the attempt continues no other.
    pub life_line: LifeLineId,
    /// The session.
    pub session: SessionId,
}

/// What may change while the server runs.
#[derive(Clone, Debug)]
pub struct CheckSettings {
    /// The three times of greylisting.
    pub greylist: GreylistTimes,
    /// Recipients that may be offered in a time.
    pub rate: RateLimits,
    /// Unknown recipients that may be asked for.
    pub harvest: HarvestLimits,
    /// Whose unknown recipients are not counted.
    pub harvest_exempt: Vec<IpNet>,
    /// What recipients are looked up by.
    pub recipients: RecipientSettings,
    /// How long a look-up may take before it counts as not answered.
    pub deadline: Duration,
    /// How long SPF, then the keys of signatures, then the policy of the
    /// author may take, each (20 s, see RFC 7208 section 4.6.4).
    pub authentication_deadline: Duration,
    /// Whether it is looked up where the domains of senders take their mail.
    pub sender_domains: bool,
    /// Whether the names of clients are looked up that no policy asks for.
    pub client_names: bool,
}

/// All checks that answer a [`Need`].
pub struct Checks {
    clock: Arc<dyn Clock>,
    settings: ArcSwap<CheckSettings>,
    directories: Arc<Directories>,
    known: KnownRecipients,
    probe: Arc<dyn RecipientProbe>,
    triplets: Arc<dyn TripletTable>,
    rates: rate::Rates,
    harvest: Arc<Harvest>,
    lists: Lists,
    places: Places,
    reputation: Reputation,
    signing: Signing,
}

impl Checks {
    /// The checks over these parts of the world and the store.
    pub fn new(
        clock: Arc<dyn Clock>,
        settings: CheckSettings,
        directories: Arc<Directories>,
        probe: Arc<dyn RecipientProbe>,
        triplets: Arc<dyn TripletTable>,
    ) -> Self {
        let settings = ArcSwap::from_pointee(settings);
        let lists = Lists::new(Arc::clone(&clock));
        let places = Places::new(Arc::clone(&clock));
        let rates = rate::Rates::default();
        let harvest = Arc::default();
        let reputation = Reputation::default();
        Checks {
            clock,
            settings,
            directories,
            known: KnownRecipients::default(),
            probe,
            triplets,
            rates,
            harvest,
            lists,
            places,
            reputation,
            signing: Signing::default(),
        }
    }

    /// Puts new settings in force for the next attempt.
    pub fn reload(&self, settings: CheckSettings) {
        self.settings.store(Arc::new(settings));
    }

    /// Block lists and allow lists.
    pub fn lists(&self) -> &Lists {
        &self.lists
    }

    /// The time by which all this goes.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Where addresses are.
    pub fn places(&self) -> &Places {
        &self.places
    }

    /// Where a client is, if there is a file that may know. No [`Need`] has
    /// to ask for it: it costs microseconds, and people search by it.
    pub fn place(&self, ip: IpAddr) -> Option<Finding> {
        let began = self.clock.elapsed();
        let (observed, source) = self.places.look(ip)?;
        let found = self.found(CheckName::Place, Stage::Connect, observed, began);
        Some(Finding { source, ..found })
    }

    /// What we have learned of clients.
    pub fn reputation(&self) -> &Reputation {
        &self.reputation
    }

    /// What we have learned of a client at this place, if anything speaks
    /// against it. No [`Need`] has to ask for it: it is in memory, and who did
    /// nothing has no finding.
    pub fn reputed(&self, ip: IpAddr, place: Option<&Observed>) -> Option<Finding> {
        let began = self.clock.elapsed();
        let facts = self.reputation.facts_within(ip, place.and_then(system_in), self.clock.now());
        let observed = (facts.score > 0).then_some(Observed::Reputation(facts))?;
        let found = self.found(CheckName::Reputation, Stage::Connect, observed, began);
        Some(Finding { source: Source::Memory, ..found })
    }

    /// Recipients known by name.
    pub fn known(&self) -> &KnownRecipients {
        &self.known
    }

    /// Directories of recipients.
    pub fn directories(&self) -> &Arc<Directories> {
        &self.directories
    }

    /// The clock by which all this goes.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// What recipients are looked up by at present.
    pub fn recipient_settings(&self) -> RecipientSettings {
        self.settings.load().recipients
    }

    /// Learns what an event says of its client and of its recipient.
    pub fn learn(&self, event: &Event) {
        self.reputation.learn(event, &self.places);
        self.known.learn(event, self.recipient_settings().known);
    }

    /// What is known here of a recipient whose domain is validated in this
    /// way; a next hop is not asked.
    pub fn recipient(
        &self,
        validation: RecipientValidation,
        recipient: &EmailAddress,
    ) -> (Observed, Source) {
        let sources = self.recipient_sources(self.recipient_settings());
        sources.look(validation, recipient, self.clock.now())
    }

    fn recipient_sources(&self, settings: RecipientSettings) -> RecipientSources<'_> {
        RecipientSources { directories: &self.directories, known: &self.known, settings }
    }

    /// Who asks for unknown recipients.
    pub fn harvest(&self) -> &Harvest {
        &self.harvest
    }

    /// That a client or its network asked for too many unknown recipients, if
    /// it did. No [`Need`] has to ask for it: it is in memory, and has to be
    /// known before anything is said of a recipient.
    pub fn harvested(&self, ip: IpAddr) -> Option<Finding> {
        let began = self.clock.elapsed();
        let settings = self.settings.load();
        if harvest::is_exempt(ip, &settings.harvest_exempt) {
            return None;
        }
        let observed = self.harvest.look(ip, self.clock.now(), settings.harvest)?;
        let found = self.found(CheckName::Harvest, Stage::Rcpt, observed, began);
        Some(Finding { source: Source::Memory, ..found })
    }

    /// Counts an unknown recipient that a client asked for. From half of the
    /// limit on the reply is to be held back for the time given, and its place
    /// among such replies be kept for as long.
    pub fn asked_for_unknown(&self, ip: IpAddr) -> Option<(Duration, HeldBack)> {
        let settings = self.settings.load();
        if harvest::is_exempt(ip, &settings.harvest_exempt) {
            return None;
        }
        let limits = settings.harvest;
        let is_many = self.harvest.count(ip, self.clock.now(), limits);
        let held = (is_many && !limits.delay.is_zero()).then(|| self.harvest.hold(limits))?;
        held.map(|place| (limits.delay, place))
    }

    /// Counts a recipient that a submitter offers; gives that it is over its
    /// limit, if it is.
    pub fn submitted(&self, submitter: &Arc<str>) -> Option<Finding> {
        let began = self.clock.elapsed();
        let (now, limits) = (self.clock.now(), self.settings.load().rate);
        let observed = self.rates.of_submitter(submitter, now, limits)?;
        let found = self.found(CheckName::Rate, Stage::Rcpt, observed, began);
        Some(Finding { source: Source::Memory, ..found })
    }

    /// Looks at what policy asks for.
    pub async fn look(&self, need: Need, transaction: &TransactionView<'_>) -> Finding {
        let began = self.clock.elapsed();
        let settings = self.settings.load();
        let (check, (observed, source)) = match need {
            Need::Recipient(way) => {
                let sources = self.recipient_sources(settings.recipients);
                let answer = recipient::look(way, transaction, sources, &*self.probe);
                (CheckName::Recipient, self.in_time(settings.deadline, answer).await)
            }
            Need::Smtputf8 => {
                (CheckName::Smtputf8, smtputf8::look(transaction.recipient, &*self.probe))
            }
            Need::Place => {
                (CheckName::Place, self.places.seen(transaction.subject.client.client.ip))
            }
            Need::Rate => (CheckName::Rate, self.rates.look(transaction, settings.rate)),
            // They belong to the session or the transaction, and are looked up
            // once for all recipients; whoever has it answers these.
            Need::Lists => (CheckName::Rbl, UNKNOWN),
            Need::Spf => (CheckName::Spf, UNKNOWN),
            Need::Authentication => (CheckName::Dkim, UNKNOWN),
            Need::Certificate => (CheckName::Certificate, UNKNOWN),
            Need::History(identity) => {
                let ip = transaction.subject.client.client.ip;
                let system = transaction.place.and_then(system_in);
                let score = self.reputation.facts_within(ip, system, transaction.at).score;
                let times = settings.greylist;
                let known = greylist::history(identity, times, transaction, &*self.triplets, score);
                (CheckName::History, known)
            }
            Need::Triplet(identity) => {
                let times = settings.greylist;
                (CheckName::Greylist, greylist::look(identity, times, transaction, &*self.triplets))
            }
        };
        let took = Micros::from(self.clock.elapsed().saturating_sub(began));
        Finding { check, stage: Stage::Rcpt, observed, source, took }
    }

    /// Whether the names of clients are looked up that no policy asks for.
    pub fn looks_at_client_names(&self) -> bool {
        self.settings.load().client_names
    }

    /// The names of a client, or that they could not be had. No [`Need`] asks
    /// for them, because they belong to the session: they are looked up once
    /// for all its attempts.
    pub async fn host_name(&self, ip: IpAddr, resolver: &dyn Resolver) -> Finding {
        let began = self.clock.elapsed();
        let deadline = self.settings.load().deadline;
        let found = tokio::select! {
            biased;
            found = host_name::look(ip, resolver) => found,
            () = self.clock.sleep(deadline) => Err(Inconclusive::TimedOut),
        };
        let observed = found.map_or_else(Observed::Inconclusive, Observed::Reverse);
        self.found(CheckName::HostName, Stage::Connect, observed, began)
    }

    /// What the name in EHLO is; `is_ours` tells our own names.
    pub fn helo(&self, client: &ClientFacts, is_ours: impl Fn(&str) -> bool) -> Option<Finding> {
        let began = self.clock.elapsed();
        let (name, host_name) = (client.helo.as_deref()?, client.host_name.as_deref());
        let form = helo::look(name, client.client.ip, host_name, is_ours);
        Some(self.found(CheckName::Helo, Stage::Helo, Observed::Helo(form), began))
    }

    /// Whether the domains of senders are looked up.
    pub fn looks_at_sender_domains(&self) -> bool {
        self.settings.load().sender_domains
    }

    /// Where the domain of a sender takes its mail. It belongs to the
    /// transaction and is looked up once for all recipients.
    pub async fn sender_domain(&self, domain: &Domain, resolver: &dyn Resolver) -> Finding {
        let began = self.clock.elapsed();
        let deadline = self.settings.load().deadline;
        let observed = tokio::select! {
            biased;
            observed = sender_domain::look(domain, resolver) => observed,
            () = self.clock.sleep(deadline) => Observed::Inconclusive(Inconclusive::TimedOut),
        };
        self.found(CheckName::SenderDomain, Stage::Mail, observed, began)
    }

    /// What SPF says of a transaction. No [`Need`] comes here for it: it is
    /// asked while the dialogue goes on, once for all recipients.
    pub async fn spf(&self, question: &SpfQuestion, resolver: &dyn Resolver) -> Finding {
        let began = self.clock.elapsed();
        let deadline = self.settings.load().authentication_deadline;
        let heard = OnceLock::new();
        let facts = tokio::select! {
            biased;
            facts = authentication::spf_heard(question, resolver, &heard) => facts,
            // A refusal whose explanation did not come is a refusal all the same.
            () = self.clock.sleep(deadline) => heard.into_inner().unwrap_or_else(|| SpfFacts {
                result: SpfResult::TempError,
                flaw: Some(Flaw::TimedOut),
                ..question.unanswered()
            }),
        };
        self.found(CheckName::Spf, Stage::Rcpt, Observed::Spf(facts), began)
    }

    /// What the signatures of a message and the policy of its author say:
    /// one finding each for DKIM, DMARC and ARC, the same for all recipients.
    pub async fn authenticate(
        &self,
        message: Arc<dyn Arrived>,
        header_from: &[String],
        spf: Option<&SpfFacts>,
        resolver: &dyn Resolver,
    ) -> [Finding; 3] {
        let began = self.clock.elapsed();
        let question = AuthenticationQuestion {
            header_from,
            spf,
            at: self.clock.now(),
            deadline: self.settings.load().authentication_deadline,
        };
        let Authenticated { dkim, dmarc, arc } =
            authentication::authenticate(message, question, resolver, &*self.clock).await;
        let found = |check, observed| self.found(check, Stage::Data, observed, began);
        [
            found(CheckName::Dkim, Observed::Dkim(dkim)),
            found(CheckName::Dmarc, Observed::Dmarc(dmarc)),
            found(CheckName::Arc, Observed::Arc(arc)),
        ]
    }

    /// The keys that sign our own people's mail.
    pub fn signing(&self) -> &Signing {
        &self.signing
    }

    /// Signs a message of our own people: the fields to put in front of it,
    /// and what came of it, the same for all recipients.
    pub async fn sign(&self, leaving: Leaving) -> (String, Finding) {
        let began = self.clock.elapsed();
        let Signed { fields, facts } = self.signing.sign(leaving, self.clock.now()).await;
        let seen = Observed::Signing(facts);
        let found = self.found(CheckName::Signing, Stage::Data, seen, began);
        (fields, Finding { source: Source::Settings, ..found })
    }

    /// An author from outside who shows the name or address of one of our
    /// people, if there is one; `domain` is the recipient's. Our people are
    /// those of directories, and recipients who were learned or imported.
    pub fn display_name(
        &self,
        facts: &MessageFacts,
        domain: &str,
        is_internal: impl Fn(&str) -> bool,
    ) -> Option<Finding> {
        let began = self.clock.elapsed();
        let authors = &facts.header_from;
        let is_known =
            |address: &EmailAddress| self.directories.knows(address) || self.known.knows(address);
        let seen = display_name::look(authors, domain, is_internal, is_known)?;
        Some(self.found(CheckName::DisplayName, Stage::Data, seen, began))
    }

    fn found(
        &self,
        check: CheckName,
        stage: Stage,
        observed: Observed,
        began: Duration,
    ) -> Finding {
        let took = Micros::from(self.clock.elapsed().saturating_sub(began));
        Finding { check, stage, observed, source: Source::Session, took }
    }

    /// The answer of a look-up, or that it took too long.
    async fn in_time(&self, deadline: Duration, answer: impl Future<Output = Seen>) -> Seen {
        tokio::select! {
            biased;
            seen = answer => seen,
            () = self.clock.sleep(deadline) => {
                (Observed::Inconclusive(Inconclusive::TimedOut), Source::Session)
            }
        }
    }
}

/// What nobody looked up.
const UNKNOWN: Seen = (Observed::Inconclusive(Inconclusive::NotConfigured), Source::Session);

/// What was seen, and where.
type Seen = (Observed, Source);

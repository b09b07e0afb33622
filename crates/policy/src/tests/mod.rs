//! Tests of the whole crate through one helper: a few lines of policies, one
//! line of mail, one line of what is expected.

mod authentication;
mod auto_allow;
mod changes;
mod connection;
mod documents;
mod geography;
mod managed;
mod order;
mod outbound;
mod precedence;
mod properties;
mod recipient;
mod replays;
mod reputation;
mod selection;
mod skips;
mod trials;
mod validation;

use std::net::IpAddr;
use std::sync::Arc;

use types::definition::DefinitionChoice;
use types::evidence::{Evidence, Need, Parties};
use types::finding::{Finding, HistoryFacts, RecipientAnswer, TripletFacts, TripletState};
use types::lists::{Group, ManagedSender, Pattern, SenderAction, SenderPattern};
use types::policy::*;
use types::*;

use crate::*;

/// The instant at which everything in these tests happens.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

/// Our domains, and how they are validated.
pub(crate) fn base() -> BasePolicies {
    BasePolicies {
        size_max_octets: 1_000,
        greylist: GreylistTimes::default(),
        reputation: Default::default(),
        permitted_lists: Vec::new(),
        lists: Vec::new(),
        limits_recipient_rate: true,
        domains: vec![
            ("corp.example".parse().unwrap(), RecipientValidation::Directory),
            ("open.example".parse().unwrap(), RecipientValidation::AcceptAll),
        ],
    }
}

/// Objects from lines such as
///
/// ```text
/// #1 block from *.sender.example to group:Staff override
/// #2 permit for bob@corp.example from sender.example
/// group Staff: bob@corp.example, sub.corp.example
/// ```
///
/// A line with `for` is a managed sender; `if_authenticated` and `until TIME`
/// can follow it.
pub(crate) fn objects(lines: &str) -> PolicyObjects {
    let mut objects = PolicyObjects::default();
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(group) = line.strip_prefix("group ") {
            objects.groups.push(group_of(group));
        } else if line.contains(" for ") {
            objects.managed_senders.push(managed(line));
        } else {
            objects.policies.push(policy(line));
        }
    }
    objects
}

/// `Staff below All: ann@corp.example, corp.example`
fn group_of(text: &str) -> Group {
    let (name, members) = text.rsplit_once(':').unwrap();
    let (name, parent) = match name.split_once(" below ") {
        Some((name, parent)) => (name, Some(parent.to_owned())),
        None => (name, None),
    };
    let members = members.split(',').map(str::trim).filter(|member| !member.is_empty());
    Group {
        name: name.to_owned(),
        parent,
        members: members.map(|member| member.parse().unwrap()).collect(),
    }
}

fn id(word: &str) -> PolicyId {
    PolicyId(word.trim_start_matches('#').parse().unwrap())
}

fn managed(line: &str) -> ManagedSender {
    let mut words = line.split_whitespace();
    let mut next = || words.next().unwrap_or_default();
    let (id, action) = (id(next()), next());
    let action = [SenderAction::Permit, SenderAction::Block, SenderAction::Auto]
        .into_iter()
        .find(|known| known.slug() == action)
        .unwrap_or(SenderAction::Disabled);
    assert_eq!(next(), "for");
    let recipient = next().parse().unwrap();
    assert_eq!(next(), "from");
    let sender: SenderPattern = next().parse().unwrap();
    let (mut authenticated_only, mut valid_until) = (false, None);
    while let word @ ("if_authenticated" | "until") = next() {
        match word {
            "until" => valid_until = Some(next().parse().unwrap()),
            _ => authenticated_only = true,
        }
    }
    ManagedSender {
        id: Some(id),
        sender,
        recipient,
        action,
        authenticated_only,
        note: String::new(),
        created_by: String::new(),
        created: Timestamp::EPOCH,
        created_from: None,
        valid_until,
    }
}

fn scope(text: &str) -> Scope {
    match text {
        "everyone" => Scope::Everyone,
        "internal" => Scope::Internal,
        "external" => Scope::External,
        _ if text.contains('=') => {
            let (name, value) = text.split_once('=').unwrap();
            let (name, value) = (name.to_owned(), value.replace('_', " "));
            Scope::Attribute(DirectoryAttribute { name, value })
        }
        _ => match text.strip_prefix("group:") {
            Some(name) => Scope::Group(name.to_owned()),
            None => match text.parse().unwrap() {
                Pattern::Address(address) => Scope::Address(address),
                Pattern::Domain(domain) => Scope::Domain(domain),
            },
        },
    }
}

fn option(word: &str) -> PolicyOption {
    use PolicyOption::*;
    match word {
        "permit" => PermittedSenders(PermitOption::Permit),
        "no_permit" => PermittedSenders(PermitOption::NoAction),
        "block" => BlockedSenders(BlockOption::Block),
        "no_block" => BlockedSenders(BlockOption::NoAction),
        "greylist" => Greylisting(GreylistOption::Apply(ClientIdentity::Network)),
        "greylist_by_address" => Greylisting(GreylistOption::Apply(ClientIdentity::Address)),
        "greylist_by_pool" => Greylisting(GreylistOption::Apply(ClientIdentity::Pool)),
        "greylist_strangers" => {
            Greylisting(GreylistOption::ApplyToStrangers(ClientIdentity::Network))
        }
        "no_greylist" => Greylisting(GreylistOption::NoAction),
        "auto_allow" => AutoAllow(AutoAllowOption::Apply),
        "no_auto_allow" => AutoAllow(AutoAllowOption::NoAction),
        "learn" => AutoAllowCreation(AutoAllowCreationOption::Create),
        "no_learning" => AutoAllowCreation(AutoAllowCreationOption::DoNotCreate),
        "expect" => ExpectedMail(ExpectedMailOption::PassWhenAuthenticated),
        "no_expect" => ExpectedMail(ExpectedMailOption::NoAction),
        "secure" => SecureReceipt(SecureReceiptOption::RequireTls),
        "verified" => SecureReceipt(SecureReceiptOption::RequireVerified),
        "no_secure" => SecureReceipt(SecureReceiptOption::Opportunistic),
        "accept_all" => {
            PolicyOption::RecipientValidation(types::policy::RecipientValidation::AcceptAll)
        }
        "known" => PolicyOption::RecipientValidation(types::policy::RecipientValidation::Known),
        "call_forward" => {
            PolicyOption::RecipientValidation(types::policy::RecipientValidation::CallForward)
        }
        "guard" => AntiSpoofing(AntiSpoofingOption::PassWhenAuthenticated),
        "guard_always" => AntiSpoofing(AntiSpoofingOption::Apply),
        "no_guard" => AntiSpoofing(AntiSpoofingOption::NoAction),
        "authenticate" => DnsAuthentication(DefinitionChoice::Apply("Strict".to_owned())),
        "no_authentication" => DnsAuthentication(DefinitionChoice::NoAction),
        "lists" => Reputation(DefinitionChoice::Apply("Lists".to_owned())),
        "no_lists" => Reputation(DefinitionChoice::NoAction),
        "places" => GeographicalRestriction(DefinitionChoice::Apply("Places".to_owned())),
        "hold_places" => GeographicalRestriction(DefinitionChoice::Apply("Held places".to_owned())),
        "no_places" => GeographicalRestriction(DefinitionChoice::NoAction),
        octets => EmailSizeLimits(octets.parse().unwrap()),
    }
}

/// A policy; the lower its number, the older it is.
pub(crate) fn policy(line: &str) -> StoredPolicy {
    let mut words = line.split_whitespace();
    let id = id(words.next().unwrap());
    let mut policy = Policy {
        id: Some(id),
        narrative: line.to_owned(),
        option: option(words.next().unwrap()),
        based_on: AddressBasis::Envelope,
        from: Scope::Everyone,
        to: Scope::Everyone,
        source_ips: Vec::new(),
        source_hosts: Vec::new(),
        validity: Validity::default(),
        mode: PolicyMode::On,
        overrides: false,
        bidirectional: false,
    };
    while let Some(word) = words.next() {
        let mut value = || words.next().unwrap();
        match word {
            "from" => policy.from = scope(value()),
            "to" => policy.to = scope(value()),
            "ip" => policy.source_ips.push(value().parse().unwrap()),
            "host" => policy.source_hosts.push(value().parse().unwrap()),
            "since" => policy.validity.from = Some(value().parse().unwrap()),
            "until" => policy.validity.until = Some(value().parse().unwrap()),
            "header" => policy.based_on = AddressBasis::Header,
            "both" => policy.based_on = AddressBasis::Both,
            "off" => policy.mode = PolicyMode::Off,
            "observe" => policy.mode = PolicyMode::Observe,
            "override" => policy.overrides = true,
            "bidirectional" => policy.bidirectional = true,
            other => panic!("unknown word {other:?} in {line:?}"),
        }
    }
    StoredPolicy { policy, version: 1, created: Timestamp::EPOCH }
}

/// One mail at one stage, and what the checks would answer about it.
#[derive(Debug)]
pub(crate) struct Mail {
    pub(crate) stage: Stage,
    pub(crate) ip: IpAddr,
    pub(crate) host: Option<String>,
    pub(crate) tls: Option<TlsFacts>,
    /// What the client showed, as far as it is looked at.
    pub(crate) certificate: ClientCertificate,
    pub(crate) from: ReversePath,
    pub(crate) to: ForwardPath,
    pub(crate) header: Vec<String>,
    pub(crate) recipient: Observed,
    pub(crate) triplet: TripletState,
    pub(crate) rate_exceeded: bool,
    pub(crate) utf8: Option<bool>,
    pub(crate) spf: SpfResult,
    pub(crate) dkim: (DkimResult, String),
    pub(crate) dmarc: (DmarcResult, DmarcRequest),
    /// Why the signatures in the header were not looked at.
    pub(crate) flaw: Option<Flaw>,
    pub(crate) lists: Vec<ListFacts>,
    pub(crate) place: Observed,
    pub(crate) evidence: Evidence,
}

/// Mail from a line such as
/// `<ann@sender.example> to <bob@corp.example> from 192.0.2.1 author eve@x.example`.
/// Everything that is not said speaks for the mail, but for its triplet,
/// which is new.
pub(crate) fn mail(line: &str) -> Mail {
    let path = |text: &str| text.trim_matches(['<', '>']).to_owned();
    let mut words = line.split_whitespace();
    let from = path(words.next().unwrap());
    assert_eq!(words.next(), Some("to"), "{line}");
    let to = path(words.next().unwrap());
    let address = |text: &str| text.parse::<EmailAddress>().unwrap();
    let mut mail = Mail {
        stage: Stage::Rcpt,
        ip: "192.0.2.1".parse().unwrap(),
        host: None,
        tls: None,
        certificate: ClientCertificate::NotShown,
        from: match from.as_str() {
            "" => ReversePath::Null,
            text => ReversePath::Address(address(text)),
        },
        to: match to.as_str() {
            "postmaster" => ForwardPath::Postmaster,
            text => ForwardPath::Address(address(text)),
        },
        header: Vec::new(),
        recipient: answered(RecipientAnswer::Known),
        triplet: TripletState::FirstSeen,
        rate_exceeded: false,
        utf8: Some(true),
        spf: SpfResult::None,
        dkim: (DkimResult::None, String::new()),
        dmarc: (DmarcResult::None, DmarcRequest::None),
        flaw: None,
        lists: Vec::new(),
        place: Observed::Place(PlaceFacts::default()),
        evidence: Evidence::new(),
    };
    while let Some(word) = words.next() {
        match word {
            "from" => mail.ip = words.next().unwrap().parse().unwrap(),
            "host" => mail.host = words.next().map(str::to_owned),
            "author" => {
                mail.stage = Stage::Data;
                mail.header.extend(words.next().map(str::to_owned));
            }
            "unauthored" => mail.stage = Stage::Data,
            "unknown" => mail.recipient = answered(RecipientAnswer::Unknown),
            "wrote" => mail = mail.wrote_before(words.next().unwrap().parse().unwrap()),
            "retry" => mail.triplet = TripletState::Passed,
            "early" => mail.triplet = TripletState::TooEarly,
            "tls" => {
                let version = words.next().unwrap().into();
                mail.tls = Some(TlsFacts { version, cipher: "".into() });
            }
            "shows" => mail.certificate = certificate(words.next().unwrap()),
            "fast" => mail.rate_exceeded = true,
            "ascii_only" => mail.utf8 = Some(false),
            "spf" => mail.spf = of_slug(SpfResult::ALL, words.next(), |one| one.slug()),
            "dmarc" => mail.dmarc.0 = of_slug(DmarcResult::ALL, words.next(), |one| one.slug()),
            "asks" => mail.dmarc.1 = of_slug(DmarcRequest::ALL, words.next(), |one| one.slug()),
            "unseen" => mail.flaw = Some(Flaw::TooLarge),
            "malformed" => mail.flaw = Some(Flaw::Syntax),
            "dkim" => {
                let result = of_slug(DkimResult::ALL, words.next(), |one| one.slug());
                mail.dkim = (result, words.next().unwrap().to_owned());
            }
            other => panic!("unknown word {other:?} in {line:?}"),
        }
    }
    mail
}

fn of_slug<T: Copy>(all: &[T], word: Option<&str>, slug: impl Fn(T) -> &'static str) -> T {
    *all.iter().find(|one| Some(slug(**one)) == word).unwrap()
}

/// A certificate by a word: what is wrong with it, or whom it covers.
fn certificate(word: &str) -> ClientCertificate {
    let covering = |covers_sender, host| {
        let names = CertificateNames { covers_sender, host, ..CertificateNames::default() };
        ClientCertificate::Verified(names)
    };
    match word {
        "sender" => covering(true, HostCoverage::NotSought),
        "host" => covering(false, HostCoverage::Covered),
        "stranger" => covering(false, HostCoverage::NotCovered),
        "unanswered" => covering(false, HostCoverage::Unanswered),
        "unsought" => covering(false, HostCoverage::NotSought),
        "expired" => ClientCertificate::NotVerified { flaw: CertificateFlaw::Expired },
        "untold" => ClientCertificate::NotTold,
        "unasked" => ClientCertificate::NotAsked,
        other => panic!("unknown certificate {other:?}"),
    }
}

pub(crate) fn answered(answer: RecipientAnswer) -> Observed {
    Observed::Recipient { validation: RecipientValidation::Directory, answer }
}

pub(crate) fn finding(check: CheckName, stage: Stage, observed: Observed) -> Finding {
    Finding { check, stage, observed, source: Source::Session, took: Micros(1) }
}

impl Mail {
    pub(crate) fn observed(mut self, check: CheckName, observed: Observed) -> Self {
        self.evidence.add(finding(check, self.stage, observed));
        self
    }

    /// The recipient wrote to the sender so many days ago.
    pub(crate) fn wrote_before(self, days: u64) -> Self {
        let (Some(own), Some(other)) = (self.to.address(), self.from.address()) else {
            return self;
        };
        let wrote = NOW.before(std::time::Duration::from_secs(days * 86_400));
        let pair = Correspondence { own: own.clone(), other: other.clone(), wrote };
        // At RCPT, where it is looked up, whatever stage is decided on.
        let mut seen = self;
        let observed = Observed::Correspondence(pair);
        seen.evidence.add(finding(CheckName::AutoAllow, Stage::Rcpt, observed));
        seen
    }

    pub(crate) fn parties(&self) -> Parties<'_> {
        Parties {
            ip: self.ip,
            host_name: self.host.as_deref(),
            tls: self.tls.as_ref(),
            reverse_path: Some(&self.from),
            recipient: Some(&self.to),
            header_from: &self.header,
        }
    }

    fn look(&self, need: Need) -> Finding {
        let (check, observed) = match need {
            Need::Recipient(wanted) => match self.recipient.clone() {
                Observed::Recipient { answer, .. } => {
                    (CheckName::Recipient, Observed::Recipient { validation: wanted, answer })
                }
                other => (CheckName::Recipient, other),
            },
            Need::Smtputf8 => {
                (CheckName::Smtputf8, Observed::Smtputf8 { next_hop_offers: self.utf8 })
            }
            Need::Rate => {
                let exceeded = self.rate_exceeded;
                let rate = Observed::Rate {
                    exceeded,
                    per_minute_max: 60,
                    retry_in_s: 7,
                    of: Default::default(),
                };
                (CheckName::Rate, rate)
            }
            Need::Lists => (CheckName::Rbl, Observed::Lists(self.lists.clone())),
            Need::Place => (CheckName::Place, self.place.clone()),
            Need::Spf => (CheckName::Spf, Observed::Spf(self.spf_facts())),
            Need::Authentication => (CheckName::Dkim, Observed::Dkim(self.dkim_facts())),
            Need::Certificate => {
                let shown = Observed::ClientCertificate(self.certificate.clone());
                (CheckName::Certificate, shown)
            }
            Need::History(identity) => (CheckName::History, history(identity, 0, 0)),
            Need::Triplet(identity) => {
                (CheckName::Greylist, Observed::Triplet(self.triplet_facts(identity)))
            }
        };
        finding(check, self.stage, observed)
    }

    fn spf_facts(&self) -> SpfFacts {
        SpfFacts {
            identity: SpfIdentity::MailFrom,
            domain: self.from.address().map_or("", |one| one.domain_key()).to_owned(),
            ip: self.ip,
            result: self.spf,
            flaw: None,
            questions: 1,
            explanation: None,
        }
    }

    fn dkim_facts(&self) -> DkimFacts {
        let (result, domain) = self.dkim.clone();
        let flaw = self.flaw;
        let one = SignatureFacts { domain, result, flaw, ..SignatureFacts::default() };
        let signatures = if result == DkimResult::None { Vec::new() } else { vec![one] };
        DkimFacts { result, signatures, flaw, ..DkimFacts::default() }
    }

    fn dmarc_facts(&self) -> DmarcFacts {
        let author = self.header.first().and_then(|one| one.split_once('@'));
        DmarcFacts {
            result: self.dmarc.0,
            domain: author.map_or("", |(_, domain)| domain).to_owned(),
            request: self.dmarc.1,
            flaw: self.flaw,
            ..DmarcFacts::default()
        }
    }

    fn triplet_facts(&self, identity: ClientIdentity) -> TripletFacts {
        let waited_ms = match self.triplet {
            TripletState::FirstSeen => 0,
            TripletState::TooEarly => 20_500,
            TripletState::Passed | TripletState::Known => 61_000,
        };
        TripletFacts {
            identity,
            client: Arc::from("192.0.2.0/24"),
            sender: Arc::from(self.from.key()),
            state: self.triplet,
            life_line: LifeLineId::from_bytes([1; 16]),
            first_seen: Timestamp::from_millis(NOW.as_millis() - waited_ms),
            first_event: EventId::from_bytes([1; 16]),
            attempts: 1,
            let_in: false,
            no_pool: None,
        }
    }

    /// Decides as `receive` does: every need is looked up and added.
    pub(crate) fn decide(&mut self, set: &PolicySet) -> (Ruling, Vec<Need>) {
        let mut asked = Vec::new();
        loop {
            let ruling = set.decide(self.stage, NOW, &self.parties(), &self.evidence);
            let Step::Ask(need) = ruling.step else {
                is_documented(self.stage, &ruling.step);
                return (ruling, asked);
            };
            assert!(!asked.contains(&need), "asked twice for {need:?}");
            asked.push(need);
            if need == Need::Authentication {
                let dmarc = Observed::Dmarc(self.dmarc_facts());
                self.evidence.add(finding(CheckName::Dmarc, self.stage, dmarc));
            }
            self.evidence.add(self.look(need));
        }
    }
}

/// Whatever decides says in the table of rules that it can.
fn is_documented(stage: Stage, step: &Step) {
    let Step::Decided(verdict) = step else { return };
    let Some(decision) = verdict.decision() else { return };
    let all = [Direction::Inbound, Direction::Outbound];
    let mut rules = all.into_iter().flat_map(|direction| rules(stage, direction));
    assert!(rules.any(|rule| rule.reasons.contains(&decision.reason)), "{}", decision.reason);
}

/// A client that came back with so many pairs.
pub(crate) fn history(identity: ClientIdentity, pairs: u32, score: u8) -> Observed {
    let client = Arc::from("192.0.2.0/24");
    Observed::History(HistoryFacts { identity, client, pairs, score, no_pool: None })
}

pub(crate) fn compile(objects: PolicyObjects) -> PolicySet {
    PolicySet::compile(1, objects, &base()).unwrap()
}

/// `reject blocked.policy.envelope by #1 next greylist.first_seen`
pub(crate) fn show(ruling: &Ruling) -> String {
    let Step::Decided(verdict) = &ruling.step else { return format!("{:?}", ruling.step) };
    let mut text = match verdict {
        Verdict::Proceed => "proceed".to_owned(),
        Verdict::Defer(decision) => format!("defer {}", show_decision(decision)),
        Verdict::Hold(decision) => format!("hold {}", show_decision(decision)),
        Verdict::Reject(decision) => format!("reject {}", show_decision(decision)),
    };
    if let Some(permit) = &ruling.permit {
        let how = if permit.auto { "learned" } else { "permitted" };
        text += &format!(" {how} by {}", show_reference(&permit.by));
    }
    if let Some(would) = &ruling.would {
        text += &format!(" would {}", show_decision(would));
    }
    text
}

fn show_decision(decision: &Decision) -> String {
    let mut text = decision.reason.to_string();
    if let Some(by) = &decision.policy {
        text += &format!(" by {}", show_reference(by));
    }
    if let Some(next) = decision.next {
        text += &format!(" next {next}");
    }
    text
}

fn show_reference(reference: &PolicyRef) -> String {
    match reference {
        PolicyRef::Policy { id, .. } | PolicyRef::ManagedSender { id } => id.to_string(),
        PolicyRef::Base(_) => "settings".to_owned(),
    }
}

/// Compiles the objects, decides on the mail and compares.
#[track_caller]
pub(crate) fn check(lines: &str, mail_line: &str, expected: &str) {
    let (ruling, _) = mail(mail_line).decide(&compile(objects(lines)));
    assert_eq!(show(&ruling), expected, "{lines}\n{mail_line}");
}

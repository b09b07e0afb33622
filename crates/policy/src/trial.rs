//! Unit tests of a policy set: a mail in, the expected end out. They run
//! anywhere, without a server and before a set is activated.
//!
//! ```toml
//! [[test]]
//! name = "the supplier does not wait"
//! from = "orders@supplier.example"
//! to = "ann@corp.example"
//! ip = "192.0.2.10"
//! expect = "accepted"
//! ```
//!
//! Who is in the groups of a directory, and has which of its attributes, stands
//! in the file too: a directory is not asked here.
//!
//! ```toml
//! [[person]]
//! address = "ann@corp.example"
//! groups = ["corp:Sales"]
//! attributes = [{ name = "department", value = "Sales" }]
//! ```
//!
//! What a test does not say speaks for the mail: the recipient is known, no
//! rate is exceeded. Its triplet is a first contact. Evidence of other checks
//! is given as findings, in the form in which events store them; a test can
//! also name the file of a stored event, whose evidence it then takes.

use std::net::IpAddr;

use serde::Deserialize;
use types::evidence::{Evidence, Need, Parties};
use types::finding::{RecipientAnswer, TripletFacts, TripletState};
use types::policy::{ClientIdentity, RecipientValidation};
use types::{
    CertificateNames, CheckName, ClientCertificate, Event, EventId, Finding, ForwardPath,
    Inconclusive, LifeLineId, Micros, Observed, PolicyRef, Reason, ReversePath, Source, Stage,
    Timestamp, TlsFacts, Verdict,
};

use crate::objects::PolicyObjects;
use crate::replay::{End, EndKind, Lack, TripletKeys, Triplets, forecast, recorded_triplet};
use crate::ruling::Step;
use crate::set::PolicySet;
use crate::{Document, DocumentError};

mod person;

pub use person::TrialPerson;

/// The tests of one file.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trials {
    /// `[[test]]`
    #[serde(default, rename = "test")]
    pub trials: Vec<Trial>,
    /// `[[person]]`
    #[serde(default, rename = "person")]
    pub people: Vec<TrialPerson>,
}

/// One test.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trial {
    /// What it shows, in its author's words.
    pub name: String,
    /// The file of a stored event (`portcullis why --json` has it under
    /// `event`; the API at `/attempts/{id}/event`), instead of a mail.
    #[serde(default)]
    pub attempt: Option<String>,
    /// MAIL FROM; empty for `<>`.
    #[serde(default)]
    pub from: String,
    /// RCPT TO.
    #[serde(default)]
    pub to: String,
    /// The client.
    #[serde(default)]
    pub ip: Option<IpAddr>,
    /// Its forward-confirmed host name.
    #[serde(default)]
    pub host: Option<String>,
    /// Whether the connection is encrypted.
    #[serde(default)]
    pub tls: bool,
    /// Whether the client showed a certificate that is verified and names the
    /// sender's domain; others are given as findings.
    #[serde(default)]
    pub certificate: bool,
    /// The addresses in the From field; without any, MAIL FROM is the author.
    #[serde(default)]
    pub header_from: Vec<String>,
    /// When it comes; now if absent.
    #[serde(default)]
    pub at: Option<Timestamp>,
    /// Whether the recipient exists.
    #[serde(default = "known")]
    pub recipient_known: bool,
    /// Where its triplet stands.
    #[serde(default = "first_seen")]
    pub triplet: TripletState,
    /// Whether the client has offered too many recipients.
    #[serde(default)]
    pub rate_exceeded: bool,
    /// Whether the next hop takes internationalized addresses.
    #[serde(default = "known")]
    pub smtputf8: bool,
    /// Octets of the message.
    #[serde(default)]
    pub size: Option<u64>,
    /// Findings of other checks.
    #[serde(default)]
    pub evidence: Vec<Finding>,
    /// `accepted`, `held`, `deferred` or `rejected`.
    pub expect: String,
    /// The reason that is expected, by its code.
    #[serde(default)]
    pub reason: Option<Reason>,
    /// The narrative of the policy that is expected to decide.
    #[serde(default)]
    pub policy: Option<String>,
}

const fn known() -> bool {
    true
}

const fn first_seen() -> TripletState {
    TripletState::FirstSeen
}

/// What is said of the rate of recipients.
fn rate(exceeded: bool) -> Observed {
    Observed::Rate { exceeded, per_minute_max: 1, retry_in_s: 60, of: Default::default() }
}

/// The answer of a check that a test says nothing about.
const NOT_FOUND_OUT: Observed = Observed::Inconclusive(Inconclusive::NotConfigured);

/// What came of one test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// Its name.
    pub name: String,
    /// What is wrong; nothing if it passed.
    pub fault: Option<String>,
}

impl Trials {
    /// Reads a file of tests.
    ///
    /// # Errors
    ///
    /// The first line that is not TOML, has an unknown key or a value that is
    /// not one of those allowed.
    pub fn parse(text: &str) -> Result<Trials, DocumentError> {
        toml::from_str(text).map_err(|error| crate::document::document_error(text, &error))
    }

    /// The objects with the people of the file in their groups and with their
    /// attributes.
    ///
    /// # Errors
    ///
    /// The first person who is in a group that is not there, or has an attribute
    /// that nobody can have. A sentence for the author.
    pub fn with_people(&self, mut objects: PolicyObjects) -> Result<PolicyObjects, String> {
        for person in &self.people {
            person
                .enter(&mut objects.groups)
                .map_err(|why| format!("{}: {why}", person.address))?;
        }
        Ok(objects)
    }

    /// Runs every test against a set made of these objects; `read` gives the
    /// stored event of a file.
    pub fn run(
        &self,
        set: &PolicySet,
        objects: &PolicyObjects,
        now: Timestamp,
        read: &dyn Fn(&str) -> Result<Event, String>,
    ) -> Vec<Tried> {
        let tried = self.trials.iter().map(|trial| Tried {
            name: trial.name.clone(),
            fault: trial.fault(set, objects, now, read),
        });
        tried.collect()
    }
}

/// The objects of a document with a number for each, as a set needs them.
pub fn numbered(document: Document, now: Timestamp) -> PolicyObjects {
    let taken: Vec<u64> = document.policies.iter().filter_map(|p| Some(p.id?.0)).collect();
    let mut free = (1..).filter(move |number| !taken.contains(number)).map(types::PolicyId);
    let mut policies = Vec::with_capacity(document.policies.len());
    for mut policy in document.policies {
        policy.id = policy.id.or_else(|| free.next());
        policies.push(crate::StoredPolicy { policy, version: 1, created: now });
    }
    let mut managed_senders = document.managed_senders;
    for (entry, number) in managed_senders.iter_mut().zip(1..) {
        entry.id = Some(types::PolicyId(number));
    }
    PolicyObjects {
        policies,
        groups: document.groups,
        definitions: document.definitions,
        managed_senders,
    }
}

impl Trial {
    fn fault(
        &self,
        set: &PolicySet,
        objects: &PolicyObjects,
        now: Timestamp,
        read: &dyn Fn(&str) -> Result<Event, String>,
    ) -> Option<String> {
        let end = match &self.attempt {
            Some(file) => read(file).and_then(|event| stored(set, &event)),
            None => self.end(set, now),
        };
        match end {
            Ok(end) => self.compare(&end, objects),
            Err(fault) => Some(fault),
        }
    }

    /// How the mail ends.
    fn end(&self, set: &PolicySet, now: Timestamp) -> Result<End, String> {
        let mail = self.mail(now)?;
        let mut evidence: Evidence = self.evidence.iter().cloned().collect();
        let mut held = None;
        for stage in [Stage::Rcpt, Stage::Data, Stage::Content] {
            self.seen(stage, &mut evidence);
            loop {
                let step = set.decide(stage, mail.at, &mail.parties(), &evidence).step;
                match step {
                    Step::Decided(Verdict::Proceed) => break,
                    // A hold stands unless a later stage refuses.
                    Step::Decided(hold @ Verdict::Hold(_)) => {
                        held.get_or_insert(End::decided(&hold));
                        break;
                    }
                    Step::Decided(verdict) => return Ok(End::decided(&verdict)),
                    Step::Ask(need) => {
                        let (check, observed) = self.answer(need, &mail);
                        if evidence.latest(check) == Some(&observed) {
                            return Err(format!("it needs {need:?} and has no use for the answer"));
                        }
                        evidence.add(finding(check, stage, observed));
                    }
                }
            }
        }
        Ok(held.unwrap_or(End::accepted()))
    }

    fn mail(&self, now: Timestamp) -> Result<Mail, String> {
        let from = match self.from.as_str() {
            "" => ReversePath::Null,
            text => ReversePath::Address(text.parse().map_err(|e| format!("from {text:?}: {e}"))?),
        };
        let to = &self.to;
        let to = ForwardPath::Address(to.parse().map_err(|e| format!("to {to:?}: {e}"))?);
        let ip = self.ip.ok_or("it has neither `ip` nor `attempt`")?;
        let header_from = match self.header_from.is_empty() {
            true => from.address().map(|address| address.key().to_owned()).into_iter().collect(),
            false => self.header_from.iter().map(|address| address.to_lowercase()).collect(),
        };
        let (host, at) = (self.host.clone(), self.at.unwrap_or(now));
        let tls = self.tls.then(|| TlsFacts { version: "TLSv1.3".into(), cipher: "".into() });
        Ok(Mail { ip, host, tls, from, to, header_from, at })
    }

    /// What is seen at a stage without being asked for.
    fn seen(&self, stage: Stage, evidence: &mut Evidence) {
        let size = |declared, received| Observed::Size { declared, received };
        // Said to be exceeded, a rate is limited, whatever the settings say.
        if stage == Stage::Rcpt && self.rate_exceeded {
            evidence.add(finding(CheckName::Rate, stage, rate(true)));
        }
        match (stage, self.size) {
            (Stage::Rcpt, Some(octets)) => {
                evidence.add(finding(CheckName::Size, stage, size(Some(octets), None)));
            }
            (Stage::Data, Some(octets)) => {
                evidence.add(finding(CheckName::Size, stage, size(None, Some(octets))));
            }
            _ => {}
        }
    }

    fn answer(&self, need: Need, mail: &Mail) -> (CheckName, Observed) {
        match need {
            Need::Recipient(validation) => (CheckName::Recipient, self.recipient(validation)),
            Need::Smtputf8 => {
                let next_hop_offers = Some(self.smtputf8);
                (CheckName::Smtputf8, Observed::Smtputf8 { next_hop_offers })
            }
            Need::Rate => (CheckName::Rate, rate(self.rate_exceeded)),
            // What a test gives no findings of could not be found out.
            Need::Lists => (CheckName::Rbl, NOT_FOUND_OUT),
            Need::Place => (CheckName::Place, NOT_FOUND_OUT),
            Need::Spf => (CheckName::Spf, NOT_FOUND_OUT),
            Need::Authentication => (CheckName::Dkim, NOT_FOUND_OUT),
            Need::Certificate => (CheckName::Certificate, self.certificate()),
            Need::History(_) => (CheckName::History, NOT_FOUND_OUT),
            Need::Triplet(identity) => {
                (CheckName::Greylist, Observed::Triplet(self.triplet(identity, mail.at)))
            }
        }
    }

    fn certificate(&self) -> Observed {
        let names = CertificateNames { covers_sender: true, ..CertificateNames::default() };
        Observed::ClientCertificate(match self.certificate {
            true => ClientCertificate::Verified(names),
            false => ClientCertificate::NotShown,
        })
    }

    fn recipient(&self, validation: RecipientValidation) -> Observed {
        let answer = match self.recipient_known {
            true => RecipientAnswer::Known,
            false => RecipientAnswer::Unknown,
        };
        Observed::Recipient { validation, answer }
    }

    fn triplet(&self, identity: ClientIdentity, at: Timestamp) -> TripletFacts {
        TripletFacts {
            identity,
            client: "".into(),
            sender: "".into(),
            state: self.triplet,
            life_line: LifeLineId::from_bytes([0; 16]),
            first_seen: at,
            first_event: EventId::from_bytes([0; 16]),
            attempts: 1,
            let_in: false,
            no_pool: None,
        }
    }

    /// What is not as expected.
    fn compare(&self, end: &End, objects: &PolicyObjects) -> Option<String> {
        let decided_by = end.policy.map(|policy| named(&policy, objects));
        let is_wrong = end.kind.slug() != self.expect
            || self.reason.is_some_and(|reason| end.reason != Some(reason))
            || self.policy.as_ref().is_some_and(|policy| decided_by.as_ref() != Some(policy));
        if !is_wrong {
            return None;
        }
        if !EndKind::ALL.iter().any(|kind| kind.slug() == self.expect) {
            let kinds = EndKind::ALL.map(EndKind::slug).join(", ");
            return Some(format!("`expect` must be one of {kinds}, not {:?}", self.expect));
        }
        let (reason, policy) = (self.reason.map(|r| r.to_string()), self.policy.as_deref());
        let expected = described(&self.expect, reason.as_deref(), policy);
        let reason = match end.lacks {
            Some(Lack::Content) => Some("the content was never sent".to_owned()),
            Some(Lack::Evidence(need)) => Some(format!("it lacks {need:?}")),
            None => end.reason.map(|reason| reason.to_string()),
        };
        let found = described(end.kind.slug(), reason.as_deref(), decided_by.as_deref());
        Some(format!("expected {expected}; it is {found}"))
    }
}

/// `deferred (greylist.first_seen) by "Ask first contacts to come back"`.
fn described(kind: &str, reason: Option<&str>, policy: Option<&str>) -> String {
    let reason = reason.map_or(String::new(), |reason| format!(" ({reason})"));
    let policy = policy.map_or(String::new(), |policy| format!(" by {policy:?}"));
    format!("{kind}{reason}{policy}")
}

/// How a stored attempt ends.
fn stored(set: &PolicySet, event: &Event) -> Result<End, String> {
    let forecast = forecast(set, event).ok_or("the stored event is no attempt")?;
    let keys = TripletKeys::new(0);
    let wanted = forecast.greylist.and_then(|asked| keys.of(event, asked.identity));
    let recorded = recorded_triplet(event)
        .and_then(|facts| Some((keys.of(event, facts.identity)?, facts.state)));
    let mut table = Triplets::new(set.base().greylist, 1);
    Ok(table.settle(&forecast, wanted, recorded, event.started).end)
}

/// The narrative of a policy; of an entry or the settings, what they are.
fn named(reference: &PolicyRef, objects: &PolicyObjects) -> String {
    let narrative = |id| {
        let found = objects.policies.iter().find(|stored| stored.policy.id == Some(id));
        found.map(|stored| stored.policy.narrative.clone())
    };
    match reference {
        PolicyRef::Policy { id, .. } => narrative(*id).unwrap_or_else(|| format!("policy {id}")),
        PolicyRef::ManagedSender { .. } => "managed sender".to_owned(),
        PolicyRef::Base(_) => "settings".to_owned(),
    }
}

struct Mail {
    ip: IpAddr,
    host: Option<String>,
    tls: Option<TlsFacts>,
    from: ReversePath,
    to: ForwardPath,
    header_from: Vec<String>,
    at: Timestamp,
}

impl Mail {
    fn parties(&self) -> Parties<'_> {
        Parties {
            ip: self.ip,
            host_name: self.host.as_deref(),
            tls: self.tls.as_ref(),
            reverse_path: Some(&self.from),
            recipient: Some(&self.to),
            header_from: &self.header_from,
        }
    }
}

fn finding(check: CheckName, stage: Stage, observed: Observed) -> Finding {
    Finding { check, stage, observed, source: Source::Session, took: Micros(0) }
}

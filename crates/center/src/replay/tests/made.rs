//! Attempts as `receive` makes them: decided by a real policy set, with the
//! evidence that it asked for. Shared by the tests and `examples/replay_cost`.

use std::collections::HashMap;
use std::sync::Arc;

use ::policy::{PolicySet, Step};
use types::event::{Record, Subject};
use types::evidence::{Evidence, Need, Parties};
use types::finding::{RecipientAnswer, TripletFacts, TripletState};
use types::message::HeaderMailbox;
use types::outcome::{Attempt, Ending};
use types::triplet::{identified, normalised};
use types::*;

/// Makes attempts and remembers triplets between them.
pub(crate) struct Maker<'a> {
    pub(crate) set: &'a PolicySet,
    windows: HashMap<String, (Timestamp, LifeLineId, bool)>,
    number: u64,
}

/// One mail that is sent.
pub(crate) struct Mail<'a> {
    pub(crate) from: &'a str,
    pub(crate) to: &'a str,
    pub(crate) ip: &'a str,
    pub(crate) at: Timestamp,
}

impl<'a> Maker<'a> {
    pub(crate) fn new(set: &'a PolicySet) -> Self {
        Maker { set, windows: HashMap::new(), number: 0 }
    }

    fn random(&mut self) -> [u8; 10] {
        self.number += 1;
        let mut random = [0; 10];
        random[2..].copy_from_slice(&self.number.to_be_bytes());
        random
    }

    /// Decides on a mail and makes its event.
    pub(crate) fn attempt(&mut self, mail: &Mail<'_>) -> Event {
        let id = EventId::new(mail.at, self.random());
        let mut life_line = LifeLineId::new(mail.at, self.random());
        let subject = subject(mail);
        let mut evidence = Evidence::new();
        let relay = Observed::Relay { internal: true, askers: false };
        evidence.add(finding(CheckName::Relay, Stage::Rcpt, relay));
        let mut ended = Stage::Content;
        let mut verdict = Verdict::Proceed;
        for stage in [Stage::Rcpt, Stage::Data, Stage::Content] {
            if stage == Stage::Data {
                let addresses = vec![mail.from.to_owned()];
                let author = Observed::HeaderFrom { addresses };
                evidence.add(finding(CheckName::HeaderFrom, stage, author));
            }
            verdict = self.decide(stage, mail.at, &subject, &mut evidence, (id, &mut life_line));
            if verdict != Verdict::Proceed {
                ended = stage;
                break;
            }
        }
        let outcome = match verdict {
            Verdict::Proceed => Outcome::Accepted {
                queue: QueueId::new(mail.at, self.random()),
                reason: Reason::Accepted,
            },
            Verdict::Defer(decision) => Outcome::Deferred(decision),
            Verdict::Hold(decision) | Verdict::Reject(decision) => Outcome::Rejected(decision),
        };
        let record = Record {
            stage: Some(ended),
            evidence,
            policy_version: self.set.version(),
            ..Record::default()
        };
        let session = SessionId::new(mail.at, self.random());
        let node = NodeName("mx1".into());
        let ending = Ending { at: mail.at, node, session, life_line, subject, record };
        Attempt::open(id, mail.at).finish(outcome, ending)
    }

    fn decide(
        &mut self,
        stage: Stage,
        at: Timestamp,
        subject: &Subject,
        evidence: &mut Evidence,
        (id, life_line): (EventId, &mut LifeLineId),
    ) -> Verdict {
        loop {
            let authors: Vec<String> = match evidence.latest(CheckName::HeaderFrom) {
                Some(Observed::HeaderFrom { addresses }) => addresses.clone(),
                _ => Vec::new(),
            };
            let who = Parties {
                ip: subject.client.client.ip,
                host_name: None,
                tls: subject.client.tls.as_ref(),
                reverse_path: subject.reverse_path.as_deref(),
                recipient: subject.recipient.as_ref(),
                header_from: &authors,
            };
            let need = match self.set.decide(stage, at, &who, evidence).step {
                Step::Decided(verdict) => return verdict,
                Step::Ask(need) => need,
            };
            let (check, observed) = match need {
                Need::Recipient(validation) => {
                    let answer = RecipientAnswer::Known;
                    (CheckName::Recipient, Observed::Recipient { validation, answer })
                }
                Need::Rate => {
                    let rate = Observed::Rate {
                        exceeded: false,
                        per_minute_max: 600,
                        retry_in_s: 0,
                        of: Default::default(),
                    };
                    (CheckName::Rate, rate)
                }
                Need::Triplet(identity) => {
                    let facts = self.triplet(identity, at, subject, id, life_line);
                    (CheckName::Greylist, Observed::Triplet(facts))
                }
                other => panic!("{other:?} is not known here"),
            };
            evidence.add(finding(check, stage, observed));
        }
    }

    fn triplet(
        &mut self,
        identity: types::policy::ClientIdentity,
        at: Timestamp,
        subject: &Subject,
        id: EventId,
        life_line: &mut LifeLineId,
    ) -> TripletFacts {
        let ip = subject.client.client.ip;
        let client = identified(ip, identity, &ReversePath::Null, None).client;
        let sender = subject.reverse_path.as_deref().map(normalised).unwrap_or_default();
        let to = subject.recipient.as_ref().map_or("", ForwardPath::key);
        let window = self.windows.entry(format!("{client} {sender} {to}"));
        let is_new = matches!(window, std::collections::hash_map::Entry::Vacant(_));
        let (first_seen, life, known) = window.or_insert((at, *life_line, false));
        let state = match (is_new, *known) {
            (true, _) => TripletState::FirstSeen,
            (false, true) => TripletState::Known,
            (false, false) if at.since(*first_seen).as_secs() < 60 => TripletState::TooEarly,
            (false, false) => TripletState::Passed,
        };
        if state == TripletState::Passed || !*known {
            *life_line = *life;
        }
        *known |= state == TripletState::Passed;
        TripletFacts {
            identity,
            client,
            sender: sender.into(),
            state,
            life_line: *life_line,
            first_seen: *first_seen,
            first_event: id,
            attempts: 1,
            let_in: false,
            no_pool: None,
        }
    }
}

fn finding(check: CheckName, stage: Stage, observed: Observed) -> Finding {
    Finding { check, stage, observed, source: Source::Session, took: Micros(1) }
}

fn subject(mail: &Mail<'_>) -> Subject {
    let ip = mail.ip.parse().unwrap();
    let client =
        Client { ip, port: 25, listener: "192.0.2.25:25".into(), direction: Default::default() };
    let helo = Some("mail.sender.example".into());
    let mailbox = HeaderMailbox { name: None, address: mail.from.to_owned() };
    let facts = MessageFacts {
        size_octets: 4_321,
        header_from: vec![mailbox],
        subject: Some("An offer for the coming quarter".to_owned()),
        ..MessageFacts::default()
    };
    Subject {
        client: Arc::new(ClientFacts { client, host_name: None, helo, esmtp: true, tls: None }),
        reverse_path: Some(Arc::new(ReversePath::Address(mail.from.parse().unwrap()))),
        recipient: Some(ForwardPath::Address(mail.to.parse().unwrap())),
        declared_size: Some(4_321),
        message: Some(Arc::new(facts)),
    }
}

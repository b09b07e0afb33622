//! A week at a gateway, from numbers alone: the same number gives the same
//! event. Senders, recipients and networks are as unevenly busy as real ones.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use types::client::Client;
use types::event::{Record, RelayAnswer, RelayAttempt};
use types::finding::{Finding, Source, TripletFacts, TripletState};
use types::message::HeaderMailbox;
use types::outcome::Ending;
use types::policy::ClientIdentity;
use types::{
    AttachmentFacts, Attempt, CheckName, ClientFacts, Decision, Detail, Event, EventId, EventKind,
    Evidence, FollowUp, ForwardPath, LifeLineId, MessageFacts, Micros, NodeName, Observed, Outcome,
    PolicyId, PolicyRef, QueueId, Quoted, Reason, ReplyParameters, ReversePath, SessionId, Stage,
    Subject, Timestamp,
};

const DOMAINS: u64 = 40_000;
const USERS: u64 = 60_000;
const RECIPIENTS: u64 = 3_000;
const CLIENTS: u64 = 120_000;

const SYLLABLES: [&str; 40] = [
    "ba", "be", "bi", "bo", "da", "de", "di", "do", "fa", "ga", "ka", "ko", "la", "le", "lo", "ma",
    "me", "mi", "mo", "na", "ne", "no", "pa", "pe", "ra", "re", "ri", "ro", "sa", "se", "so", "ta",
    "te", "ti", "to", "va", "ve", "vo", "za", "zo",
];
const ENDINGS: [&str; 5] = [".test", ".example", ".invalid", "-mail.test", ".co.example"];
const WORDS: [&str; 44] = [
    "invoice",
    "Payment",
    "urgent",
    "account",
    "Order",
    "delivery",
    "notice",
    "update",
    "Meeting",
    "report",
    "offer",
    "security",
    "password",
    "statement",
    "Contract",
    "renewal",
    "parcel",
    "tax",
    "refund",
    "bonus",
    "crypto",
    "winner",
    "document",
    "shared",
    "voicemail",
    "scan",
    "quote",
    "project",
    "schedule",
    "reminder",
    "Welcome",
    "newsletter",
    "weekly",
    "sale",
    "discount",
    "limited",
    "confirm",
    "verify",
    "billing",
    "service",
    "alert",
    "ticket",
    "support",
    "Rechnung",
];

/// Of a hundred attempts, how many end for which reason, by which check.
const ENDS: [(u64, Reason, CheckName); 11] = [
    (34, Reason::GreylistFirstSeen, CheckName::Greylist),
    (20, Reason::RblListed, CheckName::Connections),
    (14, Reason::RecipientUnknown, CheckName::Recipient),
    (8, Reason::ReputationRejected, CheckName::Connections),
    (5, Reason::AuthSpf, CheckName::HeaderFrom),
    (4, Reason::AuthDmarc, CheckName::HeaderFrom),
    (3, Reason::SpoofingHeader, CheckName::HeaderFrom),
    (2, Reason::BlockedPolicyEnvelope, CheckName::Senders),
    (1, Reason::SizeExceeded, CheckName::Size),
    (1, Reason::ClientDropped, CheckName::Protocol),
    (8, Reason::Accepted, CheckName::Delivery),
];

/// A fast, seedable sequence (xorshift64*), good enough to look random.
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        dice.roll(2);
        dice
    }

    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % sides
    }

    /// Low numbers far more often than high ones.
    fn skewed(&mut self, sides: u64, power: f64) -> u64 {
        let part = self.roll(1 << 31) as f64 / (1_u64 << 31) as f64;
        (part.powf(power) * sides as f64) as u64
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.roll(all.len() as u64) as usize]
    }

    fn octets(&mut self) -> [u8; 10] {
        std::array::from_fn(|_| self.roll(256) as u8)
    }

    fn name(&mut self, syllables: u64) -> String {
        (0..syllables).map(|_| self.one_of(&SYLLABLES)).collect()
    }
}

fn domain(number: u64) -> String {
    let mut dice = Dice::new(number ^ 0xD0);
    let syllables = 2 + dice.roll(3);
    dice.name(syllables) + dice.one_of(&ENDINGS)
}

fn client(number: u64) -> IpAddr {
    let mut dice = Dice::new(number ^ 0xC1);
    let mut part = |from: u64, to: u64| (from + dice.roll(to - from)) as u8;
    Ipv4Addr::new(part(1, 224), part(0, 256), part(0, 256), part(1, 255)).into()
}

fn recipient(number: u64) -> String {
    let mut dice = Dice::new(number ^ 0xE2);
    let host = dice.one_of(&["corp", "mail", "sales"]);
    format!("{}.{}@{host}.ours.test", dice.name(2), dice.name(3))
}

/// The events of this number: an attempt, and of an acceptance what came of it.
pub(crate) fn events(number: u64, at: Timestamp) -> Vec<Event> {
    let mut dice = Dice::new(number);
    let id = EventId::new(at, dice.octets());
    let session = SessionId::new(at, dice.octets());
    let mut part = dice.roll(100);
    let (_, reason, check) = ENDS
        .into_iter()
        .find(|(share, ..)| {
            let is_it = part < *share;
            part = part.saturating_sub(*share);
            is_it
        })
        .unwrap_or(ENDS[0]);
    // Every third greylisted sender comes back as the attempt three later.
    let is_retry = reason == Reason::Accepted && number.is_multiple_of(4);
    let life_line =
        LifeLineId::new(at, Dice::new(if is_retry { number - 1 } else { number }).octets());
    let subject = subject(&mut dice, reason);
    let outcome = outcome(&mut dice, reason, check, at);
    let node = NodeName("mx1".into());
    let record = record(&outcome, &subject, id, life_line, at, is_retry);
    let ending =
        Ending { at, node: node.clone(), session, life_line, subject: subject.clone(), record };
    let is_accepted = matches!(outcome, Outcome::Accepted { .. });
    let mut events = vec![Attempt::open(id, at).finish(outcome, ending)];
    if is_accepted {
        let at = at + Duration::from_millis(400 + dice.roll(3_000));
        let what = FollowUp::Delivered(relay(&mut dice));
        events.push(Event {
            schema: types::event::SCHEMA,
            id: EventId::new(at, dice.octets()),
            at,
            started: at,
            node,
            session,
            life_line,
            subject,
            kind: EventKind::FollowUp { of: id, what },
            record: Record::default(),
        });
    }
    events
}

fn relay(dice: &mut Dice) -> RelayAttempt {
    RelayAttempt {
        number: 1,
        host: "next-hop.ours.test:25".into(),
        ip: None,
        tls: Some("TLSv1.3".into()),
        tls_policy: None,
        policy_refused: false,
        answer: RelayAnswer::Reply(Quoted::new(
            Some(250),
            None,
            &format!("queued as {:X}", dice.roll(1 << 31)),
        )),
        took: Micros(900),
    }
}

fn subject(dice: &mut Dice, reason: Reason) -> Subject {
    let domain = domain(dice.skewed(DOMAINS, 2.5));
    let user = Dice::new(dice.roll(USERS) ^ 0xF3).name(4);
    let from = format!("{user}{}@{domain}", dice.roll(100));
    let client = ClientFacts {
        client: Client {
            ip: client(dice.skewed(CLIENTS, 2.0)),
            port: 1_024 + dice.roll(60_000) as u16,
            listener: "192.0.2.25:25".into(),
            direction: types::Direction::Inbound,
        },
        host_name: None,
        helo: Some(format!("mx{}.{domain}", dice.roll(40)).into()),
        esmtp: true,
        tls: None,
    };
    let is_content = matches!(reason, Reason::Accepted | Reason::SpoofingHeader);
    let words = [dice.one_of(&WORDS), dice.one_of(&WORDS), dice.one_of(&WORDS)];
    let attachment = |dice: &mut Dice| AttachmentFacts {
        name: Some(format!("{}.pdf", words[0])),
        media_type: "application/pdf".into(),
        size_octets: dice.roll(1 << 20),
        sha256: format!("{:064x}", dice.roll(1 << 31)),
    };
    let message = MessageFacts {
        size_octets: 1_000 + dice.roll(500_000),
        // A search through the text of every row is the worst there can be,
        // so every attempt has a subject here, refused ones too.
        subject: Some(format!("{} {}", words.join(" "), dice.roll(100_000))),
        header_from: match is_content {
            true => vec![HeaderMailbox { name: Some(user), address: from.clone() }],
            false => Vec::new(),
        },
        message_id: is_content.then(|| format!("<{:x}@{domain}>", dice.roll(1 << 31))),
        attachments: if is_content && dice.roll(5) == 0 { vec![attachment(dice)] } else { vec![] },
        ..MessageFacts::default()
    };
    let from: Option<ReversePath> = from.parse().ok().map(ReversePath::Address);
    let to = recipient(dice.skewed(RECIPIENTS, 2.0));
    Subject {
        client: Arc::new(client),
        reverse_path: Some(Arc::new(from.unwrap_or(ReversePath::Null))),
        recipient: to.parse().ok().map(ForwardPath::Address),
        declared_size: None,
        message: Some(Arc::new(message)),
    }
}

fn outcome(dice: &mut Dice, reason: Reason, check: CheckName, at: Timestamp) -> Outcome {
    let quoted = |text: String| Detail::Quoted(Quoted::new(Some(550), None, &text));
    let decision = Decision::new(reason, check);
    match reason {
        Reason::Accepted => Outcome::Accepted { queue: QueueId::new(at, dice.octets()), reason },
        Reason::ClientDropped => Outcome::Aborted(reason),
        Reason::GreylistFirstSeen => {
            Outcome::Deferred(decision.with_detail(Detail::RetryIn { seconds: 60 }))
        }
        Reason::RblListed => {
            Outcome::Rejected(decision.with_detail(quoted(format!(
                "Client host listed by zen.rbl{}.test",
                dice.roll(900)
            ))))
        }
        Reason::SizeExceeded => Outcome::Rejected(
            decision.with_detail(Detail::Limit { observed: dice.roll(1 << 30), limit: 1 << 20 }),
        ),
        _ => Outcome::Rejected(
            decision.by(PolicyRef::Policy { id: PolicyId(dice.roll(90)), version: 3 }),
        ),
    }
}

fn record(
    outcome: &Outcome,
    subject: &Subject,
    id: EventId,
    life_line: LifeLineId,
    at: Timestamp,
    is_retry: bool,
) -> Record {
    let state = if is_retry { TripletState::Passed } else { TripletState::FirstSeen };
    let triplet = TripletFacts {
        identity: ClientIdentity::Network,
        client: "203.0.113.0/24".into(),
        sender: subject.reverse_path.as_deref().map_or("", ReversePath::key).into(),
        state,
        life_line,
        first_seen: if is_retry { at.before(Duration::from_secs(400)) } else { at },
        first_event: id,
        attempts: if is_retry { 2 } else { 1 },
        let_in: false,
        no_pool: None,
    };
    let evidence = Evidence::from_iter([Finding {
        check: CheckName::Greylist,
        stage: Stage::Rcpt,
        observed: Observed::Triplet(triplet),
        source: Source::Memory,
        took: Micros(12),
    }]);
    let reply = outcome.decision().and_then(|decision| {
        decision.reply(ReplyParameters { reference: Some(id.reference()), ..Default::default() })
    });
    let stage = Some(outcome.reason().stage());
    Record { stage, evidence, policy_version: 7, reply, took: Micros(180), ..Record::default() }
}

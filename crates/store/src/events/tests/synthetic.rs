//! Events that look like a day at a gateway, from a number alone: the same
//! number gives the same event. The tests and the measuring example share it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use types::client::Client;
use types::event::{QueueAction, Record, RelayAnswer, RelayAttempt};
use types::finding::{Finding, Source, TripletFacts, TripletState};
use types::message::HeaderMailbox;
use types::outcome::Ending;
use types::policy::{ClientIdentity, RecipientValidation};
use types::{
    AttachmentFacts, Attempt, CheckName, ClientFacts, Consulted, Decision, Detail, Event, EventId,
    EventKind, Evidence, FollowUp, ForwardPath, LifeLineId, MessageFacts, Micros, NodeName,
    Observed, Outcome, PolicyId, PolicyRef, PolicyType, QueueId, Quoted, Reason, ReplyParameters,
    ReversePath, SessionId, Stage, Subject, Timestamp, TlsFacts,
};

/// The words subjects are made of.
const WORDS: [&str; 12] = [
    "Invoice",
    "meeting",
    "Your",
    "order",
    "überfällig",
    "Rechnung",
    "shipped",
    "RE:",
    "offer",
    "newsletter",
    "Grüße",
    "report",
];
/// Domains of senders, the last written in Unicode.
const DOMAINS: [&str; 6] = [
    "sender.example",
    "mail.sender.example",
    "Bulk.Example",
    "shop.example",
    "x9.example",
    "bücher.example",
];

/// A fast, seedable sequence (xorshift64*), good enough to look random.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % sides
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.roll(all.len() as u64) as usize]
    }

    fn octets(&mut self) -> [u8; 10] {
        std::array::from_fn(|_| self.roll(256) as u8)
    }
}

/// The event of this number, at that time.
pub(crate) fn event(number: u64, at: Timestamp) -> Event {
    let mut dice = Dice(number.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    dice.roll(2);
    let id = EventId::new(at, dice.octets());
    let session = SessionId::new(at, dice.octets());
    // Life-lines are joined by a few neighbours.
    let mut line = Dice((number / 3).wrapping_mul(0xD134_2543_DE82_EF95) | 1);
    let life_line = LifeLineId::new(Timestamp::from_millis(0), line.octets());
    let subject = subject(&mut dice);
    let node = NodeName("mx1".into());
    if dice.roll(10) == 0 {
        let what = follow_up(&mut dice);
        let of = EventId::new(at, dice.octets());
        let kind = EventKind::FollowUp { of, what };
        let (schema, record) = (types::event::SCHEMA, Record::default());
        return Event {
            schema,
            id,
            at,
            started: at,
            node,
            session,
            life_line,
            subject,
            kind,
            record,
        };
    }
    let outcome = outcome(&mut dice, at);
    let record = record(&outcome, &subject, &mut dice, id, life_line, at);
    Attempt::open(id, at).finish(outcome, Ending { at, node, session, life_line, subject, record })
}

fn subject(dice: &mut Dice) -> Subject {
    let domain = dice.one_of(&DOMAINS);
    let user = dice.roll(50_000);
    let reverse_path = match dice.roll(20) {
        0 => None,
        1 => Some(ReversePath::Null),
        2 => Some(ReversePath::Address(format!("\"user{user}\"@{domain}").parse().unwrap())),
        _ => Some(ReversePath::Address(format!("User{user}@{domain}").parse().unwrap())),
    };
    let recipient = match dice.roll(30) {
        0 => None,
        1 => Some(ForwardPath::Postmaster),
        _ => {
            let text = format!("anna{}@corp.example", dice.roll(500));
            Some(ForwardPath::Address(text.parse().unwrap()))
        }
    };
    let ip: IpAddr = match dice.roll(10) {
        0 => format!("2001:db8:{:x}::{:x}", dice.roll(9), dice.roll(500)).parse().unwrap(),
        _ => format!("203.0.{}.{}", dice.roll(113), dice.roll(255)).parse().unwrap(),
    };
    let port = 40_000 + dice.roll(300) as u16;
    let client =
        Client { ip, port, listener: "127.0.0.1:2525".into(), direction: Default::default() };
    let client = ClientFacts {
        client,
        host_name: (dice.roll(4) > 0).then(|| format!("mail{}.{domain}", dice.roll(9)).into()),
        helo: Some(format!("mail{}.{domain}", dice.roll(9)).into()),
        esmtp: true,
        tls: (dice.roll(3) == 0).then(|| TlsFacts {
            version: dice.one_of(&["TLSv1.2", "TLSv1.3"]).into(),
            cipher: "TLS13_AES_256_GCM_SHA384".into(),
        }),
    };
    let message = (dice.roll(3) == 0).then(|| Arc::new(message(dice, user, domain)));
    Subject {
        client: Arc::new(client),
        reverse_path: reverse_path.map(Arc::new),
        recipient,
        declared_size: Some(dice.roll(1_000_000)),
        message,
    }
}

fn message(dice: &mut Dice, user: u64, domain: &str) -> MessageFacts {
    let words: Vec<_> = (0..4).map(|_| dice.one_of(&WORDS)).collect();
    let mailbox = |dice: &mut Dice| HeaderMailbox {
        name: (dice.roll(3) > 0).then(|| format!("Ann {user}\u{1e}Lee")),
        address: format!("ann{user}@{domain}"),
    };
    let attachment = |dice: &mut Dice| AttachmentFacts {
        name: (dice.roll(4) > 0)
            .then(|| format!("Scan {}.{}", dice.roll(40), dice.one_of(&["PDF", "docx", "tar.gz"]))),
        media_type: dice.one_of(&["application/pdf", "Image/PNG"]).into(),
        size_octets: dice.roll(9_000),
        sha256: format!("{:064x}", dice.roll(50)),
    };
    MessageFacts {
        size_octets: dice.roll(500_000),
        header_from: (0..1 + dice.roll(5) / 4).map(|_| mailbox(dice)).collect(),
        subject: Some(format!("{} {}", words.join(" "), dice.roll(100_000))),
        message_id: Some(format!("<{}@{domain}>", dice.roll(1 << 40))),
        received_fields: 2,
        attachments: (0..dice.roll(9).saturating_sub(6)).map(|_| attachment(dice)).collect(),
        ..MessageFacts::default()
    }
}

fn outcome(dice: &mut Dice, at: Timestamp) -> Outcome {
    let decision = |reason, check| Decision::new(reason, check);
    match dice.roll(100) {
        0..20 => {
            Outcome::Accepted { queue: QueueId::new(at, dice.octets()), reason: Reason::Accepted }
        }
        20..60 => Outcome::Deferred(
            decision(Reason::GreylistFirstSeen, CheckName::Greylist)
                .with_detail(Detail::RetryIn { seconds: 60 }),
        ),
        60..85 => Outcome::Rejected(decision(Reason::RecipientUnknown, CheckName::Recipient)),
        85..95 => Outcome::Rejected(
            decision(Reason::BlockedPolicyEnvelope, CheckName::Senders)
                .by(PolicyRef::Policy { id: PolicyId(dice.roll(9)), version: 3 }),
        ),
        95..99 => Outcome::Aborted(Reason::ClientDropped),
        _ => Outcome::Rejected(
            decision(Reason::SizeExceeded, CheckName::Size)
                .with_detail(Detail::Limit { observed: dice.roll(1 << 30), limit: 1 << 20 }),
        ),
    }
}

fn record(
    outcome: &Outcome,
    subject: &Subject,
    dice: &mut Dice,
    id: EventId,
    life_line: LifeLineId,
    at: Timestamp,
) -> Record {
    let finding = |check, stage, observed| Finding {
        check,
        stage,
        observed,
        source: Source::Memory,
        took: Micros(12),
    };
    let by_client = dice.roll(20) as u32;
    let connections =
        Observed::Connections { by_client, by_client_max: 20, in_all: 400, in_all_max: 10_000 };
    let answer = types::finding::RecipientAnswer::Known;
    let recipient = Observed::Recipient { validation: RecipientValidation::Directory, answer };
    let sender = subject.reverse_path.as_deref().map_or("", ReversePath::key);
    let triplet = TripletFacts {
        identity: ClientIdentity::Network,
        client: "203.0.113.0/24".into(),
        sender: sender.into(),
        state: dice.one_of(&[
            TripletState::FirstSeen,
            TripletState::TooEarly,
            TripletState::Passed,
            TripletState::Known,
        ]),
        life_line,
        first_seen: at.before(Duration::from_secs(dice.roll(900))),
        first_event: id,
        attempts: 1 + dice.roll(4) as u32,
        let_in: false,
        no_pool: None,
    };
    let evidence = Evidence::from_iter([
        finding(CheckName::Connections, Stage::Connect, connections),
        finding(CheckName::Relay, Stage::Rcpt, Observed::Relay { internal: true, askers: false }),
        finding(CheckName::Recipient, Stage::Rcpt, recipient),
        finding(CheckName::Greylist, Stage::Rcpt, Observed::Triplet(triplet)),
    ]);
    let winner = |dice: &mut Dice| match dice.roll(3) {
        0 => PolicyRef::Base(PolicyType::Greylisting),
        1 => PolicyRef::ManagedSender { id: PolicyId(dice.roll(5)) },
        _ => PolicyRef::Policy { id: PolicyId(dice.roll(9)), version: 3 },
    };
    let consulted = |dice: &mut Dice| Consulted {
        kind: PolicyType::Greylisting,
        winner: (dice.roll(2) == 0).then(|| winner(dice)),
        no_action: dice.roll(4) == 0,
        losers: Vec::new(),
        observing: Vec::new(),
        permitted_list: None,
    };
    let consulted = (0..dice.roll(3)).map(|_| consulted(dice)).collect();
    let reply = outcome.decision().and_then(|decision| {
        decision.reply(ReplyParameters { reference: Some(id.reference()), ..Default::default() })
    });
    let stage = Some(Stage::Rcpt);
    let (policy_version, took) = (7, Micros(180));
    Record { stage, evidence, consulted, policy_version, reply, took, ..Record::default() }
}

fn follow_up(dice: &mut Dice) -> FollowUp {
    let relay = |code, text| RelayAttempt {
        number: 1,
        host: "next-hop.example:25".into(),
        ip: None,
        tls: None,
        tls_policy: None,
        policy_refused: false,
        answer: RelayAnswer::Reply(Quoted::new(Some(code), None, text)),
        took: Micros(900),
    };
    match dice.roll(5) {
        0 => FollowUp::GreylistExpired { attempts: 1 + dice.roll(3) as u32 },
        4 => FollowUp::Queue {
            action: QueueAction::Release,
            by: "Ann.Admin".to_owned(),
            note: String::new(),
            of_notice: false,
        },
        1 => FollowUp::Delivered(relay(250, "queued as 4F2")),
        2 => FollowUp::DeliveryRejected(relay(550, "no such user")),
        _ => FollowUp::DelayWarned,
    }
}

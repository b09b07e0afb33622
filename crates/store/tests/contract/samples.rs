//! Values that tests of the store are made of. Each is made from a number,
//! so that a test that fails can be read.

use std::sync::Arc;

use store::contract::{ContentReader, StoreError, TripletAttempt};
use store::{Acceptance, EventLog, MessageQueue, Position, QueuedMessage, QueuedRecipient};
use store::{RecipientState, contract::ExpiredTriplet};
use types::event::{FollowUp, Record, SCHEMA};
use types::policy::{ClientIdentity, GreylistTimes};
use types::{
    CheckName, Client, ClientFacts, Decision, Event, EventId, EventKind, ForwardPath, LifeLineId,
    MessageFacts, NodeName, Outcome, QueueId, Reason, ReversePath, SessionId, Subject, Timestamp,
};

/// 2026-01-05T09:00:00Z and `seconds`.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_767_603_600_000 + seconds * 1000)
}

fn random(number: u64) -> [u8; 10] {
    let mut random = [0; 10];
    random[2..].copy_from_slice(&number.to_be_bytes());
    random
}

pub(crate) fn event_id(number: u64) -> EventId {
    EventId::new(at(0), random(number))
}

pub(crate) fn queue_id(number: u64) -> QueueId {
    QueueId::new(at(number as i64), random(number))
}

pub(crate) fn life_line(number: u64) -> LifeLineId {
    LifeLineId::new(at(0), random(number))
}

pub(crate) fn session(number: u64) -> SessionId {
    SessionId::new(at(0), random(number))
}

pub(crate) fn sender(number: u64) -> ReversePath {
    ReversePath::Address(format!("ann{number}@sender.example").parse().unwrap())
}

pub(crate) fn recipient(number: u64) -> ForwardPath {
    ForwardPath::Address(format!("bob{number}@corp.example").parse().unwrap())
}

pub(crate) fn subject(number: u64) -> Subject {
    Subject {
        client: Arc::new(ClientFacts {
            client: Client {
                ip: format!("192.0.2.{}", number % 250 + 1).parse().unwrap(),
                port: 40_000,
                listener: "127.0.0.1:2525".into(),
                direction: types::Direction::Inbound,
            },
            host_name: None,
            helo: Some("mail.sender.example".into()),
            esmtp: true,
            tls: None,
        }),
        reverse_path: Some(Arc::new(sender(number))),
        recipient: Some(recipient(number)),
        declared_size: None,
        message: None,
    }
}

fn event(number: u64, when: Timestamp, kind: EventKind) -> Event {
    Event {
        schema: SCHEMA,
        id: event_id(number),
        at: when,
        started: when,
        node: NodeName("mx1".into()),
        session: session(number),
        life_line: life_line(number),
        subject: subject(number),
        kind,
        record: Record::default(),
    }
}

/// The attempt event `number`, refused.
pub(crate) fn refusal(number: u64, when: Timestamp) -> Event {
    let decision = Decision::new(Reason::RecipientUnknown, CheckName::Recipient);
    event(number, when, EventKind::Attempt(Outcome::Rejected(decision)))
}

/// The attempt event `number`, accepted as message `queue`.
pub(crate) fn acceptance_event(number: u64, when: Timestamp, queue: QueueId) -> Event {
    let reason = Reason::ALL.iter().copied();
    let mut reason = reason.filter(|r| r.kind() == types::ReasonKind::Acceptance);
    let reason = reason.next().unwrap();
    event(number, when, EventKind::Attempt(Outcome::Accepted { queue, reason }))
}

/// The follow-up that tells the expiry of a window.
pub(crate) fn expiry(number: u64, expired: &ExpiredTriplet) -> Event {
    let what = FollowUp::GreylistExpired { attempts: expired.facts.attempts };
    let of = expired.facts.first_event;
    event(number, expired.closed, EventKind::FollowUp { of, what })
}

/// Message `number` with `recipients` recipients, whose attempt events are
/// numbered from `number * 100` on.
pub(crate) fn message(number: u64, recipients: u64, content_octets: u64) -> QueuedMessage {
    let recipient = |which: u64| QueuedRecipient {
        path: recipient(which),
        event: event_id(number * 100 + which),
        life_line: life_line(number * 100 + which),
        state: RecipientState::Waiting { attempts: 0, due: at(number as i64), warned: false },
    };
    QueuedMessage {
        id: queue_id(number),
        arrived: at(number as i64),
        reverse_path: Arc::new(sender(number)),
        smtputf8: false,
        eight_bit: true,
        trace: "Received: from a by b\r\n".to_owned(),
        content_octets,
        left_out: Vec::new(),
        session: session(number),
        client: subject(number).client,
        facts: Arc::new(MessageFacts { size_octets: content_octets, ..MessageFacts::default() }),
        notice: false,
        recipients: (0..recipients).map(recipient).collect(),
    }
}

/// The content of message `number`: no two are the same, and it does not
/// compress to nothing.
pub(crate) fn content(number: u64, octets: usize) -> Vec<u8> {
    let mut state = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut octet = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        b"abcdefghijklmnop"[(state % 16) as usize]
    };
    (0..octets).map(|_| octet()).collect()
}

/// Takes message `number` over, up to the commit record.
pub(crate) async fn commit<S: EventLog>(
    store: &S,
    number: u64,
    recipients: u64,
    octets: usize,
) -> Result<Position, StoreError> {
    commit_message(store, number, message(number, recipients, octets as u64)).await
}

/// The same of a message that is `message` with the content of `number`.
pub(crate) async fn commit_message<S: EventLog>(
    store: &S,
    number: u64,
    message: QueuedMessage,
) -> Result<Position, StoreError> {
    let octets = message.content_octets as usize;
    let mut writer = store.content(message.id);
    for piece in content(number, octets).chunks(3000) {
        writer.write(piece).await?;
    }
    assert_eq!(writer.octets(), octets as u64);
    let event = |r: &QueuedRecipient| {
        let mut event = acceptance_event(0, message.arrived, message.id);
        (event.id, event.life_line) = (r.event, r.life_line);
        event
    };
    let events = message.recipients.iter().map(event).collect();
    store.commit(Some(writer), Acceptance { message: Some(message), events }).await
}

/// The whole content of a queued message.
pub(crate) fn read<S: MessageQueue>(store: &S, number: u64) -> Result<Vec<u8>, StoreError> {
    let mut reader: Box<dyn ContentReader> = store.read(queue_id(number))?;
    let mut octets = Vec::new();
    loop {
        let piece = reader.next_piece()?;
        if piece.is_empty() {
            return Ok(octets);
        }
        assert!(piece.len() <= 256 * 1024);
        octets.extend_from_slice(&piece);
    }
}

/// What belongs together in an attempt on the triplet table.
pub(crate) struct Trying {
    subject: Subject,
    recipient: ForwardPath,
    pair: u64,
}

pub(crate) fn trying(pair: u64) -> Trying {
    Trying { subject: subject(pair), recipient: recipient(pair), pair }
}

impl Trying {
    /// The attempt of this pair with event `number`.
    pub(crate) fn attempt(&self, number: u64, when: Timestamp) -> TripletAttempt<'_> {
        TripletAttempt {
            identity: ClientIdentity::Network,
            client: format!("192.0.{}.0/24", self.pair % 250).into(),
            sender: format!("ann{}@sender.example", self.pair).into(),
            recipient: &self.recipient,
            at: when,
            times: GreylistTimes::default(),
            life_line: life_line(number),
            event: event_id(number),
            session: session(number),
            subject: &self.subject,
        }
    }
}

//! Made-up attempts for the examples that measure.

use std::sync::Arc;

use store::contract::TripletAttempt;
use types::event::{Record, SCHEMA};
use types::finding::{RecipientAnswer, Source};
use types::policy::{ClientIdentity, GreylistTimes, RecipientValidation};
use types::*;

/// Random octets of an identifier: the number.
pub(crate) fn random(n: u64) -> [u8; 10] {
    let mut random = [0; 10];
    for (to, from) in random.iter_mut().rev().zip(n.to_le_bytes()) {
        *to = from;
    }
    random
}

/// Who sent what to whom in attempt `n`.
pub(crate) fn subject(n: u64) -> Subject {
    let address = |text: String| text.parse::<EmailAddress>().ok();
    let sender = address(format!("someone.{n}@host{}.sender.example", n % 5000));
    Subject {
        client: Arc::new(ClientFacts {
            client: Client {
                ip: std::net::Ipv4Addr::from_bits(0x0A00_0000 + n as u32 % 100_000).into(),
                port: 40_000,
                listener: "192.0.2.1:25".into(),
                direction: types::Direction::Inbound,
            },
            host_name: None,
            helo: Some(format!("host{}.sender.example", n % 5000).into()),
            esmtp: true,
            tls: None,
        }),
        reverse_path: Some(Arc::new(sender.map_or(ReversePath::Null, ReversePath::Address))),
        recipient: address(format!("user{}@corp.example", n % 300)).map(ForwardPath::Address),
        declared_size: Some(4096),
        message: None,
    }
}

/// The event of attempt `n`, refused because its recipient is unknown.
pub(crate) fn refusal(n: u64, now: Timestamp) -> Event {
    let decision = Decision::new(Reason::RecipientUnknown, CheckName::Recipient);
    let observed = Observed::Recipient {
        validation: RecipientValidation::Directory,
        answer: RecipientAnswer::Unknown,
    };
    let finding = Finding {
        check: CheckName::Recipient,
        stage: Stage::Rcpt,
        observed,
        source: Source::Directory { age_s: 60 },
        took: Micros(3),
    };
    Event {
        schema: SCHEMA,
        id: EventId::new(now, random(n)),
        at: now,
        started: now,
        node: NodeName("mx1".into()),
        session: SessionId::new(now, random(n)),
        life_line: LifeLineId::new(now, random(n)),
        subject: subject(n),
        record: Record {
            stage: Some(Stage::Rcpt),
            evidence: [finding].into_iter().collect(),
            reply: decision.reply(ReplyParameters::default()),
            took: Micros(40),
            ..Record::default()
        },
        kind: EventKind::Attempt(Outcome::Rejected(decision)),
    }
}

/// Attempt `n` as the triplet table wants it.
pub(crate) fn attempt(subject: &Subject, n: u64, now: Timestamp) -> TripletAttempt<'_> {
    TripletAttempt {
        identity: ClientIdentity::Network,
        client: format!("10.{}.{}.0/24", n / 65_536, n / 256 % 256).into(),
        sender: format!("someone.{n}@sender.example").into(),
        recipient: subject.recipient.as_ref().unwrap_or(&ForwardPath::Postmaster),
        at: now,
        times: GreylistTimes::default(),
        life_line: LifeLineId::new(now, random(n)),
        event: EventId::new(now, random(n)),
        session: SessionId::new(now, random(n)),
        subject,
    }
}

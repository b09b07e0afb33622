//! What remembering costs: `cargo run --release -p store --example append_cost`.
//!
//! Prints microseconds of CPU, all threads and the kernel's part included,
//! for one recorded refusal that can be searched at once, for one attempt
//! entered into the triplet table, and for one message of 4 KiB from its
//! first octet to the flush.

use std::error::Error;
use std::io::Write;
use std::sync::Arc;

use store::disk::RealDisk;
use store::{
    Acceptance, EventLog, QueuedMessage, QueuedRecipient, RecipientState, Store, StoreOptions,
    TripletTable, contract::TripletAttempt,
};
use types::event::{Record, SCHEMA};
use types::finding::{RecipientAnswer, Source};
use types::policy::{ClientIdentity, GreylistTimes, RecipientValidation};
use types::*;

type Failure = Box<dyn Error>;

const REFUSALS: u64 = 300_000;
const MESSAGES: u64 = 40_000;
const AT_ONCE: u64 = 50;
/// Clock ticks in which the kernel counts CPU time (USER_HZ).
const TICKS_PER_SECOND: f64 = 100.0;

fn main() -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let folder = tempfile::tempdir()?;
    let now = Timestamp::from_millis(1_795_000_000_000);
    let (store, _) = Store::open(Arc::new(RealDisk), StoreOptions::new(folder.path()), now)?;
    let events: Vec<Event> = (0..REFUSALS).map(|n| refusal(n, now)).collect();
    let each = cpu_us(REFUSALS, || {
        events.into_iter().try_for_each(|event| store.record(vec![event]).map(drop))
    })?;
    writeln!(out, "record one refusal        {each:7.2} µs")?;
    let tries: Vec<(Subject, u64)> = (0..REFUSALS).map(|n| (subject(n), n)).collect();
    let each = cpu_us(REFUSALS, || {
        tries.iter().try_for_each(|(subject, n)| store.enter(&attempt(subject, *n, now)).map(drop))
    })?;
    writeln!(out, "enter one first attempt   {each:7.2} µs")?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let content = vec![b'x'; 4096];
    let each = cpu_us(MESSAGES, || {
        (0..MESSAGES / AT_ONCE)
            .try_for_each(|group| runtime.block_on(accept_group(&store, group, &content, now)))
    })?;
    writeln!(out, "accept 4 KiB, {AT_ONCE} a flush  {each:7.2} µs")?;
    store.close(now)?;
    Ok(())
}

/// Microseconds of CPU per one of `count`.
fn cpu_us<E: Error + 'static>(
    count: u64,
    work: impl FnOnce() -> Result<(), E>,
) -> Result<f64, Failure> {
    let before = cpu_ticks()?;
    work()?;
    let ticks = cpu_ticks()? - before;
    Ok(ticks / TICKS_PER_SECOND * 1e6 / count as f64)
}

/// CPU time of this process so far, user and kernel.
fn cpu_ticks() -> Result<f64, Failure> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, after_name) = stat.rsplit_once(')').ok_or("no process statistics")?;
    let fields = after_name.split_whitespace().skip(11).take(2);
    Ok(fields.filter_map(|field| field.parse::<f64>().ok()).sum())
}

async fn accept_group(
    store: &Store,
    group: u64,
    content: &[u8],
    now: Timestamp,
) -> Result<(), store::StoreError> {
    let mut last = store::Position::default();
    for n in group * AT_ONCE..(group + 1) * AT_ONCE {
        let id = QueueId::new(now, random(n));
        let mut writer = store.content(id);
        writer.write(content).await?;
        let mut event = refusal(REFUSALS + n, now);
        event.kind = EventKind::Attempt(Outcome::Accepted { queue: id, reason: Reason::Accepted });
        let message = message(id, &event, content.len() as u64);
        let acceptance = Acceptance { message: Some(message), events: vec![event] };
        last = store.commit(Some(writer), acceptance).await?;
    }
    store.flushed(last).await
}

fn message(id: QueueId, event: &Event, content_octets: u64) -> QueuedMessage {
    let state = RecipientState::Waiting { attempts: 0, due: event.at, warned: false };
    QueuedMessage {
        id,
        arrived: event.at,
        reverse_path: Arc::new(ReversePath::Null),
        smtputf8: false,
        eight_bit: false,
        trace: "Received: from mail.sender.example by mx1.corp.example\r\n".to_owned(),
        content_octets,
        session: event.session,
        client: Arc::clone(&event.subject.client),
        facts: Arc::default(),
        notice: false,
        recipients: vec![QueuedRecipient {
            path: event.subject.recipient.clone().unwrap_or(ForwardPath::Postmaster),
            event: event.id,
            life_line: event.life_line,
            state,
        }],
    }
}

fn random(n: u64) -> [u8; 10] {
    let mut random = [0; 10];
    for (to, from) in random.iter_mut().rev().zip(n.to_le_bytes()) {
        *to = from;
    }
    random
}

fn subject(n: u64) -> Subject {
    let address = |text: String| text.parse::<EmailAddress>().ok();
    let sender = address(format!("someone.{n}@host{}.sender.example", n % 5000));
    Subject {
        client: Arc::new(ClientFacts {
            client: Client {
                ip: std::net::Ipv4Addr::from_bits(0x0A00_0000 + n as u32 % 100_000).into(),
                port: 40_000,
                listener: "192.0.2.1:25".into(),
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

fn refusal(n: u64, now: Timestamp) -> Event {
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

fn attempt(subject: &Subject, n: u64, now: Timestamp) -> TripletAttempt<'_> {
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

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
    TripletTable,
};
use types::*;

#[path = "made/mod.rs"]
mod made;

use made::{attempt, random, refusal, subject};

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
    let store = Arc::new(store);
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
    let each = cpu_us(MESSAGES, || {
        (0..MESSAGES / AT_ONCE)
            .try_for_each(|group| runtime.block_on(accept_group(&store, group, now)))
    })?;
    writeln!(out, "accept 4 KiB, {AT_ONCE} a flush  {each:7.2} µs")?;
    store.close(now)?;
    Ok(())
}

/// Microseconds of CPU per one of `count`.
fn cpu_us<E: Into<Failure>>(
    count: u64,
    work: impl FnOnce() -> Result<(), E>,
) -> Result<f64, Failure> {
    let before = cpu_ticks()?;
    work().map_err(Into::into)?;
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

async fn accept_group(store: &Arc<Store>, group: u64, now: Timestamp) -> Result<(), Failure> {
    let mut accepting = tokio::task::JoinSet::new();
    for n in group * AT_ONCE..(group + 1) * AT_ONCE {
        accepting.spawn(accept(Arc::clone(store), n, now));
    }
    while let Some(accepted) = accepting.join_next().await {
        accepted??;
    }
    Ok(())
}

async fn accept(store: Arc<Store>, n: u64, now: Timestamp) -> Result<(), store::StoreError> {
    let content = [b'x'; 4096];
    let id = QueueId::new(now, random(n));
    let mut writer = store.content(id);
    writer.write(&content).await?;
    let mut event = refusal(REFUSALS + n, now);
    event.kind = EventKind::Attempt(Outcome::Accepted { queue: id, reason: Reason::Accepted });
    let message = message(id, &event, content.len() as u64);
    let acceptance = Acceptance { message: Some(message), events: vec![event] };
    store.commit(Some(writer), acceptance).await.map(drop)
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
        left_out: Vec::new(),
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

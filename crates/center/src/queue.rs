//! Looking at the delivery queue and steering it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{QueueDepth, QueueStep, QueuedMessage, QueuedRecipient, RecipientState};
use types::event::{QueueAction, Record, SCHEMA};
use types::{
    AuditAction, Caller, Correspondence, EmailAddress, Event, EventId, EventKind, FollowUp,
    LifeLineId, Permission, QueueId, Reason, ReasonKind, Timestamp,
};

use crate::sight::{Seen, sees_queued};
use crate::waiting::Wait;
use crate::{Center, CenterError, LastTry, NextHopState, permit, presentable, presentable_within};

/// Most messages listed at once.
const ROWS_MAX: usize = 1_000;
/// Upper ends of the age classes of the shape, in minutes, after `qshape`.
const AGES_MIN: [u64; 9] = [5, 10, 20, 40, 80, 160, 320, 640, 1_280];

/// What is done to queued messages.
pub type QueueCommand = QueueAction;

/// One queued message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct QueueRow {
    /// The message.
    pub id: QueueId,
    /// When it was accepted.
    pub arrived: Timestamp,
    /// The reverse-path, empty for `<>`.
    pub from: String,
    /// Octets of its content.
    pub size_octets: u64,
    /// Its subject.
    pub subject: Option<String>,
    /// Whether we wrote it ourselves (a bounce or a warning).
    pub notice: bool,
    /// Its recipients that have not left yet.
    pub recipients: Vec<QueueRecipientRow>,
}

/// One recipient of a queued message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct QueueRecipientRow {
    /// The recipient.
    pub to: String,
    /// The attempt it came from.
    pub event: EventId,
    /// Its life-line.
    pub life: LifeLineId,
    /// `waiting`, `held` or `done`.
    pub state: String,
    /// Tries made.
    pub attempts: u32,
    /// When the next try is due.
    pub due: Option<Timestamp>,
    /// Why it is still here, in words.
    pub why: String,
    /// The last try that was put off, unless there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_try: Option<LastTry>,
    /// Its next hop as it is now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_hop: Option<NextHopState>,
}

/// What a command did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct QueueDone {
    /// Messages that were changed.
    pub messages: usize,
    /// Recipients that were changed.
    pub recipients: usize,
    /// Messages that are not in the queue (any more).
    pub missing: Vec<QueueId>,
    /// Recipients that the command changes nothing for, each with why.
    pub unchanged: Vec<QueueUnchanged>,
}

/// A recipient that a command changed nothing for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct QueueUnchanged {
    /// The message.
    pub id: QueueId,
    /// The recipient.
    pub to: String,
    /// Why, and what would.
    pub why: String,
}

/// Recipients by domain and age.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct QueueShape {
    /// Upper ends of the age classes, in minutes; a last class has no end.
    pub ages_min: Vec<u64>,
    /// One row per domain, the fullest first.
    pub rows: Vec<ShapeRow>,
}

/// One domain of the shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ShapeRow {
    /// The recipients' domain.
    pub domain: String,
    /// Recipients in all.
    pub total: usize,
    /// Recipients per age class.
    pub counts: Vec<usize>,
}

impl Center {
    /// Messages in order of arrival, from `after` on; 0 rows mean 100.
    ///
    /// # Errors
    ///
    /// See [`CenterError`].
    pub fn queue_list(
        &self,
        caller: &Caller,
        after: Option<QueueId>,
        rows_max: usize,
    ) -> Result<Vec<QueueRow>, CenterError> {
        permit(caller, Permission::SeeQueue)?;
        let rows_max = if rows_max == 0 { 100 } else { rows_max.min(ROWS_MAX) };
        let seen = self.seen_by(caller);
        let mut rows = Vec::new();
        let mut after = after;
        // A page can be full of messages to others.
        while rows.len() < rows_max {
            let messages = self.parts.queue.list(after, rows_max);
            let Some(last) = messages.last() else { break };
            after = Some(last.id);
            for message in messages.iter().filter(|message| seen.sees_some(message)) {
                rows.push(seen.queue_row(message)?);
            }
        }
        rows.truncate(rows_max);
        Ok(rows)
    }

    /// One message.
    ///
    /// # Errors
    ///
    /// [`CenterError::NotFound`].
    pub fn queue_show(&self, caller: &Caller, id: QueueId) -> Result<QueueRow, CenterError> {
        permit(caller, Permission::SeeQueue)?;
        let seen = self.seen_by(caller);
        match self.parts.queue.message(id).filter(|message| seen.sees_some(message)) {
            Some(message) => seen.queue_row(&message),
            None => Err(CenterError::NotFound(format!("queued message {id}"))),
        }
    }

    /// Holds, releases, retries or deletes messages. Each recipient that is
    /// changed gets a follow-up event that says by whom. A retry also ends the
    /// back-off of the next hops, so that they are tried at once.
    ///
    /// # Errors
    ///
    /// A store that fails; messages before it are done.
    pub fn queue_command(
        &self,
        caller: &Caller,
        command: QueueCommand,
        ids: &[QueueId],
    ) -> Result<QueueDone, CenterError> {
        let releases = [Permission::ReleaseHarmless, Permission::ReleaseDangerous];
        if command != QueueAction::Release || !releases.iter().any(|p| caller.may(*p)) {
            permit(caller, Permission::QueueActions)?;
        }
        let seen = self.seen_by(caller);
        self.note_command(caller, command, ids)?;
        let mut done =
            QueueDone { messages: 0, recipients: 0, missing: Vec::new(), unchanged: Vec::new() };
        for &id in ids {
            let message = self.parts.queue.message(id);
            let Some(message) = message.filter(|message| seen.sees_some(message)) else {
                done.missing.push(id);
                continue;
            };
            let changed = seen.command_one(caller, command, &message, &mut done.unchanged)?;
            done.messages += usize::from(changed > 0);
            done.recipients += changed;
        }
        Ok(done)
    }

    /// Notes a command before it is carried out: the queue is not in the
    /// database of the audit log.
    fn note_command(
        &self,
        caller: &Caller,
        command: QueueCommand,
        ids: &[QueueId],
    ) -> Result<(), CenterError> {
        let action = match command {
            QueueAction::Hold => AuditAction::QueueHeld,
            QueueAction::Release => AuditAction::QueueReleased,
            QueueAction::Retry => AuditAction::QueueRetried,
            QueueAction::Delete => AuditAction::QueueDeleted,
        };
        let subject = match ids {
            [one] => one.to_string(),
            many => format!("{} messages", many.len()),
        };
        self.record(caller, action, &subject, &json!({ "messages": ids }))
    }

    fn queue_event(
        &self,
        caller: &Caller,
        action: QueueCommand,
        message: &QueuedMessage,
        recipient: &QueuedRecipient,
        now: Timestamp,
    ) -> Event {
        let what = FollowUp::Queue { action, by: caller.name.to_string() };
        Event {
            schema: SCHEMA,
            id: EventId::new(now, self.parts.chance.id_bytes()),
            at: now,
            started: now,
            node: self.parts.node.clone(),
            session: message.session,
            life_line: recipient.life_line,
            subject: message.subject(&recipient.path),
            kind: EventKind::FollowUp { of: recipient.event, what },
            record: Record::default(),
        }
    }

    /// How many recipients wait for which domain, and how long.
    ///
    /// # Errors
    ///
    /// See [`CenterError`].
    pub fn queue_shape(&self, caller: &Caller) -> Result<QueueShape, CenterError> {
        permit(caller, Permission::SeeQueue)?;
        let now = self.parts.clock.now();
        let mut domains: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        let mut after = None;
        loop {
            let page = self.parts.queue.list(after, ROWS_MAX);
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            for message in &page {
                let class = age_class(now.since(message.arrived));
                let waiting = message.recipients.iter().filter(|r| r.state != RecipientState::Done);
                let sight = &caller.sight;
                for recipient in waiting.filter(|r| sees_queued(sight, message, r)) {
                    let domain = recipient.path.domain_key().to_owned();
                    let counts =
                        domains.entry(domain).or_insert_with(|| vec![0; AGES_MIN.len() + 1]);
                    if let Some(count) = counts.get_mut(class) {
                        *count += 1;
                    }
                }
            }
        }
        let shaped = |(domain, counts): (String, Vec<usize>)| ShapeRow {
            domain,
            total: counts.iter().sum(),
            counts,
        };
        let mut rows: Vec<ShapeRow> = domains.into_iter().map(shaped).collect();
        rows.sort_by(|a, b| b.total.cmp(&a.total).then_with(|| a.domain.cmp(&b.domain)));
        Ok(QueueShape { ages_min: AGES_MIN.to_vec(), rows })
    }
}

impl Seen<'_> {
    /// The recipients of a message whom the caller sees.
    fn seen_of<'m>(
        &self,
        message: &'m QueuedMessage,
    ) -> impl Iterator<Item = &'m QueuedRecipient> + use<'m> {
        let sight = self.events.sight().clone();
        message.recipients.iter().filter(move |recipient| sees_queued(&sight, message, recipient))
    }

    /// Whether the caller sees a recipient of it that has not left.
    fn sees_some(&self, message: &QueuedMessage) -> bool {
        self.seen_of(message).any(|recipient| recipient.state != RecipientState::Done)
    }

    /// How many messages the caller sees in the queue.
    pub(crate) fn queue_depth(&self) -> QueueDepth {
        if self.events.sight().is_everything() {
            return self.parts.queue.depth();
        }
        let mut depth = QueueDepth::default();
        let mut after = None;
        loop {
            let page = self.parts.queue.list(after, ROWS_MAX);
            let Some(last) = page.last() else { return depth };
            after = Some(last.id);
            for message in page.iter().filter(|message| self.sees_some(message)) {
                let waits =
                    |one: &QueuedRecipient| matches!(one.state, RecipientState::Waiting { .. });
                if !self.seen_of(message).any(waits) {
                    depth.held += 1;
                    continue;
                }
                depth.waiting += 1;
                let oldest =
                    depth.oldest_waiting.map_or(message.arrived, |at| at.min(message.arrived));
                depth.oldest_waiting = Some(oldest);
            }
        }
    }

    fn queue_row(&self, message: &QueuedMessage) -> Result<QueueRow, CenterError> {
        let now = self.parts.clock.now();
        let waiting = self.seen_of(message).filter(|r| r.state != RecipientState::Done);
        let rows = waiting.map(|one| Ok(recipient_row(one, self.wait(message, one)?, now)));
        let mut row =
            QueueRow { recipients: rows.collect::<Result<_, CenterError>>()?, ..row(message) };
        row.subject = row.subject.filter(|_| self.events.subjects());
        Ok(row)
    }

    fn command_one(
        &self,
        caller: &Caller,
        command: QueueCommand,
        message: &QueuedMessage,
        unchanged: &mut Vec<QueueUnchanged>,
    ) -> Result<usize, CenterError> {
        let now = self.parts.clock.now();
        let (mut steps, mut events) = (Vec::new(), Vec::new());
        for recipient in self.seen_of(message) {
            let state = match next_state(command, recipient.state, now) {
                Ok(state) => self.may_release(caller, command, recipient)?.map(|()| state),
                Err(why) => Err(why.map(str::to_owned)),
            };
            let state = match state {
                Ok(state) => state,
                Err(why) => {
                    let to = presentable(recipient.path.as_str()).into_owned();
                    unchanged.extend(why.map(|why| QueueUnchanged { id: message.id, to, why }));
                    continue;
                }
            };
            // Before the step, or delivery would put it off again.
            if matches!(command, QueueAction::Retry | QueueAction::Release) {
                self.next_hops.try_now(message, &recipient.path);
            }
            steps.push(QueueStep { recipient: recipient.event, state });
            events.push(self.queue_event(caller, command, message, recipient, now));
        }
        let let_go = match command {
            QueueAction::Release => self.let_go(message, &steps, now)?,
            _ => Vec::new(),
        };
        let changed = steps.len();
        if changed > 0 {
            self.parts.queue.intervene(message.id, steps, events)?;
        }
        if !let_go.is_empty() {
            // If it cannot be kept, answers teach: no mail depends on it.
            let _kept = self.parts.correspondences.released(&let_go);
        }
        Ok(changed)
    }

    /// Who must not be learned from answers to a message that is let go though
    /// a policy held it back: whoever sent it, and whoever it says wrote it.
    fn let_go(
        &self,
        message: &QueuedMessage,
        steps: &[QueueStep],
        now: Timestamp,
    ) -> Result<Vec<Correspondence>, CenterError> {
        let authors = message.facts.header_from.iter().map(|author| author.address.parse().ok());
        let sender = message.reverse_path.address().cloned();
        let others: Vec<EmailAddress> = authors.flatten().chain(sender).collect();
        let mut pairs = Vec::new();
        let released = |one: &&QueuedRecipient| steps.iter().any(|s| s.recipient == one.event);
        for recipient in message.recipients.iter().filter(released) {
            let held = self.events.event(recipient.event)?.and_then(|event| event.reason());
            // What a person held was accepted before; once the event is gone
            // with its retention, nobody knows.
            let by_policy = held.is_none_or(|reason| reason.kind() == ReasonKind::Hold);
            let Some(own) = recipient.path.address().filter(|_| by_policy) else { continue };
            let pair = |other: &EmailAddress| Correspondence {
                own: own.clone(),
                other: other.clone(),
                wrote: now,
            };
            pairs.extend(others.iter().map(pair));
        }
        Ok(pairs)
    }

    /// Whether the caller may let this one go; if not, why.
    fn may_release(
        &self,
        caller: &Caller,
        command: QueueCommand,
        recipient: &QueuedRecipient,
    ) -> Result<Result<(), Option<String>>, CenterError> {
        if command != QueueAction::Release {
            return Ok(Ok(()));
        }
        let held = self.events.event(recipient.event)?.and_then(|event| event.reason());
        // Once its event is gone with its retention nobody knows how harmless
        // it is.
        let needs = held.map_or(Permission::ReleaseDangerous, needed_to_release);
        Ok(match caller.may(needs) {
            true => Ok(()),
            false => Err(Some(format!("releasing it needs the permission {}", needs.slug()))),
        })
    }
}

/// What it takes to let a message go that was accepted for this reason: what
/// a person held is the business of whoever works on the queue.
fn needed_to_release(reason: Reason) -> Permission {
    match reason.kind() {
        ReasonKind::Hold if DANGEROUS.contains(&reason) => Permission::ReleaseDangerous,
        ReasonKind::Hold => Permission::ReleaseHarmless,
        _ => Permission::QueueActions,
    }
}

/// Held for what can do harm when it is opened or believed.
const DANGEROUS: [Reason; 6] = [
    Reason::HoldDmarcQuarantine,
    Reason::HoldAuthentication,
    Reason::HoldAttachment,
    Reason::HoldUrl,
    Reason::HoldVirusUnscannable,
    Reason::HoldImpersonation,
];

fn age_class(age: Duration) -> usize {
    let minutes = age.as_secs() / 60;
    AGES_MIN.iter().position(|&end| minutes < end).unwrap_or(AGES_MIN.len())
}

/// Where a recipient stands after a command; or that it changes nothing, and
/// why unless the recipient has left.
fn next_state(
    command: QueueCommand,
    state: RecipientState,
    now: Timestamp,
) -> Result<RecipientState, Option<&'static str>> {
    match (command, state) {
        (_, RecipientState::Done) => Err(None),
        (QueueAction::Hold, RecipientState::Waiting { attempts, .. }) => {
            Ok(RecipientState::Held { attempts })
        }
        (QueueAction::Release, RecipientState::Held { attempts }) => {
            Ok(RecipientState::Waiting { attempts, due: now, warned: false })
        }
        (QueueAction::Retry, RecipientState::Waiting { attempts, warned, .. }) => {
            Ok(RecipientState::Waiting { attempts, due: now, warned })
        }
        (QueueAction::Delete, _) => Ok(RecipientState::Done),
        (QueueAction::Hold, RecipientState::Held { .. }) => Err(Some("it is held already")),
        (QueueAction::Retry, RecipientState::Held { .. }) => {
            Err(Some("it is held back, so it is not tried; `queue release` lets it go at once"))
        }
        (QueueAction::Release, RecipientState::Waiting { .. }) => {
            Err(Some("it is not held; `queue retry` tries its next hop at once"))
        }
    }
}

/// The message, without its recipients.
fn row(message: &QueuedMessage) -> QueueRow {
    QueueRow {
        id: message.id,
        arrived: message.arrived,
        from: presentable(message.reverse_path.as_str()).into_owned(),
        size_octets: message.content_octets,
        subject: message.facts.subject.as_deref().map(|subject| presentable_within(subject, 200)),
        notice: message.notice,
        recipients: Vec::new(),
    }
}

fn recipient_row(recipient: &QueuedRecipient, wait: Wait, now: Timestamp) -> QueueRecipientRow {
    let (state, attempts, due) = match recipient.state {
        RecipientState::Waiting { attempts, due, .. } => ("waiting", attempts, Some(due)),
        RecipientState::Held { attempts } => ("held", attempts, None),
        RecipientState::Done => ("done", 0, None),
    };
    QueueRecipientRow {
        to: presentable(recipient.path.as_str()).into_owned(),
        event: recipient.event,
        life: recipient.life_line,
        state: state.to_owned(),
        attempts,
        due,
        why: wait.why(recipient.state, now),
        last_try: wait.last_try,
        next_hop: wait.next_hop.ok(),
    }
}

//! What people do to queued messages: hold, release, try now, delete; a whole
//! message, or one recipient of it by the row of its attempt.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{QueueStep, QueuedMessage, QueuedRecipient};
use types::event::{QueueAction, Record, SCHEMA};
use types::{
    AuditAction, Caller, Correspondence, EmailAddress, Event, EventId, EventKind, FollowUp,
    Permission, QueueId, ReasonKind, Timestamp,
};

use crate::sight::Seen;
use crate::{Center, CenterError, PAGE_ROWS_MAX, SearchRequest, permit, presentable};

/// Longest note beside a command, in characters.
pub const QUEUE_NOTE_CHARS_MAX: usize = 500;
/// What is said to whoever deletes without a reason.
const NO_REASON: &str = "say in a note why it is deleted: nobody can look at it after";
/// Most single recipients of one command, chosen or found.
pub(super) const ATTEMPTS_MAX: usize = 1_000;

/// What is done to queued messages.
pub type QueueCommand = QueueAction;

/// What is to be done to which queued messages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QueueOrder {
    /// What is done.
    pub action: QueueCommand,
    /// Messages, each with all its recipients.
    #[serde(default)]
    pub ids: Vec<QueueId>,
    /// Single recipients, by the attempts they came from; at most 1,000.
    #[serde(default)]
    pub attempts: Vec<EventId>,
    /// In the place of both: the attempts that a search finds, in its order;
    /// the first 1,000 of them. Those in the queue are found by the views
    /// `queue` and `held`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<SearchRequest>,
    /// Why, for colleagues: it is kept in the audit log and on the life-lines.
    /// At most 500 characters. `delete` needs it, because nobody can look at
    /// what is deleted.
    #[serde(default)]
    pub note: String,
}

impl QueueOrder {
    /// The same to all recipients of these messages.
    pub fn of(action: QueueCommand, ids: &[QueueId]) -> Self {
        let (attempts, search, note) = (Vec::new(), None, String::new());
        QueueOrder { action, ids: ids.to_vec(), attempts, search, note }
    }

    /// The same to the recipients of these attempts.
    pub fn of_attempts(action: QueueCommand, attempts: &[EventId], note: &str) -> Self {
        let (attempts, note) = (attempts.to_vec(), note.to_owned());
        QueueOrder { action, ids: Vec::new(), attempts, search: None, note }
    }

    /// The same to all that a search finds.
    pub fn of_search(action: QueueCommand, search: SearchRequest, note: &str) -> Self {
        QueueOrder { search: Some(search), ..QueueOrder::of_attempts(action, &[], note) }
    }

    /// The same, for this reason.
    #[must_use]
    pub fn because(self, note: &str) -> Self {
        QueueOrder { note: note.to_owned(), ..self }
    }

    /// What a deletion needs, whoever asks for it.
    fn check_reason(&self) -> Result<(), CenterError> {
        match self.action == QueueAction::Delete && self.note.trim().is_empty() {
            true => Err(CenterError::invalid(NO_REASON)),
            false => Ok(()),
        }
    }

    pub(super) fn check(&self) -> Result<(), CenterError> {
        let (rows, note) = (self.attempts.len(), self.note.chars().count());
        let problem = match () {
            () if self.search.is_some() && !(self.ids.is_empty() && self.attempts.is_empty()) => {
                "these are rows and a search; it is one or the other".to_owned()
            }
            () if rows > ATTEMPTS_MAX => {
                format!("these are {rows} attempts; at most {ATTEMPTS_MAX} are done at once")
            }
            () if note > QUEUE_NOTE_CHARS_MAX => {
                format!("the note has {note} characters; at most {QUEUE_NOTE_CHARS_MAX} are kept")
            }
            () => return Ok(()),
        };
        Err(CenterError::invalid(problem))
    }
}

/// What a command did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct QueueDone {
    /// Messages that were changed.
    pub messages: usize,
    /// Recipients that were changed.
    pub recipients: usize,
    /// Messages that are not in the queue (any more).
    pub missing: Vec<QueueId>,
    /// Attempts whose messages are not in the queue (any more).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing_attempts: Vec<EventId>,
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

/// The recipients of one message that are meant; all if none is named.
type Meant = BTreeMap<QueueId, Vec<EventId>>;

impl Center {
    /// Holds, releases, retries or deletes messages. Each recipient that is
    /// changed gets a follow-up event that says by whom, and why. A retry also
    /// ends the back-off of the next hops, so that they are tried at once.
    ///
    /// # Errors
    ///
    /// The caller may not; a deletion without a reason; a store that fails,
    /// where messages before it are done.
    pub fn queue_command(
        &self,
        caller: &Caller,
        order: &QueueOrder,
    ) -> Result<QueueDone, CenterError> {
        permit_command(caller, order.action)?;
        order.check()?;
        order.check_reason()?;
        let seen = self.seen_by(caller);
        let order = &*seen.searched(order)?;
        let mut done = QueueDone::default();
        let meant = seen.meant(order, &mut done.missing_attempts)?;
        self.note_command(caller, order)?;
        for (id, only) in meant {
            let message = self.parts.queue.message(id);
            let Some(message) = message.filter(|message| seen.sees_some(message)) else {
                match only.is_empty() {
                    true => done.missing.push(id),
                    false => done.missing_attempts.extend(only),
                }
                continue;
            };
            let changed =
                seen.command_one(caller, order, (&message, &only), &mut done.unchanged)?;
            done.messages += usize::from(changed > 0);
            done.recipients += changed;
        }
        Ok(done)
    }

    /// Notes a command before it is carried out: the queue is not in the
    /// database of the audit log.
    fn note_command(&self, caller: &Caller, order: &QueueOrder) -> Result<(), CenterError> {
        let action = match order.action {
            QueueAction::Hold => AuditAction::QueueHeld,
            QueueAction::Release => AuditAction::QueueReleased,
            QueueAction::Retry => AuditAction::QueueRetried,
            QueueAction::Delete => AuditAction::QueueDeleted,
        };
        let QueueOrder { ids, attempts, note, .. } = order;
        let (mut caller, mut details) = (caller.clone(), json!({ "messages": ids }));
        let subject = match (ids.as_slice(), attempts.as_slice()) {
            ([one], []) => one.to_string(),
            ([], [one]) => {
                caller = caller.on_row(one.reference());
                one.reference().to_string()
            }
            (ids, attempts) => format!("{} messages", ids.len() + attempts.len()),
        };
        let query = order.search.as_ref().map_or("", |search| search.query.trim());
        if let Some(details) = details.as_object_mut() {
            let more = [
                ("attempts", json!(attempts), attempts.is_empty()),
                ("note", json!(note.trim()), note.trim().is_empty()),
                ("query", json!(query), query.is_empty()),
            ];
            let more = more.into_iter().filter(|(.., empty)| !empty);
            details.extend(more.map(|(name, value, _)| (name.to_owned(), value)));
        }
        self.record(&caller, action, &subject, &details)
    }

    fn queue_event(
        &self,
        caller: &Caller,
        order: &QueueOrder,
        message: &QueuedMessage,
        recipient: &QueuedRecipient,
        now: Timestamp,
    ) -> Event {
        let what = FollowUp::Queue {
            action: order.action,
            by: caller.name.to_string(),
            note: order.note.trim().to_owned(),
            of_notice: message.notice,
        };
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
}

/// Refuses whoever may do this to no message at all.
pub(super) fn permit_command(caller: &Caller, command: QueueCommand) -> Result<(), CenterError> {
    let releases = [Permission::ReleaseHarmless, Permission::ReleaseDangerous];
    match command == QueueAction::Release && releases.iter().any(|p| caller.may(*p)) {
        true => Ok(()),
        false => permit(caller, Permission::QueueActions),
    }
}

impl Seen<'_> {
    /// The order with the rows that its search finds now, if it has one.
    pub(super) fn searched<'o>(
        &self,
        order: &'o QueueOrder,
    ) -> Result<Cow<'o, QueueOrder>, CenterError> {
        let Some(search) = &order.search else { return Ok(Cow::Borrowed(order)) };
        let mut attempts = Vec::new();
        let mut page = SearchRequest { cursor: None, rows_max: PAGE_ROWS_MAX, ..search.clone() };
        while attempts.len() < ATTEMPTS_MAX {
            let (events, next) = self.events_of(&page)?;
            attempts.extend(events.iter().map(|event| event.id));
            let Some(next) = next else { break };
            page.cursor = Some(next);
        }
        attempts.truncate(ATTEMPTS_MAX);
        Ok(Cow::Owned(QueueOrder { attempts, ..order.clone() }))
    }

    /// Which recipients of which messages an order means. Attempts that were
    /// never taken over, or are none of the caller's, go to `missing`.
    fn meant(&self, order: &QueueOrder, missing: &mut Vec<EventId>) -> Result<Meant, CenterError> {
        let mut meant: Meant = order.ids.iter().map(|id| (*id, Vec::new())).collect();
        for id in &order.attempts {
            match self.in_queue(*id)? {
                None => missing.push(*id),
                Some((message, attempt)) => match meant.get_mut(&message.id) {
                    // The whole of it is meant already.
                    Some(only) if only.is_empty() => {}
                    Some(only) => only.push(attempt.id),
                    None => drop(meant.insert(message.id, vec![attempt.id])),
                },
            }
        }
        Ok(meant)
    }

    /// The queued message of an attempt, or of a later step of one, and the
    /// attempt; nothing if it is not in the queue.
    fn in_queue(&self, id: EventId) -> Result<Option<(Arc<QueuedMessage>, Event)>, CenterError> {
        let Some(event) = self.events.event(id)? else { return Ok(None) };
        self.queued_for(&event)
    }

    /// The same of an event that was looked up.
    pub(super) fn queued_for(
        &self,
        event: &Event,
    ) -> Result<Option<(Arc<QueuedMessage>, Event)>, CenterError> {
        let Some(attempt) = self.attempt_of(event)? else { return Ok(None) };
        Ok(self.queued_as(&attempt).map(|message| (message, attempt)))
    }

    fn command_one(
        &self,
        caller: &Caller,
        order: &QueueOrder,
        (message, only): (&QueuedMessage, &[EventId]),
        unchanged: &mut Vec<QueueUnchanged>,
    ) -> Result<usize, CenterError> {
        let now = self.parts.clock.now();
        let (mut steps, mut events) = (Vec::new(), Vec::new());
        let meant = |one: &&QueuedRecipient| only.is_empty() || only.contains(&one.event);
        for recipient in self.seen_of(message).filter(meant) {
            let state = match self.next(caller, order.action, recipient, now)? {
                Ok(state) => state,
                Err(why) => {
                    let to = presentable(recipient.path.as_str()).into_owned();
                    let unchanged_one = |why| QueueUnchanged { id: message.id, to, why };
                    unchanged.extend(why.words().map(unchanged_one));
                    continue;
                }
            };
            // Before the step, or delivery would put it off again.
            if matches!(order.action, QueueAction::Retry | QueueAction::Release) {
                self.next_hops.try_now(message, &recipient.path);
            }
            steps.push(QueueStep { recipient: recipient.event, state });
            events.push(self.queue_event(caller, order, message, recipient, now));
        }
        let let_go = match order.action {
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
    /// a policy held it back: whoever sent it, whoever it says wrote it, and
    /// whoever it wants answers to go to.
    fn let_go(
        &self,
        message: &QueuedMessage,
        steps: &[QueueStep],
        now: Timestamp,
    ) -> Result<Vec<Correspondence>, CenterError> {
        let said = message.facts.header_from.iter().chain(&message.facts.reply_to);
        let said = said.filter_map(|mailbox| mailbox.address.parse().ok());
        let sender = message.reverse_path.address().cloned();
        let others: Vec<EmailAddress> = said.chain(sender).collect();
        let mut pairs = Vec::new();
        let released = |one: &&QueuedRecipient| steps.iter().any(|s| s.recipient == one.event);
        for recipient in message.recipients.iter().filter(released) {
            // What a person held was accepted before; where its event is lost
            // nobody knows.
            let held = self.held_for(recipient)?;
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
}

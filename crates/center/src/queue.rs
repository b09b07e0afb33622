//! Looking at the delivery queue. What people do to it is in [`acting`].

mod acting;
mod planning;
mod rows;
mod standing;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use store::{QueueDepth, QueuedMessage, QueuedRecipient, RecipientState};
use types::{Caller, EventId, LifeLineId, Permission, QueueId, Timestamp};

use crate::sight::{Seen, sees_queued};
use crate::waiting::Wait;
use crate::{Center, CenterError, LastTry, NextHopState, permit, presentable, presentable_within};
pub use acting::{QUEUE_NOTE_CHARS_MAX, QueueCommand, QueueDone, QueueOrder, QueueUnchanged};
pub use planning::{QueuePlan, QueuePlanRow};
pub use rows::{QueueStanding, QueuedNotice, QueuedNotices, RowQueue};
pub use standing::QueueOffer;
pub(crate) use standing::is_dangerous;

/// Most messages listed at once.
const ROWS_MAX: usize = 1_000;
/// Upper ends of the age classes of the shape, in minutes, after `qshape`.
const AGES_MIN: [u64; 9] = [5, 10, 20, 40, 80, 160, 320, 640, 1_280];

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
    pub(crate) fn seen_of<'m>(
        &self,
        message: &'m QueuedMessage,
    ) -> impl Iterator<Item = &'m QueuedRecipient> + use<'m> {
        let sight = self.events.sight().clone();
        message.recipients.iter().filter(move |recipient| sees_queued(&sight, message, recipient))
    }

    /// Whether the caller sees a recipient of it that has not left.
    pub(crate) fn sees_some(&self, message: &QueuedMessage) -> bool {
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
}

fn age_class(age: Duration) -> usize {
    let minutes = age.as_secs() / 60;
    AGES_MIN.iter().position(|&end| minutes < end).unwrap_or(AGES_MIN.len())
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

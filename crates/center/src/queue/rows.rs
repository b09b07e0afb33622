//! What lists say of mail in the queue: how each recipient stands, when it is
//! tried next, and what its next hop said last. Notices of our own have no
//! attempt and so no row; they are listed here for themselves.

use serde::{Deserialize, Serialize};
use store::{QueuedMessage, QueuedRecipient, RecipientState};
use types::{Caller, Event, LifeLineId, Permission, QueueId, Reference, Timestamp, awaited};

use crate::search::Row;
use crate::sight::Seen;
use crate::waiting::Wait;
use crate::{Center, CenterError, permit, presentable, presentable_within};

/// Most notices listed.
const NOTICES_MAX: usize = 50;
/// Most notices that are looked through for those a caller sees who does not
/// see all: the oldest.
const LOOKED_AT_MAX: usize = 20_000;
/// Notices looked at in one go.
const PAGE: usize = 1_000;
/// Most characters of a next hop's answer in a row.
const ANSWER_CHARS_MAX: usize = 120;

/// How a recipient of a queued message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum QueueStanding {
    /// It waits for its first try.
    Queued,
    /// A worker has it: its message is leased, and it is due itself.
    Trying,
    /// Its next hop did not take it yet.
    Deferred,
    /// It is held back.
    Held,
}

/// How a row of the queue stands, and when it is tried next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RowQueue {
    /// How it stands.
    pub standing: QueueStanding,
    /// Tries made.
    pub attempts: u32,
    /// When it is tried next: when it is due, or when its next hop is no
    /// longer left alone, whichever is later. Nothing while it is tried, and
    /// of what is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Timestamp>,
    /// The same in words, as of the answer: `next try in 12 min`.
    pub text: String,
    /// What the next hop said last, or what keeps it from being asked,
    /// presentable and short; nothing before the first try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
}

/// A notice to a sender (of a bounce or a delay) that could not be delivered
/// yet. Texts are presentable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct QueuedNotice {
    /// The message it is in the queue.
    pub id: QueueId,
    /// When it was made.
    pub arrived: Timestamp,
    /// Who is to be told.
    pub to: String,
    /// The life-line of the message it is about.
    pub life: LifeLineId,
    /// The reference of the attempt of that message.
    #[serde(rename = "ref")]
    pub reference: Reference,
    /// How it stands.
    pub queue: RowQueue,
}

/// The notices in the queue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct QueuedNotices {
    /// The oldest of them, at most fifty.
    pub rows: Vec<QueuedNotice>,
    /// How many more there are.
    pub more: usize,
}

impl RowQueue {
    /// How a recipient stands; nothing for one that has left.
    fn of(state: RecipientState, is_leased: bool, wait: &Wait, now: Timestamp) -> Option<RowQueue> {
        let short = |answer: &str| presentable_within(answer, ANSWER_CHARS_MAX);
        let answer = wait.answer(now).map(short);
        Some(match state {
            RecipientState::Done => return None,
            RecipientState::Held { attempts } => RowQueue {
                standing: QueueStanding::Held,
                attempts,
                next: None,
                text: "held back".to_owned(),
                answer,
            },
            RecipientState::Waiting { attempts, due, .. } => {
                let next = wait.next_try(due, now);
                // A lease is of the message, and takes those along that are due.
                let (standing, next, text) = match (is_leased && due <= now, attempts) {
                    (true, _) => (QueueStanding::Trying, None, "tried now".to_owned()),
                    (false, 0) => (QueueStanding::Queued, Some(next), next_words(next, now)),
                    (false, _) => (QueueStanding::Deferred, Some(next), next_words(next, now)),
                };
                RowQueue { standing, attempts, next, text, answer }
            }
        })
    }
}

/// `next try in 12 min`; a try that is due begins as soon as there is room.
fn next_words(next: Timestamp, now: Timestamp) -> String {
    match next > now {
        true => format!("next try in {}", awaited(next.since(now))),
        false => "next try at once".to_owned(),
    }
}

impl Seen<'_> {
    /// Says of each row that is in the queue how it stands there.
    pub(crate) fn tell_queue(&self, events: &[Event], rows: &mut [Row]) -> Result<(), CenterError> {
        for (event, row) in events.iter().zip(rows) {
            let Some(message) = self.queued_as(event) else { continue };
            if let Some(recipient) = message.recipients.iter().find(|one| one.event == event.id) {
                row.queue = self.stands(&message, recipient)?;
            }
        }
        Ok(())
    }

    fn stands(
        &self,
        message: &QueuedMessage,
        recipient: &QueuedRecipient,
    ) -> Result<Option<RowQueue>, CenterError> {
        let is_leased = self.parts.queue.is_leased(message.id);
        let wait = self.wait(message, recipient)?;
        Ok(RowQueue::of(recipient.state, is_leased, &wait, self.parts.clock.now()))
    }

    fn notice(&self, message: &QueuedMessage) -> Result<Option<QueuedNotice>, CenterError> {
        let left = |one: &&QueuedRecipient| one.state != RecipientState::Done;
        let Some(recipient) = self.seen_of(message).find(left) else { return Ok(None) };
        Ok(self.stands(message, recipient)?.map(|queue| QueuedNotice {
            id: message.id,
            arrived: message.arrived,
            to: presentable(recipient.path.as_str()).into_owned(),
            life: recipient.life_line,
            reference: recipient.event.reference(),
            queue,
        }))
    }
}

impl Center {
    /// The notices to senders that are in the queue: what `queue list` has
    /// beside the rows of attempts.
    ///
    /// # Errors
    ///
    /// See [`CenterError`].
    pub fn queued_notices(&self, caller: &Caller) -> Result<QueuedNotices, CenterError> {
        permit(caller, Permission::SeeQueue)?;
        let seen = self.seen_by(caller);
        if caller.sight.is_everything() {
            let oldest = self.parts.queue.notices(None, NOTICES_MAX);
            let more = self.parts.queue.notice_count().saturating_sub(oldest.len());
            let rows = oldest.iter().filter_map(|message| seen.notice(message).transpose());
            return Ok(QueuedNotices { rows: rows.collect::<Result<_, _>>()?, more });
        }
        let (mut notices, mut after, mut looked_at) = (QueuedNotices::default(), None, 0);
        while looked_at < LOOKED_AT_MAX {
            let page = self.parts.queue.notices(after, PAGE);
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            looked_at += page.len();
            for message in page.iter().filter(|one| seen.sees_some(one)) {
                match notices.rows.len() < NOTICES_MAX {
                    true => notices.rows.extend(seen.notice(message)?),
                    false => notices.more += 1,
                }
            }
        }
        Ok(notices)
    }
}

//! What a command would do to chosen rows, before anybody gives it.

use serde::{Deserialize, Serialize};
use types::{Caller, EventId, Permission, Reason};

use super::acting::{QueueCommand, QueueOrder, permit_command};
use super::standing::is_dangerous;
use crate::sight::Seen;
use crate::{Center, CenterError, Row, permit};

/// What a command would do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct QueuePlan {
    /// Every row, in the order that was asked for.
    pub rows: Vec<QueuePlanRow>,
    /// For how many of them something would be done.
    pub done: usize,
    /// Attempts of which nothing is known (any more).
    pub unknown: usize,
}

/// One row of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct QueuePlanRow {
    /// The attempt.
    pub row: Row,
    /// Whether it was held for what can do harm when it is opened or believed.
    pub dangerous: bool,
    /// Why nothing would be done for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why_not: Option<String>,
}

impl Center {
    /// What a command would do to the recipients of these attempts; nothing
    /// is changed.
    ///
    /// # Errors
    ///
    /// As [`Center::queue_command`].
    pub fn queue_plan(
        &self,
        caller: &Caller,
        order: &QueueOrder,
    ) -> Result<QueuePlan, CenterError> {
        permit(caller, Permission::SeeMetadata)?;
        permit_command(caller, order.action)?;
        order.check()?;
        let seen = self.seen_by(caller);
        let mut plan = QueuePlan::default();
        for id in &order.attempts {
            match seen.planned(caller, order.action, *id)? {
                Some(row) => {
                    plan.done += usize::from(row.why_not.is_none());
                    plan.rows.push(row);
                }
                None => plan.unknown += 1,
            }
        }
        Ok(plan)
    }
}

impl Seen<'_> {
    fn planned(
        &self,
        caller: &Caller,
        command: QueueCommand,
        id: EventId,
    ) -> Result<Option<QueuePlanRow>, CenterError> {
        let Some(event) = self.events.event(id)? else { return Ok(None) };
        let planned = |row, reason: Option<Reason>, why_not| QueuePlanRow {
            row,
            dangerous: reason.is_some_and(is_dangerous),
            why_not,
        };
        let Some((message, attempt)) = self.queued_for(&event)? else {
            let why = Some("it is not in the queue (any more)".to_owned());
            return Ok(Some(planned(Row::of(&event), event.reason(), why)));
        };
        let recipient = self.seen_of(&message).find(|one| one.event == attempt.id);
        let why_not = match recipient {
            None => Some("it is not in the queue (any more)".to_owned()),
            Some(recipient) => {
                let next = self.next(caller, command, recipient, self.parts.clock.now())?;
                let left = || "it has left the queue".to_owned();
                next.err().map(|why| why.words().unwrap_or_else(left))
            }
        };
        Ok(Some(planned(Row::of(&attempt), attempt.reason(), why_not)))
    }
}

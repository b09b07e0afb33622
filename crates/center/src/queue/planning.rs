//! What a command would do to chosen rows, or to those that a search finds,
//! before anybody gives it.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};
use types::{Caller, EventId, Permission, Reason};

use super::acting::{ATTEMPTS_MAX, QueueCommand, QueueOrder, permit_command};
use super::standing::is_dangerous;
use crate::sight::Seen;
use crate::{Center, CenterError, Row, permit};

/// What a command would do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct QueuePlan {
    /// Whose mail something would be done to, in a sentence; empty for nobody's.
    #[serde(default)]
    pub text: String,
    /// Every row, in the order that was asked for.
    pub rows: Vec<QueuePlanRow>,
    /// For how many of them something would be done.
    pub done: usize,
    /// Rows for which nothing would be done: each reason and how many.
    #[serde(default)]
    pub left_out: Vec<(String, usize)>,
    /// Attempts of which nothing is known (any more).
    pub unknown: usize,
    /// Rows that a search finds beyond those: they stay as they are.
    #[serde(default)]
    pub more: u64,
}

/// Rows that are counted exactly beyond the most of one command.
const MORE_MAX: u64 = 100_000;

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
        let order = &*seen.searched(order)?;
        let mut plan = QueuePlan { more: seen.rows_beyond(order)?, ..QueuePlan::default() };
        for id in &order.attempts {
            match seen.planned(caller, order.action, *id)? {
                Some(row) => plan.rows.push(row),
                None => plan.unknown += 1,
            }
        }
        Ok(plan.summed_up())
    }
}

impl QueuePlan {
    /// The same with its sums.
    fn summed_up(self) -> Self {
        let meant = || self.rows.iter().filter(|one| one.why_not.is_none());
        let distinct = |of: fn(&Row) -> &Option<String>| {
            meant().filter_map(|one| of(&one.row).as_deref()).collect::<HashSet<_>>().len()
        };
        let counted = |count: usize, one: &str| match count {
            1 => format!("1 {one}"),
            count => format!("{count} {one}s"),
        };
        let done = meant().count();
        let mut text = String::new();
        if done > 0 {
            let senders = counted(distinct(|row| &row.from), "sender");
            let recipients = counted(distinct(|row| &row.to), "recipient");
            text = format!("It is mail of {senders} for {recipients}.");
        }
        let dangerous = meant().filter(|one| one.dangerous).count();
        if dangerous > 0 {
            text += &format!(" {dangerous} of it may be a danger.");
        }
        let mut left_out: BTreeMap<&str, usize> = BTreeMap::new();
        for why in self.rows.iter().filter_map(|one| one.why_not.as_deref()) {
            *left_out.entry(why).or_default() += 1;
        }
        let left_out = left_out.into_iter().map(|(why, rows)| (why.to_owned(), rows)).collect();
        QueuePlan { text, done, left_out, ..self }
    }
}

impl Seen<'_> {
    /// How many rows the search of an order finds beyond those that it means.
    fn rows_beyond(&self, order: &QueueOrder) -> Result<u64, CenterError> {
        let Some(search) = order.search.as_ref().filter(|_| order.attempts.len() == ATTEMPTS_MAX)
        else {
            return Ok(0);
        };
        let found = self.counted(&self.scope(search)?, MORE_MAX)?.count;
        Ok(found.saturating_sub(ATTEMPTS_MAX as u64))
    }

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

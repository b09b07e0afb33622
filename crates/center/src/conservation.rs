//! Nothing is lost: what was opened is what was finished plus what is open,
//! and what was finished is what was recorded. The sum is shown.

use serde::{Deserialize, Serialize};
use types::{Caller, OutcomeKind, Permission};

use crate::{Center, CenterError, permit};

/// What the listeners counted since the process started.
pub trait SessionCounters: Send + Sync {
    /// The counts, as consistent as they can be while mail arrives.
    fn counts(&self) -> SessionCounts;
}

/// Sessions and attempts since the process started.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct SessionCounts {
    /// Sessions that began.
    pub sessions_opened: u64,
    /// Sessions that ended.
    pub sessions_finished: u64,
    /// Attempts that were opened.
    pub attempts_opened: u64,
    /// Attempts that ended in an event.
    pub attempts_finished: u64,
    /// Attempts whose event could not be stored: the client was asked to come
    /// back, and nothing was accepted.
    #[serde(default)]
    pub attempts_unrecorded: u64,
}

/// The conservation sum since the process started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Conservation {
    /// What the listeners counted.
    pub counts: SessionCounts,
    /// Sessions open now.
    pub sessions_open: u64,
    /// Attempts open now.
    pub attempts_open: u64,
    /// Attempt events recorded since start, by outcome.
    pub recorded: Vec<(OutcomeKind, u64)>,
    /// Recorded minus finished. Zero, or for a moment the few attempts that
    /// are being written.
    pub difference: i64,
    /// Attempt events in the whole event log, by outcome.
    pub kept: Vec<(OutcomeKind, u64)>,
    /// Follow-up events in the whole event log.
    pub kept_follow_ups: u64,
}

impl Center {
    /// The conservation sum.
    ///
    /// # Errors
    ///
    /// [`CenterError::Denied`].
    pub fn conservation(&self, caller: &Caller) -> Result<Conservation, CenterError> {
        permit(caller, Permission::SystemStatus)?;
        Ok(self.conservation_sum())
    }

    pub(crate) fn conservation_sum(&self) -> Conservation {
        let counts = self.parts.sessions.counts();
        let totals = self.memory.of_house().totals();
        let kept: Vec<_> = OutcomeKind::ALL.into_iter().zip(totals.attempts).collect();
        let recorded: Vec<_> =
            OutcomeKind::ALL.into_iter().zip(self.parts.events.attempts()).collect();
        let sum: u64 = recorded.iter().map(|&(_, count)| count).sum();
        let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        Conservation {
            sessions_open: counts.sessions_opened.saturating_sub(counts.sessions_finished),
            attempts_open: counts
                .attempts_opened
                .saturating_sub(counts.attempts_finished + counts.attempts_unrecorded),
            difference: signed(sum) - signed(counts.attempts_finished),
            counts,
            recorded,
            kept,
            kept_follow_ups: totals.follow_ups,
        }
    }
}

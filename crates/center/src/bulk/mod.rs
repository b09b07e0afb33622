//! Permit, block or let in, for a selection of rows or for all that a query
//! finds: a job with a preview before it, progress, a way to stop it, a
//! result, and undo where there is one.
//!
//! A permit or block goes into the lists of the recipients, each sender as
//! the adviser of one row would have it, and all of it is one version of the
//! policy set: it is stored whole or not at all, and undone as one. Letting in
//! cannot be undone, because whoever came back meanwhile is in.
//!
//! Jobs live in memory. A gateway that stops in the middle has stored nothing,
//! and what was stored is in the audit log.

mod jobs;
mod plan;
#[cfg(test)]
mod tests;
mod work;

use serde::{Deserialize, Serialize};
use types::{Caller, EventId, Permission, Timestamp};

use crate::{Center, CenterError, SearchRequest, permit};
pub(crate) use jobs::Jobs;
pub use plan::{BulkPair, BulkPlan};

/// Most attempts of one job.
pub const BULK_ROWS_MAX: usize = 10_000;
/// Most attempts let in by one job: each is looked up among those that wait.
pub const BULK_LET_IN_MAX: usize = 2_000;
/// Most pairs whose attempt is decided again for the preview.
pub const BULK_PREVIEWED_MAX: usize = 100;
/// Jobs that run at the same time.
pub const BULK_AT_ONCE: usize = 2;
/// Jobs that are remembered.
pub const BULK_KEPT_MAX: usize = 50;

/// What is done to each row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BulkAct {
    /// Permit its sender for its recipient.
    Permit,
    /// Block its sender for its recipient.
    Block,
    /// Let its triplet pass.
    LetIn,
}

impl BulkAct {
    /// Every act, in the order of the buttons.
    pub const ALL: [BulkAct; 3] = [BulkAct::Permit, BulkAct::Block, BulkAct::LetIn];

    /// The name in addresses and on the command line.
    pub const fn slug(self) -> &'static str {
        match self {
            BulkAct::Permit => "permit",
            BulkAct::Block => "block",
            BulkAct::LetIn => "let_in",
        }
    }

    /// What people read on a button.
    pub const fn label(self) -> &'static str {
        match self {
            BulkAct::Permit => "Permit",
            BulkAct::Block => "Block",
            BulkAct::LetIn => "Let in",
        }
    }

    /// The act of this name.
    pub fn named(slug: &str) -> Option<BulkAct> {
        BulkAct::ALL.into_iter().find(|act| act.slug() == slug)
    }
}

/// What is to be done to which rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BulkRequest {
    /// What is done.
    pub act: BulkAct,
    /// The rows that were selected; empty for all that the search finds.
    #[serde(default)]
    pub rows: Vec<EventId>,
    /// The list; it counts only where no row was selected.
    #[serde(default)]
    pub search: SearchRequest,
    /// Until when permits and blocks count; for ever if absent.
    #[serde(default)]
    pub until: Option<Timestamp>,
    /// Whether senders are left out whose mail failed SPF or DMARC.
    #[serde(default)]
    pub leave_out_failed: bool,
    /// The remark beside each entry.
    #[serde(default)]
    pub note: String,
}

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BulkState {
    /// It looks at the rows.
    Looking,
    /// It stores what was found; this cannot be stopped any more.
    Storing,
    /// It is done.
    Done,
    /// Somebody stopped it; nothing was changed.
    Cancelled,
    /// It could not be done; nothing was changed.
    Failed,
}

impl BulkState {
    /// The word in API and pages.
    pub const fn slug(self) -> &'static str {
        match self {
            BulkState::Looking => "looking",
            BulkState::Storing => "storing",
            BulkState::Done => "done",
            BulkState::Cancelled => "cancelled",
            BulkState::Failed => "failed",
        }
    }

    /// Whether nothing more will happen.
    pub const fn is_over(self) -> bool {
        matches!(self, BulkState::Done | BulkState::Cancelled | BulkState::Failed)
    }
}

/// A job as it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct BulkJob {
    /// Its number, counted from the start of the gateway.
    pub number: u64,
    /// Who asked for it.
    pub by: String,
    /// What was asked for.
    pub request: BulkRequest,
    /// How far it is.
    pub state: BulkState,
    /// When it began.
    pub started: Timestamp,
    /// When it was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// Rows looked at.
    pub rows: u64,
    /// Rows there are, once they are counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows_total: Option<u64>,
    /// What it did, a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// Why it failed, a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// The version of the policy set that it made, which can be undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
}

impl Center {
    /// What a job would do; nothing is stored.
    ///
    /// # Errors
    ///
    /// Too many rows, none at all, or a query that cannot be understood.
    pub fn preview_bulk(
        &self,
        caller: &Caller,
        request: &BulkRequest,
    ) -> Result<BulkPlan, CenterError> {
        permit(caller, Permission::EditPolicies)?;
        let drawn = self.draw(caller, request, &mut |_, _| Ok(()))?;
        self.shown(caller, request, drawn)
    }

    /// Begins a job.
    ///
    /// # Errors
    ///
    /// As [`Center::preview_bulk`] for what can be told at once; too many
    /// that run.
    pub fn start_bulk(
        &self,
        caller: &Caller,
        request: BulkRequest,
    ) -> Result<BulkJob, CenterError> {
        permit(caller, Permission::EditPolicies)?;
        self.check_bulk(caller, &request)?;
        self.bulk.start(caller, request)
    }

    /// The jobs since the gateway started, newest first.
    ///
    /// # Errors
    ///
    /// See [`CenterError`].
    pub fn bulk_jobs(&self, caller: &Caller) -> Result<Vec<BulkJob>, CenterError> {
        permit(caller, Permission::EditPolicies)?;
        Ok(self.bulk.all())
    }

    /// One job as it stands.
    ///
    /// # Errors
    ///
    /// [`CenterError::NotFound`], also for one before the last start.
    pub fn bulk_job(&self, caller: &Caller, number: u64) -> Result<BulkJob, CenterError> {
        permit(caller, Permission::EditPolicies)?;
        self.bulk.one(number).ok_or_else(|| {
            let what = "job of this number (they are counted anew when the gateway starts)";
            CenterError::NotFound(what.to_owned())
        })
    }

    /// Stops a job before it stores anything; one that is over or storing
    /// stays as it is.
    ///
    /// # Errors
    ///
    /// As [`Center::bulk_job`].
    pub fn cancel_bulk(&self, caller: &Caller, number: u64) -> Result<BulkJob, CenterError> {
        self.bulk_job(caller, number)?;
        self.bulk.cancel(number);
        self.bulk_job(caller, number)
    }
}

//! Looking at the triplet table and steering it.

mod pair;

use serde::{Deserialize, Serialize};
use serde_json::json;
use store::contract::{TripletEntry, TripletSteer};
use types::finding::TripletState;
use types::policy::ClientIdentity;
use types::{AuditAction, Caller, LifeLineId, Permission, Timestamp};

use crate::{Center, CenterError, permit, presentable};

pub use pair::{GreylistPair, GreylistPairSearch, GreylistShown};

/// Most entries listed at once.
const ROWS_MAX: usize = 1_000;
/// Most entries steered by one command.
const STEERED_MAX: usize = 10_000;

/// One triplet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct GreylistRow {
    /// The client's address or network, or the domain whose servers count as
    /// one.
    pub client: String,
    /// Which of these it is.
    pub identity: ClientIdentity,
    /// The reverse-path, normalised.
    pub from: String,
    /// The recipient.
    pub to: String,
    /// `waiting` for a retry, or `known` since one passed.
    pub state: String,
    /// When the present window was opened.
    pub first_seen: Timestamp,
    /// When it was last used.
    pub last_used: Timestamp,
    /// Attempts in the present window.
    pub attempts: u32,
    /// Its life-line.
    pub life: LifeLineId,
}

/// How full the table is.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct GreylistSize {
    /// Triplets that wait for a retry.
    pub waiting: usize,
    /// Triplets remembered as passed.
    pub known: usize,
}

impl Center {
    /// Entries whose client, sender or recipient contains `text`, newest
    /// first; 0 rows mean 100.
    ///
    /// # Errors
    ///
    /// See [`CenterError`].
    pub fn greylist_list(
        &self,
        caller: &Caller,
        text: &str,
        rows_max: usize,
    ) -> Result<Vec<GreylistRow>, CenterError> {
        permit(caller, Permission::SeeGreylist)?;
        let rows_max = if rows_max == 0 { 100 } else { rows_max.min(ROWS_MAX) };
        Ok(self.triplets(caller, text, rows_max).iter().map(row).collect())
    }

    /// Lets the entries that contain `text` pass at their next attempt.
    /// Returns how many were changed.
    ///
    /// # Errors
    ///
    /// An empty text, which would mean every entry.
    pub fn greylist_pass(&self, caller: &Caller, text: &str) -> Result<usize, CenterError> {
        self.steer(caller, text, TripletSteer::Pass)
    }

    /// Forgets the entries that contain `text`; an open window closes
    /// silently. Returns how many were changed.
    ///
    /// # Errors
    ///
    /// An empty text, which would mean every entry.
    pub fn greylist_forget(&self, caller: &Caller, text: &str) -> Result<usize, CenterError> {
        self.steer(caller, text, TripletSteer::Forget)
    }

    fn steer(&self, caller: &Caller, text: &str, what: TripletSteer) -> Result<usize, CenterError> {
        permit(caller, Permission::SteerGreylist)?;
        if text.trim().is_empty() {
            let message = "name a client, a sender or a recipient: an empty text means everybody";
            return Err(CenterError::invalid(message));
        }
        let entries = self.triplets(caller, text.trim(), STEERED_MAX);
        let action = match what {
            TripletSteer::Pass => AuditAction::GreylistPassed,
            TripletSteer::Forget => AuditAction::GreylistForgotten,
        };
        // Before it is done: the table is not in the database of the log.
        let details = json!({ "entries": entries.len() });
        self.record(caller, action, &presentable(text.trim()), &details)?;
        Ok(self.parts.triplets.steer(&entries, what)?)
    }

    /// The entries that contain `text` and wait for a recipient whom the caller sees.
    fn triplets(&self, caller: &Caller, text: &str, rows_max: usize) -> Vec<TripletEntry> {
        if caller.sight.is_everything() {
            return self.parts.triplets.list(text, rows_max);
        }
        let mut entries = self.parts.triplets.list(text, STEERED_MAX);
        entries.retain(|entry| caller.sight.sees_path(&entry.recipient));
        entries.truncate(rows_max);
        entries
    }

    /// How full the triplet table is.
    pub(crate) fn greylist_size(&self) -> GreylistSize {
        let (waiting, known) = self.parts.triplets.size();
        GreylistSize { waiting, known }
    }
}

fn row(entry: &TripletEntry) -> GreylistRow {
    let state = match entry.facts.state {
        TripletState::FirstSeen | TripletState::TooEarly => "waiting",
        TripletState::Passed | TripletState::Known => "known",
    };
    let shown = |text: &str| presentable(text).into_owned();
    GreylistRow {
        client: shown(&entry.facts.client),
        identity: entry.facts.identity,
        from: shown(&entry.facts.sender),
        to: shown(entry.recipient.as_str()),
        state: state.to_owned(),
        first_seen: entry.facts.first_seen,
        last_used: entry.last_used,
        attempts: entry.facts.attempts,
        life: entry.facts.life_line,
    }
}

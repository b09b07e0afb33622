//! One job from its rows to what is stored.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use store::contract::{TripletEntry, TripletSteer};
use store::state::{Edit, Object};
use types::{AuditAction, Caller, Reference};

use super::jobs::Jobs;
use super::plan::{Draft, decision};
use super::{BulkAct, BulkJob, BulkRequest};
use crate::replay::ReplayChange;
use crate::{Center, CenterError, presentable_within};

/// References repeated in the entry of the audit log.
const REFERENCES_MAX: usize = 200;
/// Longest query repeated in a note, in characters.
const QUERY_CHARS_MAX: usize = 300;

/// What a job did and the version it made; nothing if it was stopped.
pub(super) type Done = Option<(String, Option<u64>)>;

/// Does the job.
pub(super) fn run(
    center: &Center,
    caller: &Caller,
    job: &BulkJob,
    jobs: &Jobs,
    stop: &AtomicBool,
) -> Result<Done, CenterError> {
    let stopped = || CenterError::invalid("stopped");
    let mut step = |rows, total| {
        jobs.note(job.number, |job| (job.rows, job.rows_total) = (rows, Some(total)));
        if stop.load(Ordering::Acquire) { Err(stopped()) } else { Ok(()) }
    };
    let draft = match center.draw(caller, &job.request, &mut step) {
        Err(_) if stop.load(Ordering::Acquire) => return Ok(None),
        drawn => drawn?,
    };
    if !jobs.begins_to_store(job.number) {
        return Ok(None);
    }
    match job.request.act {
        BulkAct::LetIn => center.let_all_in(caller, &job.request, draft).map(Some),
        BulkAct::Permit | BulkAct::Block => {
            center.decide_all(caller, &job.request, &draft).map(Some)
        }
    }
}

impl Center {
    /// Stores the entries of all pairs as one version.
    fn decide_all(
        &self,
        caller: &Caller,
        request: &BulkRequest,
        draft: &Draft,
    ) -> Result<(String, Option<u64>), CenterError> {
        let mut edits = Vec::new();
        let mut left_out = 0_usize;
        for pair in &draft.pairs {
            let wanted = decision(request, pair).filter(|_| pair.left_out(request).is_none());
            let Some(decision) = wanted else {
                left_out += 1;
                continue;
            };
            match self.sender_change(caller, &pair.event, &decision)? {
                ReplayChange::Sender(entry) if self.is_allowed(&entry) => {
                    edits.push(Edit::Put(Object::Sender(*entry)));
                }
                _ => left_out += 1,
            }
        }
        let stored = edits.len();
        if stored == 0 {
            let text = format!("Nothing was stored: {left_out} pairs are left out.");
            return Ok((text, None));
        }
        let who = self.author(caller, None, &noted(request));
        let change = self.activated(self.parts.policies.change(&who, edits)?)?;
        let text = format!(
            "{stored} entries are stored as version {}; {left_out} pairs are left out.",
            change.version
        );
        Ok((text, Some(change.version)))
    }

    fn is_allowed(&self, entry: &types::lists::ManagedSender) -> bool {
        self.sender_problems(vec![entry.clone()]).is_empty()
    }

    /// Lets all triplets pass that still wait.
    fn let_all_in(
        &self,
        caller: &Caller,
        request: &BulkRequest,
        draft: Draft,
    ) -> Result<(String, Option<u64>), CenterError> {
        let rows: Vec<Reference> =
            draft.pairs.iter().take(REFERENCES_MAX).map(|pair| pair.event.reference()).collect();
        let entries: Vec<TripletEntry> =
            draft.pairs.into_iter().filter_map(|pair| pair.waiting).collect();
        // Before it is done: the table is not in the database of the log.
        let details = json!({ "entries": entries.len(), "rows": rows });
        self.record(caller, AuditAction::GreylistPassed, &noted(request), &details)?;
        let passed = self.parts.triplets.steer(&entries, TripletSteer::Pass)?;
        Ok((format!("{passed} triplets pass at their next attempt."), None))
    }
}

/// What the audit log says a job was for.
fn noted(request: &BulkRequest) -> String {
    let rows = match (request.rows.len(), request.search.query.trim()) {
        (0, "") => format!("everything in {}", request.search.view.info().label),
        (0, query) => format!("all of {query}"),
        (selected, _) => format!("{selected} selected rows"),
    };
    let note = match request.note.trim() {
        "" => String::new(),
        note => format!(" ({note})"),
    };
    presentable_within(&format!("bulk {}: {rows}{note}", request.act.slug()), QUERY_CHARS_MAX)
}

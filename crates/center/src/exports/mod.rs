//! Exports: any list as a file of CSV, XLSX or NDJSON.
//!
//! An export is a job. It waits for its turn (two are written at once), reads
//! the rows as they are when it begins, in constant memory however many there
//! are, and leaves a file that can be fetched for seven days, or none at all:
//! a cancelled, failed or interrupted job leaves no half file, because a file
//! gets its name only when it is whole. It stops, with a sentence, before the
//! disk is so full that mail could not be taken.

mod clock_text;
mod columns;
mod direct;
mod folder;
mod job;
mod jobs;
mod output;
mod rows;
mod sink;
mod text;
mod work;
mod workbook;

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use types::{AuditAction, Caller, ExportId, Limit, Permission, Permissions};
use world::DiskSpace;

use crate::{Center, CenterError, permit};
pub use direct::ExportRows;
pub use job::{ExportFile, ExportFormat, ExportJob, ExportRequest, ExportState};
pub(crate) use jobs::Jobs;

/// Exports written at the same time: they read all that is kept, and mail
/// must not wait for them.
pub const EXPORTS_AT_ONCE: usize = 2;
/// Most exports that wait for their turn.
pub const EXPORTS_WAITING_MAX: usize = 20;
/// Most exports of one account that wait for their turn.
pub(crate) const EXPORTS_WAITING_OF_ONE_MAX: usize = 5;
/// Most exports that are remembered, files and all.
pub const EXPORTS_KEPT_MAX: usize = 200;
/// Most exports of one account that are remembered.
pub(crate) const EXPORTS_KEPT_OF_ONE_MAX: usize = 50;
/// How long a file can be fetched.
pub const EXPORT_KEPT_FOR: Duration = Duration::from_secs(7 * 86_400);

/// What exports need of their surroundings.
#[derive(Clone)]
pub struct ExportParts {
    /// Where the files lie; made if it is not there.
    pub folder: PathBuf,
    /// The space left on its disk.
    pub space: Arc<dyn DiskSpace>,
    /// What the store keeps free for mail, in octets; exports stop earlier.
    pub reserve_octets: u64,
    /// What the files in the folder may have in all, in octets.
    pub folder_octets_max: u64,
}

impl Center {
    /// Asks for an export. It is queued and written as soon as it is its
    /// turn; [`Center::export`] says how far it is.
    ///
    /// # Errors
    ///
    /// A query, time or column that cannot be understood; too many exports;
    /// a folder that cannot be written.
    pub fn start_export(
        &self,
        caller: &Caller,
        request: ExportRequest,
    ) -> Result<ExportJob, CenterError> {
        permit(caller, Permission::ExportMetadata)?;
        let plan = rows::Plan::of(&self.seen_by(caller), &request)?;
        let id = ExportId::new(self.parts.clock.now(), self.parts.chance.id_bytes());
        let subject = described(&request);
        self.record(
            caller,
            AuditAction::ExportStarted,
            &subject,
            &json!({ "export": id, "request": request }),
        )?;
        self.exports()?.start(id, caller, request, plan)
    }

    /// The exports a caller may see, newest first: their own, or all for who
    /// may do everything.
    ///
    /// # Errors
    ///
    /// See [`CenterError`].
    pub fn exports_of(&self, caller: &Caller) -> Result<Vec<ExportJob>, CenterError> {
        permit(caller, Permission::ExportMetadata)?;
        let mut jobs = self.exports()?.all();
        jobs.retain(|job| may_see(caller, job));
        Ok(jobs)
    }

    /// One export, as it stands now.
    ///
    /// # Errors
    ///
    /// [`CenterError::NotFound`] also for that of somebody else.
    pub fn export(&self, caller: &Caller, id: ExportId) -> Result<ExportJob, CenterError> {
        permit(caller, Permission::ExportMetadata)?;
        let job = self.exports()?.one(id).filter(|job| may_see(caller, job));
        job.ok_or_else(|| missing(id))
    }

    /// Stops an export that is not over. One that is stays as it is.
    ///
    /// # Errors
    ///
    /// As [`Center::export`].
    pub fn cancel_export(&self, caller: &Caller, id: ExportId) -> Result<ExportJob, CenterError> {
        let job = self.export(caller, id)?;
        if !job.state.is_over() {
            let subject = described(&job.request);
            self.record(caller, AuditAction::ExportCancelled, &subject, &json!({ "export": id }))?;
            self.exports()?.cancel(id)?;
        }
        self.export(caller, id)
    }

    /// Removes an export and its file; one that is not over is stopped first.
    ///
    /// # Errors
    ///
    /// As [`Center::export`].
    pub fn remove_export(&self, caller: &Caller, id: ExportId) -> Result<(), CenterError> {
        let job = self.cancel_export(caller, id)?;
        let subject = described(&job.request);
        self.record(caller, AuditAction::ExportRemoved, &subject, &json!({ "export": id }))?;
        self.exports()?.remove(id)
    }

    /// Opens the file of an export that is done. It can be read to its end
    /// even if it is removed meanwhile.
    ///
    /// # Errors
    ///
    /// [`CenterError::NotFound`] if there is no file (any more).
    pub fn open_export(
        &self,
        caller: &Caller,
        id: ExportId,
    ) -> Result<(ExportFile, File), CenterError> {
        let job = self.export(caller, id)?;
        let file = job.file.clone().ok_or_else(|| {
            CenterError::NotFound(format!("file of export {id}: it is {}", job.state.slug()))
        })?;
        let opened = self.exports()?.open(&job).map_err(|_| missing(id))?;
        let details = json!({ "export": id, "file": file.name, "sha256": file.sha256 });
        self.record(caller, AuditAction::ExportTaken, &described(&job.request), &details)?;
        Ok((file, opened))
    }

    /// Removes files that are older than they are kept; sweeps away what a
    /// crash left. For a chore that runs at start and then from time to time.
    ///
    /// # Errors
    ///
    /// A folder that cannot be read or written.
    pub fn tidy_exports(&self) -> Result<(), CenterError> {
        match &self.exports {
            Some(jobs) => jobs.tidy(),
            None => Ok(()),
        }
    }

    /// Ends all exports before the store is closed: those that are not over
    /// become interrupted. New ones are refused from then on.
    pub fn stop_exports(&self) {
        if let Some(jobs) = &self.exports {
            jobs.stop();
        }
    }

    fn exports(&self) -> Result<&Jobs, CenterError> {
        self.exports
            .as_ref()
            .ok_or_else(|| CenterError::NotFound("folder for exports here".to_owned()))
    }
}

/// The query of an export, or that it had none.
pub(crate) fn described(request: &ExportRequest) -> String {
    let query = request.search.query.trim();
    let query = if query.is_empty() { "everything" } else { query };
    crate::presentable_within(query, 500)
}

/// Whether this is theirs to see: queries name people. An account's number
/// counts and not its name, which a later account can have again. A file that
/// was made when they saw more is theirs no longer; one made for the members
/// of a group is as long as the group has the same.
fn may_see(caller: &Caller, job: &ExportJob) -> bool {
    let own = job.owner.is_some() && job.owner == caller.account();
    let is_seen = match Limit::new(job.domains.clone(), job.groups.clone()) {
        Ok(limit) => caller.sight.covers(&limit, &job.members),
        Err(_) => caller.sight.is_everything(),
    };
    let has_subjects = job.columns.iter().any(|column| column == rows::SUBJECT);
    let is_known = !has_subjects || caller.may(Permission::SeeSubjects);
    (own && is_seen && is_known) || caller.permissions == Permissions::all()
}

fn missing(id: ExportId) -> CenterError {
    CenterError::NotFound(format!("export {id}"))
}

#[cfg(test)]
mod tests;

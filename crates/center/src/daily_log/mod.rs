//! The daily log: one CSV file of rejections and one of deferrals per UTC
//! day, kept for ever, so that what happened outlives the retention of the
//! console.
//!
//! While a day runs, `rejected-2026-11-21.csv.part` grows with what is new.
//! A closed day is always written from the event log in one pass to another
//! name, flushed and renamed: whatever happens meanwhile, a file without
//! `.part` is whole and has each event exactly once. Days that ended while
//! the process was down are written at start. Beside each closed file stands
//! its hash, `rejected-2026-11-21.csv.sha256`.

mod archive;
mod files;
mod range;
mod row;
mod sums;

use std::fs;
use std::ops::{ControlFlow, Range};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use store::EventLog;
use types::{AuditAction, Caller, Event, OutcomeKind, Permission, Timestamp};

use crate::{Center, CenterError, permit};
pub use archive::LogArchive;
use files::{DayFiles, file_name, read_name};
pub use range::LogRange;
pub use row::{COLUMNS, spreadsheet_safe, write_row};

/// How long after midnight a day is closed: events are recorded when an
/// attempt has ended, and the clock writes expiries a little late.
const CLOSE_GRACE: Duration = Duration::from_secs(120);
/// How old an event is before it goes into the running file, so that events
/// written at the same time by several sessions are all there.
const SETTLE: Duration = Duration::from_secs(5);
const DAY: Duration = Duration::from_secs(86_400);

/// Which events a file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogKind {
    /// Rejections, with bounces and *Sender Failed to Retry*.
    Rejected,
    /// Deferrals.
    Deferred,
}

impl LogKind {
    /// Both kinds.
    pub const ALL: [LogKind; 2] = [LogKind::Rejected, LogKind::Deferred];

    /// The beginning of the file name.
    pub fn slug(self) -> &'static str {
        match self {
            LogKind::Rejected => "rejected",
            LogKind::Deferred => "deferred",
        }
    }

    /// The kind of file an event goes into, if it goes into one.
    pub fn of(event: &Event) -> Option<LogKind> {
        match event.outcome_kind()? {
            OutcomeKind::Rejected => Some(LogKind::Rejected),
            OutcomeKind::Deferred => Some(LogKind::Deferred),
            OutcomeKind::Accepted | OutcomeKind::Held => None,
        }
    }
}

/// One file of the daily log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct LogFile {
    /// Its name, by which it is asked for.
    pub name: String,
    /// Which events it has.
    pub kind: LogKind,
    /// The day, `2026-11-21`.
    pub day: String,
    /// Its size in octets.
    pub size_octets: u64,
    /// Whether the day is closed.
    pub closed: bool,
    /// The SHA-256 the file had when its day was closed, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// Keeps the daily log. One per data folder.
pub struct DailyLog {
    log: Arc<dyn EventLog>,
    folder: PathBuf,
    kept: Duration,
    progress: Mutex<Progress>,
}

#[derive(Default)]
struct Progress {
    /// All days before are closed.
    closed_until: Option<Timestamp>,
    /// The files of the running day and how far they go.
    running: Option<(DayFiles, Timestamp)>,
}

impl DailyLog {
    /// A daily log in `folder`, over events that are kept for `kept`.
    pub(crate) fn new(log: Arc<dyn EventLog>, folder: PathBuf, kept: Duration) -> Self {
        DailyLog { log, folder, kept, progress: Mutex::default() }
    }

    /// Up to when all days are closed; nothing before the first
    /// [`DailyLog::keep`].
    pub fn written_until(&self) -> Option<Timestamp> {
        self.progress().closed_until
    }

    /// Closes days that are over and lets the running one grow. Expiries
    /// that fell into a downtime must have been recorded before the first
    /// call, because they belong to days that this call closes.
    ///
    /// # Errors
    ///
    /// A folder that cannot be written or an event log that cannot be read;
    /// the next call takes it up again.
    pub fn keep(&self, now: Timestamp) -> Result<(), CenterError> {
        let failed = |error: std::io::Error| CenterError::file("writing the daily log", &error);
        fs::create_dir_all(&self.folder).map_err(failed)?;
        let mut progress = self.progress();
        let running_day = now.before(CLOSE_GRACE).day_start();
        let mut day = match progress.closed_until {
            Some(closed) => closed,
            None => {
                self.keep_missing_sums()?;
                self.first_day(now)?.min(running_day)
            }
        };
        while day < running_day {
            self.close(day, &mut progress)?;
            day = day + DAY;
            progress.closed_until = Some(day);
        }
        progress.closed_until.get_or_insert(running_day);
        self.grow(running_day, now, &mut progress)
    }

    /// The day of the oldest event that is kept.
    fn first_day(&self, now: Timestamp) -> Result<Timestamp, CenterError> {
        let mut oldest = now;
        // One day more than is kept: whole segments go late, never early.
        let all = now.before(self.kept + DAY)..now;
        self.log.visit(all, &mut |event| {
            oldest = event.at;
            ControlFlow::Break(())
        })?;
        Ok(oldest.day_start())
    }

    /// Writes the files of a day that is over, unless they are there.
    fn close(&self, day: Timestamp, progress: &mut Progress) -> Result<(), CenterError> {
        let date = day.date();
        let there = |kind| self.folder.join(file_name(kind, &date, true)).exists();
        if !LogKind::ALL.into_iter().all(there) {
            let mut files = DayFiles::create(&self.folder, &date, ".making")?;
            self.append(&mut files, day..day + DAY)?;
            files.publish()?;
            for kind in LogKind::ALL {
                self.make_sum(&file_name(kind, &date, true))?;
            }
        }
        if progress.running.as_ref().is_some_and(|(files, _)| files.date() == date) {
            progress.running = None;
        }
        DayFiles::remove_parts(&self.folder, &date);
        Ok(())
    }

    /// Writes the hash of a closed file.
    fn make_sum(&self, name: &str) -> Result<(), CenterError> {
        let failed = |error: std::io::Error| CenterError::file("hashing the daily log", &error);
        sums::keep(&self.folder, name).map_err(failed)
    }

    /// The hashes of files that an older version closed, or that we were
    /// stopped before.
    fn keep_missing_sums(&self) -> Result<(), CenterError> {
        let failed = |error: std::io::Error| CenterError::file("listing the daily log", &error);
        for entry in fs::read_dir(&self.folder).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
            let closed = read_name(&name).is_some_and(|(_, _, closed)| closed);
            if closed && sums::kept(&self.folder, &name).is_none() {
                self.make_sum(&name)?;
            }
        }
        Ok(())
    }

    /// Lets the running day grow by what is new and old enough.
    fn grow(
        &self,
        day: Timestamp,
        now: Timestamp,
        progress: &mut Progress,
    ) -> Result<(), CenterError> {
        let until = now.before(SETTLE).min(day + DAY);
        let date = day.date();
        let same_day = progress.running.take().filter(|(files, _)| files.date() == date);
        let (mut files, from) = match same_day {
            Some(running) => running,
            // After a start it is not known what an old file has, so it is
            // written anew.
            None => (DayFiles::create(&self.folder, &date, ".part")?, day),
        };
        if from < until {
            self.append(&mut files, from..until)?;
        }
        // Only now: after an error the file is begun anew.
        progress.running = Some((files, until.max(from)));
        Ok(())
    }

    fn append(&self, files: &mut DayFiles, times: Range<Timestamp>) -> Result<(), CenterError> {
        let mut failed = None;
        self.log.visit(times, &mut |event| match files.write(&event) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        })?;
        match failed {
            Some(error) => Err(error),
            None => files.flush(),
        }
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        // A panic while writing leaves a file behind that is begun anew.
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Center {
    /// The files of the daily log, newest day first.
    ///
    /// # Errors
    ///
    /// A folder that cannot be read.
    pub fn daily_logs(&self, caller: &Caller) -> Result<Vec<LogFile>, CenterError> {
        permit(caller, Permission::DailyLogs)?;
        let failed = |error: std::io::Error| CenterError::file("listing the daily log", &error);
        let folder = &self.parts.daily_log_folder;
        if !folder.exists() {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let Some((kind, day, closed)) = read_name(&name) else { continue };
            let size_octets = entry.metadata().map_err(failed)?.len();
            found.push(LogFile {
                day: day.to_owned(),
                name: name.clone(),
                kind,
                size_octets,
                closed,
                sha256: if closed { sums::kept(folder, &name) } else { None },
            });
        }
        found.sort_by(|a, b| b.day.cmp(&a.day).then_with(|| a.name.cmp(&b.name)));
        Ok(found)
    }

    /// Opens a file of the daily log for reading.
    ///
    /// # Errors
    ///
    /// [`CenterError::NotFound`], also for a name that is not one of a daily
    /// log, so that no other file can be read this way.
    pub fn open_daily_log(&self, caller: &Caller, name: &str) -> Result<fs::File, CenterError> {
        permit(caller, Permission::DailyLogs)?;
        // Its files are as they were written, with all subjects.
        permit(caller, Permission::SeeSubjects)?;
        let missing = || CenterError::NotFound("daily log of this name".to_owned());
        read_name(name).ok_or_else(missing)?;
        let file = fs::File::open(self.parts.daily_log_folder.join(name)).map_err(|_| missing())?;
        self.record(caller, AuditAction::DailyLogTaken, name, &json!({}))?;
        Ok(file)
    }
}

#[cfg(test)]
mod tests;

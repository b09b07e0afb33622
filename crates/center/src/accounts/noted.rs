//! What is done to accounts, together with its entry in the audit log.
//!
//! Failed sign-ins change nothing and come from strangers, so their entries
//! are limited: beyond a number per hour they are counted and told as one.

use std::net::IpAddr;
use std::time::Duration;

use serde_json::json;
use store::StoreError;
use store::state::AccountChanges;
use types::{Actor, AuditAction, AuditNote, Caller, Timestamp};

use super::{Accounts, Memory};
use crate::CenterError;

/// Failed sign-ins that get an entry each, per hour; those at the door of the
/// sign-in service have as many of their own, because they cost a stranger
/// neither a password nor a wait.
const FAILURES_MAX: u32 = 500;
const HOUR: Duration = Duration::from_secs(3_600);

/// Failed sign-ins of the hour that began with the first of them.
#[derive(Default)]
pub(super) struct Failures {
    since: Timestamp,
    noted: u32,
    untold: u64,
}

impl Failures {
    /// Whether one more gets an entry of its own.
    fn count(&mut self) -> bool {
        if self.noted < FAILURES_MAX {
            self.noted += 1;
            return true;
        }
        self.untold += 1;
        false
    }

    /// Begins a new hour if the old one is over; gives how many of the old
    /// one were not told.
    fn turn(&mut self, now: Timestamp) -> u64 {
        if now.since(self.since) < HOUR {
            return 0;
        }
        let untold = self.untold;
        *self = Failures { since: now, noted: 0, untold: 0 };
        untold
    }
}

impl Accounts {
    /// An entry about what the caller does now.
    pub(super) fn note(&self, caller: &Caller, action: AuditAction, subject: &str) -> AuditNote {
        AuditNote::new(caller.into(), action, subject, self.clock.now())
    }

    /// Makes a change with its entry. If `work` gives nothing, nothing is
    /// changed and nothing noted.
    pub(super) fn changed<T>(
        &self,
        note: &AuditNote,
        mut work: impl FnMut(&dyn AccountChanges) -> Result<Option<T>, StoreError>,
    ) -> Result<Option<T>, CenterError> {
        let mut done = None;
        self.state.change(note, &mut |to| {
            done = work(to)?;
            Ok(done.is_some())
        })?;
        Ok(done)
    }

    /// The same for a change that always is one.
    pub(super) fn done(
        &self,
        note: &AuditNote,
        mut work: impl FnMut(&dyn AccountChanges) -> Result<(), StoreError>,
    ) -> Result<(), CenterError> {
        self.changed(note, |to| work(to).map(Some)).map(drop)
    }

    /// Notes a wrong password or code. A name that nobody has is not kept:
    /// people type their password where the name belongs.
    pub(super) fn note_failure(
        &self,
        name: Option<&str>,
        what: &str,
        from: IpAddr,
    ) -> Result<(), CenterError> {
        let subject = match name {
            Some(name) => format!("{name}: wrong {what}"),
            None => "a name that nobody has".to_owned(),
        };
        self.note_refused(&subject, None, from)
    }

    /// Notes that somebody was not let in.
    pub(super) fn note_refused(
        &self,
        subject: &str,
        details: Option<String>,
        from: IpAddr,
    ) -> Result<(), CenterError> {
        self.note_counted(|memory| &mut memory.failures, subject, details, from)
    }

    /// Notes that somebody came back from the sign-in service with nothing
    /// that proves anything.
    pub(super) fn note_stray(&self, subject: &str, from: IpAddr) -> Result<(), CenterError> {
        self.note_counted(|memory| &mut memory.strays, subject, None, from)
    }

    fn note_counted(
        &self,
        of: fn(&mut Memory) -> &mut Failures,
        subject: &str,
        details: Option<String>,
        from: IpAddr,
    ) -> Result<(), CenterError> {
        let now = self.clock.now();
        self.tell_failures(now)?;
        if !of(&mut self.memory()).count() {
            return Ok(());
        }
        let actor = Actor::visitor(from.to_canonical());
        let note = AuditNote::new(actor, AuditAction::SignInFailed, subject, now);
        self.audit.record(&note.with_details(details.unwrap_or_default()))?;
        Ok(())
    }

    /// Tells once an hour of failed sign-ins that got no entry of their own.
    pub(super) fn tell_failures(&self, now: Timestamp) -> Result<(), CenterError> {
        let (failures, strays) = {
            let mut memory = self.memory();
            (memory.failures.turn(now), memory.strays.turn(now))
        };
        let told = [
            (failures, "sign-ins failed"),
            (strays, "came back from the sign-in service with no proof"),
        ];
        for (untold, what) in told.into_iter().filter(|(untold, _)| *untold > 0) {
            let subject = format!("{untold} more {what} within an hour");
            let actor = Actor::machine("portcullis");
            let note = AuditNote::new(actor, AuditAction::SignInsFailed, &subject, now)
                .with_details(json!({ "count": untold }).to_string());
            self.audit.record(&note)?;
        }
        Ok(())
    }
}

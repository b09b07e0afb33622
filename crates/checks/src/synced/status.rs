//! How directories are, for people.

use std::collections::HashSet;

use types::{Domain, Timestamp};

use super::reading::LeftOut;
use super::snapshot::Content;
use super::{Service, SyncedDirectories, is_of};

/// What reading a directory came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyncReport {
    /// When.
    pub at: Timestamp,
    /// Entries that the server gave.
    pub entries: usize,
    /// In how many pages.
    pub pages: usize,
    /// Recipients in them.
    pub recipients: usize,
    /// Recipients that are new.
    pub added: usize,
    /// Recipients that are gone.
    pub removed: usize,
    /// Referrals that were not followed.
    pub referrals: usize,
    /// What was not taken.
    pub left_out: LeftOut,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// Why it would have been refused.
    pub refusal: Option<String>,
    /// Why it could not be kept on the disk.
    pub unkept: Option<String>,
}

impl SyncReport {
    /// What is new and what is gone.
    pub(super) fn of(old: Option<&Content>, new: &Content, domains: &[Domain]) -> SyncReport {
        let before: HashSet<&str> = (old.iter().flat_map(|old| &old.addresses))
            .map(AsRef::as_ref)
            .filter(|address| domains.iter().any(|domain| is_of(address, domain)))
            .collect();
        let added = new.addresses.iter().filter(|one| !before.contains(one.as_ref())).count();
        let kept = new.addresses.len() - added;
        SyncReport {
            recipients: new.addresses.len(),
            added,
            removed: before.len() - kept,
            ..SyncReport::default()
        }
    }
}

/// How one directory is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncStatus {
    /// Its name.
    pub name: String,
    /// Its servers.
    pub servers: Vec<String>,
    /// The domains that ask it.
    pub domains: Vec<Domain>,
    /// How many recipients it has.
    pub recipients: usize,
    /// When that was seen; nothing if it never was read.
    pub confirmed: Option<Timestamp>,
    /// The last reading that was taken since the start.
    pub last: Option<SyncReport>,
    /// When it was last tried since the start.
    pub tried: Option<Timestamp>,
    /// Why that failed.
    pub problem: Option<String>,
    /// Whether it waits for somebody to accept an answer.
    pub waits: bool,
    /// How often it failed since the start.
    pub failures: u64,
    /// When it is read next.
    pub next: Timestamp,
}

impl SyncedDirectories {
    /// How each directory is, in the order of the settings.
    pub fn status(&self) -> Vec<SyncStatus> {
        self.all.load().iter().map(|service| service.status()).collect()
    }
}

impl Service {
    fn status(&self) -> SyncStatus {
        let (settings, state) = (&self.settings, self.state());
        let problem = state.tried.as_ref().and_then(|(_, problem)| problem.clone());
        SyncStatus {
            name: settings.name.clone(),
            servers: settings.server.urls.iter().map(ToString::to_string).collect(),
            domains: settings.domains.clone(),
            recipients: state.parts.values().map(super::Directory::len).sum(),
            confirmed: state.content.as_ref().map(|content| content.confirmed),
            last: state.last.clone(),
            tried: state.tried.as_ref().map(|(at, _)| *at),
            waits: matches!(problem, Some(super::SyncError::Refused(_))),
            problem: problem.map(|problem| problem.to_string()),
            failures: state.failures_in_all,
            next: state.next,
        }
    }
}

//! How directories are, for people.

use types::{Domain, GroupsKnown, GroupsProblem, GroupsReading, Timestamp};

use super::reading::LeftOut;
use super::snapshot::Content;
use super::{Refused, Service, SyncError, SyncedDirectories};
use crate::directory::Directory;

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
    /// What became of its groups, if they are read.
    pub groups: Option<Result<GroupsReading, GroupsProblem>>,
}

impl SyncReport {
    /// How many there are, what is new and what is gone.
    pub(super) fn of(old: &Content, new: &Content) -> SyncReport {
        let recipients = new.values().map(Directory::len).sum();
        let kept: usize = new.iter().map(|(domain, now)| kept(old.get(domain), now)).sum();
        // A domain that asks it no longer is not counted.
        let before = old.iter().filter(|(domain, _)| new.contains_key(*domain));
        let before: usize = before.map(|(_, directory)| directory.len()).sum();
        SyncReport {
            recipients,
            added: recipients - kept,
            removed: before - kept,
            ..SyncReport::default()
        }
    }
}

/// Recipients that were there before.
fn kept(before: Option<&Directory>, now: &Directory) -> usize {
    let Some(before) = before else { return 0 };
    now.addresses().iter().filter(|address| before.addresses().contains(*address)).count()
}

/// What a directory has of one domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncPart {
    /// The domain, which asks it.
    pub domain: Domain,
    /// How many recipients.
    pub recipients: usize,
    /// When that was seen; nothing if it never was read for this domain.
    pub confirmed: Option<Timestamp>,
    /// Whether what it last said of it waits for somebody to accept it.
    pub waits: bool,
}

/// How one directory is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncStatus {
    /// Its name.
    pub name: String,
    /// Its servers.
    pub servers: Vec<String>,
    /// What it has of each domain that asks it.
    pub parts: Vec<SyncPart>,
    /// The last reading that was taken since the start.
    pub last: Option<SyncReport>,
    /// When it was last tried since the start.
    pub tried: Option<Timestamp>,
    /// Why that failed.
    pub problem: Option<String>,
    /// How many recipients are gone in an answer that waits for somebody to
    /// accept it, if one does.
    pub waits: Option<usize>,
    /// How often it failed since the start.
    pub failures: u64,
    /// When it is read next.
    pub next: Timestamp,
    /// Its groups, if they are read.
    pub groups: Option<GroupsKnown>,
    /// Why they are not those of the last reading.
    pub groups_problem: Option<GroupsProblem>,
}

impl SyncedDirectories {
    /// How each directory is, in the order of the settings.
    pub fn status(&self) -> Vec<SyncStatus> {
        self.all.load().iter().map(|service| service.status()).collect()
    }
}

impl SyncStatus {
    /// How many recipients it has.
    pub fn recipients(&self) -> usize {
        self.parts.iter().map(|part| part.recipients).sum()
    }

    /// When the part was seen that is the oldest of those that ever were; nothing
    /// if none was.
    pub fn confirmed(&self) -> Option<Timestamp> {
        self.parts.iter().filter_map(|part| part.confirmed).min()
    }
}

impl Service {
    fn status(&self) -> SyncStatus {
        let (settings, state) = (&self.settings, self.state());
        let problem = state.tried.as_ref().and_then(|(_, problem)| problem.as_ref());
        let refused = match problem {
            Some(SyncError::Refused { refused, .. }) => Some(refused),
            _ => None,
        };
        let part = |domain: &Domain| {
            let directory = state.content.get(domain);
            SyncPart {
                domain: domain.clone(),
                recipients: directory.map_or(0, Directory::len),
                confirmed: directory.and_then(Directory::confirmed),
                waits: refused.is_some_and(|refused| refused.is_about(domain)),
            }
        };
        SyncStatus {
            name: settings.name.clone(),
            servers: settings.server.urls.iter().map(ToString::to_string).collect(),
            parts: settings.domains.iter().map(part).collect(),
            last: state.last.clone(),
            tried: state.tried.as_ref().map(|(at, _)| *at),
            waits: refused.map(Refused::gone),
            problem: problem.map(ToString::to_string),
            failures: state.failures_in_all,
            next: state.next,
            groups: state.groups.known.filter(|_| settings.feeds_policies()),
            groups_problem: state.groups.problem.clone(),
        }
    }
}

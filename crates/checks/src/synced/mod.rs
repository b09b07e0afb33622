//! Directories that are read from a server: who is in them is fetched as a
//! whole from time to time, looked at, kept on the disk, and swapped in.
//!
//! What cannot be read leaves the old content in force, which ages. So does
//! an answer about a domain that can hardly be meant: one that names nobody, or
//! far fewer than before. No question about a recipient ever goes to the server.

mod fetch;
mod group_book;
#[cfg(test)]
mod group_tests;
mod groups;
mod guard;
mod names;
mod people;
mod reading;
mod sid;
mod snapshot;
mod status;
#[cfg(test)]
mod tests;
mod values;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::OwnedMutexGuard;
use types::{Domain, GroupsProblem, GroupsReading, GroupsWanted, Timestamp};
use world::Clock;
use world::ldap::{Filter, LdapDial, LdapServer};

use crate::directory::{Directories, Directory};
use fetch::Fetched;
pub use fetch::Unread;
pub use group_book::GroupBook;
use group_book::GroupsState;
pub use groups::GroupSettings;
pub use guard::Refused;
pub use reading::LeftOut;
use snapshot::Content;
pub use status::{SyncPart, SyncReport, SyncStatus};

/// How one directory is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncSettings {
    /// What people call it; fit to be the name of a file.
    pub name: String,
    /// Where it is.
    pub server: LdapServer,
    /// Where the search begins.
    pub base: String,
    /// Who has mail.
    pub filter: Filter,
    /// Where their addresses stand.
    pub attributes: Vec<String>,
    /// Entries of a page; 0 for no pages.
    pub page_size: u32,
    /// How long after a reading the next comes.
    pub refresh: Duration,
    /// Entries that are taken.
    pub entries_max: usize,
    /// How many of a hundred recipients of a domain may be gone at once.
    pub shrink_percent_max: u8,
    /// Whether accounts that are switched off are recipients, whatever they are.
    pub disabled_accounts: bool,
    /// The domains that ask it.
    pub domains: Vec<Domain>,
    /// How its groups are read, if they are.
    pub groups: Option<GroupSettings>,
    /// The attributes of people that policies can name.
    pub policy_attributes: Vec<String>,
}

impl SyncSettings {
    /// What is read for policies.
    pub fn wanted(&self) -> GroupsWanted {
        let attributes = self.policy_attributes.clone();
        GroupsWanted { groups: self.groups.is_some(), attributes }
    }

    /// Whether anything is.
    pub fn feeds_policies(&self) -> bool {
        self.groups.is_some() || !self.policy_attributes.is_empty()
    }
}

/// How a directory is read now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyncHow {
    /// What was fetched of people is taken although it can hardly be meant, as
    /// long as no more recipients than this are gone in what would be refused.
    pub accept: Option<usize>,
    /// The same for its groups, as long as no more memberships than this are
    /// gone. Who saw one number has not seen the other.
    pub accept_groups: Option<usize>,
    /// Nothing is changed; it is only told what would be.
    pub dry_run: bool,
}

/// Why a directory was not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SyncError {
    /// There is no directory of this name.
    #[error("there is no directory {0:?} in the settings")]
    NoSuchDirectory(String),
    /// None of its servers could be read.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Unread(Vec<Unread>),
    /// What came of some of its domains can hardly be meant.
    #[error("{refused}")]
    Refused {
        /// What speaks against it.
        refused: Refused,
        /// What became of the groups of the same answer, if they are read.
        groups: Option<Box<Result<GroupsReading, GroupsProblem>>>,
    },
    /// Somebody has asked for it, and is still waiting.
    #[error(
        "somebody has asked for it already, and it is being read; what comes of that is shown \
         with the directory"
    )]
    BeingRead,
    /// Its settings changed meanwhile.
    #[error("its settings have changed meanwhile, so it is read again")]
    Replaced,
}

/// The wait before a directory is tried again after its first failure; each
/// further one doubles it, up to the time after which it is read anyway.
const RETRY_FIRST: Duration = Duration::from_secs(30);

/// All directories that are read from servers.
pub struct SyncedDirectories {
    clock: Arc<dyn Clock>,
    dial: Arc<dyn LdapDial>,
    /// What recipients are looked up in.
    directories: Arc<Directories>,
    /// Who keeps their groups.
    groups: Arc<dyn GroupBook>,
    /// Where the last content is kept.
    folder: PathBuf,
    all: ArcSwap<Vec<Arc<Service>>>,
    /// One change of what is in force at a time.
    swapping: Mutex<()>,
    /// One change in the book of groups at a time. The book waits for others
    /// who change policies, and they may wait for `swapping`: nobody who
    /// holds that waits for this.
    groups_turn: Mutex<()>,
}

/// One directory.
struct Service {
    settings: SyncSettings,
    state: Mutex<State>,
    /// Held while it is read, which is done by one at a time.
    reading: Arc<tokio::sync::Mutex<()>>,
    /// Held by whoever asked for it to be read, until it is.
    asked: tokio::sync::Mutex<()>,
}

/// How it stands.
#[derive(Default)]
struct State {
    content: Content,
    last: Option<SyncReport>,
    /// When it was last tried, and why that failed.
    tried: Option<(Timestamp, Option<SyncError>)>,
    failures: u32,
    failures_in_all: u64,
    next: Timestamp,
    groups: GroupsState,
}

impl Service {
    fn new(settings: SyncSettings, content: Content, now: Timestamp) -> Arc<Service> {
        let state = State { content, next: now, ..State::default() };
        let (reading, asked) = Default::default();
        Arc::new(Service { settings, state: Mutex::new(state), reading, asked })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SyncedDirectories {
    /// No directories yet; their last contents will be kept in `folder`, and
    /// their groups in the book of `groups`.
    pub fn new(
        clock: Arc<dyn Clock>,
        dial: Arc<dyn LdapDial>,
        directories: Arc<Directories>,
        groups: Arc<dyn GroupBook>,
        folder: &Path,
    ) -> Self {
        SyncedDirectories {
            clock,
            dial,
            directories,
            groups,
            folder: folder.to_owned(),
            all: ArcSwap::default(),
            swapping: Mutex::default(),
            groups_turn: Mutex::default(),
        }
    }

    /// Puts settings in force, and at the same moment those files, if there
    /// are any new. A directory whose settings are as before goes on; of any
    /// other the last content is in force until it is read, which is at once.
    /// Gives what could not be read of the disk, in sentences. Groups that are
    /// read no more stay until [`let_groups_go`](Self::let_groups_go).
    pub fn replace(
        &self,
        settings: Vec<SyncSettings>,
        files: Option<HashMap<Domain, Directory>>,
    ) -> Vec<String> {
        let _swapping = self.swapping.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.all.load_full();
        let mut problems = Vec::new();
        let mut all = Vec::new();
        for settings in settings {
            let same = before.iter().find(|service| service.settings == settings);
            let named = before.iter().find(|service| service.settings.name == settings.name);
            let in_memory = named.map(|service| service.state().content.clone());
            all.push(same.cloned().unwrap_or_else(|| {
                let kept = || match snapshot::read(&self.folder, &settings.name) {
                    Ok(content) => content.unwrap_or_default(),
                    Err(problem) => {
                        problems.push(problem);
                        Content::new()
                    }
                };
                let known = in_memory.filter(|content| !content.is_empty());
                let content = known.unwrap_or_else(kept);
                let service = Service::new(settings, content, self.clock.now());
                problems.extend(self.find_groups(&service));
                service
            }));
        }
        self.all.store(Arc::new(all));
        match files {
            Some(files) => self.directories.replace(files, self.parts()),
            None => self.directories.replace_synced(self.parts()),
        }
        problems
    }

    /// What every directory has now, by the domains that ask them. A domain
    /// that was never read is not known to have nobody.
    fn parts(&self) -> HashMap<Domain, Directory> {
        let mut parts = HashMap::new();
        for service in self.all.load().iter() {
            let state = service.state();
            for domain in &service.settings.domains {
                let part = state.content.get(domain).cloned();
                parts.insert(domain.clone(), part.unwrap_or_else(Directory::never_read));
            }
        }
        parts
    }

    /// Reads every directory when its time has come, each by itself: one that
    /// is slow delays no other. It is looked so often whether one's time has
    /// come. `told` gets the name of each, and what came of it.
    pub async fn keep_reading(
        &self,
        look_every: Duration,
        mut told: impl FnMut(&str, &Result<SyncReport, SyncError>),
    ) {
        let mut under_way = FuturesUnordered::new();
        loop {
            under_way.extend(self.due().into_iter().map(|due| self.read_due(due)));
            tokio::select! {
                Some((name, came_of_it)) = under_way.next() => told(&name, &came_of_it),
                () = self.clock.sleep(look_every) => {}
            }
        }
    }

    /// Directories whose time has come, and which nobody reads already.
    fn due(&self) -> Vec<Due> {
        let now = self.clock.now();
        let all = self.all.load_full();
        let due = all.iter().filter(|service| service.state().next <= now);
        let held = |service: &Arc<Service>| {
            let reading = Arc::clone(&service.reading).try_lock_owned().ok()?;
            Some((Arc::clone(service), reading))
        };
        due.filter_map(held).collect()
    }

    async fn read_due(&self, (service, _reading): Due) -> (String, Result<SyncReport, SyncError>) {
        let came_of_it = self.read(&service, SyncHow::default()).await;
        (service.settings.name.clone(), came_of_it)
    }

    /// Reads one directory now, once a reading whose time had come is done.
    ///
    /// # Errors
    /// See [`SyncError`]; what is not taken is then as it was.
    pub async fn synchronise(&self, name: &str, how: SyncHow) -> Result<SyncReport, SyncError> {
        let all = self.all.load_full();
        let service = all.iter().find(|service| service.settings.name == name);
        let service = service.ok_or_else(|| SyncError::NoSuchDirectory(name.to_owned()))?;
        // A reading can take long, and whoever waits for it keeps a thread:
        // one of all that ask.
        let _asked = service.asked.try_lock().map_err(|_| SyncError::BeingRead)?;
        let _reading = service.reading.lock().await;
        self.read(service, how).await
    }

    /// Reads one; whoever calls this holds its `reading`.
    async fn read(&self, service: &Arc<Service>, how: SyncHow) -> Result<SyncReport, SyncError> {
        let began = self.clock.elapsed();
        let fetched = fetch::fetch(&*self.dial, &*self.clock, &service.settings).await;
        let took_ms = millis(self.clock.elapsed().saturating_sub(began));
        let now = self.clock.now();
        match fetched {
            Ok(fetched) => self.answered(service, fetched, how, (now, took_ms)),
            Err(unread) => {
                let error = SyncError::Unread(unread);
                if !how.dry_run {
                    service.state().failed(now, service.settings.refresh, error.clone());
                }
                Err(error)
            }
        }
    }

    /// Takes of an answer what can be meant, or only tells what that would be.
    fn answered(
        &self,
        service: &Arc<Service>,
        fetched: Fetched,
        how: SyncHow,
        (now, took_ms): (Timestamp, u64),
    ) -> Result<SyncReport, SyncError> {
        let Fetched { people, left_out, done, groups } = fetched;
        let of = |(domain, all)| (domain, Directory::of(all, now));
        let mut answer: Content = people.into_iter().map(of).collect();
        let old = service.state().content.clone();
        let settings = &service.settings;
        let refusals = guard::look(&old, &answer, settings.shrink_percent_max);
        let taken = answer.len() - refusals.len();
        let refused = Refused { refusals, taken, accepted: how.accept };
        let is_accepted = how.accept.is_some_and(|most| refused.gone() <= most);
        let refused = (!refused.refusals.is_empty() && !is_accepted).then_some(refused);
        if let Some(refused) = refused.as_ref().filter(|_| !how.dry_run) {
            // What is not taken stays as it was, and ages.
            answer.retain(|domain, _| !refused.is_about(domain));
            answer.extend(old.iter().filter(|(domain, _)| refused.is_about(domain)).map(cloned));
        }
        // They are looked at by themselves, whatever becomes of the people.
        let groups = groups.map(|groups| self.take_groups(service, groups, how));
        let report = SyncReport {
            groups,
            at: now,
            dry_run: how.dry_run,
            entries: done.entries,
            pages: done.pages,
            referrals: done.referrals,
            left_out,
            took_ms,
            refusal: refused.as_ref().filter(|_| how.dry_run).map(ToString::to_string),
            ..SyncReport::of(&old, &answer)
        };
        match (how.dry_run, refused) {
            (true, _) => Ok(report),
            (false, None) => self.take(service, answer, report),
            (false, Some(refused)) => {
                let groups = report.groups.clone().map(Box::new);
                if refused.taken > 0 {
                    self.take(service, answer, report)?;
                }
                let error = SyncError::Refused { refused, groups };
                service.state().failed(now, settings.refresh, error.clone());
                Err(error)
            }
        }
    }

    /// Whether a directory's settings are those in force.
    fn is_current(&self, service: &Arc<Service>) -> bool {
        self.all.load().iter().any(|one| Arc::ptr_eq(one, service))
    }

    /// Puts a content in force and keeps it. One that cannot be kept is in
    /// force all the same: the next start will have an older one.
    fn take(
        &self,
        service: &Arc<Service>,
        content: Content,
        mut report: SyncReport,
    ) -> Result<SyncReport, SyncError> {
        let settings = &service.settings;
        let _swapping = self.swapping.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.is_current(service) {
            return Err(SyncError::Replaced);
        }
        report.unkept = snapshot::write(&self.folder, &settings.name, &content).err();
        let mut state = service.state();
        state.content = content;
        state.last = Some(report.clone());
        (state.tried, state.failures) = (Some((report.at, None)), 0);
        state.next = report.at + settings.refresh;
        drop(state);
        self.directories.replace_synced(self.parts());
        Ok(report)
    }
}

/// A directory whose time has come, held for reading it.
type Due = (Arc<Service>, OwnedMutexGuard<()>);

impl State {
    fn failed(&mut self, now: Timestamp, refresh: Duration, error: SyncError) {
        let doubled = RETRY_FIRST.saturating_mul(1 << self.failures.min(16));
        // What is refused waits for a person, or for the next answer.
        let wait = if matches!(error, SyncError::Refused { .. }) { refresh } else { doubled };
        self.next = now + wait.min(refresh);
        self.failures = self.failures.saturating_add(1);
        self.failures_in_all += 1;
        self.tried = Some((now, Some(error)));
    }
}

fn cloned((domain, directory): (&Domain, &Directory)) -> (Domain, Directory) {
    (domain.clone(), directory.clone())
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

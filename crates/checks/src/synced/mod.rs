//! Directories that are read from a server: who is in them is fetched as a
//! whole from time to time, looked at, kept on the disk, and swapped in.
//!
//! What cannot be read leaves the old content in force, which ages. So does
//! an answer that can hardly be meant: one that names nobody, or far fewer
//! than before. No question about a recipient ever goes to the server.

mod fetch;
mod guard;
mod reading;
mod snapshot;
mod status;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use types::{Domain, Timestamp};
use world::Clock;
use world::ldap::{Filter, LdapDial, LdapServer};

use crate::directory::{Directories, Directory};
use guard::Refusal;
pub use reading::LeftOut;
use snapshot::Content;
pub use status::{SyncReport, SyncStatus};

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
    /// How many of a hundred recipients may be gone at once.
    pub shrink_percent_max: u8,
    /// Whether accounts that are switched off are recipients.
    pub disabled_accounts: bool,
    /// The domains that ask it.
    pub domains: Vec<Domain>,
}

/// How a directory is read now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyncHow {
    /// What was fetched is taken although it can hardly be meant.
    pub accept: bool,
    /// Nothing is changed; it is only told what would be.
    pub dry_run: bool,
}

/// Why a directory was not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SyncError {
    /// There is no directory of this name.
    #[error("there is no directory {0:?} in the settings")]
    NoSuchDirectory(String),
    /// The server could not be read.
    #[error(transparent)]
    Ldap(#[from] world::ldap::LdapError),
    /// It took too long in all.
    #[error("reading it took longer than {} minutes", TIME_MAX.as_secs() / 60)]
    TooLong,
    /// What came can hardly be meant.
    #[error("{0}")]
    Refused(String),
}

/// How long reading one directory may take in all.
const TIME_MAX: Duration = Duration::from_secs(30 * 60);
/// The wait before a directory is tried again after its first failure; each
/// further one doubles it, up to the time after which it is read anyway.
const RETRY_FIRST: Duration = Duration::from_secs(30);

/// All directories that are read from servers.
pub struct SyncedDirectories {
    clock: Arc<dyn Clock>,
    dial: Arc<dyn LdapDial>,
    /// What recipients are looked up in.
    directories: Arc<Directories>,
    /// Where the last content is kept.
    folder: PathBuf,
    all: ArcSwap<Vec<Arc<Service>>>,
    /// One change of what is in force at a time.
    swapping: Mutex<()>,
}

/// One directory.
struct Service {
    settings: SyncSettings,
    state: Mutex<State>,
    /// Held while it is read, which is done by one at a time.
    reading: tokio::sync::Mutex<()>,
}

/// How it stands.
#[derive(Default)]
struct State {
    content: Option<Arc<Content>>,
    parts: HashMap<Domain, Directory>,
    last: Option<SyncReport>,
    /// When it was last tried, and why that failed.
    tried: Option<(Timestamp, Option<SyncError>)>,
    failures: u32,
    failures_in_all: u64,
    next: Timestamp,
}

impl Service {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SyncedDirectories {
    /// No directories yet; their last contents will be kept in `folder`.
    pub fn new(
        clock: Arc<dyn Clock>,
        dial: Arc<dyn LdapDial>,
        directories: Arc<Directories>,
        folder: &Path,
    ) -> Self {
        SyncedDirectories {
            clock,
            dial,
            directories,
            folder: folder.to_owned(),
            all: ArcSwap::default(),
            swapping: Mutex::new(()),
        }
    }

    /// Puts settings in force. A directory whose settings are as before goes
    /// on; of any other the last content is in force until it is read, which is
    /// at once. Gives what could not be read of the disk, in sentences.
    pub fn replace(&self, settings: Vec<SyncSettings>) -> Vec<String> {
        let _swapping = self.swapping.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.all.load_full();
        let mut problems = Vec::new();
        let mut all = Vec::new();
        for settings in settings {
            let same = before.iter().find(|service| service.settings == settings);
            let named = before.iter().find(|service| service.settings.name == settings.name);
            let in_memory = named.and_then(|service| service.state().content.clone());
            all.push(same.cloned().unwrap_or_else(|| {
                let kept = || match snapshot::read(&self.folder, &settings.name) {
                    Ok(content) => content.map(Arc::new),
                    Err(problem) => {
                        problems.push(problem);
                        None
                    }
                };
                let mut state = State { next: self.clock.now(), ..State::default() };
                state.put(in_memory.or_else(kept), &settings.domains);
                let (state, reading) = (Mutex::new(state), tokio::sync::Mutex::default());
                Arc::new(Service { settings, state, reading })
            }));
        }
        self.all.store(Arc::new(all));
        self.put_in_force();
        problems
    }

    /// Lets recipients be looked up in what every directory has now.
    fn put_in_force(&self) {
        let mut parts = HashMap::new();
        for service in self.all.load().iter() {
            parts.extend(service.state().parts.clone());
        }
        self.directories.replace_synced(parts);
    }

    /// Reads every directory whose time has come, side by side. Gives the
    /// name of each, and what came of it.
    pub async fn turn(&self) -> Vec<(String, Result<SyncReport, SyncError>)> {
        let now = self.clock.now();
        let all = self.all.load_full();
        let due = all.iter().filter(|service| service.state().next <= now);
        let read = due.map(|service| async move {
            let came_of_it = self.read(service, SyncHow::default()).await;
            (service.settings.name.clone(), came_of_it)
        });
        futures_util::future::join_all(read).await
    }

    /// Reads one directory now.
    ///
    /// # Errors
    /// See [`SyncError`]; the content is then what it was.
    pub async fn synchronise(&self, name: &str, how: SyncHow) -> Result<SyncReport, SyncError> {
        let all = self.all.load_full();
        let service = all.iter().find(|service| service.settings.name == name);
        let service = service.ok_or_else(|| SyncError::NoSuchDirectory(name.to_owned()))?;
        self.read(service, how).await
    }

    async fn read(&self, service: &Arc<Service>, how: SyncHow) -> Result<SyncReport, SyncError> {
        let _one = service.reading.lock().await;
        let (began, settings) = (self.clock.elapsed(), &service.settings);
        let fetched = tokio::select! {
            biased;
            fetched = fetch::fetch(&*self.dial, settings) => fetched.map_err(SyncError::Ldap),
            () = self.clock.sleep(TIME_MAX) => Err(SyncError::TooLong),
        };
        let now = self.clock.now();
        let taken = fetched.and_then(|fetched| {
            let domains = settings.domains.clone();
            let content = Content { confirmed: now, domains, addresses: fetched.addresses };
            let old = service.state().content.clone();
            let mut report = SyncReport::of(old.as_deref(), &content, &settings.domains);
            report.at = now;
            report.dry_run = how.dry_run;
            report.entries = fetched.done.entries;
            report.pages = fetched.done.pages;
            report.referrals = fetched.done.referrals;
            report.left_out = fetched.left_out;
            report.took_ms = millis(self.clock.elapsed().saturating_sub(began));
            match guard::look(old.as_deref(), &content, settings) {
                Some(refusal) if how.dry_run => report.refusal = Some(refusal.to_string()),
                Some(refusal) if !how.accept => return Err(refused(&refusal)),
                _ => {}
            }
            Ok((content, report))
        });
        match taken {
            Ok((_, report)) if how.dry_run => Ok(report),
            Err(error) if how.dry_run => Err(error),
            Ok((content, report)) => Ok(self.take(service, content, report, now)),
            Err(error) => {
                service.state().failed(now, settings.refresh, error.clone());
                Err(error)
            }
        }
    }

    /// Puts a content in force and keeps it. One that cannot be kept is in
    /// force all the same: the next start will have an older one.
    fn take(
        &self,
        service: &Arc<Service>,
        content: Content,
        mut report: SyncReport,
        now: Timestamp,
    ) -> SyncReport {
        let settings = &service.settings;
        report.unkept = snapshot::write(&self.folder, &settings.name, &content).err();
        let _swapping = self.swapping.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = service.state();
        state.put(Some(Arc::new(content)), &settings.domains);
        state.last = Some(report.clone());
        (state.tried, state.failures) = (Some((now, None)), 0);
        state.next = now + settings.refresh;
        drop(state);
        self.put_in_force();
        report
    }
}

impl State {
    /// Has this content, in parts by domain.
    fn put(&mut self, content: Option<Arc<Content>>, domains: &[Domain]) {
        let part = |domain: &Domain| match &content {
            Some(content) if content.domains.contains(domain) => {
                let of = content.addresses.iter().filter(|address| is_of(address, domain));
                Directory::of(of.cloned(), content.confirmed)
            }
            _ => Directory::never_read(),
        };
        self.parts = domains.iter().map(|domain| (domain.clone(), part(domain))).collect();
        self.content = content;
    }

    fn failed(&mut self, now: Timestamp, refresh: Duration, error: SyncError) {
        let doubled = RETRY_FIRST.saturating_mul(1 << self.failures.min(16));
        // What is refused waits for a person, or for the next answer.
        let wait = if matches!(error, SyncError::Refused(_)) { refresh } else { doubled };
        self.next = now + wait.min(refresh);
        self.failures = self.failures.saturating_add(1);
        self.failures_in_all += 1;
        self.tried = Some((now, Some(error)));
    }
}

fn refused(refusal: &Refusal) -> SyncError {
    SyncError::Refused(refusal.to_string())
}

/// Whether an address in comparable form is of a domain.
fn is_of(address: &str, domain: &Domain) -> bool {
    address.rsplit_once('@').is_some_and(|(_, of)| of == domain.as_str())
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

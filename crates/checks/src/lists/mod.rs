//! Block lists and allow lists: zones of the name system that are asked, and
//! files of ours that are kept in memory.
//!
//! A list that fails, answers nonsense or is not believed says nothing; it is
//! never taken for a listing.

mod entries;
mod file;
mod guard;
mod pause;
mod question;
mod status;
mod zone;
mod zone_key;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Semaphore;
use types::{
    Domain, ListAnswer, ListFacts, ListFailure, ListQuestion, ListSubject, Micros, Timestamp,
};
use world::{Clock, Resolver};

use entries::Entries;
use guard::Guard;
use pause::Pause;
use question::Kind;
use status::Counts;

pub use file::{ListFileError, ListFormat, read_any_list};
pub use guard::Suspicion;
pub use question::ListKey;
pub(crate) use question::is_public;
pub use status::{LIST_RESULTS, ListStatus, Refusing};
pub use zone_key::ZoneKey;

/// One list, as the settings have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListSettings {
    /// The name by which definitions refer to it.
    pub name: Domain,
    /// Where its entries are.
    pub source: ListSource,
    /// The key that stands before the name of the zone.
    pub zone_key: Option<ZoneKey>,
    /// How long one question may take, its explanation included.
    pub timeout: Duration,
    /// Most questions under way at once.
    pub concurrent_max: usize,
    /// Whether it has the test entries of RFC 5782.
    pub has_test_entries: bool,
}

/// Where the entries of a list are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListSource {
    /// In the name system, below this name.
    Zone(Domain),
    /// In a file.
    File {
        /// Which.
        path: PathBuf,
        /// How it is written.
        format: ListFormat,
    },
}

impl ListSettings {
    /// How long a question may take where nothing else is said.
    pub const TIMEOUT: Duration = Duration::from_secs(3);
    /// Most questions under way where nothing else is said.
    pub const CONCURRENT_MAX: usize = 64;

    /// A zone that a definition names and the settings do not.
    pub fn zone(name: Domain) -> Self {
        ListSettings {
            source: ListSource::Zone(name.clone()),
            name,
            zone_key: None,
            timeout: ListSettings::TIMEOUT,
            concurrent_max: ListSettings::CONCURRENT_MAX,
            has_test_entries: true,
        }
    }
}

/// All lists that are in use.
pub struct Lists {
    clock: Arc<dyn Clock>,
    lists: RwLock<HashMap<Domain, Arc<List>>>,
}

/// One list in use.
struct List {
    settings: ListSettings,
    permits: Semaphore,
    /// For addresses and for names.
    guards: [Guard; 2],
    counts: Counts,
    /// Whether it is left alone because it refuses us.
    pause: Pause,
    /// Whether its file could not be used when it was last looked at.
    broken: AtomicBool,
    /// What a file holds, once it was read.
    content: RwLock<Option<Arc<Content>>>,
}

/// A file as it was read.
struct Content {
    entries: Entries,
    read: Timestamp,
    /// How the file looked then.
    stamp: Option<std::time::SystemTime>,
}

impl List {
    fn new(settings: ListSettings) -> Self {
        List {
            permits: Semaphore::new(settings.concurrent_max.max(1)),
            settings,
            guards: Default::default(),
            counts: Counts::default(),
            pause: Pause::default(),
            broken: AtomicBool::default(),
            content: RwLock::default(),
        }
    }

    fn guard(&self, kind: Kind) -> &Guard {
        let [addresses, names] = &self.guards;
        match kind {
            Kind::Addresses => addresses,
            Kind::Names => names,
        }
    }

    fn content(&self) -> Option<Arc<Content>> {
        self.content.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the file, if it is one.
    fn read(&self, now: Timestamp) -> Result<(), ListFileError> {
        let ListSource::File { path, format } = &self.settings.source else { return Ok(()) };
        let stamp = modified(path);
        let entries = file::read(path, *format);
        self.broken.store(entries.is_err(), Ordering::Relaxed);
        let entries = entries?;
        let content = Arc::new(Content { entries, read: now, stamp });
        *self.content.write().unwrap_or_else(PoisonError::into_inner) = Some(content);
        Ok(())
    }

    /// Reads the file if it is another than the one that was read.
    fn reread(&self, now: Timestamp) -> Result<(), ListFileError> {
        if self.has_changed() {
            return self.read(now);
        }
        // The one that was read is back.
        self.broken.store(false, Ordering::Relaxed);
        Ok(())
    }

    fn has_changed(&self) -> bool {
        let ListSource::File { path, .. } = &self.settings.source else { return false };
        self.content().is_none_or(|content| modified(path) != content.stamp)
    }
}

fn modified(path: &std::path::Path) -> Option<std::time::SystemTime> {
    std::fs::metadata(path).and_then(|found| found.modified()).ok()
}

impl Lists {
    /// No lists but zones by their names.
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Lists { clock, lists: RwLock::default() }
    }

    /// Puts the lists of new settings in force. What is known of one that
    /// did not change stays known. A file that cannot be read leaves what was
    /// read of it before.
    pub fn replace(&self, all: Vec<ListSettings>) -> Vec<ListFileError> {
        let now = self.clock.now();
        let before = self.lists.read().unwrap_or_else(PoisonError::into_inner).clone();
        let (mut lists, mut errors) = (HashMap::new(), Vec::new());
        for settings in all {
            let name = settings.name.clone();
            let kept = before.get(&name).filter(|list| list.settings == settings).cloned();
            let list = kept.unwrap_or_else(|| Arc::new(List::new(settings)));
            errors.extend(list.read(now).err());
            lists.insert(name, list);
        }
        // Zones that only definitions name have not changed by this.
        for (name, list) in before {
            let unnamed = list.settings == ListSettings::zone(name.clone());
            if unnamed && !lists.contains_key(&name) {
                lists.insert(name, list);
            }
        }
        *self.lists.write().unwrap_or_else(PoisonError::into_inner) = lists;
        errors
    }

    /// Reads every file again that has changed since it was read.
    pub fn reread(&self) -> Vec<ListFileError> {
        let now = self.clock.now();
        self.all().iter().filter_map(|list| list.reread(now).err()).collect()
    }

    /// Checks that the files of these lists can be used.
    ///
    /// # Errors
    /// The first one that cannot.
    pub fn check(settings: &ListSettings) -> Result<(), ListFileError> {
        List::new(settings.clone()).read(Timestamp::EPOCH)
    }

    fn all(&self) -> Vec<Arc<List>> {
        let lists = self.lists.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = lists.values().cloned().collect();
        all.sort_by(|a, b| a.settings.name.cmp(&b.settings.name));
        all
    }

    /// The list of a name; one that the settings do not have is a zone.
    fn named(&self, name: &Domain) -> Arc<List> {
        let known = self.lists.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        known.unwrap_or_else(|| {
            let mut lists = self.lists.write().unwrap_or_else(PoisonError::into_inner);
            let new = || Arc::new(List::new(ListSettings::zone(name.clone())));
            Arc::clone(lists.entry(name.clone()).or_insert_with(new))
        })
    }

    /// Asks one list about one thing; `None` where there is nothing to ask
    /// about. Never fails: what cannot be found out is in the facts.
    pub async fn ask(
        &self,
        question: &ListQuestion,
        key: Option<&ListKey>,
        resolver: &dyn Resolver,
    ) -> ListFacts {
        let began = self.clock.elapsed();
        let (answer, read_ago_s) = match key {
            Some(key) => self.look(&self.named(&question.list), key, resolver).await,
            None => (ListAnswer::NotAsked, None),
        };
        ListFacts {
            list: question.list.clone(),
            of: question.of,
            subject: key.map(ListKey::written).unwrap_or_default(),
            answer,
            read_ago_s,
            took: Micros::from(self.clock.elapsed().saturating_sub(began)),
        }
    }

    async fn look(
        &self,
        list: &List,
        key: &ListKey,
        resolver: &dyn Resolver,
    ) -> (ListAnswer, Option<u64>) {
        let (answer, read_ago_s) = match &list.settings.source {
            ListSource::File { .. } => match list.content() {
                Some(content) => {
                    let age = self.clock.now().since(content.read).as_secs();
                    (content.of(key), Some(age))
                }
                None => (ListAnswer::Failed(ListFailure::NotRead), None),
            },
            ListSource::Zone(zone) => {
                let zone = list.settings.zone_key.as_ref().map_or(zone, ZoneKey::asked);
                (self.ask_zone(list, zone, key, resolver).await, None)
            }
        };
        list.counts.count(&answer, self.clock.now());
        (answer, read_ago_s)
    }

    /// How every list is that was asked or that the settings name.
    pub fn status(&self) -> Vec<ListStatus> {
        let now = self.clock.now();
        self.all().iter().map(|list| status::of(list, now)).collect()
    }
}

impl Content {
    fn of(&self, key: &ListKey) -> ListAnswer {
        match key {
            ListKey::Ip(ip) => self.entries.of_ip(*ip),
            ListKey::Name(name) => self.entries.of_domain(name),
        }
    }
}

/// The facts of a question that could not be asked because what it is about
/// could not be found out.
pub fn unknown_subject(question: &ListQuestion, failure: ListFailure) -> ListFacts {
    ListFacts {
        list: question.list.clone(),
        of: question.of,
        subject: String::new(),
        answer: ListAnswer::Failed(failure),
        read_ago_s: None,
        took: Micros(0),
    }
}

/// Whether a question is about the client's address alone, or the name that
/// follows from it, so that it can be asked before the client has said a word.
pub const fn needs_address_only(of: ListSubject) -> bool {
    matches!(of, ListSubject::Ip | ListSubject::HostName)
}

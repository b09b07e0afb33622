//! Where a client is: its country and its autonomous system, by files that
//! are kept in memory. A file that cannot be read leaves the old content in
//! force; without any, nothing is known, and the record says so.

mod database;
mod registry;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use types::definition::Country;
use types::{Inconclusive, Observed, PlaceFacts, Source, Timestamp};
use world::Clock;

use crate::Seen;
use crate::reputation::system_in;
use database::Database;

pub use registry::{PlaceMap, PlacesError};

/// Which files say where addresses are; of two that know it, the first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlaceSettings {
    /// Databases in the format of MaxMind, of countries or of autonomous
    /// systems.
    pub databases: Vec<PathBuf>,
    /// The map that was made of delegation files; it need not be there.
    pub map: PathBuf,
}

/// How one file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaceFileStatus {
    /// Its name, without the folder.
    pub name: Arc<str>,
    /// To which day its data belong.
    pub data_of: Timestamp,
}

/// Where addresses are.
pub struct Places {
    clock: Arc<dyn Clock>,
    settings: Mutex<PlaceSettings>,
    files: ArcSwap<Vec<Arc<PlaceFile>>>,
    /// Those that could not be used when they were last looked at.
    broken: ArcSwap<Vec<PathBuf>>,
}

/// One file as it was read.
struct PlaceFile {
    path: PathBuf,
    status: PlaceFileStatus,
    content: Content,
    /// Whether it has numbers of autonomous systems.
    knows_systems: bool,
    /// How the file looked then.
    stamp: Option<SystemTime>,
}

enum Content {
    Database(Database),
    Map(PlaceMap),
}

impl Content {
    fn of(&self, ip: IpAddr) -> Result<PlaceFacts, Inconclusive> {
        match self {
            Content::Database(database) => database.of(ip),
            Content::Map(map) => Ok(PlaceFacts { country: map.country(ip), network: None }),
        }
    }
}

impl PlaceFile {
    fn read(path: &Path, is_map: bool, now: Timestamp) -> Result<Arc<PlaceFile>, PlacesError> {
        let stamp = modified(path);
        let unreadable = |error| PlacesError::Unreadable { path: path.to_path_buf(), error };
        let octets = std::fs::read(path).map_err(unreadable)?;
        let (content, data_of) = match is_map {
            true => {
                let map = PlaceMap::parse(path, &String::from_utf8_lossy(&octets))?;
                let data_of = map.data_of();
                (Content::Map(map), data_of)
            }
            false => {
                let database = Database::open(path, octets)?;
                let data_of = database.built();
                (Content::Database(database), data_of)
            }
        };
        let name = path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
        let status = PlaceFileStatus { name: name.into(), data_of: data_of.unwrap_or(now) };
        let knows_systems = match &content {
            Content::Database(database) => database.knows_systems(),
            // The registries' files have countries alone.
            Content::Map(_) => false,
        };
        let path = path.to_path_buf();
        Ok(Arc::new(PlaceFile { path, status, content, knows_systems, stamp }))
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|found| found.modified()).ok()
}

impl Places {
    /// Nothing is known yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Places {
            clock,
            settings: Mutex::default(),
            files: ArcSwap::default(),
            broken: ArcSwap::default(),
        }
    }

    /// Puts the files of new settings in force. One that cannot be used
    /// leaves what was read of it before.
    pub fn replace(&self, settings: PlaceSettings) -> Vec<PlacesError> {
        *self.settings.lock().unwrap_or_else(PoisonError::into_inner) = settings;
        self.reread_where(|_, _| true)
    }

    /// Reads every file again that has changed since it was read.
    pub fn reread(&self) -> Vec<PlacesError> {
        self.reread_where(|path, before| before.is_none_or(|file| file.stamp != modified(path)))
    }

    fn reread_where(&self, is_due: impl Fn(&Path, Option<&PlaceFile>) -> bool) -> Vec<PlacesError> {
        let settings = self.settings.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.files.load_full();
        let now = self.clock.now();
        let (mut files, mut errors, mut broken) = (Vec::new(), Vec::new(), Vec::new());
        let mut put = |path: &Path, is_map: bool| {
            let known = before.iter().find(|file| file.path == path);
            // A map that was never made is no mistake.
            if is_map && !path.exists() {
                files.extend(known.cloned());
                return;
            }
            if !is_due(path, known.map(|file| &**file)) {
                files.extend(known.cloned());
                return;
            }
            match PlaceFile::read(path, is_map, now) {
                Ok(file) => files.push(file),
                Err(error) => {
                    files.extend(known.cloned());
                    broken.push(path.to_path_buf());
                    errors.push(error);
                }
            }
        };
        settings.databases.iter().for_each(|path| put(path, false));
        if !settings.map.as_os_str().is_empty() {
            put(&settings.map, true);
        }
        self.files.store(Arc::new(files));
        self.broken.store(Arc::new(broken));
        errors
    }

    /// Checks that the databases and the map, if one was made, can be used, and
    /// says whether one of them has numbers of autonomous systems.
    ///
    /// # Errors
    /// The first that cannot, with its path.
    pub fn check(settings: &PlaceSettings) -> Result<bool, PlacesError> {
        let read = |path: &Path, is_map| PlaceFile::read(path, is_map, Timestamp::EPOCH);
        let databases = settings.databases.iter();
        let known = databases.map(|path| Ok(read(path, false)?.knows_systems));
        let known = known.collect::<Result<Vec<bool>, _>>()?;
        if settings.map.exists() {
            read(&settings.map, true)?;
        }
        Ok(known.contains(&true))
    }

    /// Whether any file has numbers of autonomous systems.
    pub fn knows_systems(&self) -> bool {
        self.files.load().iter().any(|file| file.knows_systems)
    }

    /// Where `ip` is; nothing if there is no file at all.
    pub fn look(&self, ip: IpAddr) -> Option<(Observed, Source)> {
        let files = self.files.load();
        let now = self.clock.now();
        let (mut facts, mut failure) = (PlaceFacts::default(), None);
        let mut told_by: Option<&PlaceFileStatus> = None;
        for file in files.iter() {
            match file.content.of(ip) {
                Ok(found) => {
                    let tells = (facts.country.is_none() && found.country.is_some())
                        || (facts.network.is_none() && found.network.is_some());
                    facts.country = facts.country.or(found.country);
                    facts.network = facts.network.or(found.network);
                    if tells && told_by.is_none() {
                        told_by = Some(&file.status);
                    }
                }
                Err(why) => failure = Some(why),
            }
        }
        let by = told_by.or_else(|| files.first().map(|file| &file.status))?;
        let age_s = now.since(by.data_of).as_secs();
        let observed = match failure {
            Some(why) if facts == PlaceFacts::default() => Observed::Inconclusive(why),
            _ => Observed::Place(facts),
        };
        Some((observed, Source::Map { name: Arc::clone(&by.name), age_s }))
    }

    /// Where `ip` is, for a policy that asks: that nobody knows without a
    /// file is an answer too.
    pub(crate) fn seen(&self, ip: IpAddr) -> Seen {
        let none = (Observed::Inconclusive(Inconclusive::NotConfigured), Source::Settings);
        self.look(ip).unwrap_or(none)
    }

    /// The country of `ip`, if a file knows it.
    pub fn country(&self, ip: IpAddr) -> Option<Country> {
        match self.look(ip) {
            Some((Observed::Place(facts), _)) => facts.country,
            _ => None,
        }
    }

    /// The number of the autonomous system that `ip` is in, if a file knows.
    pub(crate) fn system(&self, ip: IpAddr) -> Option<u32> {
        system_in(&self.look(ip)?.0)
    }

    /// The files that could not be used when they were last looked at, and
    /// whether what was read of each before stays in force.
    pub fn broken(&self) -> Vec<(PathBuf, bool)> {
        let files = self.files.load();
        let is_known = |path: &PathBuf| files.iter().any(|file| file.path == *path);
        self.broken.load().iter().map(|path| (path.clone(), is_known(path))).collect()
    }

    /// The files in use.
    pub fn status(&self) -> Vec<PlaceFileStatus> {
        self.files.load().iter().map(|file| file.status.clone()).collect()
    }
}

//! Directories: whose recipients are listed in files, one address a line, or
//! in a directory service that is asked from time to time.
//!
//! Each is read as a whole and swapped in; one that cannot be read or has a
//! bad line leaves the old content in force, because an empty directory would
//! refuse everybody. How long that content is believed is asked by its age.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use types::{Domain, EmailAddress, Timestamp};

/// Why a directory cannot be taken. The operator's to mend.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// The file cannot be read.
    #[error("cannot read the directory file {path}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        error: std::io::Error,
    },
    /// A line is no address.
    #[error("{path}:{line}: {error}")]
    Line {
        /// Which file.
        path: PathBuf,
        /// Counted from one.
        line: usize,
        /// What is wrong with it.
        error: types::AddressError,
    },
    /// A line names an address of another domain.
    #[error("{path}:{line}: the address is not in {domain}")]
    OtherDomain {
        /// Which file.
        path: PathBuf,
        /// Counted from one.
        line: usize,
        /// The domain whose directory this is.
        domain: Domain,
    },
}

/// Recipients, and when it was last seen that this is what the source says.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    addresses: Arc<HashSet<Box<str>>>,
    confirmed: Timestamp,
    file: Option<Arc<ReadFile>>,
}

/// The file a directory is from.
#[derive(Debug)]
struct ReadFile {
    path: PathBuf,
    domain: Domain,
    modified: Option<SystemTime>,
}

impl Directory {
    /// A directory of these addresses, in comparable form.
    pub fn of(addresses: impl IntoIterator<Item = Box<str>>, confirmed: Timestamp) -> Directory {
        Directory { addresses: Arc::new(addresses.into_iter().collect()), confirmed, file: None }
    }

    /// Reads a directory: one address a line, or only its part before the
    /// `@`; blank lines and lines that begin with `#` are skipped.
    ///
    /// # Errors
    /// The first line that is no address of `domain`.
    pub fn parse(
        path: &Path,
        text: &str,
        domain: &Domain,
        read: Timestamp,
    ) -> Result<Directory, DirectoryError> {
        let mut addresses = HashSet::new();
        for (index, entry) in text.lines().map(str::trim).enumerate() {
            if entry.is_empty() || entry.starts_with('#') {
                continue;
            }
            let (path, line) = (path.to_path_buf(), index + 1);
            let whole =
                if entry.contains('@') { entry.into() } else { format!("{entry}@{domain}") };
            let address: EmailAddress = match whole.parse() {
                Ok(address) => address,
                Err(error) => return Err(DirectoryError::Line { path, line, error }),
            };
            if address.domain_key() != domain.as_str() {
                return Err(DirectoryError::OtherDomain { path, line, domain: domain.clone() });
            }
            addresses.insert(address.key().into());
        }
        Ok(Directory { addresses: Arc::new(addresses), confirmed: read, file: None })
    }

    /// Reads a directory file; see [`Directory::parse`].
    ///
    /// # Errors
    /// The file cannot be read, or a line is wrong.
    pub fn read(path: &Path, domain: &Domain, at: Timestamp) -> Result<Directory, DirectoryError> {
        let modified = modified(path);
        let text = std::fs::read_to_string(path)
            .map_err(|error| DirectoryError::Unreadable { path: path.to_path_buf(), error })?;
        let directory = Directory::parse(path, &text, domain, at)?;
        let file = ReadFile { path: path.to_path_buf(), domain: domain.clone(), modified };
        Ok(Directory { file: Some(Arc::new(file)), ..directory })
    }

    /// The directory as its file is now.
    ///
    /// # Errors
    /// The file has changed and cannot be used, or is not there.
    fn again(&self, now: Timestamp) -> Result<Directory, DirectoryError> {
        let Some(file) = &self.file else { return Ok(self.clone()) };
        let found = modified(&file.path);
        if found.is_some() && found == file.modified {
            return Ok(Directory { confirmed: now, ..self.clone() });
        }
        Directory::read(&file.path, &file.domain, now)
    }

    /// How many recipients it has.
    pub fn len(&self) -> usize {
        self.addresses.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.addresses.is_empty()
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|found| found.modified()).ok()
}

/// What the directories of a domain say of a recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// Whether one of them has it.
    pub(crate) known: bool,
    /// When the one was confirmed whose last confirmation is the longest ago;
    /// nothing if one was never read.
    pub(crate) confirmed: Option<Timestamp>,
}

/// How a directory is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryStatus {
    /// The domain whose file it is, or the name of the service.
    pub name: String,
    /// How many recipients it has.
    pub entries: usize,
    /// When it was last confirmed; nothing if it was never read.
    pub confirmed: Option<Timestamp>,
}

/// Directory services: what each said last, and which domain asks which.
#[derive(Clone, Debug, Default)]
struct Services {
    asked: HashMap<Domain, Box<str>>,
    said: HashMap<Box<str>, Directory>,
}

/// The directories of all domains, replaceable while the server runs.
#[derive(Default)]
pub struct Directories {
    files: ArcSwap<HashMap<Domain, Directory>>,
    services: ArcSwap<Services>,
    /// One change at a time, so that none is lost.
    changing: Mutex<()>,
}

impl Directories {
    /// The directories of these domains, from files.
    pub fn new(files: HashMap<Domain, Directory>) -> Self {
        Directories { files: ArcSwap::from_pointee(files), ..Directories::default() }
    }

    /// Puts new directories from files in force.
    pub fn replace(&self, files: HashMap<Domain, Directory>) {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        self.files.store(Arc::new(files));
    }

    /// Says which domain asks which service; what others said is forgotten.
    pub fn ask(&self, asked: HashMap<Domain, Box<str>>) {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let names: HashSet<&str> = asked.values().map(|name| &**name).collect();
        let mut said = self.services.load().said.clone();
        said.retain(|name, _| names.contains(&**name));
        self.services.store(Arc::new(Services { asked, said }));
    }

    /// Takes what a service says now.
    pub fn said(&self, name: &str, directory: Directory) {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut services = Services::clone(&self.services.load());
        services.said.insert(name.into(), directory);
        self.services.store(Arc::new(services));
    }

    /// Reads every file again that has changed since it was read, and
    /// confirms the others. What cannot be used is left as it was.
    pub fn reread(&self, now: Timestamp) -> Vec<DirectoryError> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut errors = Vec::new();
        let mut files = HashMap::clone(&self.files.load());
        for directory in files.values_mut() {
            match directory.again(now) {
                Ok(read) => *directory = read,
                Err(error) => errors.push(error),
            }
        }
        self.files.store(Arc::new(files));
        errors
    }

    /// What the directories of the recipient's domain say; nothing if it has
    /// none.
    pub(crate) fn look(&self, recipient: &EmailAddress) -> Option<Found> {
        let domain = recipient.domain_key().parse::<Domain>().ok()?;
        let seen = |directory: &Directory| Found {
            known: directory.addresses.contains(recipient.key()),
            confirmed: Some(directory.confirmed),
        };
        let file = self.files.load().get(&domain).map(seen);
        let services = self.services.load();
        let service = services.asked.get(&domain).map(|name| {
            services.said.get(name).map_or(Found { known: false, confirmed: None }, seen)
        });
        match (file, service) {
            (Some(one), Some(other)) => Some(Found {
                known: one.known || other.known,
                confirmed: one.confirmed.min(other.confirmed),
            }),
            (one, other) => one.or(other),
        }
    }

    /// Whether a directory has this address.
    pub(crate) fn knows(&self, address: &EmailAddress) -> bool {
        self.look(address).is_some_and(|found| found.known)
    }

    /// How those are that a domain asks.
    pub fn status(&self, domain: &Domain) -> Vec<DirectoryStatus> {
        let told = |name: &str, directory: Option<&Directory>| DirectoryStatus {
            name: name.to_owned(),
            entries: directory.map_or(0, Directory::len),
            confirmed: directory.map(|directory| directory.confirmed),
        };
        let files = self.files.load();
        let file = files.get(domain).map(|directory| told("file", Some(directory)));
        let services = self.services.load();
        let service = services.asked.get(domain);
        let service = service.map(|name| told(name, services.said.get(name)));
        file.into_iter().chain(service).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Directory, DirectoryError> {
        let domain = "corp.example".parse().unwrap();
        Directory::parse(Path::new("recipients.txt"), text, &domain, Timestamp::EPOCH)
    }

    #[test]
    fn addresses_and_bare_local_parts_are_recipients() {
        let directory = parse("# people\n\nAna@corp.example\n bob \n").unwrap();
        let all = Directories::new(HashMap::from([("corp.example".parse().unwrap(), directory)]));
        let look = |address: &str| all.look(&address.parse().unwrap()).map(|found| found.known);
        assert_eq!(look("ana@Corp.Example"), Some(true));
        assert_eq!(look("bob@corp.example"), Some(true));
        assert_eq!(look("cid@corp.example"), Some(false));
        assert_eq!(look("ana@other.example"), None);
    }

    #[test]
    fn a_file_is_read_again_when_it_changes_and_its_age_grows_while_it_is_broken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("recipients.txt");
        std::fs::write(&path, "ana\n").unwrap();
        let domain: Domain = "corp.example".parse().unwrap();
        let at = Timestamp::from_millis;
        let read = Directory::read(&path, &domain, at(0)).unwrap();
        let all = Directories::new(HashMap::from([(domain, read)]));
        let look = |who: &str| {
            let found = all.look(&format!("{who}@corp.example").parse().unwrap()).unwrap();
            (found.known, found.confirmed)
        };
        assert!(all.reread(at(1)).is_empty());
        assert_eq!(look("ana"), (true, Some(at(1))), "unchanged is confirmed");
        let write = |text: &str, second: u64| {
            let file = std::fs::File::create(&path).unwrap();
            std::io::Write::write_all(&mut &file, text.as_bytes()).unwrap();
            let later = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(second);
            file.set_modified(later).unwrap();
        };
        write("not an address\n", 1);
        assert_eq!(all.reread(at(2)).len(), 1);
        assert_eq!(look("ana"), (true, Some(at(1))), "the old content stays and ages");
        write("bob\n", 2);
        assert!(all.reread(at(3)).is_empty());
        assert_eq!((look("ana"), look("bob")), ((false, Some(at(3))), (true, Some(at(3)))));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(all.reread(at(4)).len(), 1);
        assert_eq!(look("bob"), (true, Some(at(3))));
    }

    #[test]
    fn a_domain_with_two_directories_is_as_old_as_the_older() {
        let domain: Domain = "corp.example".parse().unwrap();
        let at = Timestamp::from_millis;
        let file = Directory::of(["ana@corp.example".into()], at(9));
        let all = Directories::new(HashMap::from([(domain.clone(), file)]));
        all.ask(HashMap::from([(domain.clone(), "ad".into())]));
        let look = |who: &str| all.look(&format!("{who}@corp.example").parse().unwrap());
        assert_eq!(look("bob"), Some(Found { known: false, confirmed: None }));
        all.said("ad", Directory::of(["bob@corp.example".into()], at(5)));
        assert_eq!(look("bob"), Some(Found { known: true, confirmed: Some(at(5)) }));
        assert_eq!(look("ana"), Some(Found { known: true, confirmed: Some(at(5)) }));
        let names: Vec<String> = all.status(&domain).into_iter().map(|one| one.name).collect();
        assert_eq!(names, ["file", "ad"]);
    }

    #[test]
    fn a_bad_line_is_named() {
        let error = parse("ana\na b@corp.example\n").unwrap_err().to_string();
        assert!(error.starts_with("recipients.txt:2: "), "{error}");
        let error = parse("ana@other.example").unwrap_err().to_string();
        assert_eq!(error, "recipients.txt:1: the address is not in corp.example");
    }
}

//! Directories: whose recipients are listed in files, one address a line, and
//! what is fetched from servers (see [`crate::synced`]).
//!
//! Each file is read as a whole and swapped in, once it rests: half of a list that
//! is being written would refuse the others for good. One that cannot be read,
//! has a bad line or has become empty leaves the old content in force, and one
//! that was empty from the start is not believed, until somebody accepts it.
//! How long content is believed is asked by its age.

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
    /// Nobody is left in it, which is taken for a mistake until somebody says
    /// that it is none.
    #[error(
        "the directory file {path} has become empty; if nobody is left: \
         portcullis recipients accept-file {domain}"
    )]
    Emptied {
        /// Which file.
        path: PathBuf,
        /// The domain whose directory this is.
        domain: Domain,
    },
}

/// Recipients, and when it was last seen that this is what the source says.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    addresses: Arc<HashSet<Box<str>>>,
    /// Nothing if it never was.
    confirmed: Option<Timestamp>,
    file: Option<Arc<ReadFile>>,
    /// How the file looked last, where that is not how it was read.
    changing: Option<Stamp>,
}

/// The file a directory is from.
#[derive(Debug)]
struct ReadFile {
    path: PathBuf,
    domain: Domain,
    stamp: Option<Stamp>,
}

/// By what it is seen that a file is another: when it was written and how
/// long it is.
type Stamp = (SystemTime, u64);

impl Directory {
    /// A directory of these addresses, in comparable form.
    pub fn of(addresses: impl IntoIterator<Item = Box<str>>, confirmed: Timestamp) -> Directory {
        let addresses = Arc::new(addresses.into_iter().collect());
        Directory { addresses, confirmed: Some(confirmed), ..Directory::default() }
    }

    /// A directory of which nothing is known yet.
    pub(crate) fn never_read() -> Directory {
        Directory::default()
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
        // Editors of some systems write a byte order mark, which is nobody's name.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
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
        Ok(Directory::of(addresses, read))
    }

    /// Reads a directory file; see [`Directory::parse`]. An empty one is not
    /// confirmed: it may be what is left of an export that failed.
    ///
    /// # Errors
    /// The file cannot be read, or a line is wrong.
    pub fn read(path: &Path, domain: &Domain, at: Timestamp) -> Result<Directory, DirectoryError> {
        let stamp = stamp(path);
        let text = std::fs::read_to_string(path)
            .map_err(|error| DirectoryError::Unreadable { path: path.to_path_buf(), error })?;
        let directory = Directory::parse(path, &text, domain, at)?;
        let file = ReadFile { path: path.to_path_buf(), domain: domain.clone(), stamp };
        let confirmed = directory.confirmed.filter(|_| !directory.is_empty());
        Ok(Directory { file: Some(Arc::new(file)), confirmed, ..directory })
    }

    /// The directory as its file is now. One that has changed is read at the
    /// second look that finds it like this: who writes it may not be ready.
    ///
    /// # Errors
    /// The file has changed and cannot be used, is empty, or is not there.
    fn again(&self, now: Timestamp) -> Result<Directory, DirectoryError> {
        let Some(file) = &self.file else { return Ok(self.clone()) };
        let found = stamp(&file.path);
        if found.is_some() && found == file.stamp {
            let confirmed = self.confirmed.map(|_| now);
            return Ok(Directory { confirmed, changing: None, ..self.clone() });
        }
        if found.is_some() && found != self.changing {
            return Ok(Directory { changing: found, ..self.clone() });
        }
        let read = Directory::read(&file.path, &file.domain, now)?;
        match (read.is_empty(), self.is_empty()) {
            (true, false) => {
                let (path, domain) = (file.path.clone(), file.domain.clone());
                Err(DirectoryError::Emptied { path, domain })
            }
            // It was written while it was read.
            _ if stamp(&file.path) != found => Ok(Directory { changing: None, ..self.clone() }),
            (true, true) => Ok(Directory { confirmed: self.confirmed.map(|_| now), ..read }),
            (false, _) => Ok(read),
        }
    }

    /// Whether both are of the same file.
    fn is_of_file_of(&self, other: &Directory) -> bool {
        let path = |one: &Directory| one.file.as_ref().map(|file| file.path.clone());
        path(self).is_some() && path(self) == path(other)
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

fn stamp(path: &Path) -> Option<Stamp> {
    let found = std::fs::metadata(path).ok()?;
    Some((found.modified().ok()?, found.len()))
}

/// What the directory of a domain says of a recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// Whether it has it.
    pub(crate) known: bool,
    /// When that was confirmed; nothing if it never was.
    pub(crate) confirmed: Option<Timestamp>,
}

/// How a directory is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryStatus {
    /// How many recipients it has.
    pub entries: usize,
    /// When it was last confirmed; nothing if it never was.
    pub confirmed: Option<Timestamp>,
}

/// The directories of all domains, replaceable while the server runs.
#[derive(Default)]
pub struct Directories {
    files: ArcSwap<HashMap<Domain, Directory>>,
    /// What was fetched from servers, by the domains that ask them.
    synced: ArcSwap<HashMap<Domain, Directory>>,
    /// One change at a time, so that none is lost.
    changing: Mutex<()>,
}

impl Directories {
    /// The directories of these domains, from files.
    pub fn new(files: HashMap<Domain, Directory>) -> Self {
        Directories { files: ArcSwap::from_pointee(files), ..Directories::default() }
    }

    /// Puts new directories from files in force. A file that is in force
    /// already stays as it was read: what has changed in it is taken once it
    /// rests and somebody is in it, by [`Directories::reread`].
    pub fn replace(&self, mut files: HashMap<Domain, Directory>) {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.files.load();
        for (domain, directory) in &mut files {
            if let Some(known) = before.get(domain).filter(|one| one.is_of_file_of(directory)) {
                *directory = known.clone();
            }
        }
        self.files.store(Arc::new(files));
    }

    /// Puts what was fetched from servers in force.
    pub(crate) fn replace_synced(&self, synced: HashMap<Domain, Directory>) {
        self.synced.store(Arc::new(synced));
    }

    /// Takes the file of a domain as it is now, though nobody is in it or it
    /// was just written; gives how many recipients it has. Nothing if the
    /// domain has no file.
    ///
    /// # Errors
    /// The file cannot be used; the old content stays in force.
    pub fn accept(&self, domain: &Domain, now: Timestamp) -> Result<Option<usize>, DirectoryError> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut files = HashMap::clone(&self.files.load());
        let Some(directory) = files.get_mut(domain) else { return Ok(None) };
        let Some(file) = directory.file.clone() else { return Ok(None) };
        let read = Directory::read(&file.path, &file.domain, now)?;
        let entries = read.len();
        *directory = Directory { confirmed: Some(now), ..read };
        self.files.store(Arc::new(files));
        Ok(Some(entries))
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
    /// none. Of two that both lack it, the older says how far that is believed.
    pub(crate) fn look(&self, recipient: &EmailAddress) -> Option<Found> {
        let domain = recipient.domain_key().parse::<Domain>().ok()?;
        let look = |all: &HashMap<Domain, Directory>| {
            let directory = all.get(&domain)?;
            let known = directory.addresses.contains(recipient.key());
            Some(Found { known, confirmed: directory.confirmed })
        };
        let (file, synced) = (look(&self.files.load()), look(&self.synced.load()));
        match (file, synced) {
            (Some(file), Some(synced)) => Some(match (file.known, synced.known) {
                (true, _) => file,
                (false, true) => synced,
                (false, false) => {
                    let confirmed = file.confirmed.min(synced.confirmed);
                    Found { known: false, confirmed }
                }
            }),
            (file, synced) => file.or(synced),
        }
    }

    /// Whether a directory has this address.
    pub(crate) fn knows(&self, address: &EmailAddress) -> bool {
        self.look(address).is_some_and(|found| found.known)
    }

    /// How many recipients of a domain were fetched from a server, if it asks
    /// one.
    pub fn synced_entries(&self, domain: &Domain) -> Option<usize> {
        self.synced.load().get(domain).map(Directory::len)
    }

    /// How the file of a domain is, if it has one.
    pub fn status(&self, domain: &Domain) -> Option<DirectoryStatus> {
        let files = self.files.load();
        let directory = files.get(domain)?;
        Some(DirectoryStatus { entries: directory.len(), confirmed: directory.confirmed })
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
            (found.known, found.confirmed.unwrap())
        };
        assert!(all.reread(at(1)).is_empty());
        assert_eq!(look("ana"), (true, at(1)), "unchanged is confirmed");
        let write = |text: &str, second: u64| {
            let file = std::fs::File::create(&path).unwrap();
            std::io::Write::write_all(&mut &file, text.as_bytes()).unwrap();
            let later = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(second);
            file.set_modified(later).unwrap();
        };
        write("not an address\n", 1);
        assert!(all.reread(at(2)).is_empty(), "it may still be written");
        assert_eq!(all.reread(at(3)).len(), 1);
        assert_eq!(look("ana"), (true, at(1)), "the old content stays and ages");
        write("", 2);
        assert!(all.reread(at(4)).is_empty());
        let error = all.reread(at(5)).remove(0);
        assert!(matches!(error, DirectoryError::Emptied { .. }), "{error}");
        write("bo", 3);
        assert!(all.reread(at(6)).is_empty());
        write("bob\n", 3);
        assert!(all.reread(at(7)).is_empty(), "as old as before, but longer: still written");
        assert_eq!(look("ana"), (true, at(1)));
        assert!(all.reread(at(8)).is_empty());
        assert_eq!((look("ana"), look("bob")), ((false, at(8)), (true, at(8))));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(all.reread(at(9)).len(), 1);
        assert_eq!(look("bob"), (true, at(8)));
    }

    #[test]
    fn of_a_file_and_a_server_either_knows_and_the_older_says_how_far_a_lack_is_believed() {
        let at = Timestamp::from_millis;
        let of = |who: &str, confirmed| {
            let domain: Domain = "corp.example".parse().unwrap();
            HashMap::from([(domain, Directory::of([who.into()], at(confirmed)))])
        };
        let all = Directories::new(of("ana@corp.example", 2));
        all.replace_synced(of("bob@corp.example", 1));
        let look = |who: &str| all.look(&who.parse().unwrap()).unwrap();
        let found = |known, confirmed| Found { known, confirmed: Some(at(confirmed)) };
        assert_eq!(look("ana@corp.example"), found(true, 2));
        assert_eq!(look("bob@corp.example"), found(true, 1));
        assert_eq!(look("cid@corp.example"), found(false, 1));
    }

    #[test]
    fn an_empty_file_is_believed_by_nobody_until_somebody_accepts_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("recipients.txt");
        let domain: Domain = "corp.example".parse().unwrap();
        let at = Timestamp::from_millis;
        let files = |at| {
            let read = Directory::read(&path, &domain, at).unwrap();
            HashMap::from([(domain.clone(), read)])
        };
        let write = |text: &str, second: u64| {
            std::fs::write(&path, text).unwrap();
            let later = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(second);
            std::fs::File::options().write(true).open(&path).unwrap().set_modified(later).unwrap();
        };
        write("# nobody\n", 1);
        let all = Directories::new(files(at(0)));
        let look = || all.look(&"ana@corp.example".parse().unwrap()).unwrap();
        assert!(all.reread(at(1)).is_empty());
        assert_eq!(look(), Found { known: false, confirmed: None });
        assert_eq!(all.status(&domain).unwrap().confirmed, None);
        assert_eq!(all.accept(&domain, at(2)).unwrap(), Some(0));
        assert!(all.reread(at(3)).is_empty());
        assert_eq!(look(), Found { known: false, confirmed: Some(at(3)) });
        write("ana\n", 2);
        assert!(all.reread(at(4)).is_empty() && all.reread(at(5)).is_empty());
        assert_eq!(look(), Found { known: true, confirmed: Some(at(5)) });
        // A reload finds what is left of an export that failed.
        for (text, second) in [("", 3), ("an", 4)] {
            write(text, second);
            all.replace(files(at(6)));
            assert_eq!(look(), Found { known: true, confirmed: Some(at(5)) }, "{text}");
        }
        write("", 5);
        assert_eq!(all.accept(&domain, at(7)).unwrap(), Some(0));
        assert_eq!(look(), Found { known: false, confirmed: Some(at(7)) });
        let other: Domain = "other.example".parse().unwrap();
        assert_eq!(all.accept(&other, at(7)).unwrap(), None);
    }

    #[test]
    fn a_byte_order_mark_is_nobody() {
        for text in ["\u{feff}ana\n", "\u{feff}ana@corp.example\nbob"] {
            let directory = parse(text).unwrap();
            assert!(directory.addresses.contains("ana@corp.example"), "{text:?}");
        }
    }

    #[test]
    fn a_bad_line_is_named() {
        let error = parse("ana\na b@corp.example\n").unwrap_err().to_string();
        assert!(error.starts_with("recipients.txt:2: "), "{error}");
        let error = parse("ana@other.example").unwrap_err().to_string();
        assert_eq!(error, "recipients.txt:1: the address is not in corp.example");
    }
}

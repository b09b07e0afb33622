//! Directories: whose recipients are listed in files, one address a line, and
//! what is fetched from servers (see [`crate::synced`]).
//!
//! Each file is read as a whole and swapped in, once it rests: half of a list that
//! is being written would refuse the others for good. One that cannot be read,
//! has a bad line or has become empty leaves the old content in force, and one
//! that was empty from the start is not believed, until somebody accepts it.
//! How long content is believed is asked by its age.

mod in_force;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

pub(crate) use in_force::Found;
pub use in_force::{Directories, DirectoryStatus};
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directory {
    addresses: Arc<HashSet<Box<str>>>,
    /// Nothing if it never was.
    confirmed: Option<Timestamp>,
    file: Option<Arc<ReadFile>>,
    /// How the file looked last, where that is not how it was read.
    changing: Option<Stamp>,
}

/// The file a directory is from.
#[derive(Debug, PartialEq, Eq)]
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

    /// Whose addresses are in it, in comparable form.
    pub(crate) fn addresses(&self) -> &HashSet<Box<str>> {
        &self.addresses
    }

    /// When it was last seen that this is what the source says; nothing if it
    /// never was.
    pub(crate) fn confirmed(&self) -> Option<Timestamp> {
        self.confirmed
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Directory, DirectoryError> {
        let domain = "corp.example".parse().unwrap();
        Directory::parse(Path::new("recipients.txt"), text, &domain, Timestamp::EPOCH)
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

//! The directory file: one recipient address a line.
//!
//! The file is read as a whole and swapped in; a file that cannot be read or
//! has a bad line leaves the old content in force, because an empty directory
//! would refuse everybody.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

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

/// The recipients of one domain.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    addresses: HashSet<Box<str>>,
    read: Timestamp,
}

impl Directory {
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
        Ok(Directory { addresses, read })
    }

    /// Reads a directory file; see [`Directory::parse`].
    ///
    /// # Errors
    /// The file cannot be read, or a line is wrong.
    pub fn read(path: &Path, domain: &Domain, at: Timestamp) -> Result<Directory, DirectoryError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| DirectoryError::Unreadable { path: path.to_path_buf(), error })?;
        Directory::parse(path, &text, domain, at)
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

/// The directories of all domains, replaceable while the server runs.
#[derive(Default)]
pub struct DirectoryFile {
    domains: ArcSwap<HashMap<Domain, Directory>>,
}

impl DirectoryFile {
    /// The directories of these domains.
    pub fn new(domains: HashMap<Domain, Directory>) -> Self {
        DirectoryFile { domains: ArcSwap::from_pointee(domains) }
    }

    /// Puts new directories in force.
    pub fn replace(&self, domains: HashMap<Domain, Directory>) {
        self.domains.store(Arc::new(domains));
    }

    /// Whether the directory of the recipient's domain has it, and how many
    /// seconds ago it was read; nothing if that domain has no directory.
    pub fn contains(&self, recipient: &EmailAddress, at: Timestamp) -> Option<(bool, u64)> {
        let domains = self.domains.load();
        let directory = domains.get(&recipient.domain_key().parse::<Domain>().ok()?)?;
        Some((directory.addresses.contains(recipient.key()), at.since(directory.read).as_secs()))
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
        let file =
            DirectoryFile::new(HashMap::from([("corp.example".parse().unwrap(), directory)]));
        let at = Timestamp::from_millis(5_000);
        let look = |address: &str| file.contains(&address.parse().unwrap(), at);
        assert_eq!(look("ana@Corp.Example"), Some((true, 5)));
        assert_eq!(look("bob@corp.example"), Some((true, 5)));
        assert_eq!(look("cid@corp.example"), Some((false, 5)));
        assert_eq!(look("ana@other.example"), None);
    }

    #[test]
    fn a_bad_line_is_named() {
        let error = parse("ana\na b@corp.example\n").unwrap_err().to_string();
        assert!(error.starts_with("recipients.txt:2: "), "{error}");
        let error = parse("ana@other.example").unwrap_err().to_string();
        assert_eq!(error, "recipients.txt:1: the address is not in corp.example");
    }
}

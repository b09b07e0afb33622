//! The directories of all domains: what recipients are looked up in.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use types::{Domain, EmailAddress, Timestamp};

use super::{Directory, DirectoryError};

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
    in_force: ArcSwap<InForce>,
    /// One change at a time, so that none is lost.
    changing: Mutex<()>,
}

/// What recipients are looked up in. It changes as a whole: a domain that goes
/// from a file to a server is at no moment without both.
#[derive(Clone, Default)]
struct InForce {
    now: Sources,
    /// Those of domains that have none any more. Whoever began to decide about
    /// a recipient while they had some ends with them.
    leaving: Sources,
}

/// Directories by where they are from.
#[derive(Clone, Default)]
struct Sources {
    files: HashMap<Domain, Directory>,
    /// What was fetched from servers, by the domains that ask them.
    synced: HashMap<Domain, Directory>,
}

impl Sources {
    /// What a domain's directories say of an address in comparable form;
    /// nothing if it has none. Of two that both lack it, the older says how far
    /// that is believed.
    fn look(&self, domain: &Domain, address: &str) -> Option<Found> {
        let look = |all: &HashMap<Domain, Directory>| {
            let directory = all.get(domain)?;
            let known = directory.addresses.contains(address);
            Some(Found { known, confirmed: directory.confirmed })
        };
        match (look(&self.files), look(&self.synced)) {
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

    /// Those of domains that have none in `others`.
    fn not_in(self, others: &Sources) -> Sources {
        let is_gone = |(domain, _): &(Domain, Directory)| {
            !others.files.contains_key(domain) && !others.synced.contains_key(domain)
        };
        let left = |all: HashMap<Domain, Directory>| all.into_iter().filter(is_gone).collect();
        Sources { files: left(self.files), synced: left(self.synced) }
    }
}

impl Directories {
    /// The directories of these domains, from files.
    pub fn new(files: HashMap<Domain, Directory>) -> Self {
        let now = Sources { files, ..Sources::default() };
        let in_force = ArcSwap::from_pointee(InForce { now, ..InForce::default() });
        Directories { in_force, changing: Mutex::default() }
    }

    /// Changes what is in force.
    fn change<T>(&self, change: impl FnOnce(&mut InForce) -> T) -> T {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = InForce::clone(&self.in_force.load());
        let changed = change(&mut next);
        self.in_force.store(Arc::new(next));
        changed
    }

    /// Puts new directories in force, from files and from servers. A file that
    /// is in force already stays as it was read: what has changed in it is
    /// taken once it rests and somebody is in it, by [`Directories::reread`].
    pub fn replace(
        &self,
        mut files: HashMap<Domain, Directory>,
        synced: HashMap<Domain, Directory>,
    ) {
        self.change(|in_force| {
            for (domain, directory) in &mut files {
                let known = in_force.now.files.get(domain);
                if let Some(known) = known.filter(|one| one.is_of_file_of(directory)) {
                    *directory = known.clone();
                }
            }
            let now = Sources { files, synced };
            let leaving = std::mem::take(&mut in_force.now).not_in(&now);
            *in_force = InForce { now, leaving };
        });
    }

    /// Puts what was fetched from servers in force.
    pub(crate) fn replace_synced(&self, synced: HashMap<Domain, Directory>) {
        self.change(|in_force| in_force.now.synced = synced);
    }

    /// Takes the file of a domain as it is now, though nobody is in it or it
    /// was just written; gives how many recipients it has. Nothing if the
    /// domain has no file.
    ///
    /// # Errors
    /// The file cannot be used; the old content stays in force.
    pub fn accept(&self, domain: &Domain, now: Timestamp) -> Result<Option<usize>, DirectoryError> {
        self.change(|in_force| {
            let Some(directory) = in_force.now.files.get_mut(domain) else { return Ok(None) };
            let Some(file) = directory.file.clone() else { return Ok(None) };
            let read = Directory::read(&file.path, &file.domain, now)?;
            let entries = read.len();
            *directory = Directory { confirmed: Some(now), ..read };
            Ok(Some(entries))
        })
    }

    /// Reads every file again that has changed since it was read, and
    /// confirms the others. What cannot be used is left as it was.
    pub fn reread(&self, now: Timestamp) -> Vec<DirectoryError> {
        self.change(|in_force| {
            in_force.leaving = Sources::default();
            let mut errors = Vec::new();
            for directory in in_force.now.files.values_mut() {
                match directory.again(now) {
                    Ok(read) => *directory = read,
                    Err(error) => errors.push(error),
                }
            }
            errors
        })
    }

    /// What the directories of the recipient's domain say; nothing if it has
    /// none.
    pub(crate) fn look(&self, recipient: &EmailAddress) -> Option<Found> {
        let domain = recipient.domain_key().parse::<Domain>().ok()?;
        let (in_force, address) = (self.in_force.load(), recipient.key());
        in_force.now.look(&domain, address).or_else(|| in_force.leaving.look(&domain, address))
    }

    /// Whether a directory has this address.
    pub(crate) fn knows(&self, address: &EmailAddress) -> bool {
        self.look(address).is_some_and(|found| found.known)
    }

    /// How the file of a domain is, if it has one.
    pub fn status(&self, domain: &Domain) -> Option<DirectoryStatus> {
        let in_force = self.in_force.load();
        let directory = in_force.now.files.get(domain)?;
        Some(DirectoryStatus { entries: directory.len(), confirmed: directory.confirmed })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn addresses_and_bare_local_parts_are_recipients() {
        let text = "# people\n\nAna@corp.example\n bob \n";
        let domain = "corp.example".parse().unwrap();
        let directory = Directory::parse(Path::new("r"), text, &domain, Timestamp::EPOCH).unwrap();
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
    fn a_domain_that_changes_from_a_file_to_a_server_or_to_none_is_never_without_an_answer() {
        let at = Timestamp::from_millis;
        let domain: Domain = "corp.example".parse().unwrap();
        let of = |who: &str| HashMap::from([(domain.clone(), Directory::of([who.into()], at(1)))]);
        let all = Directories::new(of("ana@corp.example"));
        let look = |who: &str| all.look(&who.parse().unwrap());
        let answers_always = |change: &(dyn Fn() + Sync)| {
            std::thread::scope(|threads| {
                let changing = threads.spawn(change);
                while !changing.is_finished() {
                    assert!(look("cid@corp.example").is_some());
                }
            });
        };
        answers_always(&|| {
            for _ in 0..1_000 {
                all.replace(HashMap::new(), of("bob@corp.example"));
                all.replace(of("ana@corp.example"), HashMap::new());
            }
        });
        all.replace(HashMap::new(), HashMap::new());
        let left = Some(Found { known: true, confirmed: Some(at(1)) });
        assert_eq!(look("ana@corp.example"), left, "for whoever began with it");
        all.reread(at(2));
        assert_eq!(look("ana@corp.example"), None);
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
            all.replace(files(at(6)), HashMap::new());
            assert_eq!(look(), Found { known: true, confirmed: Some(at(5)) }, "{text}");
        }
        write("", 5);
        assert_eq!(all.accept(&domain, at(7)).unwrap(), Some(0));
        assert_eq!(look(), Found { known: false, confirmed: Some(at(7)) });
        let other: Domain = "other.example".parse().unwrap();
        assert_eq!(all.accept(&other, at(7)).unwrap(), None);
    }
}

//! The last content of a directory, kept on the disk: after a restart it
//! answers although the server does not.
//!
//! A file of text, one address a line, which begins with what it is and ends
//! with how many addresses there are: half of one is noticed. Before those of a
//! domain stands when they were seen.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use types::{Domain, Timestamp};

use crate::directory::Directory;

/// What the first line says.
const FORMAT: &str = "portcullis directory 1";
/// Largest file that is read, in octets; more than any that is written.
const OCTETS_MAX: u64 = 256 << 20;

/// Who was in a directory, by domain. Only domains are in it for which it was
/// read.
pub(super) type Content = BTreeMap<Domain, Directory>;

fn path(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.people"))
}

/// Reads what was kept; nothing if nothing was.
///
/// # Errors
/// A sentence for the operator: the file is there and is not whole.
pub(super) fn read(folder: &Path, name: &str) -> Result<Option<Content>, String> {
    let path = path(folder, name);
    let told = |why: &dyn std::fmt::Display| {
        format!("the kept content of the directory {name} in {} is not used: {why}", path.display())
    };
    match fs::metadata(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(told(&error)),
        Ok(found) if found.len() > OCTETS_MAX => return Err(told(&"it is too large")),
        Ok(_) => {}
    }
    let text = fs::read_to_string(&path).map_err(|error| told(&error))?;
    parse(&text).map(Some).ok_or_else(|| told(&"it is not whole"))
}

fn parse(text: &str) -> Option<Content> {
    let mut lines = text.lines();
    if lines.next()? != FORMAT {
        return None;
    }
    let mut people: BTreeMap<Domain, (Timestamp, HashSet<Box<str>>)> = BTreeMap::new();
    let (mut confirmed, mut count) = (None, 0_usize);
    loop {
        let line = lines.next()?;
        if let Some(at) = line.strip_prefix("confirmed ") {
            confirmed = Some(Timestamp::from_millis(at.parse().ok()?));
        } else if let Some(domains) = line.strip_prefix("domains ") {
            for domain in domains.split(' ') {
                people.insert(domain.parse().ok()?, (confirmed?, HashSet::new()));
            }
        } else if let Some(end) = line.strip_prefix("end ") {
            let is_whole = end.parse() == Ok(count) && lines.next().is_none();
            let of = |(domain, (at, all))| (domain, Directory::of(all, at));
            return is_whole.then(|| people.into_iter().map(of).collect());
        } else {
            let (_, domain) = line.rsplit_once('@')?;
            people.get_mut(&domain.parse().ok()?)?.1.insert(line.into());
            count += 1;
        }
    }
}

/// Keeps a content in the place of the one before.
///
/// # Errors
/// A sentence for the operator; what was kept before is as it was.
pub(super) fn write(folder: &Path, name: &str, content: &Content) -> Result<(), String> {
    let path = path(folder, name);
    replace(folder, &path, content).map_err(|error| {
        format!("the content of the directory {name} cannot be kept in {}: {error}", path.display())
    })
}

fn replace(folder: &Path, path: &Path, content: &Content) -> io::Result<()> {
    // Who has mail here is nobody's business.
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let new = path.with_extension("new");
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    let mut out = io::BufWriter::new(file);
    writeln!(out, "{FORMAT}")?;
    for (domain, people) in content {
        let confirmed = people.confirmed().unwrap_or_default().as_millis();
        writeln!(out, "confirmed {confirmed}\ndomains {domain}")?;
        let mut sorted: Vec<&str> = people.addresses().iter().map(AsRef::as_ref).collect();
        sorted.sort_unstable();
        for address in sorted {
            writeln!(out, "{address}")?;
        }
    }
    writeln!(out, "end {}", content.values().map(Directory::len).sum::<usize>())?;
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    fs::rename(&new, path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_comes_back_and_half_of_it_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("directories");
        assert_eq!(read(&folder, "corp"), Ok(None));
        let of = |domain: &str, people: &[&str], at| {
            let all = people.iter().map(|who| format!("{who}@{domain}").into());
            (domain.parse().unwrap(), Directory::of(all, Timestamp::from_millis(at)))
        };
        let content = Content::from([
            of("corp.example", &["ann", "bob"], 1_700),
            of("empty.example", &[], 1_700),
            of("sister.example", &["ann", "\"a b\""], 1_600),
        ]);
        write(&folder, "corp", &content).unwrap();
        assert_eq!(read(&folder, "corp"), Ok(Some(content)));
        let path = folder.join("corp.people");
        let whole = fs::read_to_string(&path).unwrap();
        for cut in 0..whole.len() - 1 {
            assert_eq!(parse(whole.get(..cut).unwrap()), None, "{cut}");
        }
        let older = "portcullis directory 1\nconfirmed 5\ndomains a.example b.example\nx@a.example\n\
                     y@b.example\nend 2\n";
        let expected = [of("a.example", &["x"], 5), of("b.example", &["y"], 5)];
        assert_eq!(parse(older), Some(Content::from(expected)), "all of one time");
        fs::write(&path, "rubbish").unwrap();
        let problem = read(&folder, "corp").unwrap_err();
        assert!(problem.contains("corp.people is not used: it is not whole"), "{problem}");
    }
}

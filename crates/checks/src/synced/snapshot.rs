//! The last content of a directory, kept on the disk: after a restart it
//! answers although the server does not.
//!
//! A file of text, one address a line, which begins with what it is and ends
//! with how many lines there are: half of one is noticed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use types::{Domain, Timestamp};

/// What the first line says.
const FORMAT: &str = "portcullis directory 1";
/// Largest file that is read, in octets.
const OCTETS_MAX: u64 = 1 << 30;

/// Who was in a directory, and when that was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) confirmed: Timestamp,
    /// For which domains it was looked for recipients.
    pub(super) domains: Vec<Domain>,
    /// In comparable form, sorted, each once.
    pub(super) addresses: Vec<Box<str>>,
}

impl Content {
    /// Whether this address is in it.
    pub(super) fn has(&self, address: &str) -> bool {
        self.addresses.binary_search_by(|one| one.as_ref().cmp(address)).is_ok()
    }
}

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
    let confirmed = lines.next()?.strip_prefix("confirmed ")?.parse().ok()?;
    let mut addresses: Vec<Box<str>> = Vec::new();
    let domains = lines.next()?.strip_prefix("domains ")?.split(' ');
    let domains = domains.map(str::parse).collect::<Result<_, _>>().ok()?;
    loop {
        let line = lines.next()?;
        if let Some(count) = line.strip_prefix("end ") {
            let is_whole = count.parse() == Ok(addresses.len()) && lines.next().is_none();
            let is_sorted = addresses.is_sorted();
            let confirmed = Timestamp::from_millis(confirmed);
            return (is_whole && is_sorted).then_some(Content { confirmed, domains, addresses });
        }
        addresses.push(line.into());
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
    let domains: Vec<&str> = content.domains.iter().map(Domain::as_str).collect();
    let (confirmed, domains) = (content.confirmed.as_millis(), domains.join(" "));
    writeln!(out, "{FORMAT}\nconfirmed {confirmed}\ndomains {domains}")?;
    for address in &content.addresses {
        writeln!(out, "{address}")?;
    }
    writeln!(out, "end {}", content.addresses.len())?;
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
        let addresses = vec!["ann@corp.example".into(), "bob@corp.example".into()];
        let (confirmed, domains) =
            (Timestamp::from_millis(1_700), vec!["corp.example".parse().unwrap()]);
        let content = Content { confirmed, domains, addresses };
        write(&folder, "corp", &content).unwrap();
        assert_eq!(read(&folder, "corp"), Ok(Some(content)));
        let path = folder.join("corp.people");
        let whole = fs::read_to_string(&path).unwrap();
        for cut in 0..whole.len() - 1 {
            assert_eq!(parse(whole.get(..cut).unwrap()), None, "{cut}");
        }
        fs::write(&path, "rubbish").unwrap();
        let problem = read(&folder, "corp").unwrap_err();
        assert!(problem.contains("corp.people is not used: it is not whole"), "{problem}");
    }
}

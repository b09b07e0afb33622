//! `dkim …`: the keys that sign outbound mail. Works on files and asks the
//! name system; a running server takes a key with its next reload.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, chown, fchown};
use std::path::{Path, PathBuf};

use checks::{KeyKind, SigningKey};
use serde_json::{Value as Json, json};
use types::{Domain, Selector};
use world::DnsResolver;

use super::arguments::{DkimCommand, Global};
use super::config;
use super::exit::{Exit, Failure};
use super::output::{Column, Output};
use crate::serve::inspect::whole;
use crate::serve::{convert, dkim as keys};
use crate::settings::Settings;

const CHECKED: &[Column] =
    &[("Name", "/name"), ("Algorithm", "/algorithm"), ("Signs", "/signs"), ("Published", "/text")];

/// Longest string of a TXT record, in octets (RFC 1035 section 3.3).
const STRING_OCTETS_MAX: usize = 255;

/// `dkim …`
///
/// # Errors
/// A key cannot be read or written, or does not fit what is published.
pub(super) fn dkim(global: &Global, command: &DkimCommand) -> Result<Exit, Failure> {
    let settings = &config::settings(global)?;
    let output = Output::new(global.json);
    match command {
        DkimCommand::Create { domain, selector, rsa, ed25519 } => {
            let kind = match (*ed25519, rsa.as_deref()) {
                (true, _) => KeyKind::Ed25519,
                (false, Some("4096")) => KeyKind::Rsa4096,
                (false, _) => KeyKind::Rsa2048,
            };
            create(output, settings, &Place::of(settings, domain, selector), kind)
        }
        DkimCommand::Record { domain, selector } => {
            for place in kept(settings, domain, selector.as_ref())? {
                tell(output, settings, &place, &place.key()?)?;
            }
            Ok(Exit::Ok)
        }
        DkimCommand::Check { domain, selector } => {
            check(output, settings, &kept(settings, domain, selector.as_ref())?)
        }
    }
}

fn failure(text: impl Into<String>) -> Failure {
    Failure::new(Exit::Error, text.into())
}

/// One key: whose, and where it is.
struct Place {
    domain: Domain,
    selector: Selector,
    file: PathBuf,
}

impl Place {
    fn of(settings: &Settings, domain: &Domain, selector: &Selector) -> Place {
        let file = keys::folder(settings, domain).join(format!("{selector}.pem"));
        Place { domain: domain.clone(), selector: selector.clone(), file }
    }

    fn key(&self) -> Result<SigningKey, Failure> {
        SigningKey::read(&self.file).map_err(|error| failure(whole(&error)))
    }

    fn name(&self) -> String {
        self.selector.name_at(self.domain.as_str())
    }

    /// Whether the settings want mail signed with it.
    fn signs(&self, settings: &Settings) -> bool {
        keys::keys(settings).iter().any(|key| key.file == self.file)
    }
}

/// The keys of a domain that are kept here or named in the settings, by name;
/// or just the one that was asked for.
fn kept(
    settings: &Settings,
    domain: &Domain,
    only: Option<&Selector>,
) -> Result<Vec<Place>, Failure> {
    if let Some(selector) = only {
        return Ok(vec![Place::of(settings, domain, selector)]);
    }
    let folder = fs::read_dir(keys::folder(settings, domain)).into_iter().flatten().flatten();
    let mut selectors: Vec<Selector> = folder
        .filter_map(|file| file.file_name().to_str()?.strip_suffix(".pem")?.parse().ok())
        .chain(keys::keys(settings).into_iter().filter(|k| k.domain == *domain).map(|k| k.selector))
        .collect();
    selectors.sort();
    selectors.dedup();
    if selectors.is_empty() {
        let text = format!("{domain} has no key: portcullis dkim create {domain} --selector NAME");
        return Err(Failure::new(Exit::NotFound, text));
    }
    Ok(selectors.iter().map(|selector| Place::of(settings, domain, selector)).collect())
}

fn create(
    output: Output,
    settings: &Settings,
    place: &Place,
    kind: KeyKind,
) -> Result<Exit, Failure> {
    let Place { domain, file, .. } = place;
    if settings.domains.iter().all(|one| one.name != *domain) {
        let text = format!("{domain} is no [[domain]] of the settings, so its mail is not signed");
        return Err(Failure::new(Exit::NotFound, text));
    }
    if file.exists() {
        let text = format!(
            "{} is there already, and what was signed with it may still be on its way: choose \
             another selector",
            file.display()
        );
        return Err(Failure::new(Exit::Refused, text));
    }
    let (key, text) = SigningKey::generate(kind).map_err(|error| failure(error.to_string()))?;
    let cannot = |error: io::Error| failure(format!("cannot write {}: {error}", file.display()));
    write(&settings.server.data_dir, file, &text).map_err(cannot)?;
    tell(output, settings, place, &key)?;
    Ok(Exit::Ok)
}

/// Writes a key that its owner alone can read. The owner is whoever owns the
/// data folder: this command may be run by root, the server is not.
fn write(data_dir: &Path, file: &Path, text: &str) -> io::Result<()> {
    let owner = fs::metadata(data_dir)?;
    let give = |path: &Path| -> io::Result<()> {
        match fs::metadata(path)?.uid() == owner.uid() {
            true => Ok(()),
            false => chown(path, Some(owner.uid()), Some(owner.gid())),
        }
    };
    let mut folders: Vec<&Path> = file.ancestors().skip(1).collect();
    folders.retain(|folder| folder.starts_with(data_dir) && *folder != data_dir);
    for folder in folders.iter().rev() {
        if !folder.exists() {
            fs::DirBuilder::new().create(folder)?;
            fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
            give(folder)?;
        }
    }
    let mut new = fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(file)?;
    let written = new.write_all(text.as_bytes()).and_then(|()| new.sync_all());
    // The open file and not its name, which whoever owns the folder could
    // have made a link to another file meanwhile.
    let given = written.and_then(|()| match new.metadata()?.uid() == owner.uid() {
        true => Ok(()),
        false => fchown(&new, Some(owner.uid()), Some(owner.gid())),
    });
    if given.is_err() {
        // Half a key would be in the way of a whole one.
        let _gone = fs::remove_file(file);
    }
    given
}

/// Says what is to be published.
fn tell(
    output: Output,
    settings: &Settings,
    place: &Place,
    key: &SigningKey,
) -> Result<(), Failure> {
    let record = key.record().map_err(|error| failure(error.to_string()))?;
    let (name, signs) = (place.name(), place.signs(settings));
    let zone = zone_lines(&name, &record);
    if output.is_json() {
        return output.object(&json!({
            "domain": place.domain,
            "selector": place.selector,
            "algorithm": key.algorithm(),
            "bits": key.bits(),
            "file": place.file,
            "name": name,
            "record": record,
            "zone": zone,
            "signs": signs,
        }));
    }
    let then = match signs {
        true => "Mail is signed with it.".to_owned(),
        false => format!(
            "Mail is not signed with it yet. When it is published (portcullis dkim check {}), add \
             \"{}\" to dkim_selectors of the domain in the settings, and reload.",
            place.domain, place.selector
        ),
    };
    output.text(&format!(
        "Key: {} ({}, {} bits)\n\nTXT record to publish:\n\nName:  {name}\nValue: {record}\n\nAs \
         lines of a zone file:\n\n{zone}\n\n{then}\n",
        place.file.display(),
        key.kind(),
        key.bits()
    ))
}

/// The record for a zone file, in strings that are not too long.
fn zone_lines(name: &str, record: &str) -> String {
    let mut strings = Vec::new();
    let mut rest = record;
    while !rest.is_empty() {
        let (string, later) = rest.split_at(rest.len().min(STRING_OCTETS_MAX));
        strings.push(format!("\"{string}\""));
        rest = later;
    }
    match strings.as_slice() {
        [one] => format!("{name}. IN TXT {one}"),
        _ => format!("{name}. IN TXT (\n    {}\n)", strings.join("\n    ")),
    }
}

/// Asks the name system for every key. A key that signs and does not fit is a
/// failure.
fn check(output: Output, settings: &Settings, places: &[Place]) -> Result<Exit, Failure> {
    let resolver = DnsResolver::new(&convert::resolver(settings))
        .map_err(|error| failure(format!("cannot make a resolver: {error}")))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut rows, mut exit) = (Vec::new(), Exit::Ok);
    for place in places {
        let signs = place.signs(settings);
        let (fits, row) = runtime.block_on(checked(&resolver, place, signs));
        if signs && !fits {
            exit = Exit::Error;
        }
        rows.push(row);
    }
    output.list(CHECKED, &rows)?;
    Ok(exit)
}

/// Whether a key fits what is published, and the row that says so.
async fn checked(resolver: &DnsResolver, place: &Place, signs: bool) -> (bool, Json) {
    let row = |algorithm: Option<&str>, result: &str, text: String| {
        json!({
            "domain": place.domain,
            "selector": place.selector,
            "name": place.name(),
            "algorithm": algorithm,
            "signs": signs,
            "result": result,
            "text": text,
        })
    };
    match SigningKey::read(&place.file) {
        Err(error) => (false, row(None, "no_key", whole(&error))),
        Ok(key) => {
            let found = checks::published(resolver, &place.domain, &place.selector, &key).await;
            (found.fits(), row(Some(key.algorithm()), found.slug(), found.words()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_split_into_strings_for_a_zone_file() {
        assert_eq!(zone_lines("a._domainkey.b", "v=DKIM1"), "a._domainkey.b. IN TXT \"v=DKIM1\"");
        let record = format!("v=DKIM1; p={}", "A".repeat(600));
        let lines = zone_lines("a._domainkey.b", &record);
        let strings: Vec<&str> =
            lines.lines().filter_map(|line| line.trim().strip_prefix('"')).collect();
        let strings: Vec<&str> =
            strings.iter().map(|string| string.trim_end_matches('"')).collect();
        assert!(strings.len() == 3 && strings.iter().all(|string| string.len() <= 255), "{lines}");
        assert_eq!(strings.concat(), record);
    }
}

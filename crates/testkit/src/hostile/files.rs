//! What people bring along: files that others made, settings, policies,
//! queries; and what is read back from the disk.

use std::path::Path;

use center::query::{Moment, search};
use checks::{Directory, PlaceMap};
use policy::Document;
use types::{Domain, Timestamp};

use super::text;

const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

/// Any text is a list of any other program or problems.
pub fn lists(octets: &[u8]) {
    center::importing::read_anything(&text(octets));
}

/// Any octets are a block list of any format or a problem.
pub fn zone_file(octets: &[u8]) {
    checks::read_any_list(octets);
}

/// Delegations make a map that reads as the same when it is written.
pub fn delegations(octets: &[u8]) {
    let (path, octets) = (Path::new("delegations"), text(octets));
    let _ = PlaceMap::parse(path, &octets);
    let mut map = PlaceMap::default();
    if map.add_delegations(path, &octets).is_ok() {
        map.settle();
        let again = PlaceMap::parse(path, &map.to_text(NOW));
        assert_eq!(again.ok(), Some(map));
    }
}

/// Any text is a directory file or a problem at a line.
pub fn directory(octets: &[u8]) {
    if let Ok(domain) = "corp.example".parse::<Domain>() {
        let _ = Directory::parse(Path::new("recipients.txt"), &text(octets), &domain, NOW);
    }
}

/// Any text is settings or problems.
pub fn settings(octets: &[u8]) {
    portcullis::settings::read_anything(&text(octets));
}

/// Any text is a policy document or a problem at a line; what was read is
/// written so that it is read as the same again.
pub fn policy_document(octets: &[u8]) {
    let Ok(document) = Document::parse(&text(octets)) else { return };
    if let Ok(written) = document.to_text() {
        let again = Document::parse(&written).map(|again| again.to_text().ok());
        assert_eq!(again.ok().flatten().as_ref(), Some(&written));
    }
}

/// Any text typed into the search field is a search or an error at a place
/// within it.
pub fn query(octets: &[u8]) {
    let (text, moment) = (text(octets), Moment::utc(NOW));
    let Err(error) = search(&text, &moment) else { return };
    for problem in error.all() {
        let (before, below) = problem.place_in(&text);
        assert!(before + below <= text.chars().count().max(1) + 1);
        let _ = problem.mended(&text);
        let _ = problem.pointing_into(&text);
    }
}

/// Whatever is in a stored record: it is read or refused.
pub fn stored_record(octets: &[u8]) {
    store::journal::read_any(octets);
}

//! Real messages: every one of the MIME corpus gives facts without a panic.
//!
//! The corpus is no part of the project; without it the test says so and
//! passes. `PORTCULLIS_CORPORA` names another folder to look for it in.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use content::{Limits, comparable_addresses, read};

const ARCHIVE: &str = "mime-messages.tar.zst";

/// Where the archives are: beside the project unless told otherwise.
fn corpora() -> PathBuf {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpora");
    std::env::var_os("PORTCULLIS_CORPORA").map_or(beside, PathBuf::from)
}

fn unpack(archive: &Path, folder: &Path) -> bool {
    let tar =
        Command::new("tar").arg("--zstd").arg("-xf").arg(archive).arg("-C").arg(folder).status();
    tar.is_ok_and(|status| status.success())
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { files(&path, found)? } else { found.push(path) }
    }
    Ok(())
}

#[test]
fn every_message_of_the_corpus_gives_facts() {
    let archive = corpora().join(ARCHIVE);
    if !archive.exists() {
        println!("skipped: {} is not there", archive.display());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    if !unpack(&archive, folder.path()) {
        println!("skipped: tar or zstd is missing, so {ARCHIVE} cannot be unpacked");
        return;
    }
    let mut paths = Vec::new();
    files(folder.path(), &mut paths).unwrap();
    let (mut messages, mut authors, mut attachments) = (0, 0, 0);
    for path in &paths {
        let message = fs::read(path).unwrap();
        let facts = read(&message, &Limits::default());
        // What the parsers of others are expected to give is read too, for
        // want of panics, but only these are meant to be messages.
        if path.extension().is_some_and(|kind| kind == "eml" || kind == "msg") {
            messages += 1;
            authors += usize::from(!comparable_addresses(&facts).is_empty());
            attachments += facts.attachments.len();
        }
    }
    println!("{messages} messages, {authors} with an author, {attachments} attachments");
    assert!(authors * 2 > messages, "most messages name an author");
    assert!(attachments > 0);
}

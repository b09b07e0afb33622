//! Real messages: each is signed for its author's domain as it would leave,
//! and passes our own evaluation of what comes in. And what signing costs.
//!
//! The corpora are no part of the project; without them the test says so and
//! passes. `PORTCULLIS_CORPORA` names another folder to look for them in.

#![cfg(test)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use checks::{
    Arrived, AuthenticationQuestion, KeyKind, Leaving, Signing, SigningKey, SigningSettings,
};
use types::{DkimResult, EmailAddress, Selector, Timestamp};
use world::simulated::{SimulatedClock, SimulatedResolver};

const ARCHIVES: [&str; 2] = ["mime-messages.tar.zst", "spamassassin-train.tar.zst"];
const NOW: Timestamp = Timestamp::from_millis(1_760_000_000_000);

struct Message(Vec<u8>);

impl Arrived for Message {
    fn octets(&self) -> &[u8] {
        &self.0
    }

    fn is_whole(&self) -> bool {
        true
    }

    fn body_hashes(&self) -> Option<content::BodyHashes> {
        None
    }
}

/// Where the archives are: beside the project unless told otherwise.
fn corpora() -> PathBuf {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpora");
    std::env::var_os("PORTCULLIS_CORPORA").map_or(beside, PathBuf::from)
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

/// As a message is after SMTP: every line ends in CRLF, with no bare CR.
fn on_the_wire(octets: &[u8]) -> Vec<u8> {
    let lines = octets.split(|octet| *octet == b'\n');
    let mut out: Vec<u8> = Vec::with_capacity(octets.len());
    for line in lines {
        out.extend(line.iter().filter(|octet| **octet != b'\r'));
        out.extend_from_slice(b"\r\n");
    }
    out
}

#[tokio::test]
async fn every_message_of_the_corpora_that_is_signed_is_verified() {
    let folder = tempfile::tempdir().unwrap();
    for archive in ARCHIVES {
        let path = corpora().join(archive);
        let mut tar = Command::new("tar");
        tar.arg("--zstd").arg("-xf").arg(&path).arg("-C").arg(folder.path());
        if !path.exists() || !tar.status().is_ok_and(|status| status.success()) {
            println!("skipped: {} is not there or cannot be unpacked", path.display());
            return;
        }
    }
    let mut paths = Vec::new();
    files(folder.path(), &mut paths);
    let (key, text) = SigningKey::generate(KeyKind::Ed25519).unwrap();
    let file = folder.path().join("key.pem");
    std::fs::write(&file, text).unwrap();
    let (signing, names) = (Signing::default(), SimulatedResolver::new());
    let selector: Selector = "all".parse().unwrap();
    let mut unsigned: std::collections::BTreeMap<&str, u32> = Default::default();
    let (mut signed, mut failed) = (0, Vec::new());
    for path in &paths {
        let message = on_the_wire(&std::fs::read(path).unwrap());
        let from = content::comparable_addresses(&content::read(&message, &Default::default()));
        let author = from.first().and_then(|one| one.parse::<EmailAddress>().ok());
        let Some(domain) = author.and_then(|author| author.domain_key().parse().ok()) else {
            *unsigned.entry("no author").or_default() += 1;
            continue;
        };
        let name = selector.name_at(types::Domain::as_str(&domain));
        names.set_texts(&name, Ok(vec![key.record().unwrap().into_bytes()]));
        let (selector, file) = (selector.clone(), file.clone());
        assert!(signing.replace(vec![SigningSettings { domain, selector, file }]).is_empty());
        let leaving = Leaving {
            body_hash: content::BodyHash::of(&message),
            message: Arc::new(Message(message.clone())),
            from: from.clone(),
            may_be_theirs: true,
        };
        let made = signing.sign(leaving, NOW).await;
        if let Some(why) = made.facts.unsigned {
            *unsigned.entry(why.words()).or_default() += 1;
            continue;
        }
        signed += 1;
        let leaves = Message([made.fields.as_bytes(), &message].concat());
        let question = AuthenticationQuestion {
            header_from: &from,
            spf: None,
            at: NOW,
            deadline: Duration::from_secs(20),
        };
        let clock = SimulatedClock::new(NOW);
        let found = checks::authenticate(Arc::new(leaves), question, &names, &clock).await;
        if found.dkim.signatures.first().map(|one| one.result) != Some(DkimResult::Pass) {
            failed.push((path.strip_prefix(folder.path()).unwrap().to_owned(), found.dkim));
        }
    }
    println!("{signed} of {} messages signed and verified; not signed: {unsigned:?}", paths.len());
    assert!(failed.is_empty(), "{} of {signed}: {failed:#?}", failed.len());
    assert!(signed > 2_000, "most of them can be signed");
}

//! The suite of RFC 7208.

use std::collections::BTreeMap;

use checks::SpfQuestion;
use serde::Deserialize;
use serde_yaml_ng::Value;

use crate::suite::documents;
use crate::zone::{Record, Zone};

#[derive(Deserialize)]
struct Document {
    description: String,
    tests: BTreeMap<String, Test>,
    zonedata: BTreeMap<String, Vec<Value>>,
}

#[derive(Deserialize)]
struct Test {
    helo: String,
    host: String,
    mailfrom: String,
    result: OneOrMore,
    explanation: Option<String>,
}

/// Several results are allowed where the RFC leaves it open.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl OneOrMore {
    fn has(&self, result: &str) -> bool {
        match self {
            OneOrMore::One(one) => one == result,
            OneOrMore::More(more) => more.iter().any(|one| one == result),
        }
    }
}

/// Our own name, which the suite never looks at.
const HOST_NAME: &str = "mx.corp.example";

#[tokio::test]
async fn the_suite_of_rfc_7208() {
    let Some(documents) = documents::<Document>("rfc7208-tests.yml") else { return };
    let (mut passed, mut failed) = (0, Vec::new());
    for document in &documents {
        let zone = zone(&document.zonedata);
        for (name, test) in &document.tests {
            match run(test, &zone).await {
                Ok(()) => passed += 1,
                Err(why) => failed.push(format!("{} / {name}: {why}", document.description)),
            }
        }
    }
    println!("RFC 7208: {passed} of {} tests passed", passed + failed.len());
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(passed > 150, "only {passed} tests found");
}

async fn run(test: &Test, zone: &Zone) -> Result<(), String> {
    let question = SpfQuestion {
        ip: test.host.parse().unwrap(),
        helo: test.helo.clone(),
        sender: test.mailfrom.clone(),
        host_name: HOST_NAME.to_owned(),
        now_s: 0,
    };
    let facts = checks::spf(&question, zone).await;
    let result = facts.result.slug();
    if !test.result.has(result) {
        return Err(format!("{result} ({:?})", facts.flaw));
    }
    match &test.explanation {
        Some(wanted) if wanted != "DEFAULT" => match facts.explanation.as_deref() {
            Some(found) if found == wanted => Ok(()),
            other => Err(format!("explained as {other:?}, not {wanted:?}")),
        },
        _ => Ok(()),
    }
}

/// The names of a document. `SPF` stands for a TXT record wherever a name has
/// no `TXT` of its own, as the head of the suite says.
fn zone(data: &BTreeMap<String, Vec<Value>>) -> Zone {
    let mut zone = Zone::default();
    for (name, entries) in data {
        let name = name.trim_end_matches('.').to_lowercase();
        let has_text = entries.iter().any(|entry| entry.get("TXT").is_some());
        let mut records: Vec<Record> =
            entries.iter().flat_map(|entry| records(entry, has_text)).collect();
        // What a resolver finds behind a CNAME stands at the name itself.
        for target in entries.iter().filter_map(|entry| entry.get("CNAME")?.as_str()) {
            records.extend(
                data.get(target).into_iter().flatten().flat_map(|e| self::records(e, false)),
            );
        }
        zone.records.insert(name.clone(), records);
        if entries.iter().any(|entry| entry.as_str() == Some("TIMEOUT")) {
            zone.silent.insert(name, ());
        }
    }
    zone
}

fn records(entry: &Value, has_text: bool) -> Vec<Record> {
    let Some(entry) = entry.as_mapping() else { return Vec::new() };
    let record = |(kind, value): (&Value, &Value)| {
        let text = || value.as_str().unwrap_or_default().to_owned();
        match kind.as_str()? {
            "A" | "AAAA" => Some(Record::Address(text().parse().ok()?)),
            "TXT" if text() == "NONE" => None,
            "TXT" => Some(Record::Text(joined(value))),
            "SPF" if !has_text => Some(Record::Text(joined(value))),
            "MX" => Some(Record::Mx(0, value.get(1)?.as_str()?.to_owned())),
            "PTR" => Some(Record::Ptr(text())),
            _ => None,
        }
    };
    entry.iter().filter_map(record).collect()
}

/// A text, or the strings it is made of.
fn joined(value: &Value) -> Vec<u8> {
    match value {
        Value::Sequence(parts) => parts.iter().flat_map(joined).collect(),
        other => latin1(other.as_str().unwrap_or_default()),
    }
}

/// The suite writes octets beyond ASCII as characters.
fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect()
}

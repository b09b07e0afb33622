//! The validation suite of ARC.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use checks::{Arrived, AuthenticationQuestion};
use serde::Deserialize;
use types::{ArcResult, Timestamp};
use world::SystemClock;

use crate::suite::documents;
use crate::zone::{Record, Zone};

#[derive(Deserialize)]
struct Document {
    description: String,
    tests: BTreeMap<String, Test>,
    #[serde(rename = "txt-records")]
    texts: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Test {
    message: String,
    cv: Option<String>,
}

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

#[tokio::test]
async fn the_validation_suite_of_arc() {
    let Some(documents) = documents::<Document>("arc-draft-validation-tests.yml") else { return };
    let (mut passed, mut failed) = (0, Vec::new());
    for document in &documents {
        let zone = zone(&document.texts);
        for (name, test) in &document.tests {
            let found = validate(test, &zone).await;
            let wanted = wanted(test.cv.as_deref().unwrap_or_default().trim());
            match wanted.contains(&found.result) {
                true => passed += 1,
                false => failed.push(format!(
                    "{} / {name}: {found:?}, not {wanted:?}",
                    document.description.trim()
                )),
            }
        }
    }
    println!("ARC: {passed} of {} tests passed", passed + failed.len());
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(passed > 150, "only {passed} tests found");
}

/// Where the suite leaves the answer open, anything but a pass will do.
fn wanted(cv: &str) -> &'static [ArcResult] {
    match cv {
        "Pass" => &[ArcResult::Pass],
        "Fail" => &[ArcResult::Fail],
        "None" => &[ArcResult::None],
        _ => &[ArcResult::None, ArcResult::Fail],
    }
}

async fn validate(test: &Test, zone: &Zone) -> types::ArcFacts {
    let octets = test.message.replace("\r\n", "\n").replace('\n', "\r\n");
    let question = AuthenticationQuestion {
        header_from: &[],
        spf: None,
        at: Timestamp::from_millis(1_795_255_455_900),
        deadline: Duration::from_secs(5),
    };
    let message = Arc::new(Message(octets.into_bytes()));
    checks::authenticate(message, question, zone, &SystemClock::new()).await.arc
}

fn zone(texts: &BTreeMap<String, String>) -> Zone {
    let mut zone = Zone::default();
    for (name, text) in texts {
        let record = Record::Text(text.clone().into_bytes());
        zone.records.insert(name.to_lowercase(), vec![record]);
    }
    zone
}

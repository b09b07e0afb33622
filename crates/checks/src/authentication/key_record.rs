//! A published key of DKIM as it is read when mail is verified, for people.

use types::{Domain, Flaw, Selector};
use world::Resolver;

use super::answers::Answers;
use super::signatures::flaw_of;
use super::tags;

/// What stands under the name of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    /// The name: `s1._domainkey.corp.example`.
    pub name: String,
    /// The record; nothing where there is none. The domain wrote it: hostile
    /// wherever it is shown.
    pub record: Option<String>,
    /// Why no signature verifies with it.
    pub flaw: Option<Flaw>,
    /// The tags that limit its use, where they are given: `k`, `h`, `s`, `t`.
    pub tags: Vec<(&'static str, String)>,
}

/// The tags that say what a key is for (RFC 6376 section 3.6.1).
const TAGS: [&str; 4] = ["k", "h", "s", "t"];

/// Looks up the key of `domain` under `selector`.
pub async fn key_record(
    domain: &Domain,
    selector: &Selector,
    resolver: &dyn Resolver,
) -> KeyRecord {
    let name = selector.name_at(domain.as_str());
    let answers = Answers::keys(vec![name.clone()], resolver).await;
    let mut found = KeyRecord { name: name.clone(), record: None, flaw: None, tags: Vec::new() };
    match answers.domain_key(&format!("{name}.")) {
        Ok((_, record)) => {
            let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
            let value = |tag| tags::of_record(record, tag).next_back().map(|value| text(&value));
            found.tags = TAGS.iter().filter_map(|tag| Some((*tag, value(tag)?))).collect();
            found.record = Some(text(record));
        }
        Err(error) => {
            found.flaw = Some(flaw_of(&error));
            let record = answers.first_record(&name);
            found.record = record.map(|text| String::from_utf8_lossy(text).into_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use world::simulated::SimulatedResolver;

    use super::*;

    const KEY: &str = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

    async fn of(record: Option<&str>) -> KeyRecord {
        let names = SimulatedResolver::new();
        if let Some(record) = record {
            names.add_text("s1._domainkey.corp.example", record);
        }
        key_record(&"corp.example".parse().unwrap(), &"s1".parse().unwrap(), &names).await
    }

    #[tokio::test]
    async fn a_key_is_read_as_mail_is_verified_with_it() {
        let record = format!("v=DKIM1; k=ed25519; t=y; p={KEY}");
        let key = of(Some(&record)).await;
        assert_eq!((key.flaw, key.record.as_deref()), (None, Some(record.as_str())));
        assert_eq!(key.tags, [("k", "ed25519".to_owned()), ("t", "y".to_owned())]);
        assert_eq!(of(None).await.flaw, Some(Flaw::NoKey));
        let revoked = of(Some("v=DKIM1; p=")).await;
        assert_eq!((revoked.flaw, revoked.record.is_some()), (Some(Flaw::KeyRevoked), true));
        assert!(of(Some("v=DKIM1; k=rsa; p=nonsense!")).await.flaw.is_some());
    }
}

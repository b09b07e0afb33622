//! Whether what the name system says of a key is the key we sign with (RFC
//! 6376 section 3.6.1).

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use types::{Domain, Selector};
use world::{DnsError, Resolver};

use super::key::SigningKey;

/// What is published under the name of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublishedKey {
    /// The key we sign with.
    Fits,
    /// The same, marked as a test: who verifies must not treat a valid
    /// signature better than none.
    FitsAsTest,
    /// Nothing.
    NotPublished,
    /// Several records, of which any may be taken.
    Several,
    /// Another key: our signatures fail.
    AnotherKey,
    /// A key of another kind: our signatures fail.
    AnotherKind,
    /// An empty key: everything signed with it fails.
    Revoked,
    /// The record is for another service than mail.
    NotForMail,
    /// The record does not allow SHA-256.
    AnotherHash,
    /// The record cannot be read.
    Malformed,
    /// The name servers did not say.
    Unknown(DnsError),
}

impl PublishedKey {
    /// Whether signatures with our key are valid for others.
    pub fn fits(self) -> bool {
        matches!(self, PublishedKey::Fits | PublishedKey::FitsAsTest)
    }

    /// The word in JSON.
    pub const fn slug(self) -> &'static str {
        match self {
            PublishedKey::Fits => "fits",
            PublishedKey::FitsAsTest => "fits_as_test",
            PublishedKey::NotPublished => "not_published",
            PublishedKey::Several => "several",
            PublishedKey::AnotherKey => "another_key",
            PublishedKey::AnotherKind => "another_kind",
            PublishedKey::Revoked => "revoked",
            PublishedKey::NotForMail => "not_for_mail",
            PublishedKey::AnotherHash => "another_hash",
            PublishedKey::Malformed => "malformed",
            PublishedKey::Unknown(_) => "unknown",
        }
    }

    /// For people.
    pub fn words(self) -> String {
        let text = match self {
            PublishedKey::Fits => "published, and it is the key that signs here",
            PublishedKey::FitsAsTest => {
                "published, and it is the key that signs here, but marked as a test (t=y): others \
                 take no notice of the signatures; remove t=y when all is well"
            }
            PublishedKey::NotPublished => "not published: there is no TXT record under this name",
            PublishedKey::Several => {
                "published several times: there must be one TXT record under this name"
            }
            PublishedKey::AnotherKey => {
                "another key is published: signatures made here fail for everybody"
            }
            PublishedKey::AnotherKind => {
                "a key of another kind is published (k=): signatures made here fail for everybody"
            }
            PublishedKey::Revoked => "revoked: the published key is empty (p=)",
            PublishedKey::NotForMail => "the record is not for mail: s= names other services",
            PublishedKey::AnotherHash => "the record does not allow SHA-256: h= names other hashes",
            PublishedKey::Malformed => "the record cannot be read: see RFC 6376 section 3.6.1",
            PublishedKey::Unknown(error) => {
                return format!("nobody knows at present: {error}");
            }
        };
        text.to_owned()
    }
}

/// Asks for the key of `domain` under this selector and compares it.
pub async fn published(
    resolver: &dyn Resolver,
    domain: &Domain,
    selector: &Selector,
    key: &SigningKey,
) -> PublishedKey {
    match resolver.texts(&selector.name_at(domain.as_str())).await {
        Ok(texts) => match texts.as_slice() {
            [text] => compare(text, key),
            _ => PublishedKey::Several,
        },
        Err(DnsError::NoSuchName | DnsError::NoRecords) => PublishedKey::NotPublished,
        Err(error) => PublishedKey::Unknown(error),
    }
}

/// What a record says of a key of ours.
fn compare(text: &[u8], key: &SigningKey) -> PublishedKey {
    let Some(tags) = std::str::from_utf8(text).ok().and_then(tags) else {
        return PublishedKey::Malformed;
    };
    let tag = |name: &str| tags.iter().find(|(known, _)| *known == name).map(|(_, v)| v.as_str());
    let lists = |name: &str, wanted: &[&str]| {
        tag(name).is_none_or(|list| list.split(':').any(|one| wanted.contains(&one.trim())))
    };
    // If there is a version, it comes first (RFC 6376 section 3.6.1).
    let version = tags.iter().position(|(name, _)| *name == "v");
    if version.is_some_and(|at| at > 0) || tag("v").is_some_and(|v| v != "DKIM1") {
        return PublishedKey::Malformed;
    }
    let Some(published) = tag("p") else { return PublishedKey::Malformed };
    if published.is_empty() {
        return PublishedKey::Revoked;
    }
    if tag("k").unwrap_or("rsa") != key.kind() {
        return PublishedKey::AnotherKind;
    }
    let bare: String = published.chars().filter(|c| !c.is_whitespace()).collect();
    let Ok(octets) = BASE64_STANDARD.decode(bare) else { return PublishedKey::Malformed };
    if key.public().ok().as_deref() != Some(octets.as_slice()) && key.bare_public() != octets {
        return PublishedKey::AnotherKey;
    }
    if !lists("s", &["*", "email"]) {
        return PublishedKey::NotForMail;
    }
    if !lists("h", &["sha256"]) {
        return PublishedKey::AnotherHash;
    }
    match tag("t").is_some_and(|flags| flags.split(':').any(|flag| flag.trim() == "y")) {
        true => PublishedKey::FitsAsTest,
        false => PublishedKey::Fits,
    }
}

/// The tags of a record; nothing if it is no list of tags, or one is there
/// twice.
fn tags(text: &str) -> Option<Vec<(&str, String)>> {
    let mut tags: Vec<(&str, String)> = Vec::new();
    for tag in text.trim_end().trim_end_matches(';').split(';') {
        let (name, value) = tag.split_once('=')?;
        let name = name.trim();
        if name.is_empty() || tags.iter().any(|(known, _)| *known == name) {
            return None;
        }
        tags.push((name, value.trim().to_owned()));
    }
    Some(tags)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signing::KeyKind;

    #[test]
    fn what_is_published_is_said_in_words() {
        let (rsa, _) = SigningKey::generate(KeyKind::Rsa2048).unwrap();
        let (ed, _) = SigningKey::generate(KeyKind::Ed25519).unwrap();
        let base64 = |octets: &[u8]| BASE64_STANDARD.encode(octets);
        let (of_rsa, of_ed) = (base64(&rsa.public().unwrap()), base64(&ed.public().unwrap()));
        let bare = base64(rsa.bare_public());
        use PublishedKey as P;
        for (text, key, found) in [
            (rsa.record().unwrap(), &rsa, P::Fits),
            (ed.record().unwrap(), &ed, P::Fits),
            (format!("p={of_rsa}"), &rsa, P::Fits),
            (format!("v=DKIM1;p={bare};"), &rsa, P::Fits),
            (format!("v=DKIM1; k=rsa; t=s; s=email; h=sha1:sha256; p={of_rsa}"), &rsa, P::Fits),
            (format!("v=DKIM1; t=s : y; p={of_rsa}"), &rsa, P::FitsAsTest),
            (ed.record().unwrap(), &rsa, P::AnotherKind),
            (format!("k=rsa; p={of_ed}"), &rsa, P::AnotherKey),
            ("v=DKIM1; p=".to_owned(), &rsa, P::Revoked),
            (format!("s=tlsrpt; p={of_rsa}"), &rsa, P::NotForMail),
            (format!("h=sha1; p={of_rsa}"), &rsa, P::AnotherHash),
            (format!("k=rsa; v=DKIM1; p={of_rsa}"), &rsa, P::Malformed),
            (format!("v=DKIM2; p={of_rsa}"), &rsa, P::Malformed),
            ("v=DKIM1; k=rsa".to_owned(), &rsa, P::Malformed),
            ("p=!!!".to_owned(), &rsa, P::Malformed),
            ("p=a; p=b".to_owned(), &rsa, P::Malformed),
            ("hello".to_owned(), &rsa, P::Malformed),
        ] {
            assert_eq!(compare(text.as_bytes(), key), found, "{text}");
        }
        assert_eq!(compare(b"\xff", &rsa), P::Malformed);
    }
}

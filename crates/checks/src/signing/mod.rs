//! Signing our own people's mail (DKIM, RFC 6376): the keys in force, and what
//! they make of a message. It decides nothing: a message that cannot be
//! signed leaves without a signature, and the record says why.

mod key;
mod published;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use content::signature::BODY_HASH_OCTETS;
use content::{HeaderBlock, SignatureField, SignedHeader};
use types::message::UnseenAuthors;
use types::{
    DkimResult, Domain, EmailAddress, OwnSignature, Selector, SigningFacts, Timestamp, Unsigned,
};

use crate::authentication::{Arrived, verified_with};

pub use key::{KeyKind, SigningFailed, SigningKey, SigningKeyError};
pub use published::{PublishedKey, published};

/// A key that signs for a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningSettings {
    /// The domain of the authors.
    pub domain: Domain,
    /// The name under which the key is published.
    pub selector: Selector,
    /// The file of the key.
    pub file: PathBuf,
}

/// A key of the settings while the server runs.
#[derive(Clone, Debug)]
pub struct SigningStatus {
    /// The key.
    pub settings: SigningSettings,
    /// Whether a key is in force; it may be an older one than the file's.
    pub signs: bool,
    /// What is wrong with the file, if anything is.
    pub problem: Option<Arc<str>>,
}

/// The keys in force.
#[derive(Default)]
pub struct Signing {
    domains: ArcSwap<HashMap<String, Vec<NamedKey>>>,
    signed: AtomicU64,
    unsigned: AtomicU64,
}

#[derive(Clone)]
struct NamedKey {
    settings: SigningSettings,
    key: Option<Arc<SigningKey>>,
    problem: Option<Arc<str>>,
}

/// A message that is about to leave.
pub struct Leaving {
    /// As much of it as is kept in memory; the header is needed.
    pub message: Arc<dyn Arrived>,
    /// The hash of its body, made while it arrived.
    pub body_hash: [u8; BODY_HASH_OCTETS],
    /// Comparable addresses of its From field.
    pub from: Vec<String>,
    /// Whether who sends it may send as its authors: whoever has one address
    /// of ours must not get the name of another proved.
    pub may_be_theirs: bool,
}

/// What came of signing a message.
pub struct Signed {
    /// The fields to put in front of it, each with its CRLF.
    pub fields: String,
    /// What is remembered of it.
    pub facts: SigningFacts,
}

/// Messages above this are looked at on a thread for blocking work (octets).
const INLINE_OCTETS_MAX: usize = 128 * 1024;

impl Signing {
    /// Whether mail of any domain is to be signed.
    pub fn is_wanted(&self) -> bool {
        !self.domains.load().is_empty()
    }

    /// Puts the keys of new settings in force. Of a file that cannot be used
    /// the key that was read of it before stays.
    pub fn replace(&self, keys: Vec<SigningSettings>) -> Vec<SigningKeyError> {
        let before = self.domains.load_full();
        let known = |settings: &SigningSettings| {
            let of_domain = before.get(settings.domain.as_str())?;
            of_domain.iter().find(|named| named.settings == *settings)?.key.clone()
        };
        let mut domains: HashMap<String, Vec<NamedKey>> = HashMap::new();
        let mut errors = Vec::new();
        for settings in keys {
            let (key, problem) = match SigningKey::read(&settings.file) {
                Ok(key) => (Some(Arc::new(key)), None),
                Err(error) => {
                    let text: Arc<str> = error.to_string().into();
                    errors.push(error);
                    (known(&settings), Some(text))
                }
            };
            let named = NamedKey { key, problem, settings };
            domains.entry(named.settings.domain.to_string()).or_default().push(named);
        }
        self.domains.store(Arc::new(domains));
        errors
    }

    /// How each key of the settings is.
    pub fn status(&self) -> Vec<SigningStatus> {
        let domains = self.domains.load();
        let mut all: Vec<SigningStatus> = domains
            .values()
            .flatten()
            .map(|named| SigningStatus {
                settings: named.settings.clone(),
                signs: named.key.is_some(),
                problem: named.problem.clone(),
            })
            .collect();
        all.sort_by(|a, b| {
            let of =
                |one: &SigningStatus| (one.settings.domain.clone(), one.settings.selector.clone());
            of(a).cmp(&of(b))
        });
        all
    }

    /// Messages that left signed, and those that did not, since the start.
    pub fn counts(&self) -> (u64, u64) {
        (self.signed.load(Ordering::Relaxed), self.unsigned.load(Ordering::Relaxed))
    }

    /// Signs a message with every key of its author's domain. Never fails: a
    /// message that cannot be signed has no fields, and the facts say why.
    pub async fn sign(&self, leaving: Leaving, at: Timestamp) -> Signed {
        let keys = self.keys_of(&leaving.from);
        let keys = keys.and_then(|(domain, keys)| match leaving.may_be_theirs {
            true => Ok((domain, keys)),
            false => Err((domain, Unsigned::DeniedAuthor)),
        });
        let signed = match keys {
            Err(facts) => unsigned(facts),
            Ok((domain, keys)) => {
                // A signature with RSA takes as long as hundreds of commands.
                let elsewhere = keys.iter().any(|(_, key)| key.is_slow())
                    || leaving.message.octets().len() > INLINE_OCTETS_MAX;
                let failed = (domain.clone(), Unsigned::Failed);
                let work = move || sign_caught(&leaving, &domain, &keys, at);
                match elsewhere {
                    false => work(),
                    true => {
                        tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| unsigned(failed))
                    }
                }
            }
        };
        let count = if signed.facts.unsigned.is_none() { &self.signed } else { &self.unsigned };
        count.fetch_add(1, Ordering::Relaxed);
        signed
    }

    /// The author's domain with its keys.
    fn keys_of(&self, from: &[String]) -> Result<(String, Keys), (String, Unsigned)> {
        let domain = author_domain(from).map_err(|why| (String::new(), why))?;
        let domains = self.domains.load();
        let Some(named) = domains.get(&domain) else { return Err((domain, Unsigned::NoSelector)) };
        let key = |named: &NamedKey| Some((named.settings.selector.clone(), named.key.clone()?));
        let keys: Keys = named.iter().filter_map(key).collect();
        if keys.is_empty() { Err((domain, Unsigned::NoKey)) } else { Ok((domain, keys)) }
    }
}

type Keys = Vec<(Selector, Arc<SigningKey>)>;

fn unsigned((domain, why): (String, Unsigned)) -> Signed {
    let facts = SigningFacts { domain, signatures: Vec::new(), unsigned: Some(why) };
    Signed { fields: String::new(), facts }
}

/// The one domain that all authors are of.
fn author_domain(from: &[String]) -> Result<String, Unsigned> {
    let mut domain: Option<String> = None;
    for address in from {
        let Ok(address) = address.parse::<EmailAddress>() else {
            return Err(
                UnseenAuthors::of(address).map_or(Unsigned::NoAuthor, |_| Unsigned::HeaderTooLarge)
            );
        };
        match &domain {
            Some(known) if known != address.domain_key() => return Err(Unsigned::SeveralAuthors),
            Some(_) => {}
            None => domain = Some(address.domain_key().to_owned()),
        }
    }
    domain.ok_or(Unsigned::NoAuthor)
}

fn sign_caught(leaving: &Leaving, domain: &str, keys: &Keys, at: Timestamp) -> Signed {
    let sign = || sign_with(leaving, domain, keys, at);
    // What hostile content brings down must not take the session along.
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(sign))
        .unwrap_or(Err(Unsigned::Failed))
        .unwrap_or_else(|why| unsigned((domain.to_owned(), why)))
}

fn sign_with(
    leaving: &Leaving,
    domain: &str,
    keys: &Keys,
    at: Timestamp,
) -> Result<Signed, Unsigned> {
    let header = HeaderBlock::of(leaving.message.octets());
    if header.body_at().is_none() && !leaving.message.is_whole() {
        return Err(Unsigned::HeaderTooLarge);
    }
    let signed = SignedHeader::of(&header)?;
    let (mut fields, mut signatures) = (String::new(), Vec::new());
    for (selector, key) in keys {
        let brought = is_brought(leaving, domain, selector, key, at);
        if !brought {
            let field = SignatureField {
                domain,
                selector,
                algorithm: key.algorithm(),
                at,
                header: &signed,
                body_hash: &leaving.body_hash,
            };
            let field = field.unsigned();
            let signature = key.sign(&field.to_sign).map_err(|SigningFailed| Unsigned::Failed)?;
            fields += &field.signed(&signature);
        }
        let algorithm = key.algorithm().to_owned();
        signatures.push(OwnSignature { selector: selector.clone(), algorithm, brought });
    }
    let facts = SigningFacts { domain: domain.to_owned(), signatures, unsigned: None };
    Ok(Signed { fields, facts })
}

/// Whether the message has a valid signature with this key already. Others
/// are left alone: a mail server may sign with a key of its own.
fn is_brought(
    leaving: &Leaving,
    domain: &str,
    selector: &Selector,
    key: &SigningKey,
    at: Timestamp,
) -> bool {
    let message = &*leaving.message;
    if !message.is_whole() || !HeaderBlock::of(message.octets()).has("DKIM-Signature") {
        return false;
    }
    let Ok(record) = key.record() else { return false };
    let facts = verified_with(message, &selector.name_at(domain), &record, at);
    facts.signatures.iter().any(|one| {
        one.result == DkimResult::Pass
            && one.domain == domain
            && one.selector.eq_ignore_ascii_case(selector.as_str())
    })
}

#[cfg(test)]
mod tests;

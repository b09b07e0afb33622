//! Sender authentication: SPF, DKIM, DMARC and ARC. The library behind it,
//! mail-auth, is known here and nowhere else; outside, only our own facts are.
//!
//! It asks the world through [`Resolver`] alone. What cannot be found out is
//! a result like any other (`temperror`), and what follows is policy's
//! business.

mod answers;
mod apart;
mod chain;
mod dmarc;
mod dmarc_policy;
mod key_record;
mod names;
mod public_key;
mod signatures;
mod spf;
mod tags;

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use content::BodyHashes;
use mail_auth::MessageAuthenticator;
use mail_auth::hickory_resolver::config::{ResolverConfig, ResolverOpts};
use types::{ArcFacts, DkimFacts, DmarcFacts, DmarcResult, Flaw, SpfFacts, Timestamp};
use world::{Clock, Resolver};

use answers::Answers;
pub use dmarc_policy::{DmarcCounts, DmarcPolicy, Walked, dmarc_policy};
pub use key_record::{KeyRecord, key_record};
pub use signatures::SIGNATURES_MAX;
use signatures::Signed;
pub(crate) use spf::spf_heard;
pub use spf::{SpfNode, SpfProblem, SpfQuestion, SpfTerm, SpfTree, spf, spf_tree};

/// What the signatures of a message and the policy of its author say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Authenticated {
    /// The DKIM signatures.
    pub dkim: DkimFacts,
    /// Whether the author's domain stands behind the message.
    pub dmarc: DmarcFacts,
    /// The ARC chain.
    pub arc: ArcFacts,
}

/// A message whose data has arrived, as far as it is kept in memory.
pub trait Arrived: Send + Sync + 'static {
    /// The octets.
    fn octets(&self) -> &[u8];
    /// Whether they are all of the message.
    fn is_whole(&self) -> bool;
    /// The hashes of the whole body, where the octets are only the beginning of
    /// a message that may be signed.
    fn body_hashes(&self) -> Option<BodyHashes>;
}

/// What a message is judged with.
#[derive(Clone, Copy)]
pub struct AuthenticationQuestion<'a> {
    /// Comparable addresses of the From field.
    pub header_from: &'a [String],
    /// What SPF found, if it was asked.
    pub spf: Option<&'a SpfFacts>,
    /// Now.
    pub at: Timestamp,
    /// How long all keys, and then all policies, may take.
    pub deadline: Duration,
}

/// Messages above this are verified on a thread for blocking work (octets).
const VERIFIED_INLINE_OCTETS_MAX: usize = 128 * 1024;

/// Verifies the signatures of a message and asks for the policy of its
/// author. Never fails: what cannot be found out in time is a temporary
/// error.
pub async fn authenticate(
    message: Arc<dyn Arrived>,
    question: AuthenticationQuestion<'_>,
    resolver: &dyn Resolver,
    clock: &dyn Clock,
) -> Authenticated {
    let names = Signed::of(&*message).keys();
    let keys = tokio::select! {
        biased;
        keys = Answers::keys(names, resolver) => keys,
        () = clock.sleep(question.deadline) => Answers::default(),
    };
    let (dkim, arc) = verify(message, keys, question.at).await;
    let domains = dmarc::author_domains(question.header_from);
    let dmarc = tokio::select! {
        biased;
        facts = dmarc::dmarc(&domains, question.spf, &dkim, resolver, library()) => facts,
        () = clock.sleep(question.deadline) => DmarcFacts {
            result: DmarcResult::TempError,
            domain: domains.first().cloned().unwrap_or_default(),
            flaw: Some(Flaw::TimedOut),
            ..DmarcFacts::default()
        },
    };
    let are_known = dmarc::are_addresses(question.header_from);
    let dmarc = if are_known { dmarc } else { dmarc::of_a_part(dmarc) };
    Authenticated { dkim, dmarc, arc }
}

/// Verifies where it holds up nobody.
async fn verify(message: Arc<dyn Arrived>, keys: Answers, at: Timestamp) -> (DkimFacts, ArcFacts) {
    let octets = message.octets().len();
    let of_panic = Arc::clone(&message);
    let work = move || {
        let verify = || Signed::of(&*message).verify(&keys, library(), at);
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(verify))
    };
    let found = match octets <= VERIFIED_INLINE_OCTETS_MAX {
        true => work().ok(),
        false => tokio::task::spawn_blocking(work).await.ok().and_then(Result::ok),
    };
    // What hostile content brings down must not take the session along.
    found.unwrap_or_else(|| Signed::of(&*of_panic).not_looked_at(Flaw::TooLarge))
}

/// The signatures of a message, verified with one key alone, which is at hand:
/// its name and its record.
pub(crate) fn verified_with(
    message: &dyn Arrived,
    name: &str,
    record: &str,
    at: Timestamp,
) -> DkimFacts {
    let key = Answers::key(name, record);
    Signed::of(message).verify(&key, library(), at).0
}

/// The library. Its own resolver has no servers and is never asked: every
/// record it gets to see was fetched before.
fn library() -> &'static MessageAuthenticator {
    static LIBRARY: LazyLock<MessageAuthenticator> = LazyLock::new(|| {
        let nobody = ResolverConfig::from_parts(None, Vec::new(), Vec::new());
        MessageAuthenticator::new(nobody, ResolverOpts::default())
            .unwrap_or_else(|_| unreachable!("a resolver without servers needs nothing"))
    });
    &LIBRARY
}

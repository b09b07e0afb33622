//! DKIM and ARC: what of a message is signed by whom, and whether it still
//! is what was signed. Verification of DKIM is mail-auth's; bounds are ours,
//! because a message may carry thousands of signatures and a header of a
//! megabyte.

use std::borrow::Cow;

use content::{BodyHashes, BodyHashing, HeaderBlock};
use futures_util::FutureExt;
use mail_auth::crypto::Algorithm;
use mail_auth::dkim::{DkimError, Signature, VerifySignature};
use mail_auth::{
    AuthenticatedMessage, DkimOutput, DkimResult as LibraryResult, DnsError, Error,
    MessageAuthenticator, Parameters, arc,
};
use types::{ArcFacts, ArcResult, DkimFacts, DkimResult, Flaw, SignatureFacts, Timestamp};

use super::answers::Answers;
use super::chain::Chain;
use super::names::unrooted;
use super::{Arrived, apart, tags};

/// Most signatures of a message that are looked at.
pub const SIGNATURES_MAX: usize = 8;
/// Most keys that are fetched for one message, of signatures and seals.
const KEYS_MAX: usize = 24;
/// Longest signature field that is looked at, in octets: each name in it is
/// searched for in the whole header.
const SIGNATURE_OCTETS_MAX: usize = 4 * 1024;

/// A message as far as its signatures go.
pub(crate) struct Signed<'a> {
    /// All of it, or only its header.
    message: &'a [u8],
    /// The hashes of a body that is not in `message`.
    body: Option<BodyHashes>,
    /// Fields of the names that matter, in order.
    signatures: Vec<&'a [u8]>,
    seals: Vec<&'a [u8]>,
    sealed: Vec<&'a [u8]>,
    /// Why nothing is looked at.
    flaw: Option<Flaw>,
}

impl<'a> Signed<'a> {
    /// Finds the signatures of `arrived`.
    pub(crate) fn of(arrived: &'a dyn Arrived) -> Self {
        let message = arrived.octets();
        let header = HeaderBlock::of(message);
        let named = |name: &str| header.all(name).map(|field| field.value).collect::<Vec<_>>();
        let signatures = named("DKIM-Signature");
        let seals = named("ARC-Seal");
        let is_signed = !signatures.is_empty() || !seals.is_empty();
        let body = match arrived.is_whole() || !is_signed {
            true => None,
            false => arrived.body_hashes(),
        };
        let large = (!arrived.is_whole() && body.is_none()) || header.is_too_large_for_signatures();
        // Programs do not agree where such a header ends, so what is shown to
        // people need not be what was signed, whichever way we read it.
        let is_ambiguous = || !header.is_all_fields();
        let flaw = match large {
            true => Some(Flaw::TooLarge),
            false => is_ambiguous().then_some(Flaw::Syntax),
        };
        let shown = header.body_at().filter(|_| body.is_some()).unwrap_or(message.len());
        Signed {
            message: message.get(..shown).unwrap_or(message),
            body,
            signatures,
            seals,
            sealed: named("ARC-Message-Signature"),
            flaw,
        }
    }

    /// Whether there is anything to verify.
    fn is_bare(&self) -> bool {
        self.signatures.is_empty() && self.seals.is_empty() && self.sealed.is_empty()
    }

    fn looked_at(&self) -> impl Iterator<Item = &&'a [u8]> {
        self.signatures.iter().take(SIGNATURES_MAX)
    }

    /// The names under which the keys of its signatures stand, once each.
    pub(crate) fn keys(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        let mut add = |signature: &dyn Keyed| {
            let name = unrooted(&signature.key()).to_lowercase();
            if names.len() < KEYS_MAX && !names.contains(&name) {
                names.push(name);
            }
        };
        if self.flaw.is_some() {
            return names;
        }
        let short = |value: &&&[u8]| is_short(value);
        self.looked_at()
            .filter(short)
            .filter_map(|value| Signature::parse(value).ok())
            .for_each(|signature| add(&signature));
        let sealed = self.sealed.iter().filter(short);
        sealed.filter_map(|v| arc::Signature::parse(v).ok()).for_each(|s| add(&s));
        let seals = self.seals.iter().filter(short);
        seals.filter_map(|v| arc::Seal::parse(v).ok()).for_each(|s| add(&s));
        names
    }

    /// Verifies with the keys that were fetched. `at` is the time now; the
    /// library has a clock of its own, which can only refuse more.
    pub(crate) fn verify(
        &self,
        keys: &Answers,
        library: &MessageAuthenticator,
        at: Timestamp,
    ) -> (DkimFacts, ArcFacts) {
        if self.is_bare() {
            return (DkimFacts::default(), ArcFacts::default());
        }
        if let Some(flaw) = self.flaw {
            return self.not_looked_at(flaw);
        }
        let shown = self.within_limits();
        let Some(message) = AuthenticatedMessage::parse(&shown) else {
            return self.not_looked_at(Flaw::Syntax);
        };
        let asked = || Parameters::new(&message).with_cache(keys);
        let dkim = match &self.body {
            Some(body) => apart::verified(&message, body, keys),
            // Everything is at hand, so it waits for nothing.
            None => library.verify_dkim(asked()).now_or_never().unwrap_or_default(),
        };
        (self.dkim_facts(&dkim, at), self.arc_facts(keys, at))
    }

    /// The facts where nothing is looked at: whom the signatures claim to be
    /// of, which says what they might have proved.
    pub(crate) fn not_looked_at(&self, flaw: Flaw) -> (DkimFacts, ArcFacts) {
        let claimed = |value: &&&[u8]| match is_readable(value) {
            true => Signature::parse(value).ok(),
            false => None,
        };
        let claims = self.looked_at().filter_map(|value| claimed(&value));
        let signatures: Vec<SignatureFacts> =
            claims.map(|claim| named(&claim).found(DkimResult::Neutral, Some(flaw))).collect();
        let dkim = match self.signatures.is_empty() {
            true => DkimFacts::default(),
            false => DkimFacts {
                result: DkimResult::Neutral,
                ignored: count(self.signatures.len().saturating_sub(signatures.len())),
                flaw: Some(flaw),
                signatures,
            },
        };
        let arc = match self.sealed.is_empty() {
            true => ArcFacts::default(),
            false => ArcFacts {
                result: ArcResult::Fail,
                sets: count(self.sealed.len()),
                flaw: Some(flaw),
                ..ArcFacts::default()
            },
        };
        (dkim, arc)
    }

    /// The message without the signatures that are not looked at, so that
    /// the library sees none of them. There is nothing but fields in its
    /// header, so that nothing else gets lost.
    fn within_limits(&self) -> Cow<'a, [u8]> {
        let fits = |place: usize, value: &[u8]| place < SIGNATURES_MAX && is_readable(value);
        if self.signatures.iter().enumerate().all(|(place, value)| fits(place, value)) {
            return Cow::Borrowed(self.message);
        }
        let header = HeaderBlock::of(self.message);
        let mut place = 0;
        let mut kept = Vec::with_capacity(self.message.len());
        for field in header.fields() {
            if field.is("DKIM-Signature") {
                place += 1;
                if !fits(place - 1, field.value) {
                    continue;
                }
            }
            kept.extend_from_slice(field.name);
            kept.push(b':');
            kept.extend_from_slice(field.value);
            kept.extend_from_slice(b"\r\n");
        }
        kept.extend_from_slice(b"\r\n");
        let body = header.body_at().and_then(|at| self.message.get(at..));
        kept.extend_from_slice(body.unwrap_or_default());
        Cow::Owned(kept)
    }

    fn dkim_facts(&self, outputs: &[DkimOutput<'_>], at: Timestamp) -> DkimFacts {
        // Those that could be read stand in the order of the header.
        let mut verified = outputs.iter().filter(|output| output.signature().is_some());
        let signatures: Vec<SignatureFacts> =
            self.looked_at().map(|value| one(value, &mut verified, at)).collect();
        DkimFacts {
            result: of_all(&signatures),
            ignored: count(self.signatures.len().saturating_sub(signatures.len())),
            signatures,
            flaw: None,
        }
    }

    fn arc_facts(&self, keys: &Answers, at: Timestamp) -> ArcFacts {
        if self.seals.is_empty() && self.sealed.is_empty() {
            return ArcFacts::default();
        }
        let chain = Chain::of(HeaderBlock::of(self.message));
        let found = match &chain {
            Ok(chain) => chain.verify(&self.body_hashes(), keys, at),
            Err(error) => LibraryResult::Fail(error.clone()),
        };
        let (result, flaw) = match &found {
            LibraryResult::Pass => (ArcResult::Pass, None),
            LibraryResult::None => (ArcResult::Fail, Some(Flaw::BrokenChain)),
            LibraryResult::TempError(_) => (ArcResult::TempError, Some(Flaw::ServerFailure)),
            LibraryResult::Fail(error)
            | LibraryResult::Neutral(error)
            | LibraryResult::PermError(error) => (ArcResult::Fail, Some(flaw_of(error))),
        };
        let sealer = chain.as_ref().ok().and_then(Chain::sealer).map(shown).unwrap_or_default();
        ArcFacts { result, sets: count(self.sealed.len().max(self.seals.len())), sealer, flaw }
    }

    /// The hashes of the body, wherever it is.
    fn body_hashes(&self) -> BodyHashes {
        self.body.unwrap_or_else(|| {
            let mut hashing = BodyHashing::default();
            hashing.push(self.message);
            hashing.hashes()
        })
    }
}

/// What has a key under a name.
trait Keyed {
    fn key(&self) -> String;
}

impl<T: VerifySignature> Keyed for T {
    fn key(&self) -> String {
        self.domain_key()
    }
}

/// Whether a signature field is looked at.
fn is_readable(value: &[u8]) -> bool {
    is_short(value) && tags::is_sound(value, tags::DKIM)
}

/// Whether a field is short enough to be looked at, signature or seal.
pub(super) fn is_short(value: &[u8]) -> bool {
    value.len() <= SIGNATURE_OCTETS_MAX
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// What is kept of a text of the sender's.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(253).collect()
}

/// The facts of one signature field.
fn one<'o>(
    value: &[u8],
    verified: &mut impl Iterator<Item = &'o DkimOutput<'o>>,
    at: Timestamp,
) -> SignatureFacts {
    if !is_short(value) {
        return unreadable(Flaw::TooLarge);
    }
    let signature = match Signature::parse(value) {
        Ok(signature) => signature,
        Err(error) => return unreadable(flaw_of(&error)),
    };
    if !is_readable(value) {
        return unreadable(Flaw::Syntax);
    }
    let facts = named(&signature);
    // What is behind the part that is signed, anybody can write (RFC 6376
    // section 8.2); the library leaves these out.
    if signature.l > 0 {
        return facts.found(DkimResult::Policy, Some(Flaw::LengthLimited));
    }
    let Some(output) = verified.next() else {
        return facts.found(DkimResult::Neutral, Some(Flaw::Syntax));
    };
    // Else anybody could put another author over what was signed (RFC 6376
    // section 6.1.1); the library does not look.
    if !signature.h.iter().any(|name| name.eq_ignore_ascii_case("From")) {
        return facts.found(DkimResult::PermError, Some(Flaw::AuthorUnsigned));
    }
    let (result, flaw) = translated(output.result());
    if result == DkimResult::Pass && signature.a == Algorithm::RsaSha1 {
        // RFC 8301 section 3.1.
        return facts.found(DkimResult::Policy, Some(Flaw::Unsupported));
    }
    let now_s = u64::try_from(at.as_millis() / 1_000).unwrap_or(0);
    if result == DkimResult::Pass && signature.x > 0 && signature.x <= now_s {
        return facts.found(DkimResult::Fail, Some(Flaw::Expired));
    }
    facts.found(result, flaw)
}

/// Whom a signature names, before anything is known about it.
fn named(signature: &Signature) -> SignatureFacts {
    SignatureFacts {
        domain: shown(&signature.d).to_lowercase(),
        selector: shown(&signature.s),
        algorithm: signature.a.name().to_owned(),
        ..SignatureFacts::default()
    }
}

trait Found {
    fn found(self, result: DkimResult, flaw: Option<Flaw>) -> Self;
}

impl Found for SignatureFacts {
    fn found(self, result: DkimResult, flaw: Option<Flaw>) -> Self {
        SignatureFacts { result, flaw, ..self }
    }
}

fn unreadable(flaw: Flaw) -> SignatureFacts {
    SignatureFacts::default().found(DkimResult::Neutral, Some(flaw))
}

/// The library calls a changed body and an expired signature neutral; both
/// are failures (RFC 6376 section 6.1.3, RFC 8601 section 2.7.1).
fn translated(result: &LibraryResult) -> (DkimResult, Option<Flaw>) {
    match result {
        LibraryResult::Pass => (DkimResult::Pass, None),
        LibraryResult::None => (DkimResult::None, None),
        LibraryResult::TempError(_) => (DkimResult::TempError, Some(Flaw::ServerFailure)),
        LibraryResult::PermError(error) => (DkimResult::PermError, Some(flaw_of(error))),
        LibraryResult::Fail(error) => (DkimResult::Fail, Some(flaw_of(error))),
        LibraryResult::Neutral(error) => match flaw_of(error) {
            flaw @ (Flaw::BodyChanged | Flaw::Expired) => (DkimResult::Fail, Some(flaw)),
            flaw => (DkimResult::Neutral, Some(flaw)),
        },
    }
}

/// What a mistake of the library means.
pub(super) fn flaw_of(error: &Error) -> Flaw {
    match error {
        Error::Dns(DnsError::RecordNotFound(_)) => Flaw::NoKey,
        Error::Dns(DnsError::Resolver(_)) => Flaw::ServerFailure,
        Error::Dns(DnsError::InvalidRecordType) => Flaw::KeyUnusable,
        Error::Dkim(error) => match error {
            DkimError::BodyHashMismatch => Flaw::BodyChanged,
            DkimError::SignatureExpired => Flaw::Expired,
            DkimError::PublicKeyRevoked => Flaw::KeyRevoked,
            DkimError::AuidMismatch => Flaw::ForeignIdentity,
            DkimError::BodyLengthTag => Flaw::LengthLimited,
            DkimError::UnsupportedKeyType => Flaw::KeyUnusable,
            DkimError::UnsupportedVersion
            | DkimError::UnsupportedAlgorithm
            | DkimError::UnsupportedCanonicalization => Flaw::Unsupported,
        },
        Error::Crypto(mail_auth::crypto::CryptoError::MalformedPublicKey) => Flaw::KeyUnusable,
        Error::Crypto(_) => Flaw::BadSignature,
        Error::Arc(error) => match error {
            arc::ArcError::BodyHashMismatch => Flaw::BodyChanged,
            arc::ArcError::SignatureExpired => Flaw::Expired,
            arc::ArcError::BodyLengthTag => Flaw::LengthLimited,
            arc::ArcError::ChainTooLong => Flaw::TooMany,
            _ => Flaw::BrokenChain,
        },
        _ => Flaw::Syntax,
    }
}

/// The answer for the message: the best there is, where a failure says more
/// than a signature that could not be read.
fn of_all(signatures: &[SignatureFacts]) -> DkimResult {
    use DkimResult::{Fail, Neutral, Pass, PermError, Policy, TempError};
    let order = [Pass, TempError, Fail, PermError, Policy, Neutral];
    let has = |result: &DkimResult| signatures.iter().any(|one| one.result == *result);
    order.into_iter().find(has).unwrap_or_default()
}

//! The chain of ARC sets of a message (RFC 8617 section 5.2): who handled it
//! on the way, and what each of them had found out about its sender.
//!
//! The library validates chains too, of messages that it is shown whole and
//! more strictly than the public suite; here it reads the fields, and seals in
//! the tests.
//!
//! Two things are read as that suite has them, which was written for a draft:
//! a signature without `c=` may be in relaxed form, and `h=` may be empty. A
//! chain is a hint that is shown and written down and decides nothing, so
//! neither lets anybody in.

use content::{BodyHashes, Field, HeaderBlock, HeaderForm};
use mail_auth::arc::{ArcAuthResults, ArcError, ChainValidation, Seal, Signature};
use mail_auth::crypto::CryptoError;
use mail_auth::dkim::{Canonicalization, DkimError, VerifySignature};
use mail_auth::{DkimResult, Error};
use types::Timestamp;

use super::answers::Answers;
use super::public_key::PublicKey;
use super::tags;

/// Most sets of a chain (RFC 8617 section 4.2.1).
const SETS_MAX: usize = 50;

/// The sets of a message, oldest first.
pub(super) struct Chain<'a> {
    header: HeaderBlock<'a>,
    sets: Vec<Set<'a>>,
}

/// What one handler added.
struct Set<'a> {
    results: Field<'a>,
    signature: (Field<'a>, Signature),
    seal: (Field<'a>, Seal),
}

impl<'a> Chain<'a> {
    /// Reads the sets of a header.
    ///
    /// # Errors
    /// They are no chain: one cannot be read, or they do not follow one
    /// another (RFC 8617 section 5.2, steps 1 to 3).
    pub(super) fn of(header: HeaderBlock<'a>) -> Result<Self, Error> {
        let all = |name: &str| header.all(name).collect::<Vec<_>>();
        let [results, signatures, seals] = NAMES.map(all);
        let count = seals.len();
        if count > SETS_MAX {
            return Err(Error::Arc(ArcError::ChainTooLong));
        }
        if results.len() != count || signatures.len() != count {
            return Err(Error::Arc(ArcError::BrokenChain));
        }
        let results = in_order(results, |field| Ok(ArcAuthResults::parse(field.value)?.i))?;
        let signatures = in_order(signatures, |field| signature(field.value))?;
        let seals = in_order(seals, |field| seal(field.value))?;
        let sets = results.into_iter().zip(signatures).zip(seals);
        let sets = sets.map(|(((results, _), signature), seal)| Set { results, signature, seal });
        Ok(Chain { header, sets: sets.collect() })
    }

    /// The domain of the newest seal.
    pub(super) fn sealer(&self) -> Option<&str> {
        self.sets.last().map(|set| set.seal.1.d.as_str())
    }

    /// Verifies the newest signature and all seals (RFC 8617 section 5.2,
    /// steps 4 to 6).
    pub(super) fn verify(&self, body: &BodyHashes, keys: &Answers, at: Timestamp) -> DkimResult {
        let Some(newest) = self.sets.last() else { return DkimResult::None };
        let is_passed = |(place, set): (usize, &Set<'_>)| match place {
            0 => set.seal.1.cv == ChainValidation::None,
            _ => set.seal.1.cv == ChainValidation::Pass,
        };
        if !self.sets.iter().enumerate().all(is_passed) {
            return DkimResult::Fail(Error::Arc(ArcError::InvalidChainValidation));
        }
        match self.signature_holds(newest, body, keys, at).and_then(|()| self.seals_hold(keys)) {
            Ok(()) => DkimResult::Pass,
            Err(result) => result,
        }
    }

    fn signature_holds(
        &self,
        set: &Set<'_>,
        body: &BodyHashes,
        keys: &Answers,
        at: Timestamp,
    ) -> Result<(), DkimResult> {
        let (field, signature) = &set.signature;
        let failed = |error| Err(DkimResult::Fail(Error::Arc(error)));
        let now_s = u64::try_from(at.as_millis() / 1_000).unwrap_or(0);
        if signature.x > 0 && (signature.x <= signature.t || signature.x <= now_s) {
            return failed(ArcError::SignatureExpired);
        }
        let forms = forms(field.value, signature);
        let hash = |form: Canonicalization| match form {
            Canonicalization::Relaxed => &body.relaxed,
            Canonicalization::Simple => &body.simple,
        };
        if !forms.iter().any(|(_, form)| hash(*form).as_slice() == signature.bh) {
            return failed(ArcError::BodyHashMismatch);
        }
        let signed = signed(&self.header, &signature.h);
        let covered = |form: HeaderForm| covered(form, signed.iter().copied(), *field);
        let key = key_of(signature, keys)?;
        let fits = forms.iter().any(|(form, _)| key.fits(signature, &covered(*form)));
        if fits { Ok(()) } else { Err(not_verified()) }
    }

    /// A seal covers all sets before its own, and its own (RFC 8617 section
    /// 5.1.1).
    fn seals_hold(&self, keys: &Answers) -> Result<(), DkimResult> {
        let mut before: Vec<u8> = Vec::new();
        for Set { results, signature, seal } in &self.sets {
            for field in [results, &signature.0] {
                HeaderForm::Relaxed.append(*field, &mut before);
            }
            let own = covered(HeaderForm::Relaxed, std::iter::empty(), seal.0);
            let length = before.len();
            before.extend_from_slice(&own);
            if !key_of(&seal.1, keys)?.fits(&seal.1, &before) {
                return Err(not_verified());
            }
            before.truncate(length);
            HeaderForm::Relaxed.append(seal.0, &mut before);
        }
        Ok(())
    }
}

/// The fields of a set (RFC 8617 section 4.1).
const NAMES: [&str; 3] = ["ARC-Authentication-Results", "ARC-Message-Signature", "ARC-Seal"];

/// What has a number in its chain.
trait Numbered {
    fn number(&self) -> u32;
}

impl Numbered for u32 {
    fn number(&self) -> u32 {
        *self
    }
}

impl Numbered for Signature {
    fn number(&self) -> u32 {
        self.i
    }
}

impl Numbered for Seal {
    fn number(&self) -> u32 {
        self.i
    }
}

/// Reads fields and puts them into the order of their numbers, which are 1, 2,
/// 3 and so on, each once.
fn in_order<'a, T: Numbered>(
    fields: Vec<Field<'a>>,
    read: impl Fn(&Field<'a>) -> Result<T, Error>,
) -> Result<Vec<(Field<'a>, T)>, Error> {
    let read = fields.into_iter().map(|field| Ok((field, read(&field)?)));
    let mut read = read.collect::<Result<Vec<_>, Error>>()?;
    read.sort_by_key(|(_, one)| one.number());
    for (number, (_, one)) in (1..).zip(&read) {
        if one.number() != number {
            return Err(Error::Arc(ArcError::InvalidInstance(number)));
        }
    }
    Ok(read)
}

/// A signature that follows its grammar: all tags there, each once, with an
/// algorithm that is in use, and no seal among what it covers (RFC 8617
/// section 4.1.2).
fn signature(value: &[u8]) -> Result<Signature, Error> {
    let names = tags::tag(value, "h").unwrap_or_default();
    if !is_sound(value, tags::ARC_SIGNATURE) || names.split(':').any(|name| name == "arc-seal") {
        return Err(Error::MissingParameters);
    }
    let signature = match names.is_empty() {
        false => Signature::parse(value)?,
        // The library wants a name.
        true => Signature { h: Vec::new(), ..Signature::parse(&tags::with(value, "h", b"-"))? },
    };
    match signature.l {
        0 => Ok(signature),
        // What is behind the part that is signed, anybody can write.
        _ => Err(Error::Arc(ArcError::BodyLengthTag)),
    }
}

/// A seal that follows its grammar (RFC 8617 section 4.1.3).
fn seal(value: &[u8]) -> Result<Seal, Error> {
    match is_sound(value, tags::ARC_SEAL) {
        true => Seal::parse(value),
        false => Err(Error::MissingParameters),
    }
}

fn is_sound(value: &[u8], required: &[&str]) -> bool {
    let algorithm = tags::tag(value, "a");
    super::signatures::is_short(value)
        && tags::is_sound(value, required)
        && matches!(algorithm.as_deref(), Some("rsa-sha256" | "ed25519-sha256"))
}

/// The forms in which header and body may have been signed.
fn forms(value: &[u8], signature: &Signature) -> Vec<(HeaderForm, Canonicalization)> {
    let form = |form| match form {
        Canonicalization::Relaxed => HeaderForm::Relaxed,
        Canonicalization::Simple => HeaderForm::Simple,
    };
    let mut forms = vec![(form(signature.ch), signature.cb)];
    if tags::tag(value, "c").is_none() {
        forms.push((HeaderForm::Relaxed, Canonicalization::Relaxed));
    }
    forms
}

/// The fields that a signature names: of several of one name the last is meant
/// first (RFC 6376 section 5.4.2). A name without a field stands for none.
fn signed<'a>(header: &HeaderBlock<'a>, names: &[String]) -> Vec<Field<'a>> {
    let mut left: Vec<Option<Field<'a>>> = header.fields().map(Some).collect();
    let mut take = |name: &String| {
        let is_meant = |field: &Option<Field<'_>>| field.is_some_and(|field| field.is(name));
        let place = left.iter().rposition(is_meant)?;
        left.get_mut(place)?.take()
    };
    names.iter().filter_map(&mut take).collect()
}

/// The octets that were signed: some fields, then the one with the signature
/// itself, without its signature and its line end (RFC 6376 section 3.7).
fn covered<'a>(
    form: HeaderForm,
    fields: impl Iterator<Item = Field<'a>>,
    own: Field<'_>,
) -> Vec<u8> {
    let mut octets = Vec::new();
    fields.for_each(|field| form.append(field, &mut octets));
    let value = tags::with(own.value, "b", b"");
    form.append(Field { value: &value, ..own }, &mut octets);
    octets.truncate(octets.len() - b"\r\n".len());
    octets
}

fn key_of(signature: &impl VerifySignature, keys: &Answers) -> Result<PublicKey, DkimResult> {
    let (_, record) = keys.domain_key(&signature.domain_key()).map_err(DkimResult::from)?;
    let unusable = || DkimResult::PermError(Error::Dkim(DkimError::UnsupportedKeyType));
    PublicKey::of(record).ok_or_else(unusable)
}

fn not_verified() -> DkimResult {
    DkimResult::Fail(Error::Crypto(CryptoError::FailedVerification))
}

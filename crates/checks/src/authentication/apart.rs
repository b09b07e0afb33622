//! DKIM signatures of a message that is not kept whole. Its header is at hand
//! and its body was hashed while it arrived, so that its size does not matter.
//!
//! The library verifies only what it is shown whole. What a signature covers
//! of the header is still told by it; the two comparisons that are left, of the
//! body's hash and with the key, are made here, in the library's order and with
//! its errors. A test holds both ways against each other.

use content::BodyHashes;
use mail_auth::crypto::{Algorithm, CryptoError};
use mail_auth::dkim::{Canonicalization, DkimError, Signature, VerifySignature};
use mail_auth::{AuthenticatedMessage, DkimOutput, DkimResult, DnsError, Error};
use types::authentication::is_within;

use super::answers::Answers;
use super::public_key::PublicKey;

/// What each signature that could be read is worth, in order. `message` is a
/// header alone: what the library takes for a body in it is in neither hash.
pub(super) fn verified<'m>(
    message: &'m AuthenticatedMessage<'m>,
    body: &BodyHashes,
    keys: &Answers,
) -> Vec<DkimOutput<'m>> {
    let signatures = message.dkim_signatures().iter().map(|field| &field.header);
    signatures
        .enumerate()
        .map(|(place, signature)| {
            let result = match verify(message, place, signature, body, keys) {
                Ok(()) => DkimResult::Pass,
                Err(result) => result,
            };
            DkimOutput::from(result).with_signature(signature)
        })
        .collect()
}

fn verify(
    message: &AuthenticatedMessage<'_>,
    place: usize,
    signature: &Signature,
    body: &BodyHashes,
    keys: &Answers,
) -> Result<(), DkimResult> {
    let neutral = |error| Err(DkimResult::Neutral(Error::Dkim(error)));
    if !message.raw_body().is_empty() {
        return neutral(DkimError::BodyHashMismatch);
    }
    if signature.x != 0 && signature.x <= signature.t {
        return neutral(DkimError::SignatureExpired);
    }
    if !matches!(signature.a, Algorithm::RsaSha256 | Algorithm::Ed25519Sha256) {
        return neutral(DkimError::UnsupportedAlgorithm);
    }
    let hash = match signature.cb {
        Canonicalization::Relaxed => &body.relaxed,
        Canonicalization::Simple => &body.simple,
    };
    if hash.as_slice() != signature.bh.as_slice() {
        return neutral(DkimError::BodyHashMismatch);
    }
    let (published, record) = keys.domain_key(&signature.domain_key()).map_err(DkimResult::from)?;
    if !is_own_identity(signature, published.requires_strict_identity()) {
        return Err(DkimResult::Fail(Error::Dkim(DkimError::AuidMismatch)));
    }
    // The library read this key. If we cannot, nobody must be refused for it.
    let unread = || DkimResult::TempError(Error::Dns(DnsError::Resolver(String::new())));
    let key = PublicKey::of(record).ok_or_else(unread)?;
    let fits = covered(message, place).is_some_and(|covered| key.fits(signature, &covered));
    let failed = || DkimResult::Fail(Error::Crypto(CryptoError::FailedVerification));
    if fits { Ok(()) } else { Err(failed()) }
}

/// Whether `i=`, where it is there, is of the signing domain, or below it
/// unless the key says no (RFC 6376 section 3.6.1).
fn is_own_identity(signature: &Signature, exactly: bool) -> bool {
    if signature.i.is_empty() {
        return true;
    }
    let domain = signature.d.to_lowercase();
    let identity = signature.i.rsplit_once('@').map(|(_, of)| of.to_lowercase());
    identity.is_some_and(|of| if exactly { of == domain } else { is_within(&of, &domain) })
}

/// The octets of the header that the signature at this place signs. The library
/// tells them of the first alone.
fn covered(message: &AuthenticatedMessage<'_>, place: usize) -> Option<Vec<u8>> {
    let mut only = message.clone();
    let mut at = 0..;
    only.retain_dkim_signatures(|_| match at.next() == Some(place) {
        true => Ok(()),
        false => Err(DkimError::UnsupportedVersion),
    });
    only.canonicalized_dkim_headers()
}

#[cfg(test)]
mod tests {
    use content::BodyHashing;

    use super::*;

    /// Signed with the key of RFC 8463 appendix A.2.
    const HEADER: &str = "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed; \
        d=corp.example; s=k1; h=from:subject; bh=DD3L33E64/RV0CUJdfGTtPGKU7OPJpo/2LxOdf3k0RI=; \
        b=5opKFORt9uqVypDe2d8G08Wcuyo/LLpUCRWfFHXBOiUC1JYBROcfa6pIVxBK7Fjkrd6qmZPqaTOdjpjqr+ViDg==\r\n\
        From: Bob <bob@corp.example>\r\nSubject: Hello\r\n";

    #[test]
    fn what_is_in_neither_hash_is_signed_by_nobody() {
        let record = "k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
        let key = Answers::key("k1._domainkey.corp.example", record);
        let mut body = BodyHashing::default();
        body.push(b"\r\nHello Bob.\r\n");
        let changed = DkimResult::Neutral(Error::Dkim(DkimError::BodyHashMismatch));
        for (lines, expected) in [("", DkimResult::Pass), ("Pay now\r\n", changed)] {
            let header = format!("{HEADER}{lines}\r\n");
            let message = AuthenticatedMessage::parse(header.as_bytes()).unwrap();
            let found = verified(&message, &body.hashes(), &key);
            assert_eq!(found[0].result(), &expected, "{lines}");
        }
    }
}

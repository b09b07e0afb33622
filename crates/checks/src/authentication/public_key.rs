//! The key behind a signature, as it is published under its name.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{
    ED25519, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, UnparsedPublicKey,
};
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use mail_auth::crypto::Algorithm;
use mail_auth::dkim::VerifySignature;

use super::tags;

/// A key as it is published.
pub(super) struct PublicKey {
    kind: Vec<u8>,
    octets: Vec<u8>,
}

impl PublicKey {
    /// The key in `record`, a list of tags. Where a tag is there more than
    /// once, the library takes the last.
    pub(super) fn of(record: &[u8]) -> Option<PublicKey> {
        let kind = tags::of_record(record, "k").rfind(|kind| !kind.is_empty());
        let octets = tags::of_record(record, "p").rev().find_map(|text| decoded(&text))?;
        Some(PublicKey {
            kind: kind.unwrap_or_else(|| b"rsa".to_vec()).to_ascii_lowercase(),
            octets,
        })
    }

    /// Whether a signature is of this key.
    pub(super) fn fits(&self, signature: &impl VerifySignature, covered: &[u8]) -> bool {
        match (signature.algorithm(), self.kind.as_slice()) {
            (Algorithm::RsaSha256, b"rsa") => UnparsedPublicKey::new(
                &RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
                &self.octets,
            )
            .verify(covered, signature.signature())
            .is_ok(),
            // RFC 8463 section 3: the hash is what is signed.
            (Algorithm::Ed25519Sha256, b"ed25519") => {
                UnparsedPublicKey::new(&ED25519, &self.octets)
                    .verify(digest(&SHA256, covered).as_ref(), signature.signature())
                    .is_ok()
            }
            _ => false,
        }
    }
}

/// Base64 as generously as the library reads it: padding is as good as none, a
/// symbol too many is dropped, and bits too many do not matter.
fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    const GENEROUS: GeneralPurpose = GeneralPurpose::new(
        &STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::RequireNone)
            .with_decode_allow_trailing_bits(true),
    );
    let end = text.iter().rposition(|octet| *octet != b'=').map_or(0, |last| last + 1);
    let symbols = text.get(..end)?;
    let symbols = match symbols.split_last() {
        Some((octet, before)) if before.len() % 4 == 0 && is_symbol(*octet) => before,
        _ => symbols,
    };
    GENEROUS.decode(symbols).ok()
}

fn is_symbol(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_generously_as_the_library_reads_them() {
        for (record, expected) in [
            (&b"p=AAEC"[..], Some((&b"rsa"[..], &[0, 1, 2][..]))),
            (b"k=; p=AAE=", Some((b"rsa", &[0, 1]))),
            (b"K=Ed25519; n=f\xfcr; P=AA E", Some((b"ed25519", &[0, 1]))),
            (b"p=AAEC; p=!; k=rsa", Some((b"rsa", &[0, 1, 2]))),
            (b"p=AAF", Some((b"rsa", &[0, 1]))),
            (b"p=AAECA", Some((b"rsa", &[0, 1, 2]))),
            (b"p=A!", None),
            (b"p=!", None),
            (b"k=rsa", None),
        ] {
            let key = PublicKey::of(record);
            let found = key.as_ref().map(|key| (key.kind.as_slice(), key.octets.as_slice()));
            assert_eq!(found, expected, "{}", record.escape_ascii());
        }
    }
}

//! A key that signs for a domain: its file, its public half, its signature.

use std::io;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;

/// What kind of key to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// RSA with 2048 bits, which everybody can verify (RFC 8301).
    Rsa2048,
    /// RSA with 4096 bits.
    Rsa4096,
    /// Ed25519 (RFC 8463), small and quick; not everybody knows it yet.
    Ed25519,
}

/// A private key.
pub struct SigningKey(Secret);

enum Secret {
    Rsa(Box<RsaKeyPair>),
    Ed25519(Box<Ed25519KeyPair>),
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({})", self.algorithm())
    }
}

/// Why a key cannot be used. The operator's to mend; it quotes nothing of the
/// file.
#[derive(Debug, thiserror::Error)]
pub enum SigningKeyError {
    /// The file cannot be read.
    #[error("cannot read {path}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        error: io::Error,
    },
    /// There is no private key in it that we can use.
    #[error(
        "{path} holds no key that can sign: PEM of an unencrypted RSA key of 2048 to 8192 bits, or \
         of an Ed25519 key, is needed"
    )]
    Unusable {
        /// Which file.
        path: PathBuf,
    },
}

/// The library could not make a key, or not sign with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the cryptographic library failed")]
pub struct SigningFailed;

/// Longest key file that is read, in octets.
const FILE_OCTETS_MAX: u64 = 64 * 1024;

impl SigningKey {
    /// A new key, and the text of its file (PKCS#8, PEM).
    ///
    /// # Errors
    /// The library failed.
    pub fn generate(kind: KeyKind) -> Result<(SigningKey, String), SigningFailed> {
        let failed = |_| SigningFailed;
        let rsa = |size| -> Result<_, SigningFailed> {
            let pair = RsaKeyPair::generate(size).map_err(failed)?;
            let der: Pkcs8V1Der<'_> = pair.as_der().map_err(failed)?;
            let text = pem(der.as_ref());
            Ok((SigningKey(Secret::Rsa(Box::new(pair))), text))
        };
        match kind {
            KeyKind::Rsa2048 => rsa(KeySize::Rsa2048),
            KeyKind::Rsa4096 => rsa(KeySize::Rsa4096),
            KeyKind::Ed25519 => {
                let pair = Ed25519KeyPair::generate().map_err(failed)?;
                let der: Pkcs8V1Der<'_> = pair.as_der().map_err(failed)?;
                let text = pem(der.as_ref());
                Ok((SigningKey(Secret::Ed25519(Box::new(pair))), text))
            }
        }
    }

    /// Reads a key from its file.
    ///
    /// # Errors
    /// The file cannot be read, or holds no key that can be used.
    pub fn read(path: &Path) -> Result<SigningKey, SigningKeyError> {
        let unreadable = |error| SigningKeyError::Unreadable { path: path.to_path_buf(), error };
        let file = std::fs::File::open(path).map_err(unreadable)?;
        let mut text = Vec::new();
        io::Read::read_to_end(&mut io::Read::take(file, FILE_OCTETS_MAX), &mut text)
            .map_err(unreadable)?;
        SigningKey::parse(&text)
            .ok_or_else(|| SigningKeyError::Unusable { path: path.to_path_buf() })
    }

    /// A key from the text of its file.
    pub fn parse(text: &[u8]) -> Option<SigningKey> {
        match PrivateKeyDer::from_pem_slice(text).ok()? {
            PrivateKeyDer::Pkcs8(der) => {
                let der = der.secret_pkcs8_der();
                let rsa = RsaKeyPair::from_pkcs8(der).ok().map(|pair| Secret::Rsa(Box::new(pair)));
                // A key that OpenSSL made says nothing of its public half.
                let other = || Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).ok();
                rsa.or_else(|| other().map(|pair| Secret::Ed25519(Box::new(pair))))
            }
            PrivateKeyDer::Pkcs1(der) => {
                let pair = RsaKeyPair::from_der(der.secret_pkcs1_der()).ok()?;
                Some(Secret::Rsa(Box::new(pair)))
            }
            _ => None,
        }
        .map(SigningKey)
    }

    /// The name of its algorithm in signatures, `a=`.
    pub fn algorithm(&self) -> &'static str {
        match &self.0 {
            Secret::Rsa(_) => "rsa-sha256",
            Secret::Ed25519(_) => "ed25519-sha256",
        }
    }

    /// The name of its kind in the published record, `k=`.
    pub fn kind(&self) -> &'static str {
        match &self.0 {
            Secret::Rsa(_) => "rsa",
            Secret::Ed25519(_) => "ed25519",
        }
    }

    /// Its bits, as people call the size of a key.
    pub fn bits(&self) -> usize {
        match &self.0 {
            Secret::Rsa(pair) => pair.public_modulus_len() * 8,
            Secret::Ed25519(_) => 256,
        }
    }

    /// Whether a signature takes so long that it is made on a thread for
    /// blocking work.
    pub(super) fn is_slow(&self) -> bool {
        matches!(self.0, Secret::Rsa(_))
    }

    /// The public half, as `p=` has it, before Base64.
    pub fn public(&self) -> Result<Vec<u8>, SigningFailed> {
        match &self.0 {
            Secret::Rsa(pair) => {
                let der: PublicKeyX509Der<'_> =
                    pair.public_key().as_der().map_err(|_| SigningFailed)?;
                Ok(der.as_ref().to_vec())
            }
            Secret::Ed25519(pair) => Ok(pair.public_key().as_ref().to_vec()),
        }
    }

    /// The same without the frame that names the algorithm, which RFC 6376
    /// asked for before its errata; both are met.
    pub(super) fn bare_public(&self) -> &[u8] {
        match &self.0 {
            Secret::Rsa(pair) => pair.public_key().as_ref(),
            Secret::Ed25519(pair) => pair.public_key().as_ref(),
        }
    }

    /// The text of the record to publish (RFC 6376 section 3.6.1).
    ///
    /// # Errors
    /// The library failed.
    pub fn record(&self) -> Result<String, SigningFailed> {
        Ok(format!("v=DKIM1; k={}; p={}", self.kind(), BASE64_STANDARD.encode(self.public()?)))
    }

    /// Signs: RSASSA-PKCS1-v1_5 over SHA-256, or Ed25519 over the SHA-256 hash
    /// (RFC 8463 section 3).
    pub(super) fn sign(&self, octets: &[u8]) -> Result<Vec<u8>, SigningFailed> {
        match &self.0 {
            Secret::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), octets, &mut signature)
                    .map_err(|_| SigningFailed)?;
                Ok(signature)
            }
            Secret::Ed25519(pair) => {
                let signature = pair.try_sign(digest(&SHA256, octets).as_ref());
                signature.map(|s| s.as_ref().to_vec()).map_err(|_| SigningFailed)
            }
        }
    }
}

/// A private key as PEM (RFC 7468 section 10).
fn pem(der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    let lines: Vec<&str> = std::iter::successors(Some(text.as_str()), |rest| rest.get(64..))
        .filter_map(|rest| rest.get(..rest.len().min(64)))
        .filter(|line| !line.is_empty())
        .collect();
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_was_made_is_read_again() {
        for (kind, name, bits) in
            [(KeyKind::Rsa2048, "rsa-sha256", 2048), (KeyKind::Ed25519, "ed25519-sha256", 256)]
        {
            let (made, text) = SigningKey::generate(kind).unwrap();
            assert!(text.lines().all(|line| line.len() <= 64), "{text}");
            let read = SigningKey::parse(text.as_bytes()).unwrap();
            assert_eq!((read.algorithm(), read.bits()), (name, bits));
            assert_eq!(read.record().unwrap(), made.record().unwrap());
        }
    }

    #[test]
    fn keys_of_others_are_read_and_what_is_no_key_is_not() {
        // The key of RFC 8463 appendix A, as `openssl pkey` writes it.
        let key = "-----BEGIN PRIVATE KEY-----\n\
                   MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
                   -----END PRIVATE KEY-----\n";
        let key = SigningKey::parse(key.as_bytes()).unwrap();
        assert_eq!(
            key.record().unwrap(),
            "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
        );
        for text in ["", "no key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
        {
            assert!(SigningKey::parse(text.as_bytes()).is_none(), "{text}");
        }
        let nowhere = SigningKey::read(Path::new("/nowhere/key.pem")).unwrap_err();
        assert!(matches!(nowhere, SigningKeyError::Unreadable { .. }), "{nowhere}");
    }
}

//! Certificates that clients show: of an authority that the gateway trusts,
//! and of others.

use std::path::Path;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, PKCS_ECDSA_P256_SHA256,
    date_time_ymd,
};
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsConnector;

/// What kind of certificate a client shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientCertificateKind {
    /// One that counts.
    Trusted,
    /// One that has run out before anything happens here.
    Expired,
    /// One of an authority that the gateway does not know.
    Unknown,
}

impl ClientCertificateKind {
    /// The kind by its word in a scenario.
    pub fn of_word(word: &str) -> Option<Self> {
        match word {
            "trusted" => Some(ClientCertificateKind::Trusted),
            "expired" => Some(ClientCertificateKind::Expired),
            "unknown" => Some(ClientCertificateKind::Unknown),
            _ => None,
        }
    }
}

/// Who makes the certificates of clients.
pub struct ClientAuthorities {
    trusted: CertifiedIssuer<'static, KeyPair>,
    unknown: CertifiedIssuer<'static, KeyPair>,
}

impl ClientAuthorities {
    /// Two new ones.
    ///
    /// # Errors
    /// The library of certificates fails.
    pub fn new() -> Result<Self, String> {
        Ok(ClientAuthorities { trusted: authority()?, unknown: authority()? })
    }

    /// Writes the one that the gateway trusts.
    ///
    /// # Errors
    /// As the operating system gives them.
    pub fn write(&self, file: &Path) -> std::io::Result<()> {
        std::fs::write(file, self.trusted.pem())
    }

    /// TLS of a client that trusts the server's certificate in `server`, and
    /// shows one of this kind with these names if it is asked.
    ///
    /// # Errors
    /// A name is none, or a file cannot be read.
    pub fn connector(
        &self,
        server: &Path,
        shows: Option<(ClientCertificateKind, &[String])>,
    ) -> Result<TlsConnector, String> {
        let mut roots = RootCertStore::empty();
        let certificate = CertificateDer::from_pem_file(server).map_err(words)?;
        roots.add(certificate).map_err(words)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(words)?
            .with_root_certificates(roots);
        let config = match shows {
            None => config.with_no_client_auth(),
            Some((kind, names)) => {
                let (certificate, key) = self.issue(kind, names)?;
                config.with_client_auth_cert(vec![certificate], key).map_err(words)?
            }
        };
        Ok(TlsConnector::from(Arc::new(config)))
    }

    /// A certificate with its key.
    ///
    /// # Errors
    /// A name is none.
    pub fn issue(
        &self,
        kind: ClientCertificateKind,
        names: &[String],
    ) -> Result<(CertificateDer<'static>, PrivateKeyDer<'static>), String> {
        let mut params = CertificateParams::new(names).map_err(words)?;
        let issuer = match kind {
            ClientCertificateKind::Unknown => &self.unknown,
            ClientCertificateKind::Trusted | ClientCertificateKind::Expired => &self.trusted,
        };
        if kind == ClientCertificateKind::Expired {
            params.not_after = date_time_ymd(2020, 1, 1);
        }
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(words)?;
        let certificate = params.signed_by(&key, issuer).map_err(words)?;
        let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(words)?;
        Ok((certificate.der().clone(), key))
    }
}

fn authority() -> Result<CertifiedIssuer<'static, KeyPair>, String> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(words)?;
    CertifiedIssuer::self_signed(params, key).map_err(words)
}

fn words(error: impl std::fmt::Display) -> String {
    error.to_string()
}

//! Whose certificates are believed: the authorities of this system, and those
//! that the operator adds.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;
use types::Timestamp;

/// Authorities of certificates. Clones share one list.
#[derive(Clone)]
pub struct Authorities {
    roots: Arc<RootCertStore>,
    /// Nothing where there is no authority at all.
    verifier: Option<Arc<WebPkiServerVerifier>>,
}

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authorities({})", self.roots.len())
    }
}

impl Authorities {
    /// No authority: no certificate counts.
    pub fn none() -> Self {
        Authorities { roots: Arc::new(RootCertStore::empty()), verifier: None }
    }

    /// Those of the system, and those of this file (PEM).
    ///
    /// # Errors
    /// The file cannot be read. A sentence for the operator.
    pub fn load(ca_file: Option<&Path>) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        // One of the system's that cannot be read does not spoil the others.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if let Some(file) = ca_file {
            add_file(&mut roots, file)?;
        }
        Ok(Authorities::of(roots))
    }

    /// Those of this file (PEM) and no others.
    ///
    /// # Errors
    /// The file cannot be read, or has none. A sentence for the operator.
    pub fn only(ca_file: &Path) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        add_file(&mut roots, ca_file)?;
        match roots.is_empty() {
            true => Err(format!("there is no certificate in {}", ca_file.display())),
            false => Ok(Authorities::of(roots)),
        }
    }

    fn of(roots: RootCertStore) -> Self {
        let roots = Arc::new(roots);
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::clone(&roots), provider).build();
        Authorities { roots, verifier: verifier.ok() }
    }

    /// The authorities themselves.
    pub(crate) fn roots(&self) -> &RootCertStore {
        &self.roots
    }

    /// TLS with whoever has a certificate of one of them.
    ///
    /// # Errors
    /// The library of TLS has no version of the protocol in common with us. A
    /// sentence for the operator.
    pub fn connector(&self) -> Result<TlsConnector, String> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(Arc::clone(&self.roots))
            .with_no_client_auth();
        Ok(TlsConnector::from(Arc::new(config)))
    }

    /// Whether this chain, the server's own certificate first, leads to one of
    /// them, counts at `now` and names `host`. That the server has the key is
    /// for the handshake to find out.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn verify(
        &self,
        chain: &[CertificateDer<'_>],
        host: &str,
        now: Timestamp,
    ) -> Result<(), String> {
        let Some(verifier) = &self.verifier else {
            return Err("this system trusts no authority".to_owned());
        };
        let Some((own, others)) = chain.split_first() else {
            return Err("no certificate was shown".to_owned());
        };
        let name = ServerName::try_from(host).map_err(|error| error.to_string())?;
        match verifier.verify_server_cert(own, others, &name, &[], unix_time(now)) {
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// A time as certificates have it.
pub(crate) fn unix_time(at: Timestamp) -> UnixTime {
    let since_epoch = u64::try_from(at.as_millis()).unwrap_or(0);
    UnixTime::since_unix_epoch(Duration::from_millis(since_epoch))
}

/// Adds the authorities of a file.
fn add_file(roots: &mut RootCertStore, file: &Path) -> Result<(), String> {
    let wrong = |why: &dyn fmt::Display| format!("the authorities in {}: {why}", file.display());
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| wrong(&error))? {
        let certificate = certificate.map_err(|error| wrong(&error))?;
        roots.add(certificate).map_err(|error| wrong(&error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_counts_for_its_name_and_with_an_authority_that_is_known() {
        let made = rcgen::generate_simple_self_signed(vec!["mx.corp.example".to_owned()]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        std::fs::write(&file, made.cert.pem()).unwrap();
        let known = Authorities::load(Some(&file)).unwrap();
        let chain = [made.cert.der().clone()];
        let now = Timestamp::from_millis(1_795_000_000_000);
        assert_eq!(known.verify(&chain, "mx.corp.example", now), Ok(()));
        let refused = known.verify(&chain, "mx.other.example", now).unwrap_err();
        assert!(refused.contains("not valid for name"), "{refused}");
        let refused = known.verify(&chain, "mx.corp.example", Timestamp::EPOCH).unwrap_err();
        assert!(refused.contains("not valid yet"), "{refused}");
        assert!(known.verify(&[], "mx.corp.example", now).is_err());
        let unknown = Authorities::load(None).unwrap();
        assert!(unknown.verify(&chain, "mx.corp.example", now).is_err());
    }

    #[test]
    fn a_file_that_cannot_be_read_is_an_error() {
        let missing = Authorities::load(Some(Path::new("/nowhere/ca.pem"))).unwrap_err();
        assert!(missing.contains("/nowhere/ca.pem"), "{missing}");
    }
}

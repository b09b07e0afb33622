//! The certificate behind STARTTLS: from files, or made at first start.

use std::fs;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{CipherSuite, ServerConfig};
use tokio_rustls::TlsAcceptor;

/// Where certificate and key come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate chain, PEM, leaf first.
    pub certificate: PathBuf,
    /// The private key, PEM.
    pub key: PathBuf,
}

/// Why TLS cannot be offered. The operator's to mend.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read or is not PEM.
    #[error("cannot read {path}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        error: rustls::pki_types::pem::Error,
    },
    /// Certificate and key do not fit, or are of a kind we cannot use.
    #[error("certificate {path} cannot be used")]
    Unusable {
        /// The certificate file.
        path: PathBuf,
        /// What the TLS library said.
        #[source]
        error: rustls::Error,
    },
    /// No certificate could be made at first start.
    #[error("cannot make a certificate")]
    NotMade(#[source] rcgen::Error),
    /// The one that was made cannot be kept.
    #[error("cannot write {path}")]
    NotWritten {
        /// Which file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        error: io::Error,
    },
}

/// The TLS settings in force; replaceable without a restart.
pub struct Tls {
    config: ArcSwap<ServerConfig>,
}

impl Tls {
    /// Reads certificate and key.
    ///
    /// # Errors
    /// A file is missing, damaged, or does not fit the other.
    pub fn load(files: &TlsFiles) -> Result<Tls, TlsError> {
        Ok(Tls { config: ArcSwap::new(server_config(files)?) })
    }

    /// Reads certificate and key again; new handshakes use them.
    ///
    /// # Errors
    /// As [`Tls::load`]; the old certificate stays in force.
    pub fn reload(&self, files: &TlsFiles) -> Result<(), TlsError> {
        self.config.store(server_config(files)?);
        Ok(())
    }

    /// What is in force now, for one handshake.
    pub fn config(&self) -> Arc<ServerConfig> {
        self.config.load_full()
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.config())
    }
}

/// Finds the self-signed certificate of `folder`, making it first if it is
/// not there: senders encrypt opportunistically and do not verify it.
///
/// # Errors
/// The folder cannot be written.
pub fn self_signed(folder: &Path, host_name: &str) -> Result<TlsFiles, TlsError> {
    let files = TlsFiles {
        certificate: folder.join("self-signed.crt"),
        key: folder.join("self-signed.key"),
    };
    if files.certificate.exists() && files.key.exists() {
        return Ok(files);
    }
    let made =
        rcgen::generate_simple_self_signed([host_name.to_string()]).map_err(TlsError::NotMade)?;
    write(folder, &files.key, &made.signing_key.serialize_pem(), 0o600)?;
    write(folder, &files.certificate, &made.cert.pem(), 0o644)?;
    Ok(files)
}

fn write(folder: &Path, path: &Path, text: &str, mode: u32) -> Result<(), TlsError> {
    let written = fs::create_dir_all(folder).and_then(|()| {
        let mut file =
            fs::OpenOptions::new().create(true).truncate(true).write(true).mode(mode).open(path)?;
        io::Write::write_all(&mut file, text.as_bytes())
    });
    written.map_err(|error| TlsError::NotWritten { path: path.to_path_buf(), error })
}

/// TLS 1.2 and 1.3, without client certificates, with resumption: large
/// senders come back, and a full handshake costs more than the whole session.
fn server_config(files: &TlsFiles) -> Result<Arc<ServerConfig>, TlsError> {
    let unreadable = |path: &Path| {
        let path = path.to_path_buf();
        move |error| TlsError::Unreadable { path, error }
    };
    let unusable = |error| TlsError::Unusable { path: files.certificate.clone(), error };
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(|certificates| certificates.collect::<Result<Vec<_>, _>>())
        .map_err(unreadable(&files.certificate))?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(unreadable(&files.key))?;
    let mut config = ServerConfig::builder_with_provider(provider().into())
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(unusable)?;
    config.ignore_client_order = true;
    // One for the next connection, which brings another: each ticket costs
    // key derivation and encryption.
    config.send_tls13_tickets = 1;
    config.ticketer = aws_lc_rs::Ticketer::new().map_err(unusable)?;
    Ok(Arc::new(config))
}

/// The cipher suites with AES-128 and SHA-256 before all others: a resumed
/// handshake is mostly key derivation, and processors have instructions for
/// SHA-256, but few for SHA-384.
fn provider() -> CryptoProvider {
    let mut provider = aws_lc_rs::default_provider();
    provider.cipher_suites.sort_by_key(|suite| !QUICK_SUITES.contains(&suite.suite()));
    provider
}

const QUICK_SUITES: [CipherSuite; 3] = [
    CipherSuite::TLS13_AES_128_GCM_SHA256,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_made_once_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let files = self_signed(folder.path(), "mx.corp.example").unwrap();
        let made = fs::read(&files.certificate).unwrap();
        assert_eq!(self_signed(folder.path(), "mx.corp.example").unwrap(), files);
        assert_eq!(fs::read(&files.certificate).unwrap(), made);
        Tls::load(&files).unwrap().reload(&files).unwrap();
    }

    #[test]
    fn cheap_handshakes_come_first_and_no_suite_is_lost() {
        let suites = provider().cipher_suites;
        assert_eq!(suites.len(), aws_lc_rs::default_provider().cipher_suites.len());
        let first = suites.iter().map(|suite| suite.suite()).take(QUICK_SUITES.len());
        assert!(first.into_iter().all(|suite| QUICK_SUITES.contains(&suite)));
    }

    #[test]
    fn a_damaged_file_is_named_and_the_old_certificate_stays() {
        let folder = tempfile::tempdir().unwrap();
        let files = self_signed(folder.path(), "mx.corp.example").unwrap();
        let tls = Tls::load(&files).unwrap();
        fs::write(&files.key, "no key").unwrap();
        let error = tls.reload(&files).unwrap_err().to_string();
        assert!(error.contains("self-signed.key"), "{error}");
        tls.acceptor();
    }
}

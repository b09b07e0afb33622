//! The certificate behind STARTTLS: from files, or made at first start.

use std::fs;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::NoServerSessionStorage;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{CipherSuite, ConfigBuilder, ServerConfig, WantsVerifier};
use tokio_rustls::TlsAcceptor;
use types::Timestamp;
use world::Authorities;

use crate::client_certificate::{Asking, ShownCertificate};

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
    certificate: ArcSwap<InForce>,
    /// Whose certificates of clients count.
    clients: ArcSwap<Authorities>,
}

/// Certificate and key that were read and fit each other, not yet in force.
pub struct ReadTls(InForce);

/// What one certificate of ours makes.
struct InForce {
    /// For handshakes without a client's certificate.
    config: Arc<ServerConfig>,
    /// What a handshake that asks for one is made of.
    builder: ConfigBuilder<ServerConfig, WantsVerifier>,
    certificate: Arc<SingleCertAndKey>,
}

/// One handshake to come.
pub(crate) struct Handshake {
    acceptor: TlsAcceptor,
    /// If the client is asked for a certificate: what becomes of that, and
    /// whose count.
    asking: Option<(Arc<Asking>, Arc<Authorities>)>,
}

impl Tls {
    /// Reads certificate and key.
    ///
    /// # Errors
    /// A file is missing, damaged, or does not fit the other.
    pub fn load(files: &TlsFiles) -> Result<Tls, TlsError> {
        let certificate = ArcSwap::from_pointee(in_force(files)?);
        Ok(Tls { certificate, clients: ArcSwap::from_pointee(Authorities::none()) })
    }

    /// Reads certificate and key for [`Tls::replace`], and changes nothing yet.
    ///
    /// # Errors
    /// As [`Tls::load`].
    pub fn read(files: &TlsFiles) -> Result<ReadTls, TlsError> {
        in_force(files).map(ReadTls)
    }

    /// Says whose certificates of clients count from now on; nobody's until
    /// then.
    pub fn trust(&self, authorities: Authorities) {
        self.clients.store(Arc::new(authorities));
    }

    /// Puts certificate and key into force; new handshakes use them.
    pub fn replace(&self, ReadTls(read): ReadTls) {
        self.certificate.store(Arc::new(read));
    }

    /// What is in force now, for one handshake without a client's certificate.
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.certificate.load().config)
    }

    /// What is in force now, for one handshake; `asks` for the client's
    /// certificate.
    pub(crate) fn handshake(&self, asks: bool) -> Handshake {
        if !asks {
            return Handshake { acceptor: TlsAcceptor::from(self.config()), asking: None };
        }
        // Each has a configuration of its own, so that what is noted in it is
        // about this very client.
        let asking = Arc::new(Asking::default());
        let config = self.certificate.load().asking(Arc::clone(&asking));
        let asking = Some((asking, self.clients.load_full()));
        Handshake { acceptor: TlsAcceptor::from(Arc::new(config)), asking }
    }
}

impl Handshake {
    /// Who accepts the client.
    pub(crate) fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }

    /// What the client showed, once it has shaken hands at `now`.
    pub(crate) fn shown(
        &self,
        chain: Option<&[CertificateDer<'_>]>,
        now: Timestamp,
    ) -> BoxFuture<'static, ShownCertificate> {
        match &self.asking {
            None => ready(ShownCertificate::NotAsked).boxed(),
            Some((asking, authorities)) => asking.shown(chain, authorities, now),
        }
    }
}

impl InForce {
    /// For one handshake that asks for the client's certificate. It is never
    /// resumed: that the client has the key is shown in a full handshake
    /// alone, and a ticket would keep the whole chain.
    fn asking(&self, asking: Arc<Asking>) -> ServerConfig {
        let builder = self.builder.clone().with_client_cert_verifier(asking);
        let mut config = builder.with_cert_resolver(Arc::clone(&self.certificate) as _);
        config.ignore_client_order = true;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config
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

/// TLS 1.2 and 1.3, with resumption where no client certificate is asked for:
/// large senders come back, and a full handshake costs more than the whole
/// session.
fn in_force(files: &TlsFiles) -> Result<InForce, TlsError> {
    let unreadable = |path: &Path| {
        let path = path.to_path_buf();
        move |error| TlsError::Unreadable { path, error }
    };
    let unusable = |error| TlsError::Unusable { path: files.certificate.clone(), error };
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(|certificates| certificates.collect::<Result<Vec<_>, _>>())
        .map_err(unreadable(&files.certificate))?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(unreadable(&files.key))?;
    let provider = Arc::new(provider());
    let certified = CertifiedKey::from_der(chain, key, &provider).map_err(unusable)?;
    let certificate = Arc::new(SingleCertAndKey::from(certified));
    let builder = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(unusable)?;
    let mut config =
        builder.clone().with_no_client_auth().with_cert_resolver(Arc::clone(&certificate) as _);
    config.ignore_client_order = true;
    // One for the next connection, which brings another: each ticket costs
    // key derivation and encryption.
    config.send_tls13_tickets = 1;
    config.ticketer = aws_lc_rs::Ticketer::new().map_err(unusable)?;
    Ok(InForce { config: Arc::new(config), builder, certificate })
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
        Tls::load(&files).unwrap().replace(Tls::read(&files).unwrap());
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
        let Err(error) = Tls::read(&files) else { panic!("a damaged key was taken") };
        let error = error.to_string();
        assert!(error.contains("self-signed.key"), "{error}");
        tls.handshake(false);
        tls.handshake(true);
    }
}

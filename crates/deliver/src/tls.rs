//! TLS to next hops, without verifying whom we talk to, unless a policy of
//! their domain asks for it ([`crate::sts`]); then what they showed is looked
//! at after the handshake.
//!
//! Opportunistic encryption (RFC 7435) keeps listeners out. Whoever could
//! stand between us and the next hop with a forged certificate could as well
//! take STARTTLS out of its answer, so refusing a certificate would only send
//! the message in clear text instead. What was used is recorded with the
//! words *not verified*.

use std::net::IpAddr;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, ProtocolVersion, SignatureScheme};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use world::Stream;

use crate::route::Host;
use crate::status::{Counters, count};

/// Makes TLS connections; remembers sessions, so that the next handshake with
/// the same host is short.
pub(crate) struct TlsClient {
    connector: Option<TlsConnector>,
}

impl TlsClient {
    pub(crate) fn new() -> Self {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = Arc::new(AnyCertificate(Arc::clone(&provider)));
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map(|builder| {
                builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()
            });
        // The provider above has cipher suites for both versions, so this
        // does not fail; if it ever did, STARTTLS would be recorded as failed.
        TlsClient { connector: config.ok().map(|config| TlsConnector::from(Arc::new(config))) }
    }

    /// Shakes hands with `host` over `stream`.
    pub(crate) async fn connect(
        &self,
        host: &Host,
        ip: IpAddr,
        stream: Box<dyn Stream>,
    ) -> std::io::Result<TlsStream<Box<dyn Stream>>> {
        let connector = self.connector.as_ref().ok_or(std::io::ErrorKind::Unsupported)?;
        let name = match host {
            Host::Name(name) => ServerName::try_from(name.as_str().to_owned()).ok(),
            Host::Address(_) => None,
        };
        let name = name.unwrap_or_else(|| ServerName::IpAddress(ip.into()));
        connector.connect(name, stream).await
    }
}

/// What is recorded of an encrypted connection whose certificate was not
/// looked at.
pub(crate) const NOT_VERIFIED: &str = "certificate not verified";

/// What is recorded of an encrypted connection, with what is known of its
/// certificate.
pub(crate) fn describe(stream: &TlsStream<Box<dyn Stream>>, certificate: &str) -> Arc<str> {
    let version = match stream.get_ref().1.protocol_version() {
        Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
        Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
        _ => "TLS",
    };
    format!("{version} ({certificate})").into()
}

/// The certificates that the other side showed, its own first.
pub(crate) fn shown(stream: &TlsStream<Box<dyn Stream>>) -> &[CertificateDer<'static>] {
    stream.get_ref().1.peer_certificates().unwrap_or_default()
}

/// Counts an encrypted connection; `verified` says whether the certificate was
/// looked at and proves the host.
pub(crate) fn counted(stream: &TlsStream<Box<dyn Stream>>, verified: bool, counters: &Counters) {
    let (all, of_verified) = match stream.get_ref().1.protocol_version() {
        Some(ProtocolVersion::TLSv1_3) => {
            (&counters.sessions_tls13, &counters.sessions_verified_tls13)
        }
        Some(ProtocolVersion::TLSv1_2) => {
            (&counters.sessions_tls12, &counters.sessions_verified_tls12)
        }
        _ => (&counters.sessions_tls_other, &counters.sessions_verified_tls_other),
    };
    count(all);
    if verified {
        count(of_verified);
    }
}

/// Takes any certificate, but only from whoever has its private key.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

//! The certificate of a client. Hardly any mail server has one to show, and
//! some break off when they are asked, so a client is asked only where a
//! policy in force wants to know; then whatever it shows is taken, and noted.
//! No handshake fails for it: what follows is for policy to say.

use std::sync::atomic::{AtomicBool, Ordering};

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, aws_lc_rs};
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use types::{
    CertificateFlaw, CheckName, ClientCertificate, EmailAddress, Evidence, Finding, Observed,
    ReversePath, Stage, Timestamp,
};
use world::{Authorities, VerifiedCertificate};

use crate::desk::{Desk, Visit, finding};

/// Asks one client for its certificate, and notes whether it has the key.
#[derive(Debug)]
pub(crate) struct Asking {
    algorithms: WebPkiSupportedAlgorithms,
    has_key: AtomicBool,
}

impl Default for Asking {
    fn default() -> Self {
        let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
        Asking { algorithms, has_key: AtomicBool::new(false) }
    }
}

impl Asking {
    /// What the client showed.
    pub(crate) fn shown(
        &self,
        chain: Option<&[CertificateDer<'_>]>,
        authorities: &Authorities,
        now: Timestamp,
    ) -> ShownCertificate {
        let Some(chain) = chain else { return ShownCertificate::NotShown };
        if !self.has_key.load(Ordering::Acquire) {
            return ShownCertificate::NotVerified(CertificateFlaw::KeyNotProven);
        }
        match authorities.verify_client(chain, now) {
            Ok(certificate) => ShownCertificate::Verified(certificate),
            Err(flaw) => ShownCertificate::NotVerified(flaw),
        }
    }

    fn note(
        &self,
        signature: Result<HandshakeSignatureValid, Error>,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.has_key.store(signature.is_ok(), Ordering::Release);
        Ok(HandshakeSignatureValid::assertion())
    }
}

/// What the library takes from here as proven is not: it hears *yes* to
/// everything, so that a client goes on that would be taken without a
/// certificate too. [`Asking::shown`] alone says what is proven.
impl ClientCertVerifier for Asking {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    /// None: who is trusted here is nobody's business, and a client that
    /// finds its authority missing in a list shows nothing.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.note(verify_tls12_signature(message, certificate, signature, &self.algorithms))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.note(verify_tls13_signature(message, certificate, signature, &self.algorithms))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// What a client showed, for as long as its connection lasts.
#[derive(Debug, Default)]
pub(crate) enum ShownCertificate {
    /// Nobody asked.
    #[default]
    NotAsked,
    /// Another mail server has the connection.
    NotTold,
    /// Nothing.
    NotShown,
    /// One that does not count.
    NotVerified(CertificateFlaw),
    /// One that does.
    Verified(VerifiedCertificate),
}

impl Desk {
    /// Whether the client is asked for a certificate: if a policy in force
    /// wants to know, or the settings do. Our own people's servers have other
    /// ways to show who they are.
    pub(crate) fn asks_for_certificate(&self) -> bool {
        let wanted = || self.engine.parts.policy.load().verifies_clients();
        !self.visit.is_outbound() && (self.live.settings.asks_for_certificates || wanted())
    }
}

impl Visit {
    /// Adds what the client showed, if it was asked.
    pub(crate) fn certificate_shown(&self, evidence: &mut Evidence) {
        match self.certificate {
            ShownCertificate::NotAsked | ShownCertificate::NotTold => {}
            _ => evidence.add(self.certificate_finding()),
        }
    }

    /// What the client showed, and whether it names who sends.
    pub(crate) fn certificate_finding(&self) -> Finding {
        let observed = Observed::ClientCertificate(self.certificate());
        finding(CheckName::Certificate, Stage::Mail, observed)
    }

    fn certificate(&self) -> ClientCertificate {
        match &self.certificate {
            ShownCertificate::NotAsked => ClientCertificate::NotAsked,
            ShownCertificate::NotTold => ClientCertificate::NotTold,
            ShownCertificate::NotShown => ClientCertificate::NotShown,
            ShownCertificate::NotVerified(flaw) => ClientCertificate::NotVerified { flaw: *flaw },
            ShownCertificate::Verified(certificate) => {
                let sender = self.reverse_path.as_deref().and_then(ReversePath::address);
                let host = self.client.host_name.as_deref();
                let names = certificate.names(sender.map(EmailAddress::domain_key), host);
                ClientCertificate::Verified(names)
            }
        }
    }
}

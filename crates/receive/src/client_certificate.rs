//! The certificate of a client. Hardly any mail server has one to show, and
//! some break off when they are asked, so a client is asked only where a
//! policy in force wants to know; then whatever it shows is taken, and noted.
//! No handshake fails for it: what follows is for policy to say. What no chain
//! of certificates can be is the exception ([`SHOWN_MAX`]).

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, aws_lc_rs};
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use types::{
    CertificateFlaw, CertificateNames, CheckName, ClientCertificate, EmailAddress, Evidence,
    Finding, HostCoverage, Observed, Parties, ReversePath, Stage, Timestamp,
};
use world::{Authorities, ClientChain, VerifiedCertificate};

use crate::desk::{Desk, Visit, finding};
use crate::host_name::HostName;

/// Most certificates behind that of a client with which a handshake goes on.
/// The library keeps all of them for as long as the connection lasts, with
/// some forty octets beside each: of 64 KiB of certificates of one octet, that
/// would be many times as much. A certificate has more than a hundred octets,
/// so no message has room for more than this.
const SHOWN_MAX: usize = 400;

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
    /// What the client showed, once it was looked at.
    pub(crate) fn shown(
        &self,
        chain: Option<&[CertificateDer<'_>]>,
        authorities: &Authorities,
        now: Timestamp,
    ) -> BoxFuture<'static, ShownCertificate> {
        let at_once = |shown: ShownCertificate| ready(shown).boxed();
        let Some(chain) = chain else { return at_once(ShownCertificate::NotShown) };
        if !self.has_key.load(Ordering::Acquire) {
            return at_once(ShownCertificate::NotVerified(CertificateFlaw::KeyNotProven));
        }
        match ClientChain::new(chain) {
            Ok(chain) => verified(chain, authorities.clone(), now).boxed(),
            Err(flaw) => at_once(ShownCertificate::NotVerified(flaw)),
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

/// Verifies beside the threads that serve connections: it can take some
/// milliseconds, in which others would wait.
async fn verified(
    chain: ClientChain,
    authorities: Authorities,
    now: Timestamp,
) -> ShownCertificate {
    let work = move || authorities.verify_client(&chain, now);
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(certificate)) => ShownCertificate::Verified(certificate),
        Ok(Err(flaw)) => ShownCertificate::NotVerified(flaw),
        // It panicked, or the process stops: the client is not to blame, and
        // may come back as if it had not been asked.
        Err(_) => ShownCertificate::NotAsked,
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
        others: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        match others.len() > SHOWN_MAX {
            true => Err(Error::General("more certificates than a chain can have".to_owned())),
            false => Ok(ClientCertVerified::assertion()),
        }
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

    /// Whether it depends on the client's host name what its certificate is
    /// worth: it does not name this sender, and a policy that matches wants
    /// the client verified. Such a policy applies to all recipients.
    pub(crate) fn hangs_on_host_name(&self) -> bool {
        let ShownCertificate::Verified(certificate) = &self.visit.certificate else { return false };
        let names_sender =
            self.visit.sender_domain_key().is_some_and(|one| certificate.covers(one));
        let visit = &self.visit;
        let parties = Parties {
            ip: visit.client.client.ip,
            host_name: visit.client.host_name.as_deref(),
            tls: visit.client.tls.as_ref(),
            reverse_path: visit.reverse_path.as_deref(),
            recipient: None,
            header_from: &[],
        };
        let policy = self.engine.parts.policy.load();
        !names_sender && policy.verifies(self.engine.now(), &parties)
    }
}

impl Visit {
    /// Adds what the client showed, if it was asked.
    pub(crate) fn certificate_shown(&self, evidence: &mut Evidence) {
        match self.certificate {
            ShownCertificate::NotAsked | ShownCertificate::NotTold => {}
            _ => evidence.add(certificate_finding(self.certificate())),
        }
    }

    /// What policy hears that asks for it. Whoever waited for the client's name
    /// has it by now; a policy that came into force just now cannot know it.
    pub(crate) fn certificate_answer(&self) -> Finding {
        let mut answer = self.certificate();
        if let ClientCertificate::Verified(names) = &mut answer
            && names.host == HostCoverage::NotSought
        {
            names.host = HostCoverage::Unanswered;
        }
        certificate_finding(answer)
    }

    /// Completes what was noted of the certificate at the end of an attempt, if
    /// nobody had waited for the client's name and it came all the same: under
    /// other policies it may decide.
    pub(crate) fn complete_certificate(&self, evidence: &mut Evidence) {
        let ShownCertificate::Verified(certificate) = &self.certificate else { return };
        let Some(Observed::ClientCertificate(ClientCertificate::Verified(names))) =
            evidence.latest(CheckName::Certificate)
        else {
            return;
        };
        if names.host == HostCoverage::NotSought {
            let host = self.host_coverage(certificate);
            let names = CertificateNames { host, ..names.clone() };
            evidence.replace(certificate_finding(ClientCertificate::Verified(names)));
        }
    }

    fn certificate(&self) -> ClientCertificate {
        match &self.certificate {
            ShownCertificate::NotAsked => ClientCertificate::NotAsked,
            ShownCertificate::NotTold => ClientCertificate::NotTold,
            ShownCertificate::NotShown => ClientCertificate::NotShown,
            ShownCertificate::NotVerified(flaw) => ClientCertificate::NotVerified { flaw: *flaw },
            ShownCertificate::Verified(certificate) => {
                let host = self.host_coverage(certificate);
                ClientCertificate::Verified(certificate.names(self.sender_domain_key(), host))
            }
        }
    }

    /// The domain that the client sends for; nothing for the null reverse-path.
    fn sender_domain_key(&self) -> Option<&str> {
        let sender = self.reverse_path.as_deref().and_then(ReversePath::address);
        sender.map(EmailAddress::domain_key)
    }

    /// Whether the certificate covers the client's host name, as far as that is
    /// known by now.
    fn host_coverage(&self, certificate: &VerifiedCertificate) -> HostCoverage {
        match (self.client.host_name.as_deref(), &self.host_name) {
            (Some(name), _) if certificate.covers(name) => HostCoverage::Covered,
            (Some(_), _) | (None, HostName::Told) => HostCoverage::NotCovered,
            (None, HostName::Found(found)) => match found.observed {
                Observed::Reverse(_) => HostCoverage::NotCovered,
                _ => HostCoverage::Unanswered,
            },
            (None, HostName::NotAsked | HostName::Asked(_)) => HostCoverage::NotSought,
        }
    }
}

fn certificate_finding(shown: ClientCertificate) -> Finding {
    finding(CheckName::Certificate, Stage::Mail, Observed::ClientCertificate(shown))
}

//! STARTTLS: with a certificate of its own, with one from files, and with a
//! new one while connections are open.

use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustix::process::Signal;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use crate::client::Client;
use crate::gateway::{BOB, Gateway, PERMITTED};
use crate::sink::Sink;

const LETTER: &str = "Subject: hello\r\n\r\ntext\r\n";
pub(crate) const NAME: &str = "mx.corp.example";
const SOON: Duration = Duration::from_secs(20);

/// Believes every certificate, as most senders of mail do; signatures count.
#[derive(Debug)]
struct Anyone(CryptoProvider);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

pub(crate) fn builder() -> rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier> {
    ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
}

/// A client that believes everyone.
fn believing() -> Arc<ClientConfig> {
    let verifier = Arc::new(Anyone(aws_lc_rs::default_provider()));
    let config = builder().dangerous().with_custom_certificate_verifier(verifier);
    Arc::new(config.with_no_client_auth())
}

/// A client that believes this certificate alone.
pub(crate) fn trusting(certificate: &CertificateDer<'static>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    Arc::new(builder().with_root_certificates(roots).with_no_client_auth())
}

/// Writes a new certificate for [`NAME`] where the settings expect it.
pub(crate) fn issue(gateway: &Gateway) -> CertificateDer<'static> {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed([NAME.to_owned()]).unwrap();
    gateway.write("tls.crt", &cert.pem());
    gateway.write("tls.key", &signing_key.serialize_pem());
    cert.der().clone()
}

#[test]
fn without_a_certificate_one_is_made_and_kept() {
    let sink = Sink::start();
    let mut gateway = Gateway::before(&sink, "").start();
    let seen = |gateway: &Gateway| {
        let client = Client::hello(gateway.smtp).unwrap();
        let (mut client, certificate) = client.start_tls(believing(), NAME).unwrap();
        assert_eq!(client.deliver(PERMITTED, BOB, LETTER).unwrap().code, 250);
        certificate
    };
    let first = seen(&gateway);
    assert!(!first.is_empty());
    gateway.stop();
    gateway.launch();
    assert_eq!(seen(&gateway), first, "the same certificate after a restart");
    let letters = sink.wait(2, SOON);
    let trace = String::from_utf8_lossy(&letters[0].content).into_owned();
    assert!(trace.contains("ESMTPS"), "{trace}");
}

#[test]
fn a_new_certificate_is_taken_by_a_reload() {
    let sink = Sink::start();
    let gateway = Gateway::before(&sink, "");
    let files = format!(
        "[smtp.tls]\ncertificate_file = \"{}\"\nkey_file = \"{}\"",
        gateway.path("tls.crt").display(),
        gateway.path("tls.key").display()
    );
    gateway.write_settings(&files);
    let old = issue(&gateway);
    let gateway = gateway.start();
    let client = Client::hello(gateway.smtp).unwrap();
    let (mut open, seen) = client.start_tls(trusting(&old), NAME).unwrap();
    assert_eq!(seen, old.as_ref());

    let new = issue(&gateway);
    gateway.signal(Signal::HUP);
    gateway.wait_logged("reloaded");
    let client = Client::hello(gateway.smtp).unwrap();
    let (mut client, seen) = client.start_tls(trusting(&new), NAME).unwrap();
    assert_eq!(seen, new.as_ref());
    assert_eq!(client.deliver(PERMITTED, BOB, LETTER).unwrap().code, 250);
    assert_eq!(open.deliver(PERMITTED, BOB, LETTER).unwrap().code, 250, "the old session goes on");

    // A key that does not fit is refused, and the certificate in force stays.
    gateway.write("tls.key", "not a key");
    gateway.signal(Signal::HUP);
    gateway.wait_logged("reload_refused");
    let client = Client::hello(gateway.smtp).unwrap();
    assert!(client.start_tls(trusting(&new), NAME).is_ok());
}

/// Secure Receipt (docs/operating/secure-receipt.md): the same client with
/// and without STARTTLS.
#[test]
fn who_must_send_encrypted_is_taken_over_tls_and_refused_in_clear() {
    let sink = Sink::start();
    let gateway = Gateway::before(&sink, "");
    let policies = "[[group]]\nname = \"Permitted Senders\"\nmembers = [\"permitted.example\"]\n\
        [[policy]]\nnarrative = \"It sends encrypted\"\n\
        option = { type = \"secure_receipt\", set = \"require_tls\" }\n\
        from = { domain = \"permitted.example\" }\n";
    gateway.write("policy.toml", policies);
    let files = format!(
        "[smtp.tls]\ncertificate_file = \"{}\"\nkey_file = \"{}\"",
        gateway.path("tls.crt").display(),
        gateway.path("tls.key").display()
    );
    gateway.write_settings(&files);
    let certificate = issue(&gateway);
    let gateway = gateway.start();

    let mut clear = Client::hello(gateway.smtp).unwrap();
    let refused = clear.deliver(PERMITTED, BOB, LETTER).unwrap();
    assert_eq!(refused.code, 530, "{refused}");
    assert!(refused.to_string().contains("5.7.0"), "{refused}");
    let rows = gateway.trace(refused.reference().unwrap());
    assert_eq!(rows[0]["reason"], "tls.required");
    assert!(rows[0]["to"].is_null(), "before a recipient is named: {rows:?}");

    // The same client goes on over TLS, where MAIL counts.
    let (mut secure, seen) = clear.start_tls(trusting(&certificate), NAME).unwrap();
    assert_eq!(seen, certificate.as_ref());
    let taken = secure.deliver(PERMITTED, BOB, LETTER).unwrap();
    assert_eq!(taken.code, 250, "{taken}");
    let letter = sink.wait(1, SOON).remove(0);
    let trace = String::from_utf8_lossy(&letter.content).into_owned();
    assert!(trace.contains("with ESMTPS") && trace.contains("TLSv1.3"), "{trace}");
    // Of others it is not asked.
    let mut other = Client::hello(gateway.smtp).unwrap();
    let asked_back = other.deliver("sue@stranger.example", BOB, LETTER).unwrap();
    assert_eq!(asked_back.code, 451, "greylisted like anybody: {asked_back}");
    drop((secure, other));
    gateway.audit_conservation();
}

#[test]
fn what_was_said_in_clear_counts_for_nothing_after_starttls() {
    let sink = Sink::start();
    let gateway = Gateway::before(&sink, "").start();
    let mut client = Client::hello(gateway.smtp).unwrap();
    let hello = client.say("EHLO client.example").unwrap();
    assert!(hello.announces("STARTTLS"), "{hello}");
    client.say(&format!("MAIL FROM:<{PERMITTED}>")).unwrap();
    let (mut client, _) = client.start_tls(believing(), NAME).unwrap();
    let rcpt = client.say(&format!("RCPT TO:<{BOB}>")).unwrap();
    assert_eq!(rcpt.code, 503, "{rcpt}");
    assert!(!client.say("EHLO again.example").unwrap().announces("STARTTLS"));
    // A handshake that is none is a row.
    let mut garbage = Client::hello(gateway.smtp).unwrap();
    assert_eq!(garbage.say("STARTTLS").unwrap().code, 220);
    garbage.send(b"this is no handshake at all\r\n").unwrap();
    crate::waiting::wait_for(SOON, "the failed handshake is a row", || {
        (!gateway.trace("type:tls.failed").is_empty()).then_some(())
    });
}

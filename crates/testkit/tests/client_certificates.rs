//! What hostile clients show when they are asked for a certificate: it is
//! taken for what it is, and fails no handshake that the protocol allows.

// `cfg(test)` tells the lints that all of it is test.
#![cfg(test)]

use std::sync::Arc;

use rustls::client::ResolvesClientCert;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{
    ClientConfig, RootCertStore, SignatureScheme, SupportedProtocolVersion, crypto::aws_lc_rs,
};
use testkit::{ClientCertificateKind, Gateway};
use tokio_rustls::TlsConnector;
use types::{CertificateFlaw, CheckName, ClientCertificate, Observed, Reason, Timestamp};

const BEGIN: Timestamp = Timestamp::from_millis(1_767_603_600_000);
const POLICY: &str = "[[policy]]\nnarrative = \"The bank shows who it is\"\n\
    option = { type = \"secure_receipt\", set = \"require_verified\" }\n\
    from = { domain = \"bank.example\" }\n";
const VERSIONS: [&SupportedProtocolVersion; 2] = [&rustls::version::TLS12, &rustls::version::TLS13];

/// Shows these certificates and signs with this key, whether they fit or not.
#[derive(Debug)]
struct Shows(Arc<CertifiedKey>);

impl ResolvesClientCert for Shows {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

async fn gateway() -> Gateway {
    let mut gateway = Gateway::new(BEGIN, 3);
    gateway.settings.set("greylisting", "off").unwrap();
    gateway.settings.set("tls", "on").unwrap();
    gateway.document = policy::Document::parse(POLICY).unwrap();
    gateway.start().await.unwrap();
    gateway
}

fn issued(gateway: &Gateway) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
    let names = ["bank.example".to_owned()];
    gateway.around.authorities.issue(ClientCertificateKind::Trusted, &names).unwrap()
}

fn connector(
    gateway: &Gateway,
    version: &'static SupportedProtocolVersion,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(gateway.certificate()).unwrap()).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let key = provider.key_provider.load_private_key(key).unwrap();
    let shows = Shows(Arc::new(CertifiedKey::new(chain, key)));
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_client_cert_resolver(Arc::new(shows));
    TlsConnector::from(Arc::new(config))
}

/// What MAIL of the bank is answered after the handshake, and what the event
/// has of the certificate.
async fn mail(gateway: &mut Gateway, connector: TlsConnector) -> (String, ClientCertificate) {
    let mut client = gateway.connect("203.0.113.7".parse().unwrap());
    client.say("EHLO mx.bank.example").await;
    client.say("STARTTLS").await;
    client.start_tls(connector, "mx.corp.example").await.unwrap();
    client.say("EHLO mx.bank.example").await;
    let said = client.say("MAIL FROM:<ann@bank.example>").await.join("\n");
    client.say("RCPT TO:<bob@corp.example>").await;
    client.say("QUIT").await;
    let events = gateway.events().unwrap();
    let evidence = &events.last().unwrap().record.evidence;
    match evidence.latest(CheckName::Certificate) {
        Some(Observed::ClientCertificate(shown)) => (said, shown.clone()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_certificate_without_its_key_proves_nothing() {
    for version in VERSIONS {
        let mut gateway = gateway().await;
        let (certificate, key) = issued(&gateway);
        let (_, other_key) = issued(&gateway);
        let owner = connector(&gateway, version, vec![certificate.clone()], key);
        let (said, shown) = mail(&mut gateway, owner).await;
        assert!(said.starts_with("250 "), "{version:?}: {said}");
        assert!(matches!(shown, ClientCertificate::Verified(_)), "{shown:?}");
        let thief = connector(&gateway, version, vec![certificate], other_key);
        let (said, shown) = mail(&mut gateway, thief).await;
        assert!(said.starts_with("554 5.7.0 "), "{version:?}: {said}");
        let flaw = CertificateFlaw::KeyNotProven;
        assert_eq!(shown, ClientCertificate::NotVerified { flaw });
    }
}

#[tokio::test]
async fn noise_in_the_place_of_a_certificate_fails_no_handshake() {
    for version in VERSIONS {
        let mut gateway = gateway().await;
        let (certificate, key) = issued(&gateway);
        let noise = CertificateDer::from(vec![0x30, 0x82, 0xff, 0xff, 0, 1, 2]);
        let only = connector(&gateway, version, vec![noise.clone()], key.clone_key());
        let (said, shown) = mail(&mut gateway, only).await;
        assert!(said.starts_with("554 5.7.0 "), "{version:?}: {said}");
        assert!(matches!(shown, ClientCertificate::NotVerified { .. }), "{shown:?}");
        // Behind a good one it changes nothing: no way leads over it.
        let mut chain = vec![certificate];
        chain.extend(std::iter::repeat_n(noise, 50));
        let behind = connector(&gateway, version, chain, key);
        let (said, shown) = mail(&mut gateway, behind).await;
        assert!(said.starts_with("250 "), "{version:?}: {said} {shown:?}");
    }
}

/// The message of a handshake is bounded by the library: what is longer ends
/// the connection, and is a row like any handshake that fails.
#[tokio::test]
async fn a_chain_without_end_is_no_handshake() {
    for version in VERSIONS {
        let mut gateway = gateway().await;
        let (certificate, key) = issued(&gateway);
        let large = CertificateDer::from(vec![0x30; 16_000]);
        let mut chain = vec![certificate];
        chain.extend(std::iter::repeat_n(large, 6));
        let connector = connector(&gateway, version, chain, key);
        let mut client = gateway.connect("203.0.113.7".parse().unwrap());
        client.say("EHLO mx.bank.example").await;
        client.say("STARTTLS").await;
        // With TLS 1.3 the client is done before the server has read it.
        let _shaken = client.start_tls(connector, "mx.corp.example").await;
        client.say("EHLO mx.bank.example").await;
        client.hang_up();
        testkit::settle().await;
        let events = gateway.events().unwrap();
        assert_eq!(events.last().unwrap().reason(), Some(Reason::TlsFailed), "{version:?}");
    }
}

//! What hostile clients show when they are asked for a certificate: it is
//! taken for what it is, and fails no handshake that the protocol allows.

// `cfg(test)` tells the lints that all of it is test.
#![cfg(test)]

use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
    PKCS_ECDSA_P256_SHA256,
};
use rustls::client::ResolvesClientCert;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{
    ClientConfig, RootCertStore, SignatureScheme, SupportedProtocolVersion, crypto::aws_lc_rs,
};
use testkit::{Client, ClientCertificateKind, Gateway, simulate};
use tokio_rustls::TlsConnector;
use types::{
    CertificateFlaw, CheckName, ClientCertificate, Event, HostCoverage, Observed, Reason, Timestamp,
};
use world::simulated::Asked;

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
    gateway_with(POLICY, "policy").await
}

/// One that asks for certificates where a policy wants it, or always: `ask`.
async fn gateway_with(policies: &str, asks: &str) -> Gateway {
    let mut gateway = Gateway::new(BEGIN, 3);
    gateway.settings.set("greylisting", "off").unwrap();
    gateway.settings.set("tls", "on").unwrap();
    gateway.settings.set("client_certificates", asks).unwrap();
    gateway.document = policy::Document::parse(policies).unwrap();
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

const BANK: &str = "ann@bank.example";
const STRANGER: &str = "ann@elsewhere.example";
const CLIENT: &str = "203.0.113.7";

/// A client that has shaken hands and greeted.
async fn encrypted(gateway: &mut Gateway, connector: TlsConnector) -> Client {
    let mut client = gateway.connect(CLIENT.parse().unwrap());
    client.say("EHLO mx.bank.example").await;
    client.say("STARTTLS").await;
    client.start_tls(connector, "mx.corp.example").await.unwrap();
    client.say("EHLO mx.bank.example").await;
    client
}

/// What MAIL of this sender is answered; nothing while nothing is.
async fn mail_from(client: &mut Client, sender: &str) -> String {
    client.say(&format!("MAIL FROM:<{sender}>")).await.join("\n")
}

fn shown_in(event: &Event) -> ClientCertificate {
    match event.record.evidence.latest(CheckName::Certificate) {
        Some(Observed::ClientCertificate(shown)) => shown.clone(),
        other => panic!("{other:?}"),
    }
}

/// What MAIL of the bank is answered after the handshake, and what the event
/// has of the certificate.
async fn mail(gateway: &mut Gateway, connector: TlsConnector) -> (String, ClientCertificate) {
    let mut client = encrypted(gateway, connector).await;
    let said = mail_from(&mut client, BANK).await;
    client.say("RCPT TO:<bob@corp.example>").await;
    client.say("QUIT").await;
    let events = gateway.events().unwrap();
    (said, shown_in(events.last().unwrap()))
}

#[test]
fn a_certificate_without_its_key_proves_nothing() {
    simulate(async {
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
    });
}

#[test]
fn noise_in_the_place_of_a_certificate_fails_no_handshake() {
    simulate(async {
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
            chain.extend(std::iter::repeat_n(noise, 4));
            let behind = connector(&gateway, version, chain, key);
            let (said, shown) = mail(&mut gateway, behind).await;
            assert!(said.starts_with("250 "), "{version:?}: {said} {shown:?}");
        }
    });
}

/// Certificates that lead to each other and to no authority: the issuer of the
/// first comes in many copies, and so do its issuer and the one above. Each
/// way through them is one that the search would try.
fn maze() -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    const COPIES: usize = 40;
    let key = || KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let params = |name: &str| {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params
    };
    let issuers =
        ["a", "b", "c", "d"].map(|name| CertifiedIssuer::self_signed(params(name), key()).unwrap());
    let own_key = key();
    let own = CertificateParams::new(["bank.example".to_owned()]).unwrap();
    let mut chain = vec![own.signed_by(&own_key, &issuers[0]).unwrap().der().clone()];
    for (name, issuer) in ["a", "b", "c"].into_iter().zip(&issuers[1..]) {
        let copy = || params(name).signed_by(&key(), issuer).unwrap().der().clone();
        chain.extend(std::iter::repeat_with(copy).take(COPIES));
    }
    (chain, PrivateKeyDer::try_from(own_key.serialize_der()).unwrap())
}

/// The search through it would take a processor many seconds; nobody begins.
#[test]
fn a_maze_of_certificates_is_not_entered_and_its_client_goes_on() {
    simulate(async {
        for version in VERSIONS {
            let mut gateway = gateway().await;
            let (chain, key) = maze();
            let connector = connector(&gateway, version, chain, key);
            let (said, shown) = mail(&mut gateway, connector.clone()).await;
            assert!(said.starts_with("554 5.7.0 "), "{version:?}: {said}");
            let flaw = CertificateFlaw::TooLarge;
            assert_eq!(shown, ClientCertificate::NotVerified { flaw });
            let mut client = encrypted(&mut gateway, connector).await;
            let said = mail_from(&mut client, STRANGER).await;
            assert!(said.starts_with("250 "), "{version:?}: {said}");
        }
    });
}

/// The message of a handshake is bounded by the library, and how many pieces
/// it may have by us: what is more ends the connection, and is a row like any
/// handshake that fails.
#[test]
fn a_chain_without_end_is_no_handshake() {
    simulate(async {
        for version in VERSIONS {
            for (octets, count) in [(16_000, 6), (1, 1_000)] {
                let mut gateway = gateway().await;
                let (certificate, key) = issued(&gateway);
                let piece = CertificateDer::from(vec![0x30; octets]);
                let mut chain = vec![certificate];
                chain.extend(std::iter::repeat_n(piece, count));
                let connector = connector(&gateway, version, chain, key);
                let mut client = gateway.connect(CLIENT.parse().unwrap());
                client.say("EHLO mx.bank.example").await;
                client.say("STARTTLS").await;
                // With TLS 1.3 the client is done before the server has read it.
                let _shaken = client.start_tls(connector, "mx.corp.example").await;
                client.say("EHLO mx.bank.example").await;
                client.hang_up();
                testkit::settle().await;
                let events = gateway.events().unwrap();
                let reason = events.last().unwrap().reason();
                assert_eq!(reason, Some(Reason::TlsFailed), "{version:?} {octets}");
            }
        }
    });
}

/// The client's name leads to it, two seconds late.
fn name_late(gateway: &Gateway, name: &str) {
    let (resolver, ip) = (&gateway.around.resolver, CLIENT.parse().unwrap());
    resolver.set_reverse(ip, Ok(vec![name.parse().unwrap()]));
    resolver.set_addresses(name, Ok(vec![ip]));
    let clock = Arc::new(gateway.around.clock.clone());
    resolver.set_late(Asked::Names, CLIENT, Duration::from_secs(2), clock);
}

fn trusted(gateway: &Gateway, name: &str) -> TlsConnector {
    let shows = [name.to_owned()];
    let shows = Some((ClientCertificateKind::Trusted, &shows[..]));
    gateway.around.authorities.connector(&gateway.certificate(), shows).unwrap()
}

#[test]
fn only_whom_a_policy_has_compared_with_its_host_waits_for_its_name() {
    simulate(async {
        let mut gateway = gateway().await;
        name_late(&gateway, "mx1.bank.example");
        for (shown, sender) in [("mx1.bank.example", STRANGER), ("bank.example", BANK)] {
            let connector = trusted(&gateway, shown);
            let said = mail_from(&mut encrypted(&mut gateway, connector).await, sender).await;
            assert!(said.starts_with("250 "), "{shown} {sender}: {said}");
        }
        let connector = trusted(&gateway, "mx1.bank.example");
        let mut client = encrypted(&mut gateway, connector).await;
        assert_eq!(mail_from(&mut client, BANK).await, "");
        gateway.pass(Duration::from_secs(2)).await;
        let said = client.replies().await.join("\n");
        assert!(said.starts_with("250 "), "{said}");
    });
}

/// Without such a policy nobody waits; what is not known then is not said to
/// be covered by nothing, and if it comes in time it is in the record.
#[test]
fn a_name_that_comes_before_the_end_is_compared_for_the_record() {
    simulate(async {
        for (wait, expected) in [(0, HostCoverage::NotSought), (2, HostCoverage::Covered)] {
            let mut gateway = gateway_with("", "ask").await;
            name_late(&gateway, "mx1.bank.example");
            let connector = trusted(&gateway, "mx1.bank.example");
            let mut client = encrypted(&mut gateway, connector).await;
            mail_from(&mut client, BANK).await;
            client.say("RCPT TO:<bob@corp.example>").await;
            gateway.pass(Duration::from_secs(wait)).await;
            client.say("DATA").await;
            client.say("Subject: hello\r\n\r\ntext\r\n.").await;
            gateway.flush().await;
            let events = gateway.events().unwrap();
            let ended = |event: &&Event| event.outcome().is_some();
            let ClientCertificate::Verified(names) = shown_in(events.iter().rfind(ended).unwrap())
            else {
                panic!("{events:?}")
            };
            assert_eq!((names.covers_sender, names.host), (false, expected));
        }
    });
}

//! Secure Receipt from verified clients alone
//! (docs/operating/secure-receipt.md): real handshakes with certificates that
//! count and with such that do not.

use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustix::process::Signal;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value as Json;

use crate::client::Client;
use crate::gateway::{BOB, Gateway, PERMITTED};
use crate::sink::Sink;
use crate::tls::{NAME, builder, issue};

const LETTER: &str = "Subject: hello\r\n\r\ntext\r\n";
const SOON: Duration = Duration::from_secs(20);
const GROUP: &str = "[[group]]\nname = \"Permitted Senders\"\nmembers = [\"permitted.example\"]\n";
const VERIFIED: &str = "[[policy]]\nnarrative = \"It shows who it is\"\n\
    option = { type = \"secure_receipt\", set = \"require_verified\" }\n\
    from = { domain = \"permitted.example\" }\n";

/// What a client shows when it is asked.
type Shows = Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>;

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn shows(
    issuer: &CertifiedIssuer<'static, KeyPair>,
    name: &str,
    change: impl FnOnce(&mut CertificateParams),
) -> Shows {
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, issuer).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    Some((vec![certificate.der().clone()], key))
}

/// A gateway that trusts `clients` for certificates of clients.
fn gateway(sink: &Sink, clients: &CertifiedIssuer<'static, KeyPair>, policies: &str) -> Gateway {
    let gateway = Gateway::before(sink, "");
    gateway.write("policy.toml", &format!("{GROUP}{policies}"));
    gateway.write("clients.crt", &clients.pem());
    gateway.write_settings(&format!(
        "[smtp.tls]\ncertificate_file = \"{}\"\nkey_file = \"{}\"\nclient_ca_file = \"{}\"",
        gateway.path("tls.crt").display(),
        gateway.path("tls.key").display(),
        gateway.path("clients.crt").display(),
    ));
    gateway
}

/// One that trusts the server, and its settings for each version of TLS.
struct Sender<'a> {
    gateway: &'a Gateway,
    server: &'a CertificateDer<'static>,
}

impl Sender<'_> {
    /// Delivers one letter in a session of its own; the last reply.
    fn deliver(&self, shows: Shows, version: &'static rustls::SupportedProtocolVersion) -> String {
        let mut roots = RootCertStore::empty();
        roots.add(self.server.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots);
        let config = match shows {
            None => config.with_no_client_auth(),
            Some((chain, key)) => config.with_client_auth_cert(chain, key).unwrap(),
        };
        let client = Client::hello(self.gateway.smtp).unwrap();
        let (mut client, seen) = client.start_tls(Arc::new(config), NAME).unwrap();
        assert_eq!(seen, self.server.as_ref());
        client.deliver(PERMITTED, BOB, LETTER).unwrap().to_string()
    }
}

/// What the ledger of an attempt says of the certificate.
fn recorded(gateway: &Gateway, reply: &str) -> String {
    let reference = reply.split("[ref ").nth(1).unwrap().split(']').next().unwrap();
    let rows = gateway.trace(reference);
    assert_eq!(rows[0]["reason"], "tls.unverified");
    assert!(rows[0]["to"].is_null(), "before a recipient is named: {rows:?}");
    let why = gateway.ask(&["--json", "why", reference]);
    let why: Json = serde_json::from_str(&why.out).unwrap();
    let lines = why["ledger"].as_array().unwrap();
    let line = lines.iter().find(|line| line["check"] == "Client certificate").unwrap();
    line["observed"].as_str().unwrap().to_owned()
}

#[test]
fn who_must_be_verified_is_taken_with_a_good_certificate_and_refused_with_others() {
    let sink = Sink::start();
    let (trusted, other) = (authority("Partners"), authority("Others"));
    let gateway = gateway(&sink, &trusted, VERIFIED);
    let server = issue(&gateway);
    let gateway = gateway.start();
    let sender = Sender { gateway: &gateway, server: &server };
    let expire = |params: &mut CertificateParams| params.not_after = date_time_ymd(2020, 1, 1);
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let taken = sender.deliver(shows(&trusted, "permitted.example", |_| ()), version);
        assert!(taken.starts_with("250 "), "{version:?}: {taken}");
        for (shown, expected) in [
            (None, "none, though it was asked for one"),
            (
                shows(&other, "permitted.example", |_| ()),
                "one that does not count: no authority that is trusted here made it",
            ),
            (
                shows(&trusted, "permitted.example", expire),
                "one that does not count: it, or one it depends on, has expired",
            ),
            (
                shows(&trusted, "mx.other.example", |_| ()),
                "a verified one for mx.other.example: it covers neither the sender's domain nor the client's host name",
            ),
        ] {
            let refused = sender.deliver(shown, version);
            assert!(refused.starts_with("554 5.7.0 "), "{version:?}: {refused}");
            assert_eq!(recorded(&gateway, &refused), expected, "{version:?}");
        }
    }
    // Two of five showed one that counts, whomever it names.
    let (_, metrics) = gateway.get(gateway.metrics, "/metrics").unwrap();
    for version in ["TLSv1.2", "TLSv1.3"] {
        for (verified, count) in [("yes", 2), ("no", 3)] {
            let labels = format!("direction=\"in\",version=\"{version}\",verified=\"{verified}\"");
            let line = format!("portcullis_tls_sessions_total{{{labels}}} {count}\n");
            assert!(metrics.contains(&line), "{line}{metrics}");
        }
    }
    // In clear text it is told to encrypt first.
    let mut clear = Client::hello(gateway.smtp).unwrap();
    let refused = clear.deliver(PERMITTED, BOB, LETTER).unwrap();
    assert_eq!(refused.code, 530, "{refused}");
    drop(clear);
    sink.wait(2, SOON);
    gateway.audit_conservation();
}

/// A client is asked only where a policy in force wants to know; a policy
/// that comes into force later is asked for on the next connection.
#[test]
fn nobody_is_asked_before_a_policy_wants_to_know() {
    let sink = Sink::start();
    let trusted = authority("Partners");
    let gateway = gateway(&sink, &trusted, "");
    let server = issue(&gateway);
    let gateway = gateway.start();
    let mut roots = RootCertStore::empty();
    roots.add(server.clone()).unwrap();
    let (chain, key) = shows(&trusted, "permitted.example", |_| ()).unwrap();
    let asked = Arc::new(Asked::new(chain, key));
    let config = builder().with_root_certificates(roots);
    let config = Arc::new(config.with_client_cert_resolver(asked.clone()));
    let open = || {
        let client = Client::hello(gateway.smtp).unwrap();
        client.start_tls(Arc::clone(&config), NAME).unwrap().0
    };
    let mut early = open();
    assert!(!asked.was(), "no policy, no question");
    assert_eq!(early.deliver(PERMITTED, BOB, LETTER).unwrap().code, 250);

    gateway.write("policy.toml", &format!("{GROUP}{VERIFIED}"));
    gateway.signal(Signal::HUP);
    gateway.wait_logged("reloaded");
    let later = early.deliver(PERMITTED, BOB, LETTER).unwrap();
    assert_eq!(later.code, 451, "it was not asked, which is not its fault: {later}");
    let mut next = open();
    assert!(asked.was());
    assert_eq!(next.deliver(PERMITTED, BOB, LETTER).unwrap().code, 250);
    sink.wait(2, SOON);
}

/// Shows a certificate, and knows whether it was asked for one.
#[derive(Debug)]
struct Asked {
    shows: Arc<rustls::sign::CertifiedKey>,
    was: std::sync::atomic::AtomicBool,
}

impl Asked {
    fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Asked {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let shows = rustls::sign::CertifiedKey::from_der(chain, key, &provider).unwrap();
        Asked { shows: Arc::new(shows), was: false.into() }
    }

    fn was(&self) -> bool {
        self.was.load(std::sync::atomic::Ordering::SeqCst)
    }
}

impl rustls::client::ResolvesClientCert for Asked {
    fn resolve(
        &self,
        _: &[&[u8]],
        _: &[rustls::SignatureScheme],
    ) -> Option<Arc<rustls::sign::CertifiedKey>> {
        self.was.store(true, std::sync::atomic::Ordering::SeqCst);
        Some(Arc::clone(&self.shows))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

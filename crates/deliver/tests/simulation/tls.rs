//! STARTTLS to next hops.

use std::sync::Arc;

use deliver::TlsUse;
use rustls::pki_types::PrivateKeyDer;
use tokio_rustls::TlsAcceptor;
use types::{EventKind, FollowUp};

use super::next_hop::{Do, NextHop};
use super::{HOP, House, settings};

/// A server's side of TLS, with a certificate that nobody signed.
fn acceptor() -> TlsAcceptor {
    let certified = rcgen::generate_simple_self_signed(vec!["someone.else".into()]).unwrap();
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// What the first try of one message says of TLS, and its answer.
async fn check(tls: TlsUse, hop: NextHop) -> (Option<String>, String) {
    let mut settings = settings();
    settings.tls = tls;
    let mut house = House::with(settings);
    hop.listen(&house.network, HOP);
    house.start();
    house.accept(&["bob@corp.example"]);
    for _ in 0..5 {
        house.settle().await;
    }
    let events = house.store.events();
    let attempt = match &events[0].kind {
        EventKind::FollowUp {
            what: FollowUp::Delivered(attempt) | FollowUp::DeliveryDeferred { attempt, .. },
            ..
        } => attempt.clone(),
        other => panic!("{other:?}"),
    };
    (attempt.tls.map(|tls| tls.to_string()), house.story()[0].clone())
}

fn offering(script: super::next_hop::Script) -> NextHop {
    NextHop::new(&["PIPELINING", "STARTTLS"], script)
}

#[tokio::test]
async fn tls_is_used_where_offered_and_said_to_be_unverified() {
    let hop = offering(Box::new(|_, _| None)).with_tls(acceptor());
    let (tls, told) = check(TlsUse::Opportunistic, hop.clone()).await;
    assert_eq!(tls.as_deref(), Some("TLSv1.3 (certificate not verified)"));
    assert!(told.contains("delivered"), "{told}");
    assert_eq!(hop.count("EHLO"), 2);
}

#[tokio::test]
async fn a_refused_starttls_leaves_clear_text() {
    let refuse = |_: usize, at: &str| (at == "STARTTLS").then(|| Do::Say("454 not now".into()));
    let (tls, told) = check(TlsUse::Opportunistic, offering(Box::new(refuse))).await;
    assert_eq!(tls.as_deref(), Some("none (STARTTLS refused: 454 not now)"));
    assert!(told.contains("delivered"), "{told}");
    let (_, told) = check(TlsUse::Required, offering(Box::new(refuse))).await;
    assert!(told.contains("deferred #1 - TLS is required"), "{told}");
}

#[tokio::test]
async fn a_failed_handshake_leads_to_one_more_connection_in_clear_text() {
    // Says go ahead and then talks on instead of shaking hands.
    let script = |number: usize, at: &str| match (number, at) {
        (1, "STARTTLS") => Some(Do::Flood("220 go ahead\r\nbut not really\r\n")),
        _ => None,
    };
    let hop = offering(Box::new(script));
    let (tls, told) = check(TlsUse::Opportunistic, hop.clone()).await;
    assert!(tls.as_deref().unwrap_or("").starts_with("none (TLS handshake failed"), "{tls:?}");
    assert!(told.contains("delivered"), "{told}");
    assert_eq!(hop.seen().connections, 2);
    assert_eq!(hop.count("STARTTLS"), 1);
}

#[tokio::test]
async fn tls_that_is_required_and_not_offered_defers() {
    let (_, told) = check(TlsUse::Required, NextHop::willing()).await;
    assert!(told.contains("TLS is required: it does not offer TLS"), "{told}");
    let (tls, told) = check(TlsUse::Never, offering(Box::new(|_, _| None))).await;
    assert_eq!(tls, None);
    assert!(told.contains("delivered"), "{told}");
}

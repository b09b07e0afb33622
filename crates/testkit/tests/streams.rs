//! What scenarios cannot show: connections inside TLS, and real sockets.

use std::sync::Arc;

use receive::{Listener, ListenerSettings, Wish};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use testkit::{Gateway, Mail};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsConnector;
use types::{Reason, Timestamp};

const BEGIN: Timestamp = Timestamp::from_millis(1_767_603_600_000);

/// A running gateway without greylisting, with STARTTLS.
#[cfg(test)]
async fn gateway() -> Gateway {
    let mut gateway = Gateway::new(BEGIN, 3);
    gateway.settings.set("greylisting", "off").unwrap();
    gateway.settings.set("tls", "on").unwrap();
    gateway.start().await.unwrap();
    gateway
}

/// Sends octets, if any, and reads until a reply is complete.
#[cfg(test)]
async fn ask(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), octets: &[u8]) -> String {
    stream.write_all(octets).await.unwrap();
    stream.flush().await.unwrap();
    let mut reply = String::new();
    loop {
        let mut piece = [0; 1024];
        let length = stream.read(&mut piece).await.unwrap();
        reply.push_str(std::str::from_utf8(&piece[..length]).unwrap());
        let whole = |line: &str| line.as_bytes().get(3) == Some(&b' ');
        if length == 0 || (reply.ends_with("\r\n") && reply.lines().last().is_some_and(whole)) {
            return reply;
        }
    }
}

/// A client that trusts the certificate the gateway has made.
#[cfg(test)]
fn connector(gateway: &Gateway) -> TlsConnector {
    let certificate = CertificateDer::from_pem_file(gateway.certificate()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

#[tokio::test]
async fn a_message_inside_tls_says_so_in_its_event_and_trace_field() {
    let mut gateway = gateway().await;
    let mut stream = gateway.open("203.0.113.7".parse().unwrap());
    assert!(ask(&mut stream, b"").await.starts_with("220 "));
    assert!(ask(&mut stream, b"EHLO mail.sender.example\r\n").await.contains("250-STARTTLS\r\n"));
    // What somebody in between put behind STARTTLS is not taken.
    let injected = b"STARTTLS\r\nMAIL FROM:<evil@sender.example>\r\n";
    assert!(ask(&mut stream, injected).await.starts_with("220 "));
    let name = ServerName::try_from("mx.corp.example").unwrap();
    let mut tls = connector(&gateway).connect(name, stream).await.unwrap();
    assert!(ask(&mut tls, b"MAIL FROM:<ann@sender.example>\r\n").await.starts_with("503 "));
    assert!(!ask(&mut tls, b"EHLO mail.sender.example\r\n").await.contains("STARTTLS"));
    let envelope = ["MAIL FROM:<ann@sender.example>\r\n", "RCPT TO:<bob@corp.example>\r\n"];
    for command in envelope {
        assert!(ask(&mut tls, command.as_bytes()).await.starts_with("250 "));
    }
    assert!(ask(&mut tls, b"DATA\r\n").await.starts_with("354 "));
    let mail = Mail::new("ann@sender.example", "bob@corp.example").to_data();
    assert!(ask(&mut tls, &mail).await.starts_with("250 "));
    testkit::settle().await;
    let events = gateway.events().unwrap();
    let event = events.iter().find(|event| event.reason() == Some(Reason::Accepted)).unwrap();
    assert_eq!(&*event.subject.client.tls.as_ref().unwrap().version, "TLSv1.3");
    let taken = gateway.next_hop.taken();
    let content = String::from_utf8_lossy(&taken[0].content);
    assert!(content.contains("with ESMTPS"), "{content}");
}

#[tokio::test]
async fn a_client_that_trusts_nobody_is_recorded_with_the_cause() {
    let mut gateway = gateway().await;
    let mut stream = gateway.open("203.0.113.7".parse().unwrap());
    ask(&mut stream, b"").await;
    ask(&mut stream, b"EHLO mail.sender.example\r\n").await;
    ask(&mut stream, b"STARTTLS\r\n").await;
    let name = ServerName::try_from("other.example").unwrap();
    assert!(connector(&gateway).connect(name, stream).await.is_err());
    testkit::settle().await;
    let events = gateway.events().unwrap();
    assert_eq!(events[0].reason(), Some(Reason::TlsFailed));
    assert!(!events[0].record.findings().is_empty());
}

#[tokio::test]
async fn a_listener_takes_connections_until_the_process_drains() {
    let gateway = gateway().await;
    let settings = ListenerSettings {
        listen: "127.0.0.1:0".parse().unwrap(),
        ipv6_only: false,
        proxy_protocol_from: vec![],
        role: Default::default(),
    };
    let listener = Listener::bind(&settings).unwrap();
    let at = listener.local_addr().unwrap();
    let (wishes, wish) = watch::channel(Wish::Serve);
    let engine = gateway.engine().unwrap();
    let running = tokio::spawn(listener.run(engine, wish));
    let mut idle = TcpStream::connect(at).await.unwrap();
    assert!(ask(&mut idle, b"").await.starts_with("220 mx.corp.example "));
    let mut other = TcpStream::connect(at).await.unwrap();
    assert!(ask(&mut other, b"").await.starts_with("220 "));
    assert!(ask(&mut other, b"QUIT\r\n").await.starts_with("221 "));
    wishes.send_replace(Wish::Drain);
    assert!(ask(&mut idle, b"").await.starts_with("421 4.3.2 "));
    running.await.unwrap();
    let tally = gateway.tally();
    assert_eq!((tally.sessions, tally.open()), (2, 0), "{tally:?}");
}

//! The console over HTTPS, and a certificate that is renewed.

use std::sync::{Arc, Mutex};

use api::{Certificate, bind_console};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::doors::gateway;

/// A fresh certificate for localhost, and how to serve it.
fn made() -> (CertificateDer<'static>, Arc<ServerConfig>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(aws_lc_rs::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    (certificate, Arc::new(config))
}

async fn connect(
    port: u16,
    trusted: &CertificateDer<'static>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

#[tokio::test]
async fn a_renewed_certificate_is_served_without_a_restart() {
    let gateway = gateway();
    let (first, config) = made();
    let in_force = Arc::new(Mutex::new(config));
    let serving = Arc::clone(&in_force);
    let certificate: Certificate = Arc::new(move || Arc::clone(&serving.lock().unwrap()));
    let listener = bind_console("127.0.0.1:0".parse().unwrap(), true).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let api = gateway.api.clone();
    let server = tokio::spawn(async move {
        api.serve_console(listener, Some(certificate), async { stopped.await.unwrap_or(()) }).await
    });
    // Who says nothing, or no TLS, keeps nobody out.
    let silent = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let mut stream = connect(port, &first).await.unwrap();
    let request = "GET /sign-in HTTP/1.1\r\nHost: gate.corp.example\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("__Host-visitor="), "{answer}");
    let (second, config) = made();
    *in_force.lock().unwrap() = config;
    assert!(connect(port, &second).await.is_ok());
    assert!(connect(port, &first).await.is_err(), "the old one is gone");
    drop(silent);
    stop.send(()).unwrap();
    server.await.unwrap().unwrap();
}

//! The way to a server: its socket on this machine, or TLS to a node
//! elsewhere, whose certificate is always verified.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::rt::{Read, Write};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use super::{ClientError, broken};

/// How long a connection may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(15);
/// Where HTTPS is, if the address does not say.
const HTTPS_PORT: u16 = 443;

/// Which way.
#[derive(Clone, Debug)]
pub(super) enum Way {
    /// The admin socket: the kernel says who we are.
    Socket(PathBuf),
    /// A node elsewhere: a token says who we are.
    Node(Node),
}

/// A node elsewhere.
#[derive(Clone)]
pub struct Node {
    /// As it was named, without what follows the port.
    name: String,
    host: String,
    port: u16,
    /// TLS; nothing on this machine, where nobody is in between.
    tls: Option<TlsConnector>,
    token: String,
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The token is a secret.
        write!(f, "Node({})", self.name)
    }
}

impl Node {
    /// The node at `https://host[:port]`, asked with this token. Its
    /// certificate must be of an authority of the system, or of `ca_file`
    /// (PEM) if that is named. `http://` is taken for this machine only.
    ///
    /// # Errors
    ///
    /// An address, token or file that cannot be used.
    pub fn new(url: &str, token: &str, ca_file: Option<&Path>) -> Result<Node, ClientError> {
        let wrong = |why: &str| ClientError::Wrong(format!("{url} is no address of a node: {why}"));
        let (secure, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            _ => return Err(wrong("it begins with https://")),
        };
        let name = rest.trim_end_matches('/');
        if name.is_empty() || name.contains(['/', '?', '#', '@', ' ']) {
            return Err(wrong("it is https://host or https://host:port"));
        }
        let (host, port) = split(name).ok_or_else(|| wrong("its port is none"))?;
        if !secure && !is_here(&host) {
            let why = "http:// would send the token in clear; use https://";
            return Err(wrong(why));
        }
        let token = token.trim();
        if token.is_empty() || !token.bytes().all(|octet| octet.is_ascii_graphic()) {
            let text = "the token is empty or no token: it is one word of ASCII";
            return Err(ClientError::Wrong(text.to_owned()));
        }
        Ok(Node {
            name: format!("{}://{name}", if secure { "https" } else { "http" }),
            host,
            port: port.unwrap_or(if secure { HTTPS_PORT } else { 80 }),
            tls: if secure { Some(connector(ca_file)?) } else { None },
            token: token.to_owned(),
        })
    }

    fn unreachable(&self, why: impl fmt::Display) -> ClientError {
        ClientError::Unreachable { node: self.name.clone(), why: why.to_string() }
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, ClientError> {
        let connecting = TcpStream::connect((self.host.as_str(), self.port));
        let connected = tokio::time::timeout(CONNECT_WITHIN, connecting).await;
        let stream = connected
            .map_err(|_| self.unreachable("no answer"))?
            .map_err(|error| self.unreachable(error))?;
        let Some(tls) = &self.tls else { return begin(TokioIo::new(stream)).await };
        let name =
            ServerName::try_from(self.host.clone()).map_err(|error| self.unreachable(error))?;
        let shaking = tls.connect(name, stream);
        let shaken = tokio::time::timeout(CONNECT_WITHIN, shaking).await;
        let stream = shaken
            .map_err(|_| self.unreachable("it does not speak TLS"))?
            .map_err(|error| self.not_shaken(&error))?;
        begin(TokioIo::new(stream)).await
    }

    /// Why the handshake failed.
    fn not_shaken(&self, error: &io::Error) -> ClientError {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match inner {
            Some(rustls::Error::InvalidCertificate(why)) => {
                ClientError::Untrusted { node: self.name.clone(), why: why.to_string() }
            }
            _ => self.unreachable(error),
        }
    }
}

impl Way {
    /// Connects, ready for one request.
    pub(super) async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, ClientError> {
        match self {
            Way::Node(node) => node.connect().await,
            Way::Socket(path) => match UnixStream::connect(path).await {
                Ok(stream) => begin(TokioIo::new(stream)).await,
                Err(error) => Err(refused(path, &error)),
            },
        }
    }

    /// What the server is called in the request.
    pub(super) fn host(&self) -> &str {
        match self {
            Way::Socket(_) => "localhost",
            Way::Node(node) => node.name.split_once("//").map_or("", |(_, name)| name),
        }
    }

    /// What says who we are.
    pub(super) fn token(&self) -> Option<&str> {
        match self {
            Way::Socket(_) => None,
            Way::Node(node) => Some(&node.token),
        }
    }
}

async fn begin(
    stream: impl Read + Write + Send + Unpin + 'static,
) -> Result<SendRequest<Full<Bytes>>, ClientError> {
    let (sender, connection) = handshake(stream).await.map_err(broken)?;
    // Ends when the answer is read and the sender is dropped.
    tokio::spawn(connection);
    Ok(sender)
}

fn refused(socket: &Path, error: &io::Error) -> ClientError {
    use io::ErrorKind::{ConnectionRefused, NotFound, PermissionDenied};
    match error.kind() {
        NotFound | ConnectionRefused => ClientError::NotRunning(socket.to_owned()),
        PermissionDenied => ClientError::NotAllowed(socket.to_owned()),
        _ => broken(error),
    }
}

/// Host and port: `gate:8443`, `[2001:db8::1]:8443`, `192.0.2.1`.
fn split(name: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = match name.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            (host, port.strip_prefix(':').or(port.is_empty().then_some(""))?)
        }
        None => name.split_once(':').unwrap_or((name, "")),
    };
    match port {
        "" => Some((host.to_owned(), None)),
        port => Some((host.to_owned(), Some(port.parse().ok()?))),
    }
}

pub(crate) fn is_here(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// TLS that trusts the authorities of the file, or else of the system.
pub(crate) fn connector(ca_file: Option<&Path>) -> Result<TlsConnector, ClientError> {
    let mut roots = RootCertStore::empty();
    match ca_file {
        Some(file) => {
            let wrong = |why: String| {
                ClientError::Wrong(format!("the authority file {}: {why}", file.display()))
            };
            let found = CertificateDer::pem_file_iter(file).map_err(|e| wrong(e.to_string()))?;
            for certificate in found {
                let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
                roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
            }
            if roots.is_empty() {
                return Err(wrong("there is no certificate in it".to_owned()));
            }
        }
        None => {
            // One of the system's that cannot be read does not spoil the others.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                let text = "this system has no certificate authorities; name one with --ca-file";
                return Err(ClientError::Wrong(text.to_owned()));
            }
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(broken)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_named_by_https_addresses() {
        for (name, host, port) in [
            ("gate.example", "gate.example", None),
            ("gate.example:8443", "gate.example", Some(8_443)),
            ("[2001:db8::1]:8443", "2001:db8::1", Some(8_443)),
            ("[2001:db8::1]", "2001:db8::1", None),
        ] {
            assert_eq!(split(name), Some((host.to_owned(), port)), "{name}");
        }
        for url in [
            "gate.example",
            "http://gate.example",
            "https://",
            "https://gate.example/path",
            "https://user@gate.example",
            "https://gate.example:no",
            "https://[::1",
        ] {
            let refused = Node::new(url, "secret", None).unwrap_err().to_string();
            assert!(refused.contains(url) && !refused.contains("secret"), "{refused}");
        }
        let here = Node::new("http://127.0.0.1:8080/", " secret\n", None).unwrap();
        assert_eq!(
            (here.host.as_str(), here.port, here.token.as_str()),
            ("127.0.0.1", 8_080, "secret")
        );
        assert!(!format!("{here:?}").contains("secret"));
        for token in ["", " \n", "two words", "umlaut\u{fc}"] {
            assert!(Node::new("http://[::1]:1", token, None).is_err(), "{token:?}");
        }
    }
}

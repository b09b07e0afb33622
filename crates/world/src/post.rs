//! Handing a message to a program of somebody else: one POST over HTTPS.
//!
//! Whoever names the address chooses where our connection goes, so it is
//! looked at twice: as a text when it is set, and as an address when it is
//! connected to, because a name can lead elsewhere tomorrow. What leads inward
//! is refused unless the operator listed it; the address that was looked at is
//! the one that is dialled; nothing is followed to where an answer points.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::handshake;
use hyper::{Method, Request, Uri, header};
use hyper_util::rt::TokioIo;
use ipnet::IpNet;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use crate::dial::{Dial, DialOptions, Stream};
use crate::{BoxFuture, DnsError, Resolver, is_inward};

/// Longest web address, in octets.
const ADDRESS_OCTETS_MAX: usize = 1_000;

/// How long all of it may take, from the name to the answer.
pub const POST_TIMEOUT: Duration = Duration::from_secs(10);

/// The text is no web address that a message can be posted to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a web address to post to: {0}")]
pub struct WebAddressError(&'static str);

/// Where a message is posted to: `https://hooks.example/portcullis`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebAddress {
    text: String,
    secure: bool,
    host: String,
    port: u16,
    /// Path and query.
    place: String,
}

impl WebAddress {
    /// The host, an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether it goes over TLS; if not, it must lead to this machine.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// All of it that is no secret: what stands after the host often is one.
    pub fn origin(&self) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}", self.authority())
    }

    /// What stands in the Host field: without the port where it is the usual.
    fn authority(&self) -> String {
        let host = match self.host.contains(':') {
            true => format!("[{}]", self.host),
            false => self.host.clone(),
        };
        match (self.secure, self.port) {
            (true, 443) | (false, 80) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }
}

impl fmt::Display for WebAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for WebAddress {
    type Err = WebAddressError;

    fn from_str(text: &str) -> Result<Self, WebAddressError> {
        let wrong = |why| Err(WebAddressError(why));
        if text.len() > ADDRESS_OCTETS_MAX {
            return wrong("it is longer than 1,000 characters");
        }
        if text.contains('#') {
            return wrong("what follows a # is never sent");
        }
        let Ok(uri) = text.parse::<Uri>() else {
            return wrong("it is https://host/path, with what is not ASCII encoded");
        };
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return wrong("it begins with https://"),
        };
        let Some(authority) = uri.authority() else { return wrong("it names no host") };
        if authority.as_str().contains('@') {
            return wrong("a name or password in it would be shown to everybody who sees it");
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() || ServerName::try_from(host).is_err() {
            return wrong("it names no host");
        }
        let port = match (authority.port_u16(), authority.as_str().rsplit_once(':')) {
            (Some(0), _) => return wrong("its port is none"),
            (Some(port), _) => port,
            // A port that is no number is no port.
            (None, Some((before, _))) if !before.starts_with('[') || before.ends_with(']') => {
                return wrong("its port is none");
            }
            (None, _) if secure => 443,
            (None, _) => 80,
        };
        let place = uri.path_and_query().map_or("/", |place| place.as_str()).to_owned();
        let (text, host) = (text.to_owned(), host.to_ascii_lowercase());
        Ok(WebAddress { text, secure, host, port, place })
    }
}

/// Why a message was not handed over.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// The host has no address.
    #[error("{host}: {why}")]
    Name {
        /// Which host.
        host: String,
        /// What the name system says.
        why: DnsError,
    },
    /// It leads inward, and the operator does not allow that.
    #[error("{host} leads to {ip}, which is not public and not in alerts.webhook_inward")]
    Inward {
        /// Which host.
        host: String,
        /// Where it leads.
        ip: IpAddr,
    },
    /// It would be sent in the clear to another machine.
    #[error("{host} leads to {ip}; http:// is for this machine only, elsewhere https:// is needed")]
    InTheClear {
        /// Which host.
        host: String,
        /// Where it leads.
        ip: IpAddr,
    },
    /// There is no connection.
    #[error("no connection to {to}: {error}")]
    Unreachable {
        /// Which address.
        to: SocketAddr,
        /// What the operating system said.
        error: io::Error,
    },
    /// The other end does not prove who it is.
    #[error("TLS with {host}: {error}")]
    Tls {
        /// Which host.
        host: String,
        /// What is wrong.
        error: io::Error,
    },
    /// There was no answer in time.
    #[error("no answer within {} s", POST_TIMEOUT.as_secs())]
    TimedOut,
    /// The connection broke, or what came is no HTTP.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// The answer points elsewhere, where nobody goes.
    #[error("it answered {0}, which points elsewhere; name that address instead")]
    Elsewhere(u16),
    /// The answer says that it was not taken.
    #[error("it answered {0}")]
    NotTaken(u16),
}

impl PostError {
    /// Whether it is no use to try again: what is wrong is the address.
    pub fn is_final(&self) -> bool {
        // 410 says that nobody wants this any more (RFC 9110 section 15.5.11).
        matches!(self, PostError::InTheClear { .. } | PostError::NotTaken(410))
    }
}

/// Fields of a message, beside those that every one has.
pub type Fields = Vec<(&'static str, String)>;

/// Posts messages.
pub trait Post: Send + Sync + 'static {
    /// Posts a JSON document with these fields. Done is what was answered
    /// with a 2xx.
    ///
    /// # Errors
    /// See [`PostError`]; it may have been taken all the same if the answer
    /// was lost.
    fn post<'a>(
        &'a self,
        to: &'a WebAddress,
        fields: Fields,
        body: Vec<u8>,
    ) -> BoxFuture<'a, Result<(), PostError>>;
}

/// What may be posted to.
#[derive(Clone, Debug, Default)]
pub struct PostSettings {
    /// Networks that may be posted to although they lead inward.
    pub inward: Vec<IpNet>,
    /// Authorities to trust beside those of the system, PEM.
    pub ca_file: Option<PathBuf>,
}

/// Posting over HTTP/1.1.
pub struct HttpPost {
    resolver: Arc<dyn Resolver>,
    dial: Arc<dyn Dial>,
    inward: Vec<IpNet>,
    tls: TlsConnector,
}

impl HttpPost {
    /// Over this network, with these names.
    ///
    /// # Errors
    /// The file of authorities cannot be read. A sentence for the operator.
    pub fn new(
        resolver: Arc<dyn Resolver>,
        dial: Arc<dyn Dial>,
        settings: PostSettings,
    ) -> Result<Self, String> {
        let tls = connector(settings.ca_file.as_deref())?;
        Ok(HttpPost { resolver, dial, inward: settings.inward, tls })
    }

    async fn send(&self, to: &WebAddress, fields: Fields, body: Vec<u8>) -> Result<(), PostError> {
        let stream = self.connect(to).await?;
        let broken = |error: &dyn fmt::Display| PostError::Broken(error.to_string());
        let (mut sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(|error| broken(&error))?;
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(&to.place)
            .header(header::HOST, to.authority())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, "portcullis")
            .header(header::CONNECTION, "close");
        for (name, value) in fields {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(Bytes::from(body))).map_err(|e| broken(&e))?;
        let asked = sender.send_request(request);
        tokio::pin!(asked, connection);
        // The connection works while it is polled; the answer's head is all
        // that is wanted, however much comes behind it. It may end in the
        // very moment that it brings the answer.
        let answer = tokio::select! {
            biased;
            answer = &mut asked => answer,
            ended = &mut connection => match ended {
                Err(error) => Err(error),
                Ok(()) => asked.await,
            },
        };
        match answer.map_err(|error| broken(&error))?.status().as_u16() {
            200..=299 => Ok(()),
            status @ 300..=399 => Err(PostError::Elsewhere(status)),
            status => Err(PostError::NotTaken(status)),
        }
    }

    async fn connect(&self, to: &WebAddress) -> Result<Box<dyn Stream>, PostError> {
        let at = SocketAddr::new(self.address(to).await?, to.port);
        let options = DialOptions { source: None, timeout: POST_TIMEOUT };
        let dialled = self.dial.dial(at, options).await;
        let stream = dialled.map_err(|error| PostError::Unreachable { to: at, error })?.stream;
        if !to.secure {
            return Ok(stream);
        }
        let failed = |error| PostError::Tls { host: to.host.clone(), error };
        let name = ServerName::try_from(to.host.clone())
            .map_err(|error| failed(io::Error::other(error)))?;
        Ok(Box::new(self.tls.connect(name, stream).await.map_err(failed)?))
    }

    /// The first address that may be connected to.
    async fn address(&self, to: &WebAddress) -> Result<IpAddr, PostError> {
        let found = self.resolver.addresses(&to.host).await;
        let found = found.map_err(|why| PostError::Name { host: to.host.clone(), why })?;
        let mut refused = PostError::Name { host: to.host.clone(), why: DnsError::NoRecords };
        for ip in found {
            match self.allowed(to, ip) {
                Ok(()) => return Ok(ip),
                Err(why) => refused = why,
            }
        }
        Err(refused)
    }

    fn allowed(&self, to: &WebAddress, ip: IpAddr) -> Result<(), PostError> {
        let (host, plain) = (to.host.clone(), ip.to_canonical());
        if is_inward(ip) && !self.inward.iter().any(|net| net.contains(&plain)) {
            return Err(PostError::Inward { host, ip });
        }
        match to.secure || plain.is_loopback() {
            true => Ok(()),
            false => Err(PostError::InTheClear { host, ip }),
        }
    }
}

impl Post for HttpPost {
    fn post<'a>(
        &'a self,
        to: &'a WebAddress,
        fields: Fields,
        body: Vec<u8>,
    ) -> BoxFuture<'a, Result<(), PostError>> {
        Box::pin(async move {
            let sent = tokio::time::timeout(POST_TIMEOUT, self.send(to, fields, body)).await;
            sent.unwrap_or(Err(PostError::TimedOut))
        })
    }
}

/// TLS that trusts the authorities of the system, and those of the file.
fn connector(ca_file: Option<&Path>) -> Result<TlsConnector, String> {
    let mut roots = RootCertStore::empty();
    // One of the system's that cannot be read does not spoil the others.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(file) = ca_file {
        let wrong = |why: &dyn fmt::Display| {
            format!("the authorities of webhooks in {}: {why}", file.display())
        };
        for certificate in CertificateDer::pem_file_iter(file).map_err(|error| wrong(&error))? {
            let certificate = certificate.map_err(|error| wrong(&error))?;
            roots.add(certificate).map_err(|error| wrong(&error))?;
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulated::{SimulatedClock, SimulatedNetwork, SimulatedResolver};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use types::Timestamp;

    #[test]
    fn web_addresses_are_read_and_what_hides_something_is_refused() {
        for (text, host, port, place, authority) in [
            ("https://hooks.example/a?b=c", "hooks.example", 443, "/a?b=c", "hooks.example"),
            ("https://Hooks.Example", "hooks.example", 443, "/", "hooks.example"),
            ("https://hooks.example:8443/", "hooks.example", 8_443, "/", "hooks.example:8443"),
            ("https://[2001:db8::1]/x", "2001:db8::1", 443, "/x", "[2001:db8::1]"),
            ("http://127.0.0.1:9000/x", "127.0.0.1", 9_000, "/x", "127.0.0.1:9000"),
        ] {
            let read: WebAddress = text.parse().unwrap();
            assert_eq!((read.host(), read.port, read.place.as_str()), (host, port, place));
            assert_eq!((read.authority().as_str(), read.to_string().as_str()), (authority, text));
        }
        let long = format!("https://hooks.example/{}", "a".repeat(1_000));
        for wrong in [
            "",
            "hooks.example",
            "/only/a/path",
            "ftp://hooks.example/",
            "https://",
            "https:///x",
            "https://hooks.example:0/",
            "https://hooks.example:x/",
            "https://hooks.example:99999/",
            "https://me:secret@hooks.example/",
            "https://hooks.example/#secret",
            "https://hooks example/",
            "https://hooks.example/\r\nX: y",
            "https://h\u{f6}\u{f6}ks.example/",
            &long,
        ] {
            assert!(wrong.parse::<WebAddress>().is_err(), "{wrong}");
        }
    }

    struct House {
        network: SimulatedNetwork,
        post: HttpPost,
    }

    /// A world where `names` lead to addresses, and `inward` is allowed.
    fn house(names: &[(&str, &str)], inward: &[&str]) -> House {
        let clock = SimulatedClock::new(Timestamp::EPOCH);
        let network = SimulatedNetwork::new(Arc::new(clock.clone()));
        let resolver = SimulatedResolver::new();
        for (name, ip) in names {
            resolver.set_addresses(name, Ok(vec![ip.parse().unwrap()]));
        }
        let inward = inward.iter().map(|net| net.parse().unwrap()).collect();
        let settings = PostSettings { inward, ca_file: None };
        let post = HttpPost::new(Arc::new(resolver), Arc::new(network.clone()), settings).unwrap();
        House { network, post }
    }

    /// Posts to `to`, where `answer` is said; what arrived there, and what
    /// became of it.
    async fn posted(answer: &str) -> (String, Result<(), PostError>) {
        let House { network, post } = house(&[], &["127.0.0.0/8"]);
        let mut listener = network.listen("127.0.0.1:9000".parse().unwrap());
        let answer = answer.to_owned();
        let receiver = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut arrived = Vec::new();
            while !arrived.ends_with(b"{\"a\":1}") {
                assert!(stream.read_buf(&mut arrived).await.unwrap() > 0);
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8(arrived).unwrap()
        });
        let to = "http://127.0.0.1:9000/hook?x=1".parse().unwrap();
        let fields = vec![("webhook-id", "msg_1".to_owned())];
        let done = post.post(&to, fields, b"{\"a\":1}".to_vec()).await;
        (receiver.await.unwrap(), done)
    }

    #[tokio::test]
    async fn a_message_is_posted_and_the_answer_says_whether_it_was_taken() {
        let (arrived, done) = posted("HTTP/1.1 204 No Content\r\n\r\n").await;
        done.unwrap();
        assert!(arrived.starts_with("POST /hook?x=1 HTTP/1.1\r\n"), "{arrived}");
        for line in ["host: 127.0.0.1:9000", "webhook-id: msg_1", "content-length: 7"] {
            assert!(arrived.contains(&format!("\r\n{line}\r\n")), "{arrived}");
        }
        let told = async |answer| posted(answer).await.1.unwrap_err();
        let moved = "HTTP/1.1 302 Found\r\nLocation: http://10.0.0.1/\r\n\r\n";
        assert!(matches!(told(moved).await, PostError::Elsewhere(302)));
        let refused = told("HTTP/1.1 500 No\r\ncontent-length: 99999999\r\n\r\nxx").await;
        assert!(matches!(refused, PostError::NotTaken(500)) && !refused.is_final());
        assert!(told("HTTP/1.1 410 Gone\r\n\r\n").await.is_final());
        assert!(matches!(told("220 mail.example ESMTP\r\n").await, PostError::Broken(_)));
    }

    #[tokio::test]
    async fn what_leads_inward_is_not_connected_to_whatever_it_is_called() {
        let names = [
            ("inside.example", "10.0.0.5"),
            ("here.example", "127.0.0.1"),
            ("metadata.example", "169.254.169.254"),
            ("mapped.example", "::ffff:127.0.0.1"),
        ];
        let House { network, post } = house(&names, &["10.0.0.0/30"]);
        let _listening: Vec<_> = ["10.0.0.5:443", "127.0.0.1:443", "169.254.169.254:443"]
            .map(|at| network.listen(at.parse().unwrap()))
            .into();
        for to in [
            "https://inside.example/",
            "https://here.example/",
            "http://here.example:443/",
            "https://metadata.example/latest",
            "https://mapped.example/",
            "https://127.0.0.1/",
            "https://[::1]/",
        ] {
            let done = post.post(&to.parse().unwrap(), Vec::new(), Vec::new()).await;
            let error = done.unwrap_err();
            assert!(matches!(error, PostError::Inward { .. }), "{to}: {error}");
            assert!(error.to_string().contains("alerts.webhook_inward"), "{error}");
        }
        // What is listed may be reached, in the clear on this machine only.
        let House { post, .. } = house(&names, &["10.0.0.0/8"]);
        let to = "http://inside.example/".parse().unwrap();
        let error = post.post(&to, Vec::new(), Vec::new()).await.unwrap_err();
        assert!(matches!(error, PostError::InTheClear { .. }) && error.is_final(), "{error}");
        let to = "https://inside.example/".parse().unwrap();
        let error = post.post(&to, Vec::new(), Vec::new()).await.unwrap_err();
        assert!(matches!(error, PostError::Unreachable { .. }), "{error}");
        let to = "https://nowhere.example/".parse().unwrap();
        let error = post.post(&to, Vec::new(), Vec::new()).await.unwrap_err();
        assert!(matches!(error, PostError::Name { .. }), "{error}");
    }

    #[tokio::test]
    async fn tls_wants_a_certificate_of_an_authority_it_knows() {
        use tokio::net::TcpListener;
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let key = rustls::pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let mut octets = [0; 4_096];
                let _ = stream.read(&mut octets).await;
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
                let _ = stream.shutdown().await;
            }
        });
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        std::fs::write(&file, made.cert.pem()).unwrap();
        let post = |ca_file: Option<PathBuf>| {
            let resolver = SimulatedResolver::new();
            resolver.set_addresses("localhost", Ok(vec!["127.0.0.1".parse().unwrap()]));
            let settings = PostSettings { inward: vec!["127.0.0.0/8".parse().unwrap()], ca_file };
            HttpPost::new(Arc::new(resolver), Arc::new(crate::TcpDial), settings).unwrap()
        };
        let to = format!("https://localhost:{port}/").parse().unwrap();
        post(Some(file)).post(&to, Vec::new(), b"{}".to_vec()).await.unwrap();
        let error = post(None).post(&to, Vec::new(), b"{}".to_vec()).await.unwrap_err();
        assert!(matches!(error, PostError::Tls { .. }), "{error}");
        let missing =
            PostSettings { ca_file: Some("/nowhere/ca.pem".into()), ..Default::default() };
        let resolver = Arc::new(SimulatedResolver::new());
        assert!(HttpPost::new(resolver, Arc::new(crate::TcpDial), missing).is_err());
    }
}

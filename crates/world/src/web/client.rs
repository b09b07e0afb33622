//! Requests over HTTP/1.1, each over a connection of its own.

use std::fmt::Display;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::handshake;
use hyper::http::request::Builder;
use hyper::{Method, Request, Response, header};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;

use super::{Fetch, Fetched, Fields, Post, WebAddress, WebError, WebSettings};
use crate::dial::{Dial, DialOptions, Stream};
use crate::{BoxFuture, DnsError, Resolver};

/// What is read of the document in an answer.
#[derive(Clone, Copy)]
enum Wanted {
    /// Nothing, however much comes.
    Nothing,
    /// All of it, if it has at most this many octets.
    Whole { octets_max: usize },
}

/// Requests over HTTP/1.1.
pub struct HttpClient {
    resolver: Arc<dyn Resolver>,
    dial: Arc<dyn Dial>,
    settings: WebSettings,
    tls: TlsConnector,
}

impl HttpClient {
    /// Over this network, with these names.
    ///
    /// # Errors
    /// TLS cannot be had. A sentence for the operator.
    pub fn new(
        resolver: Arc<dyn Resolver>,
        dial: Arc<dyn Dial>,
        settings: WebSettings,
    ) -> Result<Self, String> {
        let tls = settings.authorities.connector()?;
        Ok(HttpClient { resolver, dial, settings, tls })
    }

    /// All of one request, within its time.
    async fn ask(
        &self,
        to: &WebAddress,
        request: Builder,
        body: Vec<u8>,
        wanted: Wanted,
    ) -> Result<Fetched, WebError> {
        let timeout = self.settings.timeout;
        let exchange = self.exchange(to, request, body, wanted);
        tokio::time::timeout(timeout, exchange).await.unwrap_or(Err(WebError::TimedOut(timeout)))
    }

    async fn exchange(
        &self,
        to: &WebAddress,
        request: Builder,
        body: Vec<u8>,
        wanted: Wanted,
    ) -> Result<Fetched, WebError> {
        let request = request
            .uri(&to.place)
            .header(header::HOST, to.authority())
            .header(header::USER_AGENT, "portcullis")
            .header(header::CONNECTION, "close")
            .body(Full::new(Bytes::from(body)))
            .map_err(broken)?;
        let stream = self.connect(to).await?;
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await.map_err(broken)?;
        let asked = async {
            let answer = sender.send_request(request).await.map_err(broken)?;
            match answer.status().as_u16() {
                200..=299 => read(answer, wanted).await,
                status @ 300..=399 => Err(WebError::Elsewhere(status)),
                status => Err(WebError::NotTaken(status)),
            }
        };
        tokio::pin!(asked, connection);
        // The connection works while it is polled. It may end in the very
        // moment that it brings the answer, and be it because the other end
        // had no ear for our goodbye.
        let ended = tokio::select! {
            biased;
            answer = &mut asked => return answer,
            ended = &mut connection => ended,
        };
        match (asked.await, ended) {
            (Err(WebError::Broken(_)), Err(error)) => Err(broken(error)),
            (answer, _) => answer,
        }
    }

    async fn connect(&self, to: &WebAddress) -> Result<Box<dyn Stream>, WebError> {
        let at = SocketAddr::new(self.address(to).await?, to.port);
        let options = DialOptions { source: None, timeout: self.settings.timeout };
        let dialled = self.dial.dial(at, options).await;
        let stream = dialled.map_err(|error| WebError::Unreachable { to: at, error })?.stream;
        if !to.secure {
            return Ok(stream);
        }
        let failed = |error| WebError::Tls { host: to.host.clone(), error };
        let name = ServerName::try_from(to.host.clone())
            .map_err(|error| failed(io::Error::other(error)))?;
        Ok(Box::new(self.tls.connect(name, stream).await.map_err(failed)?))
    }

    /// The first address that may be connected to.
    async fn address(&self, to: &WebAddress) -> Result<IpAddr, WebError> {
        let found = self.resolver.addresses(&to.host).await;
        let found = found.map_err(|why| WebError::Name { host: to.host.clone(), why })?;
        let mut refused = WebError::Name { host: to.host.clone(), why: DnsError::NoRecords };
        for ip in found {
            match self.allowed(to, ip) {
                Ok(()) => return Ok(ip),
                Err(why) => refused = why,
            }
        }
        Err(refused)
    }

    fn allowed(&self, to: &WebAddress, ip: IpAddr) -> Result<(), WebError> {
        let (host, reach) = (to.host.clone(), &self.settings.reach);
        if !reach.has(ip) {
            return Err(WebError::Inward { host, ip, listed: reach.setting() });
        }
        match to.secure || ip.to_canonical().is_loopback() {
            true => Ok(()),
            false => Err(WebError::InTheClear { host, ip }),
        }
    }
}

fn broken(error: impl Display) -> WebError {
    WebError::Broken(error.to_string())
}

async fn read(answer: Response<Incoming>, wanted: Wanted) -> Result<Fetched, WebError> {
    let Wanted::Whole { octets_max } = wanted else { return Ok(Fetched::default()) };
    let media_type = answer.headers().get(header::CONTENT_TYPE);
    let media_type = media_type.and_then(|text| text.to_str().ok()).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let (mut frames, mut body) = (answer.into_body(), Vec::new());
    while let Some(frame) = frames.frame().await {
        let frame = frame.map_err(broken)?;
        let Some(octets) = frame.data_ref() else { continue };
        if body.len().saturating_add(octets.len()) > octets_max {
            return Err(WebError::TooLong(octets_max));
        }
        body.extend_from_slice(octets);
    }
    Ok(Fetched { media_type, body })
}

impl Post for HttpClient {
    fn post<'a>(
        &'a self,
        to: &'a WebAddress,
        fields: Fields,
        body: Vec<u8>,
    ) -> BoxFuture<'a, Result<(), WebError>> {
        let request = Request::builder().method(Method::POST);
        let request = request.header(header::CONTENT_TYPE, "application/json");
        let request =
            fields.into_iter().fold(request, |request, (name, text)| request.header(name, text));
        Box::pin(async move { self.ask(to, request, body, Wanted::Nothing).await.map(drop) })
    }
}

impl Fetch for HttpClient {
    fn fetch<'a>(
        &'a self,
        from: &'a WebAddress,
        octets_max: usize,
    ) -> BoxFuture<'a, Result<Fetched, WebError>> {
        let request = Request::builder().method(Method::GET);
        let wanted = Wanted::Whole { octets_max };
        Box::pin(async move { self.ask(from, request, Vec::new(), wanted).await })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::simulated::{SimulatedClock, SimulatedNetwork, SimulatedResolver};
    use crate::{Authorities, Reach};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use types::Timestamp;

    struct House {
        network: SimulatedNetwork,
        post: HttpClient,
    }

    fn settings(inward: &[&str], ca_file: Option<&Path>) -> WebSettings {
        let inward = inward.iter().map(|net| net.parse().unwrap()).collect();
        WebSettings {
            reach: Reach::with(inward, "alerts.webhook_inward"),
            authorities: Authorities::load(ca_file).unwrap(),
            timeout: Duration::from_secs(10),
        }
    }

    /// A world where `names` lead to addresses, and `inward` is allowed.
    fn house(names: &[(&str, &str)], inward: &[&str]) -> House {
        let clock = SimulatedClock::new(Timestamp::EPOCH);
        let network = SimulatedNetwork::new(Arc::new(clock.clone()));
        let resolver = SimulatedResolver::new();
        for (name, ip) in names {
            resolver.set_addresses(name, Ok(vec![ip.parse().unwrap()]));
        }
        let settings = settings(inward, None);
        let post =
            HttpClient::new(Arc::new(resolver), Arc::new(network.clone()), settings).unwrap();
        House { network, post }
    }

    /// Posts to `to`, where `answer` is said; what arrived there, and what
    /// became of it.
    async fn posted(answer: &str) -> (String, Result<(), WebError>) {
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
        assert!(matches!(told(moved).await, WebError::Elsewhere(302)));
        let refused = told("HTTP/1.1 500 No\r\ncontent-length: 99999999\r\n\r\nxx").await;
        assert!(matches!(refused, WebError::NotTaken(500)) && !refused.is_final());
        assert!(told("HTTP/1.1 410 Gone\r\n\r\n").await.is_final());
        assert!(matches!(told("220 mail.example ESMTP\r\n").await, WebError::Broken(_)));
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
            assert!(matches!(error, WebError::Inward { .. }), "{to}: {error}");
            assert!(error.to_string().contains("alerts.webhook_inward"), "{error}");
        }
        // What is listed may be reached, in the clear on this machine only.
        let House { post, .. } = house(&names, &["10.0.0.0/8"]);
        let to = "http://inside.example/".parse().unwrap();
        let error = post.post(&to, Vec::new(), Vec::new()).await.unwrap_err();
        assert!(matches!(error, WebError::InTheClear { .. }) && error.is_final(), "{error}");
        let to = "https://inside.example/".parse().unwrap();
        let error = post.post(&to, Vec::new(), Vec::new()).await.unwrap_err();
        assert!(matches!(error, WebError::Unreachable { .. }), "{error}");
        let to = "https://nowhere.example/".parse().unwrap();
        let error = post.post(&to, Vec::new(), Vec::new()).await.unwrap_err();
        assert!(matches!(error, WebError::Name { .. }), "{error}");
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
        let client = |ca_file: Option<&Path>| {
            let resolver = SimulatedResolver::new();
            resolver.set_addresses("localhost", Ok(vec!["127.0.0.1".parse().unwrap()]));
            let settings = settings(&["127.0.0.0/8"], ca_file);
            HttpClient::new(Arc::new(resolver), Arc::new(crate::TcpDial), settings).unwrap()
        };
        let to = format!("https://localhost:{port}/").parse().unwrap();
        client(Some(&file)).post(&to, Vec::new(), b"{}".to_vec()).await.unwrap();
        let error = client(None).post(&to, Vec::new(), b"{}".to_vec()).await.unwrap_err();
        assert!(matches!(error, WebError::Tls { .. }), "{error}");
        assert_eq!(client(Some(&file)).fetch(&to, 0).await.unwrap(), Fetched::default());
        let error = client(None).fetch(&to, 0).await.unwrap_err();
        assert!(matches!(error, WebError::Tls { .. }), "{error}");
    }

    /// What comes of asking for a document of at most 20 octets, where
    /// `answer` is said.
    async fn fetched(answer: &str) -> Result<Fetched, WebError> {
        let House { network, post } = house(&[], &["127.0.0.0/8"]);
        let mut listener = network.listen("127.0.0.1:9000".parse().unwrap());
        let answer = answer.to_owned();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut arrived = Vec::new();
            while !arrived.ends_with(b"\r\n\r\n") {
                assert!(stream.read_buf(&mut arrived).await.unwrap() > 0);
            }
            assert!(arrived.starts_with(b"GET /a?b HTTP/1.1\r\n"));
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        post.fetch(&"http://127.0.0.1:9000/a?b".parse().unwrap(), 20).await
    }

    #[tokio::test]
    async fn a_document_is_fetched_whole_or_not_at_all() {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: Text/Plain; charset=utf-8\r\n";
        let document = fetched(&format!("{head}content-length: 5\r\n\r\nhello")).await.unwrap();
        assert_eq!(document.media_type, "text/plain");
        assert_eq!(document.body, b"hello");
        let to_the_end = format!("{head}\r\nhello to the end");
        assert_eq!(fetched(&to_the_end).await.unwrap().body, b"hello to the end");
        let long = format!("{head}\r\nhello, and this is longer");
        assert!(matches!(fetched(&long).await, Err(WebError::TooLong(20))));
        let cut = format!("{head}content-length: 10\r\n\r\nhello");
        assert!(matches!(fetched(&cut).await, Err(WebError::Broken(_))));
        let moved = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9000/b\r\n\r\n";
        assert!(matches!(fetched(moved).await, Err(WebError::Elsewhere(302))));
        let gone = "HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n";
        assert!(matches!(fetched(gone).await, Err(WebError::NotTaken(404))));
    }
}

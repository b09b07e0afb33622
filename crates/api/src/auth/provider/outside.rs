//! Asking the sign-in service over HTTPS: one connection for each request, no
//! redirects, and limits on how long and how large an answer may be.
//!
//! Redirects are not followed, because the service could send us anywhere
//! inside the own network (openidconnect says the same of its own clients).

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::uri::Authority;
use axum::http::{HeaderValue, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::handshake;
use hyper::rt::{Read, Write};
use hyper_util::rt::TokioIo;
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::client::{connector, is_here};

/// Longest one request may take: a person waits before a page that loads.
const ANSWER_WITHIN: Duration = Duration::from_secs(8);
/// Largest answer, in octets. Keys of a large service are some ten thousand.
const ANSWER_OCTETS_MAX: usize = 1_000_000;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum OutsideError {
    /// Whoever is in between could read and change what is said.
    #[error("{0} is not asked: it is no https:// address")]
    Open(String),
    /// Nobody is there, or somebody else.
    #[error("{host} cannot be reached: {why}")]
    Unreachable {
        /// Who was asked.
        host: String,
        /// What the network or TLS says.
        why: String,
    },
    /// It takes its time.
    #[error("{host} did not answer within {} s", ANSWER_WITHIN.as_secs())]
    Silent {
        /// Who was asked.
        host: String,
    },
    /// The answer is none.
    #[error("the answer of {host} cannot be read: {why}")]
    Broken {
        /// Who was asked.
        host: String,
        /// What is wrong with it.
        why: String,
    },
}

/// A client for what is outside.
pub(super) struct Outside {
    /// Nothing where the service is on this machine and speaks clear text.
    tls: Option<TlsConnector>,
}

impl Outside {
    /// One that trusts the authorities of this file (PEM), or of the system.
    pub(super) fn secure(ca_file: Option<&Path>) -> Result<Self, String> {
        let tls = connector(ca_file).map_err(|error| error.to_string())?;
        Ok(Outside { tls: Some(tls) })
    }

    /// One for a service on this machine.
    pub(super) fn here() -> Self {
        Outside { tls: None }
    }

    async fn within_time(&self, request: HttpRequest) -> Result<HttpResponse, OutsideError> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        let asked = tokio::time::timeout(ANSWER_WITHIN, self.asked(request)).await;
        asked.unwrap_or(Err(OutsideError::Silent { host }))
    }

    async fn asked(&self, request: HttpRequest) -> Result<HttpResponse, OutsideError> {
        let to = Address::of(request.uri())?;
        if !to.secure && self.tls.is_some() {
            // An issuer far away must not send us to ports of this machine.
            return Err(OutsideError::Open(request.uri().to_string().chars().take(200).collect()));
        }
        let unreachable = |why: String| OutsideError::Unreachable { host: to.host.clone(), why };
        let connected = TcpStream::connect((to.host.as_str(), to.port)).await;
        let stream = connected.map_err(|error| unreachable(error.to_string()))?;
        if !to.secure {
            return exchange(TokioIo::new(stream), request, &to).await;
        }
        let Some(tls) = &self.tls else {
            return Err(unreachable("it has https://, and the issuer does not".to_owned()));
        };
        let name = ServerName::try_from(to.host.clone());
        let name = name.map_err(|error| unreachable(error.to_string()))?;
        let shaken = tls.connect(name, stream).await;
        let stream = shaken.map_err(|error| unreachable(error.to_string()))?;
        exchange(TokioIo::new(stream), request, &to).await
    }
}

impl<'c> AsyncHttpClient<'c> for Outside {
    type Error = OutsideError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, OutsideError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.within_time(request))
    }
}

/// Where a request goes.
struct Address {
    secure: bool,
    host: String,
    port: u16,
    /// As the field `Host` has it: without a user's name.
    shown: String,
}

impl Address {
    /// Clear text is spoken on this machine only.
    fn of(uri: &Uri) -> Result<Address, OutsideError> {
        let open = || OutsideError::Open(uri.to_string().chars().take(200).collect());
        let host = uri.host().ok_or_else(open)?.trim_matches(['[', ']']).to_owned();
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") if is_here(&host) => false,
            _ => return Err(open()),
        };
        let port = uri.authority().and_then(Authority::port_u16);
        let shown = uri.authority().map_or("", Authority::as_str);
        let shown = shown.rsplit('@').next().unwrap_or_default().to_owned();
        Ok(Address { secure, host, port: port.unwrap_or(if secure { 443 } else { 80 }), shown })
    }
}

async fn exchange(
    stream: impl Read + Write + Send + Unpin + 'static,
    request: HttpRequest,
    to: &Address,
) -> Result<HttpResponse, OutsideError> {
    let broken = |why: String| OutsideError::Broken { host: to.host.clone(), why };
    let (mut parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    parts.uri = path.parse().map_err(|_| broken("its address has no path".to_owned()))?;
    let host = HeaderValue::from_str(&to.shown).map_err(|error| broken(error.to_string()))?;
    parts.headers.insert(header::HOST, host);
    let request = hyper::Request::from_parts(parts, Full::new(Bytes::from(body)));
    let (mut sender, connection) =
        handshake(stream).await.map_err(|error| broken(error.to_string()))?;
    // Ends when the answer is read and the sender is dropped.
    tokio::spawn(connection);
    let answer = sender.send_request(request).await.map_err(|error| broken(error.to_string()))?;
    let (parts, body) = answer.into_parts();
    let body = Limited::new(body, ANSWER_OCTETS_MAX).collect().await;
    let body = body.map_err(|error| broken(error.to_string()))?.to_bytes().to_vec();
    Ok(HttpResponse::from_parts(parts, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clear_text_stays_on_this_machine() {
        let of = |uri: &str| {
            let address = Address::of(&uri.parse().unwrap()).ok()?;
            Some((address.secure, address.host, address.port, address.shown))
        };
        let here =
            |host: &str, shown: &str| Some((false, host.to_owned(), 4_000, shown.to_owned()));
        assert_eq!(of("http://127.0.0.1:4000/x"), here("127.0.0.1", "127.0.0.1:4000"));
        assert_eq!(of("http://[::1]:4000"), here("::1", "[::1]:4000"));
        let (secure, host, port, shown) = of("https://a:b@id.example/x").unwrap();
        assert_eq!((secure, &*host, port, &*shown), (true, "id.example", 443, "id.example"));
        for open in ["http://id.example/", "http://127.0.0.1.example/", "/path", "ftp://127.0.0.1/"]
        {
            assert_eq!(of(open), None, "{open}");
        }
    }

    #[tokio::test]
    async fn an_answer_has_limits() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut octets = [0; 1_024];
            let _ = stream.read(&mut octets).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
            while stream.write_all(&[b'x'; 65_536]).await.is_ok() {}
        });
        let outside = Outside::here();
        let uri = format!("http://127.0.0.1:{port}/endless");
        let request = hyper::Request::builder().uri(uri).body(Vec::new()).unwrap();
        let refused = outside.call(request).await.unwrap_err().to_string();
        assert!(refused.starts_with("the answer of 127.0.0.1 cannot be read"), "{refused}");
        let request =
            hyper::Request::builder().uri("http://127.0.0.1:1/").body(Vec::new()).unwrap();
        let refused = outside.call(request).await.unwrap_err().to_string();
        assert!(refused.starts_with("127.0.0.1 cannot be reached"), "{refused}");
    }
}

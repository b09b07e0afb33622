//! A client for the admin socket, for the command line: typed answers, and
//! errors that say what to do.

use std::path::{Path, PathBuf};

use axum::body::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

pub use crate::problem::ApiProblem;

/// Talks to a running server through the socket in its data folder.
#[derive(Clone, Debug)]
pub struct Client {
    socket: PathBuf,
}

/// Why there is no answer, or not the one that was wanted.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error("the server is not running (nothing listens on {0}); start it with `portcullis serve`")]
    NotRunning(PathBuf),
    /// The socket belongs to somebody else.
    #[error("no permission to open {0}: run this as root or as the user of the service")]
    NotAllowed(PathBuf),
    /// The server understood and refused.
    #[error("{}", .0.detail)]
    Refused(Box<ApiProblem>),
    /// The connection broke, or the answer makes no sense.
    #[error("talking to the server: {0}")]
    Broken(String),
}

fn broken(error: impl std::fmt::Display) -> ClientError {
    ClientError::Broken(error.to_string())
}

impl Client {
    /// A client for the server whose admin socket this is. Connects with each
    /// request.
    pub fn new(socket: &Path) -> Self {
        Client { socket: socket.to_owned() }
    }

    /// Asks for something.
    ///
    /// # Errors
    ///
    /// See [`ClientError`].
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        read(&self.send(Method::GET, path, None).await?)
    }

    /// Asks for a text: a document or a CSV file.
    ///
    /// # Errors
    ///
    /// See [`ClientError`].
    pub async fn get_text(&self, path: &str) -> Result<String, ClientError> {
        let octets = self.send(Method::GET, path, None).await?;
        String::from_utf8(octets.to_vec()).map_err(broken)
    }

    /// Sends something to act upon.
    ///
    /// # Errors
    ///
    /// See [`ClientError`].
    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        read(&self.send(Method::POST, path, Some(json(body)?)).await?)
    }

    /// Sends something to be put in a place.
    ///
    /// # Errors
    ///
    /// See [`ClientError`].
    pub async fn put<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        read(&self.send(Method::PUT, path, Some(json(body)?)).await?)
    }

    /// Sends a text: a document or a CSV file.
    ///
    /// # Errors
    ///
    /// See [`ClientError`].
    pub async fn post_text<T: DeserializeOwned>(
        &self,
        path: &str,
        text: String,
    ) -> Result<T, ClientError> {
        let body = ("text/plain; charset=utf-8", text.into_bytes());
        read(&self.send(Method::POST, path, Some(body)).await?)
    }

    /// Removes something.
    ///
    /// # Errors
    ///
    /// See [`ClientError`].
    pub async fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        read(&self.send(Method::DELETE, path, None).await?)
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, Vec<u8>)>,
    ) -> Result<Bytes, ClientError> {
        let stream =
            UnixStream::connect(&self.socket).await.map_err(|error| self.refused(&error))?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        // Ends when the answer is read and the sender is dropped.
        let connection = tokio::spawn(connection);
        let mut request = Request::builder().method(method).uri(path).header(HOST, "localhost");
        if let Some((kind, _)) = &body {
            request = request.header(CONTENT_TYPE, *kind);
        }
        let octets = Bytes::from(body.map(|(_, octets)| octets).unwrap_or_default());
        let request = request.body(Full::new(octets)).map_err(broken)?;
        let response = sender.send_request(request).await.map_err(broken)?;
        let status = response.status();
        let octets = response.into_body().collect().await.map_err(broken)?.to_bytes();
        connection.abort();
        if status.is_success() {
            return Ok(octets);
        }
        match serde_json::from_slice(&octets) {
            Ok(problem) => Err(ClientError::Refused(Box::new(problem))),
            Err(_) => Err(ClientError::Broken(format!("the answer was {status}"))),
        }
    }

    fn refused(&self, error: &std::io::Error) -> ClientError {
        use std::io::ErrorKind::{ConnectionRefused, NotFound, PermissionDenied};
        match error.kind() {
            NotFound | ConnectionRefused => ClientError::NotRunning(self.socket.clone()),
            PermissionDenied => ClientError::NotAllowed(self.socket.clone()),
            _ => broken(error),
        }
    }
}

fn json(body: &impl Serialize) -> Result<(&'static str, Vec<u8>), ClientError> {
    Ok(("application/json", serde_json::to_vec(body).map_err(broken)?))
}

fn read<T: DeserializeOwned>(octets: &[u8]) -> Result<T, ClientError> {
    serde_json::from_slice(octets).map_err(broken)
}

/// A path with its query, percent-encoded: parameters that are absent are
/// left out.
pub fn path_with(path: &str, parameters: &[(&str, Option<&str>)]) -> String {
    let mut text = path.to_owned();
    for (name, value) in parameters {
        let Some(value) = value else { continue };
        text.push(if text.contains('?') { '&' } else { '?' });
        text.push_str(name);
        text.push('=');
        text.push_str(&encoded(value));
    }
    text
}

/// One segment of a path or one value of a query, percent-encoded (RFC 3986
/// section 2.3: what is not unreserved).
pub fn encoded(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                text.push(char::from(byte));
            }
            other => text.push_str(&format!("%{other:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_encoded() {
        let query = Some("is:rejected from:\"a b\" & \u{fc}");
        assert_eq!(
            path_with("/x", &[("q", query), ("none", None), ("limit", Some("5"))]),
            "/x?q=is%3Arejected%20from%3A%22a%20b%22%20%26%20%C3%BC&limit=5"
        );
    }
}

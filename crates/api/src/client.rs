//! A client for the command line: the admin socket of this machine, or the
//! HTTPS address of a node elsewhere. Typed answers, and errors that say what
//! to do.

mod events;
mod way;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::body::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use crate::problem::ApiProblem;
pub use center::command::percent_encoded as encoded;
pub use events::StreamEvent;
pub use way::Node;
use way::Way;
pub(crate) use way::{connector, is_here};

/// How long an answer may take to begin.
const ANSWER_WITHIN: Duration = Duration::from_secs(90);
/// How long a stream may be silent: the server says that it is alive more
/// often than that.
const SILENT_MAX: Duration = Duration::from_secs(60);

/// Talks to a running server.
#[derive(Clone, Debug)]
pub struct Client {
    way: Way,
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
    /// What names the node, its token or its authority cannot be used.
    #[error("{0}")]
    Wrong(String),
    /// The node cannot be reached.
    #[error("cannot reach {node}: {why}")]
    Unreachable {
        /// Its address.
        node: String,
        /// What the network says.
        why: String,
    },
    /// The node is not who it should be.
    #[error(
        "{node} does not prove who it is: {why}; if its certificate is of an authority of your \
         own, name it with --ca-file"
    )]
    Untrusted {
        /// Its address.
        node: String,
        /// What is wrong with its certificate.
        why: String,
    },
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
        Client { way: Way::Socket(socket.to_owned()) }
    }

    /// A client for a node elsewhere. Connects with each request.
    pub fn remote(node: Node) -> Self {
        Client { way: Way::Node(node) }
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

    /// Asks for something long, which is handed to `take` piece by piece
    /// until that says stop.
    ///
    /// # Errors
    ///
    /// See [`ClientError`]; an answer that ends before its end.
    pub async fn pieces(
        &self,
        path: &str,
        take: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<(), ClientError> {
        let mut answer = self.ask(Method::GET, path, None, None).await?;
        while let Some(piece) = piece(&mut answer).await? {
            if take(&piece).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Reads one stream of events until it ends or `take` says stop, from
    /// after the event `last` on.
    ///
    /// # Errors
    ///
    /// See [`ClientError`]; a stream that breaks off is an error too: come
    /// back with the id of the last event.
    pub async fn events(
        &self,
        path: &str,
        last: Option<&str>,
        take: &mut dyn FnMut(StreamEvent) -> ControlFlow<()>,
    ) -> Result<(), ClientError> {
        let mut answer = self.ask(Method::GET, path, None, last).await?;
        let mut reader = events::Reader::default();
        while let Some(piece) = piece(&mut answer).await? {
            for event in reader.read(&piece)? {
                if take(event).is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, Vec<u8>)>,
    ) -> Result<Bytes, ClientError> {
        let answer = self.ask(method, path, body, None).await?;
        Ok(answer.into_body().collect().await.map_err(broken)?.to_bytes())
    }

    /// Sends a request; gives an answer that is a success.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, Vec<u8>)>,
        last_event: Option<&str>,
    ) -> Result<Response<Incoming>, ClientError> {
        let mut sender = self.way.connect().await?;
        let mut request = Request::builder().method(method).uri(path);
        request = request.header(HOST, self.way.host());
        if let Some(token) = self.way.token() {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some((kind, _)) = &body {
            request = request.header(CONTENT_TYPE, *kind);
        }
        if let Some(id) = last_event {
            request = request.header("Last-Event-ID", id);
        }
        let octets = Bytes::from(body.map(|(_, octets)| octets).unwrap_or_default());
        let request = request.body(Full::new(octets)).map_err(broken)?;
        let sent = tokio::time::timeout(ANSWER_WITHIN, sender.send_request(request)).await;
        let answer = sent.map_err(|_| broken("it does not answer"))?.map_err(broken)?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let octets = answer.into_body().collect().await.map_err(broken)?.to_bytes();
        match serde_json::from_slice(&octets) {
            Ok(problem) => Err(ClientError::Refused(Box::new(problem))),
            Err(_) => Err(ClientError::Broken(format!("the answer was {status}"))),
        }
    }
}

/// The next piece of an answer; nothing at its end.
async fn piece(answer: &mut Response<Incoming>) -> Result<Option<Bytes>, ClientError> {
    loop {
        let frame = tokio::time::timeout(SILENT_MAX, answer.frame()).await;
        match frame.map_err(|_| broken("it has fallen silent"))? {
            None => return Ok(None),
            Some(frame) => {
                if let Ok(piece) = frame.map_err(broken)?.into_data() {
                    return Ok(Some(piece));
                }
            }
        }
    }
}

fn json(body: &impl Serialize) -> Result<(&'static str, Vec<u8>), ClientError> {
    Ok(("application/json", serde_json::to_vec(body).map_err(broken)?))
}

fn read<T: DeserializeOwned>(octets: &[u8]) -> Result<T, ClientError> {
    // What was done without a word (204) has nothing to say.
    let octets = if octets.is_empty() { b"null".as_slice() } else { octets };
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

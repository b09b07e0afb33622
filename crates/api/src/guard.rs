//! What stands before every handler: who may come in, how long and how many
//! at once, and the headers every answer has.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::serve::IncomingStream;
use ipnet::IpNet;
use tokio::net::UnixListener;
use tokio::sync::Semaphore;
use types::Caller;

use crate::auth::origin::{Connection, Origin};
use crate::auth::{Signed, attach};
use crate::problem::ApiProblem;

/// Longest a request may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// Most requests of one door worked on at once; more wait.
const AT_ONCE_MAX: usize = 32;
/// Longest a request waits for its turn.
const TURN_WITHIN: Duration = Duration::from_secs(5);

/// Scripts none, styles and pictures from here, forms to here, frames never.
const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                   connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Who is on the other end of the admin socket, by the kernel's word.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    /// The user, if the kernel says.
    pub(crate) uid: Option<u32>,
}

impl axum::extract::connect_info::Connected<IncomingStream<'_, UnixListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        Peer { uid: stream.io().peer_cred().ok().map(|credentials| credentials.uid()) }
    }
}

/// Lets root and the owner of the socket in, with every permission.
pub(crate) async fn admin_only(
    State(owner): State<u32>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    mut request: Request,
    next: Next,
) -> Response {
    let name = match peer.uid {
        Some(0) => "root".to_owned(),
        Some(uid) if uid == owner => format!("uid {uid}"),
        _ => {
            let detail = "the admin socket answers root and the service's own user only";
            return ApiProblem::new(StatusCode::FORBIDDEN, "denied", detail).into_response();
        }
    };
    attach(request.extensions_mut(), Signed::of_machine(Caller::with_all(&name)));
    next.run(request).await
}

/// Lets requests in that name a loopback host and only read.
///
/// A page elsewhere can make a browser resolve its own name to 127.0.0.1 (DNS
/// rebinding) and would then be of our origin; its Host field gives it away.
pub(crate) async fn local_reader(mut request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    if !host.is_some_and(is_loopback_host) {
        let detail = "ask for localhost, 127.0.0.1 or [::1]: other names are not served";
        return ApiProblem::new(StatusCode::FORBIDDEN, "host", detail).into_response();
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let detail = "nothing can be changed here";
        return ApiProblem::new(StatusCode::METHOD_NOT_ALLOWED, "read_only", detail)
            .into_response();
    }
    let reader = Caller::read_only("local reader");
    attach(request.extensions_mut(), Signed::of_machine(reader));
    next.run(request).await
}

/// Lets requests in that are encrypted, come through a trusted proxy, or name
/// a loopback host: see [`local_reader`] for why.
pub(crate) async fn known_host(
    State(trusted): State<Arc<[IpNet]>>,
    request: Request,
    next: Next,
) -> Response {
    let connection = request.extensions().get::<Connection>().copied().unwrap_or_default();
    let origin = Origin::of(connection, request.headers(), &trusted);
    if !origin.proxied && !connection.tls && !is_loopback_host(&origin.host) {
        let detail = "ask for localhost, 127.0.0.1 or [::1]: other names are not served here";
        return ApiProblem::new(StatusCode::FORBIDDEN, "host", detail).into_response();
    }
    let mut response = next.run(request).await;
    if origin.https {
        // Whoever was here once over HTTPS does not come back in clear text.
        let year = HeaderValue::from_static("max-age=31536000");
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
    response
}

fn is_loopback_host(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(""),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Turns for a door.
pub(crate) fn turns() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(AT_ONCE_MAX))
}

/// Bounds how many requests are worked on at once, and how long.
pub(crate) async fn bounded(
    State(turns): State<Arc<Semaphore>>,
    request: Request,
    next: Next,
) -> Response {
    let busy =
        |detail| ApiProblem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail).into_response();
    let Ok(Ok(_turn)) = tokio::time::timeout(TURN_WITHIN, turns.acquire()).await else {
        return busy("too many requests at once");
    };
    match tokio::time::timeout(ANSWER_WITHIN, next.run(request)).await {
        Ok(response) => response,
        Err(_) => busy("the answer took too long"),
    }
}

/// Adds the headers every answer has.
pub(crate) async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let fields = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CSP),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // With `no-referrer`, browsers send forms with `Origin: null` (Fetch
        // section 3.2), and a form of ours looked like one from elsewhere.
        (header::REFERRER_POLICY, "same-origin"),
    ] {
        fields.insert(name, HeaderValue::from_static(value));
    }
    fields.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_are_hosts_of_ours() {
        for host in
            ["localhost", "LOCALHOST:8080", "127.0.0.1:8080", "127.9.9.9", "[::1]:8080", "[::1]"]
        {
            assert!(is_loopback_host(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:8080",
            "192.0.2.1:8080",
            "localhost.evil.example",
            "[2001:db8::1]",
        ] {
            assert!(!is_loopback_host(host), "{host}");
        }
    }
}

//! What stands before every handler: who may come in, how long and how many
//! at once, and the headers every answer has.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
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
/// Most requests of people who are not signed in worked on at once: they have
/// turns of their own, so that they keep nobody else out.
const STRANGERS_AT_ONCE_MAX: usize = 8;
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

/// How a request came here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Encrypted, to us or to the proxy before us.
    Encrypted,
    /// Over loopback, naming a loopback host: see [`local_reader`] for why
    /// the name counts. The peer counts too: anybody can write a Host field.
    ThisMachine,
    /// A trusted proxy passes on what it took in clear text, or does not say
    /// how it took it.
    ClearText,
    /// The proxy speaks for itself: it looks whether we are there.
    Proxy,
    /// None of these.
    Elsewhere,
}

fn way(connection: Connection, origin: &Origin) -> Way {
    let local = connection.peer.to_canonical().is_loopback() && is_loopback_host(&origin.host);
    match (origin.https, origin.forwarded, local, origin.proxied) {
        (true, ..) => Way::Encrypted,
        (_, true, ..) => Way::ClearText,
        (_, _, true, _) => Way::ThisMachine,
        (.., true) => Way::Proxy,
        _ => Way::Elsewhere,
    }
}

/// Lets requests in that are encrypted or stay on this machine: whatever else
/// is asked or answered could be read on the way.
pub(crate) async fn known_host(
    State(trusted): State<Arc<[IpNet]>>,
    request: Request,
    next: Next,
) -> Response {
    let connection = request.extensions().get::<Connection>().copied().unwrap_or_default();
    let origin = Origin::of(connection, request.headers(), &trusted);
    match way(connection, &origin) {
        Way::Encrypted | Way::ThisMachine => {}
        Way::Proxy if HEALTH.contains(&request.uri().path()) => {}
        Way::ClearText => return clear_text(&origin, &request),
        Way::Proxy | Way::Elsewhere => {
            let detail = "ask over HTTPS, or on the machine itself for localhost, 127.0.0.1 or \
                          [::1]: nothing else is served here";
            return ApiProblem::new(StatusCode::FORBIDDEN, "host", detail).into_response();
        }
    }
    let mut response = next.run(request).await;
    if origin.https {
        // Whoever was here once over HTTPS does not come back in clear text.
        let year = HeaderValue::from_static("max-age=31536000");
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
    response
}

/// What a proxy may look at to see whether we are there.
const HEALTH: [&str; 2] = ["/healthz", "/readyz"];

/// Sends a browser that came in clear text to HTTPS; whoever sent more than a
/// wish to see a page is told, because what was sent was sent for all to read.
fn clear_text(origin: &Origin, request: &Request) -> Response {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let page = request.method().is_safe()
        && !request.headers().contains_key(header::AUTHORIZATION)
        && !path.starts_with("/api/");
    // The port is that of clear text; HTTPS has its own.
    let name = origin.host.split_once(':').map_or(&*origin.host, |(name, _)| name);
    let plain = |octet: u8| octet.is_ascii_alphanumeric() || b".-".contains(&octet);
    if page && !name.is_empty() && name.bytes().all(plain) {
        return Redirect::temporary(&format!("https://{name}{path}")).into_response();
    }
    let detail = "this came in clear text, or the proxy does not say how it came \
                  (X-Forwarded-Proto): ask over HTTPS; a token that was sent is to be revoked";
    ApiProblem::new(StatusCode::FORBIDDEN, "clear_text", detail).into_response()
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
#[derive(Clone)]
pub(crate) struct Turns {
    known: Arc<Semaphore>,
    strangers: Arc<Semaphore>,
    /// Longest a request waits for its turn.
    within: Duration,
}

impl Turns {
    /// For one door.
    pub(crate) fn new() -> Self {
        Turns {
            known: Arc::new(Semaphore::new(AT_ONCE_MAX)),
            strangers: Arc::new(Semaphore::new(STRANGERS_AT_ONCE_MAX)),
            within: TURN_WITHIN,
        }
    }
}

/// Bounds how many requests are worked on at once, and how long. Stands behind
/// [`auth::admit`](crate::auth::admit), so that a turn is held for work and
/// not for a form that arrives slowly, and so that it is known who asks.
pub(crate) async fn bounded(State(turns): State<Turns>, request: Request, next: Next) -> Response {
    let busy =
        |detail| ApiProblem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail).into_response();
    let places = match request.extensions().get::<Signed>() {
        Some(_) => turns.known,
        None => turns.strangers,
    };
    let Ok(Ok(_turn)) = tokio::time::timeout(turns.within, places.acquire()).await else {
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
    fn only_what_is_encrypted_or_stays_on_the_machine_comes_in() {
        const HTTPS: (&str, &str) = ("x-forwarded-proto", "https");
        const HTTP: (&str, &str) = ("x-forwarded-proto", "http");
        const FOR: (&str, &str) = ("x-forwarded-for", "198.51.100.7");
        let trusted: Vec<IpNet> = vec!["10.0.0.2/32".parse().unwrap()];
        let check = |peer: &str, tls, host: &'static str, more: &[(&'static str, &'static str)]| {
            let mut headers = axum::http::HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static(host));
            for (name, value) in more {
                headers.insert(*name, HeaderValue::from_static(value));
            }
            let connection = Connection { peer: peer.parse().unwrap(), tls };
            way(connection, &Origin::of(connection, &headers, &trusted))
        };
        // A stranger may write what he likes into Host.
        assert_eq!(check("192.0.2.1", false, "localhost", &[]), Way::Elsewhere);
        assert_eq!(check("192.0.2.1", false, "localhost", &[HTTPS]), Way::Elsewhere);
        assert_eq!(check("192.0.2.1", true, "gate.example", &[]), Way::Encrypted);
        assert_eq!(check("127.0.0.1", false, "localhost:8080", &[]), Way::ThisMachine);
        assert_eq!(check("::ffff:127.0.0.1", false, "[::1]", &[]), Way::ThisMachine);
        assert_eq!(check("127.0.0.1", false, "evil.example", &[]), Way::Elsewhere);
        assert_eq!(check("10.0.0.2", false, "gate.example", &[HTTPS, FOR]), Way::Encrypted);
        assert_eq!(check("10.0.0.2", false, "gate.example", &[HTTP, FOR]), Way::ClearText);
        assert_eq!(check("10.0.0.2", false, "gate.example", &[FOR]), Way::ClearText);
        assert_eq!(check("10.0.0.2", false, "localhost", &[HTTP]), Way::ClearText);
        assert_eq!(check("10.0.0.2", false, "gate.example", &[]), Way::Proxy);
    }

    #[tokio::test]
    async fn strangers_keep_nobody_out_who_is_signed_in() {
        use axum::body::Body;
        use axum::middleware::from_fn_with_state;
        use tower::ServiceExt;

        let slow = axum::routing::get(async || std::future::pending::<()>().await);
        let turns = Turns { within: Duration::from_millis(50), ..Turns::new() };
        let router = axum::Router::new()
            .route("/slow", slow)
            .route("/", axum::routing::get(async || "here"))
            .layer(from_fn_with_state(turns.clone(), bounded));
        let ask = |path: &str, signed: bool| {
            let mut request = Request::builder().uri(path).body(Body::empty()).unwrap();
            if signed {
                attach(request.extensions_mut(), Signed::of_machine(Caller::with_all("ana")));
            }
            router.clone().oneshot(request)
        };
        for _ in 0..STRANGERS_AT_ONCE_MAX {
            tokio::spawn(ask("/slow", false));
        }
        while turns.strangers.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(ask("/", true).await.unwrap().status(), StatusCode::OK);
        assert_eq!(ask("/", false).await.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
    }

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

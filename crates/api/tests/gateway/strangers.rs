//! What somebody cannot do who is not, or is no longer, let in.

use std::time::Duration;

use api::bind_console;
use axum::body::Body;
use axum::http::{Method, StatusCode};
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tower::ServiceExt;

use super::doors::{Gateway, OWNER, OWNER_PASSWORD, gateway, local};
use super::signing_in::Browser;

/// A gateway behind a proxy on its own machine.
fn proxied() -> Gateway {
    let gateway = gateway();
    let api = gateway.api.clone().behind(&["127.0.0.1/32".parse().unwrap()]);
    Gateway { api, ..gateway }
}

#[tokio::test]
async fn whoever_says_localhost_from_elsewhere_stays_out() {
    let gateway = proxied();
    let mut browser = Browser { peer: "192.0.2.7", ..Browser::new(&gateway) };
    for path in ["/sign-in", "/messages", "/api/v1/status", "/healthz"] {
        assert_eq!(browser.get(path).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    let lie = [("x-forwarded-proto", "https")];
    let answer = browser.send(Method::GET, "/sign-in", &lie, String::new()).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn what_the_proxy_took_in_clear_text_is_not_served() {
    let gateway = proxied();
    let mut browser = Browser::new(&gateway);
    browser.fields[0].1 = "gate.corp.example:80".to_owned();
    let clear = [("x-forwarded-for", "198.51.100.7"), ("x-forwarded-proto", "http")];
    let sent = browser.send(Method::GET, "/sign-in?next=%2Fme", &clear, String::new()).await;
    assert_eq!(sent.status, StatusCode::TEMPORARY_REDIRECT);
    assert_eq!(sent.location(), "https://gate.corp.example/sign-in?next=%2Fme");
    assert!(browser.cookies.is_empty(), "no cookie goes out in clear text");
    for (method, path, more) in [
        (Method::POST, "/sign-in", ("accept", "*/*")),
        (Method::GET, "/api/v1/status", ("accept", "*/*")),
        (Method::GET, "/messages", ("authorization", "Bearer x")),
    ] {
        let fields = [clear[0], clear[1], more];
        let answer = browser.send(method, path, &fields, String::new()).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
        assert!(answer.text.contains("clear_text"), "{}", answer.text);
    }
    let unsaid = browser.send(Method::POST, "/sign-in", &clear[..1], String::new()).await;
    assert!(unsaid.text.contains("X-Forwarded-Proto"), "{}", unsaid.text);
    assert_eq!(browser.get("/healthz").await.status, StatusCode::OK, "the proxy itself looks");
    assert_eq!(browser.get("/sign-in").await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn the_token_of_forms_is_written_differently_each_time() {
    let gateway = gateway();
    let mut browser = Browser::new(&gateway);
    let (one, other) = (browser.get("/sign-in").await.csrf(), browser.get("/sign-in").await.csrf());
    assert_ne!(one, other);
    browser.sign_in(OWNER, OWNER_PASSWORD).await;
    let (one, other) = (browser.get("/me").await.csrf(), browser.get("/me").await.csrf());
    assert_ne!(one, other);
    for csrf in [one, other] {
        let form = [("csrf", csrf.as_str()), ("session", "others")];
        assert_eq!(browser.post("/me/sessions", &form).await.status, StatusCode::SEE_OTHER);
    }
}

#[tokio::test]
async fn one_address_is_asked_to_wait_at_the_entrance() {
    let gateway = gateway();
    let mut browser = Browser::new(&gateway);
    let mut last = browser.get("/sign-in").await;
    for _ in 0..140 {
        last = browser.get("/sign-in").await;
    }
    assert_eq!(last.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(last.headers.contains_key("retry-after") && last.text.contains("your address"));
    assert_eq!(browser.get("/healthz").await.status, StatusCode::OK);
    let mut other = Browser { peer: "127.0.0.2", ..Browser::new(&gateway) };
    assert_eq!(other.get("/sign-in").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_stream_ends_when_its_reader_signs_out() {
    let gateway = gateway();
    let mut browser = Browser::new(&gateway);
    browser.sign_in(OWNER, OWNER_PASSWORD).await;
    let cookies: Vec<String> = browser.cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
    let request = local().uri("/api/v1/attempts/stream").header("host", "localhost:8080");
    let request = request.header("cookie", cookies.join("; ")).body(Body::empty()).unwrap();
    let stream = gateway.api.console_router().oneshot(request).await.unwrap();
    assert_eq!(stream.status(), StatusCode::OK);
    let csrf = browser.get("/me").await.csrf();
    browser.post("/sign-out", &[("csrf", &csrf)]).await;
    let whole = tokio::time::timeout(Duration::from_secs(10), stream.into_body().collect());
    let octets = whole.await.expect("the stream ends").unwrap().to_bytes();
    let told = String::from_utf8(octets.to_vec()).unwrap();
    assert!(told.contains("event: cut") && told.contains("signed out"), "{told}");
}

#[tokio::test]
async fn one_address_cannot_take_all_connections() {
    let gateway = gateway();
    let listener = bind_console("127.0.0.1:0".parse().unwrap(), false).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let api = gateway.api.clone();
    let server = tokio::spawn(async move {
        api.serve_console(listener, None, async { stopped.await.unwrap_or(()) }).await
    });
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let mut open = Vec::new();
    for _ in 0..64 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'H', "an answer begins");
        open.push(stream);
    }
    let mut one_more = TcpStream::connect(address).await.unwrap();
    let _ = one_more.write_all(request.as_bytes()).await;
    assert!(!matches!(one_more.read(&mut [0; 8]).await, Ok(read) if read > 0), "closed at once");
    open.pop();
    let mut answer = 0;
    for _ in 0..200 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let _ = stream.write_all(request.as_bytes()).await;
        answer = stream.read_u8().await.unwrap_or(0);
        if answer == b'H' {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(answer, b'H', "a place that is given back is taken");
    drop(open);
    stop.send(()).unwrap();
    server.await.unwrap().unwrap();
}

//! What refused senders may write, and where people read it.

use axum::body::Body;
use axum::http::{Method, StatusCode};
use http_body_util::BodyExt;
use serde_json::json;
use store::EventLog;
use tower::ServiceExt;

use super::doors::{Gateway, HOSTILE, gateway, get, get_json, local, refusal, send};
use api::client::encoded;

/// What a stranger without any cookie gets for a form sent from our own page.
async fn hand_in(gateway: &Gateway, reference: &str, form: String) -> (StatusCode, String, String) {
    let request = local()
        .method(Method::POST)
        .uri(format!("/r/{reference}"))
        .header("host", "localhost")
        .header("sec-fetch-site", "same-origin")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(form));
    let response = gateway.api.console_router().oneshot(request.unwrap()).await.unwrap();
    let status = response.status();
    let to = response.headers().get("location").map(|to| to.to_str().unwrap().to_owned());
    let octets = response.into_body().collect().await.unwrap().to_bytes();
    (status, to.unwrap_or_default(), String::from_utf8(octets.to_vec()).unwrap())
}

#[tokio::test]
async fn a_refused_sender_writes_and_an_administrator_answers() {
    let gateway = gateway();
    let event = refusal(1);
    gateway.log.record(vec![event.clone()]).unwrap();
    let reference = event.reference().to_string();
    let (_, page) = get(&gateway, &format!("/r/{reference}")).await;
    assert!(page.contains("I believe this is wrong") && page.contains("<textarea"), "{page}");
    let form = format!("text={}&contact={}", encoded(HOSTILE), encoded(HOSTILE));
    let (status, to, _) = hand_in(&gateway, &reference, form).await;
    assert_eq!((status, &*to), (StatusCode::SEE_OTHER, &*format!("/r/{reference}?sent=1")));
    let (status, page) = get(&gateway, &to).await;
    assert!(status == StatusCode::OK && page.contains("Handed in"), "{page}");

    let lower = reference.to_lowercase();
    for path in ["/requests".to_owned(), format!("/requests?list=all&search={lower}")] {
        let (status, page) = get(&gateway, &path).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        assert!(page.contains(&format!("/messages/{}", event.id)), "{page}");
        for bad in ["<script>alert", "<img", "\u{202e}", "\u{1b}", " style="] {
            assert!(!page.contains(bad), "{path} contains {bad:?}");
        }
    }
    let (_, page) = get(&gateway, "/requests?search=nothing-like-this").await;
    assert!(page.contains("No request has that in it."), "{page}");
    let (_, page) = get(&gateway, &format!("/messages/{}", event.id)).await;
    assert!(page.contains("The sender believes that this is wrong."), "{page}");
    let (_, page) = get(&gateway, "/").await;
    assert!(page.contains("A refused sender believes that the refusal is wrong."), "{page}");

    let (_, found) = get_json(&gateway, "/api/v1/requests").await;
    assert_eq!(found[0]["ref"], json!(reference));
    assert_eq!(found[0]["attempt"]["to"], "bob@corp.example");
    let number = found[0]["id"].as_u64().unwrap();
    let path = format!("/api/v1/requests/{number}");
    let note = json!({"note": "told them"});
    let (status, done) = send(&gateway, Method::POST, &format!("{path}/answer"), &note).await;
    assert_eq!(
        (status, &done["answer"]["by"]),
        (StatusCode::OK, &json!("owner (token test)")),
        "{done}"
    );
    let (_, page) = get(&gateway, "/requests?list=answered").await;
    assert!(page.contains("told them"), "{page}");
    let (_, page) = get(&gateway, "/requests").await;
    assert!(page.contains("No request waits."), "{page}");
    let (_, again) = send(&gateway, Method::POST, &format!("{path}/reopen"), &json!({})).await;
    assert_eq!(again["answer"], json!(null));
    let (status, _) = send(&gateway, Method::POST, "/api/v1/requests/99/answer", &note).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_strangers_write_is_bounded_and_tells_them_nothing() {
    let gateway = gateway();
    let event = refusal(1);
    gateway.log.record(vec![event.clone()]).unwrap();
    let known = event.reference().to_string();
    // From another page: nothing is taken.
    let request = local().method(Method::POST).uri(format!("/r/{known}"));
    let request = request.header("host", "localhost").header("sec-fetch-site", "cross-site");
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let response =
        gateway.api.console_router().oneshot(request.body(Body::from("text=x")).unwrap());
    assert_eq!(response.await.unwrap().status(), StatusCode::FORBIDDEN);
    // The same answer for what exists and what does not.
    let (status, to, page) = hand_in(&gateway, &known, "text=one".to_owned()).await;
    let (status_of_none, to_of_none, page_of_none) =
        hand_in(&gateway, "ZZZZZZZZZZZZ", "text=one".to_owned()).await;
    assert_eq!((status, &page), (status_of_none, &page_of_none));
    assert_eq!(to.replace(&known, "ZZZZZZZZZZZZ"), to_of_none);
    // Nothing is lost of what is too long, and nothing kept.
    let long = "x".repeat(2_001);
    let (status, _, page) = hand_in(&gateway, &known, format!("text={long}")).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.contains("more than 2000 characters") && page.contains(&long), "{page}");
    // Three at once, then one every ten minutes.
    let (status, _, page) = hand_in(&gateway, &known, "text=two".to_owned()).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS, "{page}");
    let (_, found) = get_json(&gateway, "/api/v1/requests?list=all").await;
    assert_eq!(found.as_array().unwrap().len(), 2, "{found}");
    assert_eq!(found[0]["attempt"], json!(null));
}

#[tokio::test]
async fn a_request_larger_than_any_is_not_read_and_the_form_can_be_turned_off() {
    let gateway = gateway();
    let huge = format!("text={}", "x".repeat(40_000));
    let (status, ..) = hand_in(&gateway, "ZZZZZZZZZZZZ", huge).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    let api = gateway.api.clone();
    let pages = api::RefusalPages { requests: false, ..Default::default() };
    let without = Gateway { api: api.with_refusal_pages(pages), ..gateway };
    let (_, page) = get(&without, "/r/ZZZZZZZZZZZZ").await;
    assert!(page.contains("Nothing to explain here") && !page.contains("<form"), "{page}");
    let (status, ..) = hand_in(&without, "ZZZZZZZZZZZZ", "text=x".to_owned()).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

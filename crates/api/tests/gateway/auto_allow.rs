//! To whom people wrote: over the API and in the console.

use axum::http::{Method, StatusCode};
use serde_json::json;
use store::CorrespondenceTable;
use types::Correspondence;

use super::doors::{Gateway, HOSTILE, gateway, get, get_json, now, send};
use api::client::encoded;

fn filled() -> Gateway {
    let gateway = gateway();
    let pair = |own: &str, other: &str| Correspondence {
        own: own.parse().unwrap(),
        other: other.parse().unwrap(),
        wrote: now(),
    };
    let pairs = [
        pair("bob@corp.example", "ann@sender.example"),
        pair("cid@corp.example", "\"<script>x</script>\"@other.example"),
    ];
    gateway.log.wrote(&pairs).unwrap();
    gateway
}

#[tokio::test]
async fn pairs_are_listed_searched_and_forgotten() {
    let gateway = filled();
    let (status, all) = get_json(&gateway, "/api/v1/senders/auto").await;
    assert_eq!((status, all.as_array().unwrap().len()), (StatusCode::OK, 2), "{all}");
    let (_, found) = get_json(&gateway, "/api/v1/senders/auto?text=ANN@&limit=5").await;
    assert_eq!(found[0]["recipient"], "bob@corp.example", "{found}");
    assert_eq!(found.as_array().unwrap().len(), 1);
    let (status, csv) = get(&gateway, "/api/v1/senders/auto/export?text=sender.example").await;
    assert_eq!(status, StatusCode::OK);
    assert!(csv.starts_with("sender,recipient,wrote\r\nann@sender.example,bob@"), "{csv}");
    let path = "/api/v1/senders/auto";
    let (status, why) = send(&gateway, Method::DELETE, path, &json!({})).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "everybody is never meant: {why}");
    let path = "/api/v1/senders/auto?sender=ann@sender.example&recipient=bob@corp.example";
    let (status, done) = send(&gateway, Method::DELETE, path, &json!({})).await;
    assert_eq!((status, &done["forgotten"]), (StatusCode::OK, &json!(1)), "{done}");
    let (status, _) = get_json(&gateway, "/api/v1/senders/auto?sender=nobody").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn the_page_shows_pairs_and_what_strangers_wrote_is_never_markup() {
    let gateway = filled();
    for path in [
        "/senders/auto".to_owned(),
        "/senders/auto?text=other".to_owned(),
        format!("/senders/auto?text={}", encoded(HOSTILE)),
    ] {
        let (status, page) = get(&gateway, &path).await;
        assert_eq!(status, StatusCode::OK, "{path}\n{page}");
        assert!(!page.contains("<script>x") && !page.contains("<script>alert"), "{path}\n{page}");
        assert!(!page.contains(" style=") && page.contains("<h1>Auto allow</h1>"), "{path}");
    }
    let (_, page) = get(&gateway, "/senders/auto?text=ann").await;
    assert!(page.contains("ann@sender.example") && !page.contains("other.example"), "{page}");
}

//! The audit log over HTTP: what was noted, who may read it, hostile text.

use axum::http::{Method, StatusCode};
use center::accounts::NewToken;
use serde_json::json;
use types::{Caller, Permission};

use super::doors::{Gateway, HOSTILE, OWNER, gateway, get, get_json, send};
use api::client::encoded;

/// The gateway as somebody sees it who may only look at the status.
fn with_a_weak_token(gateway: Gateway) -> Gateway {
    let token = NewToken {
        name: "grafana".into(),
        account: Some(OWNER.into()),
        permissions: [Permission::SystemStatus].into_iter().collect(),
        networks: vec![],
        expires: None,
    };
    let made = gateway.accounts.add_token(&Caller::with_all("test"), &token).unwrap();
    Gateway { token: made.secret, ..gateway }
}

#[tokio::test]
async fn what_a_token_did_is_found_by_search_page_and_export() {
    let gateway = gateway();
    let entry =
        json!({ "sender": "x.example", "recipient": "bob@corp.example", "action": "block" });
    let sender = json!({ "sender": entry, "note": "Monday" });
    let (status, _) = send(&gateway, Method::POST, "/api/v1/senders", &sender).await;
    assert_eq!(status, StatusCode::OK);
    let (_, page) = get_json(&gateway, "/api/v1/audit?action=sender&q=MONDAY").await;
    let row = &page["rows"][0];
    assert_eq!(
        (&row["who"], &row["via"], &row["note"], &row["version"]),
        (&json!("owner (token test)"), &json!("token"), &json!("Monday"), &json!(1))
    );
    let number = row["number"].as_u64().unwrap();
    let (status, html) = get(&gateway, "/system/audit?action=sender").await;
    assert!(status == StatusCode::OK && html.contains("block x.example for bob@corp.example"));
    assert!(html.contains(&format!("/system/audit/{number}")), "{html}");
    let (_, entry) = get(&gateway, &format!("/system/audit/{number}")).await;
    for part in ["Effect since", "as it was left", "It did not exist.", "x.example", "Monday"] {
        assert!(entry.contains(part), "{part}: {entry}");
    }
    let (_, csv) = get(&gateway, "/api/v1/audit/export?action=sender").await;
    assert_eq!((csv.lines().count(), csv.starts_with("number,at,who")), (2, true), "{csv}");
    let (_, told) = get_json(&gateway, "/api/v1/audit?action=export.audit").await;
    assert_eq!(told["rows"][0]["details"]["action"], "sender", "the export is noted");
    let (_, verified) = get_json(&gateway, "/api/v1/audit/verify").await;
    assert_eq!(verified.get("broken"), None);
    let hash = verified["hash"].as_str().unwrap();
    let kept = format!("/api/v1/audit/verify?number={}&hash={hash}", verified["number"]);
    assert_eq!(get_json(&gateway, &kept).await.1.get("broken"), None);
    let (status, _) = get(&gateway, "/api/v1/audit/verify?number=1").await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "half a head");
}

#[tokio::test]
async fn a_search_that_cannot_be_understood_keeps_the_form() {
    let gateway = gateway();
    for query in ["from=soon", "action=nothing", "row=short", "to=yesterday&from=today"] {
        let (status, html) = get(&gateway, &format!("/system/audit?{query}")).await;
        assert!(status == StatusCode::OK && html.contains("role=\"alert\""), "{query}: {html}");
        assert!(html.contains("name=\"q\""), "{query}");
    }
    let (status, _) = get(&gateway, "/system/audit/99999").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn hostile_text_is_escaped_and_visible() {
    let gateway = gateway();
    let hostile = encoded(HOSTILE);
    let pass = json!({ "text": HOSTILE });
    send(&gateway, Method::POST, "/api/v1/greylist/pass", &pass).await;
    for path in [
        "/system/audit".to_owned(),
        format!("/system/audit?q={hostile}&who={hostile}&from={hostile}&row={hostile}"),
        format!("/system/audit?action={hostile}"),
    ] {
        let (_, html) = get(&gateway, &path).await;
        assert!(!html.contains("<script>alert") && !html.contains("<img src=x"), "{path}: {html}");
    }
    let (_, html) = get(&gateway, "/system/audit").await;
    assert!(html.contains("\u{2039}202E\u{203a}") && html.contains("greylist.pass"), "{html}");
}

#[tokio::test]
async fn a_token_without_the_permission_sees_what_its_account_did() {
    let gateway = with_a_weak_token(gateway());
    let (status, page) = get_json(&gateway, "/api/v1/audit").await;
    assert_eq!((status, &page["own_only"]), (StatusCode::OK, &json!(true)));
    let (status, html) = get(&gateway, "/system/audit").await;
    assert!(status == StatusCode::OK && html.contains("see_audit"), "{html}");
    let (status, problem) = get_json(&gateway, "/api/v1/audit/verify").await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("see_audit") && detail.contains(OWNER), "{detail}");
}

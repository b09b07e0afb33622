//! The pages of one message, its life-line, two compared, and the public one.

use axum::http::{Method, StatusCode};
use store::EventLog;

use super::doors::{HOSTILE, OWNER, OWNER_PASSWORD, ask, gateway, get, refusal};
use super::signing_in::Browser;

const HOST: &str = "localhost:8080";

#[tokio::test]
async fn every_side_of_a_message_is_a_page_and_a_panel_and_escapes_everything() {
    let gateway = gateway();
    let event = refusal(1);
    gateway.log.record(vec![event.clone(), refusal(2)]).unwrap();
    let (id, other) = (event.id, refusal(2).id);
    let sides = ["", "/life", "/verdict", "/raw"].map(|side| format!("/messages/{id}{side}"));
    let more = [format!("/lifelines/{}", event.life_line), format!("/compare?a={id}&b={other}")];
    for path in sides.iter().chain(&more) {
        let (status, page) = get(&gateway, path).await;
        assert_eq!(status, StatusCode::OK, "{path}\n{page}");
        assert!(page.starts_with("<!doctype html>"), "{path}");
        for bad in ["<script>alert", "<img", "\u{202e}", "\u{1b}", " style="] {
            assert!(!page.contains(bad), "{path} contains {bad:?}");
        }
    }
    for path in &sides {
        let (status, panel) = get(&gateway, &format!("{path}?panel=1")).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        assert!(panel.starts_with("<div class=\"message\"") && !panel.contains("<html"), "{panel}");
        assert!(!panel.contains("<img") && panel.contains("data-close-panel"), "{path}");
    }
    let (_, page) = get(&gateway, &format!("/messages/{id}")).await;
    for part in ["for-ticket", "for-sender", "data-shortcut=\"v\"", "data-shortcut=\"l\"", "Ledger"]
    {
        assert!(page.contains(part), "{part}\n{page}");
    }
}

#[tokio::test]
async fn previous_and_next_go_through_the_list_a_message_was_opened_from() {
    let gateway = gateway();
    gateway.log.record((1..=3).map(refusal).collect()).unwrap();
    // Newest first, and of one instant by identifier: 3, 2, 1.
    let (_, page) =
        get(&gateway, &format!("/messages/{}?view=rejected&from=&row=2", refusal(2).id)).await;
    let link = |rel: &str, id: types::EventId| {
        let tag = page.split("<a ").find(|tag| tag.contains(&format!("rel=\"{rel}\"")));
        let tag = tag.unwrap_or_else(|| panic!("no {rel} in {page}"));
        assert!(tag.contains(&format!("/messages/{id}?view=rejected")), "{rel}: {tag}");
    };
    link("prev", refusal(3).id);
    link("next", refusal(1).id);
    let (_, alone) = get(&gateway, &format!("/messages/{}", refusal(2).id)).await;
    assert!(!alone.contains("rel=\"next\""), "without a list there is no way through it");
}

#[tokio::test]
async fn a_stranger_is_told_the_reply_and_nothing_of_the_message() {
    let gateway = gateway();
    let event = refusal(1);
    let reason = types::Reason::Accepted;
    let queue = types::QueueId::new(event.at, [9; 10]);
    let kind = types::EventKind::Attempt(types::Outcome::Accepted { queue, reason });
    let accepted = types::Event { kind, ..refusal(9) };
    gateway.log.record(vec![event.clone(), accepted.clone()]).unwrap();
    let router = gateway.api.console_router();
    let ask_stranger = async |path: String| {
        let request = super::doors::local().uri(path).header("host", HOST);
        let request = request.body(axum::body::Body::empty()).unwrap();
        let response = tower::ServiceExt::oneshot(router.clone(), request).await.unwrap();
        let (parts, body) = response.into_parts();
        let octets = http_body_util::BodyExt::collect(body).await.unwrap().to_bytes();
        (parts, String::from_utf8(octets.to_vec()).unwrap())
    };
    let (parts, page) = ask_stranger(format!("/r/{}", event.reference())).await;
    assert_eq!(parts.status, StatusCode::OK, "{page}");
    assert_eq!(parts.headers["x-robots-tag"], "noindex, nofollow, noarchive");
    assert!(page.contains("550 5.1.1") && page.contains("What that means"), "{page}");
    for private in ["bob@", "alert(1)", "192.0.2.7", HOSTILE] {
        assert!(!page.contains(private), "{private}");
    }
    let (unknown, nothing) = ask_stranger("/r/ZZZZZZZZZZZZ".to_owned()).await;
    let (taken, same) = ask_stranger(format!("/r/{}", accepted.reference())).await;
    assert_eq!((unknown.status, taken.status), (StatusCode::NOT_FOUND, StatusCode::NOT_FOUND));
    assert_eq!(nothing, same, "not public and not there look the same");
    let mut last = StatusCode::OK;
    for _ in 0..30 {
        let (parts, _) = ask_stranger(format!("/r/{}", event.reference())).await;
        last = parts.status;
        if last == StatusCode::TOO_MANY_REQUESTS {
            assert!(parts.headers.contains_key("retry-after"));
            break;
        }
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    // The rest of the console is not held up by strangers.
    assert_eq!(ask(&gateway, Method::GET, "/healthz", HOST).await.status(), StatusCode::OK);
}

/// A refusal of a DNS block list, from the world or from a server of our own.
fn listed(number: u8, direction: types::Direction) -> types::Event {
    let mut event = refusal(number);
    let client = &mut std::sync::Arc::make_mut(&mut event.subject.client).client;
    client.direction = direction;
    let decision = types::Decision::new(types::Reason::RblListed, types::CheckName::Rbl);
    event.kind = types::EventKind::Attempt(types::Outcome::Rejected(decision));
    event
}

#[tokio::test]
async fn an_exception_opens_the_editor_filled_in_and_stores_nothing() {
    let gateway = gateway();
    let event = listed(1, types::Direction::Inbound);
    gateway.log.record(vec![event.clone()]).unwrap();
    let (message, reference) = (format!("/messages/{}", event.id), event.reference().to_string());
    let (_, page) = get(&gateway, &message).await;
    assert!(!page.contains("/policies/new/"), "nobody is signed in who could save it");
    let mut browser = Browser::new(&gateway);
    browser.sign_in(OWNER, OWNER_PASSWORD).await;
    let page = browser.get(&message).await.text;
    let href = page.split("href=\"").find(|rest| rest.starts_with("/policies/new/"));
    let href = href.and_then(|rest| rest.split('"').next());
    let href = href.unwrap_or_else(|| panic!("{page}")).replace("&#38;", "&");
    assert!(href.starts_with("/policies/new/reputation?narrative=Exception"), "{href}");
    let editor = browser.get(&href).await.text;
    for part in [
        "selected>no action</option>",
        "value=\"on\" checked",
        "192.0.2.7/32</textarea>",
        "name=\"to_name\" maxlength=\"300\" list=\"groups\" autocomplete=\"off\" \
         autocapitalize=\"off\" spellcheck=\"false\" value=\"bob@corp.example\"",
        &format!("name=\"row\" value=\"{reference}\""),
        &format!("href=\"/messages/{reference}\""),
    ] {
        assert!(editor.contains(part), "{part}\n{editor}");
    }
    assert!(gateway.center.policies(&types::Caller::with_all("x")).unwrap().policies.is_empty());
    // Nonsense in the address is left out.
    let odd = "/policies/new/reputation?mode=x&to=y&based_on=z&row=%22%3E%3Cimg";
    let odd = browser.get(odd).await.text;
    assert!(odd.contains("name=\"row\" value=\"\"") && odd.contains("« Policies"), "{odd}");
    assert!(odd.contains("value=\"observe\" checked"), "{odd}");
}

#[tokio::test]
async fn an_exception_that_takes_the_override_flag_says_so() {
    let gateway = gateway();
    let mut event = refusal(1);
    let path = types::ReversePath::Address("ann@over-tls.example".parse().unwrap());
    event.subject.reverse_path = Some(path.into());
    event.record.stage = Some(types::Stage::Mail);
    let decision =
        types::Decision::new(types::Reason::TlsRequired, types::CheckName::SecureReceipt);
    event.kind = types::EventKind::Attempt(types::Outcome::Rejected(decision));
    gateway.log.record(vec![event.clone()]).unwrap();
    let mut browser = Browser::new(&gateway);
    browser.sign_in(OWNER, OWNER_PASSWORD).await;
    let page = browser.get(&format!("/messages/{}", event.id)).await.text;
    assert!(page.contains("Make an exception for this sender at this server, with override…"));
    assert!(page.contains("Without override, another policy"), "{page}");
    let href = page.split("href=\"").find(|rest| rest.starts_with("/policies/new/"));
    let href = href.and_then(|rest| rest.split('"').next()).unwrap().replace("&#38;", "&");
    let editor = browser.get(&href).await.text;
    assert!(editor.contains("name=\"override\" value=\"1\" checked"), "{href}\n{editor}");
    assert!(editor.contains("value=\"ann@over-tls.example\""), "{editor}");
}

#[tokio::test]
async fn mail_of_our_own_servers_is_offered_neither_permit_nor_block() {
    let gateway = gateway();
    let [ours, theirs] = [types::Direction::Outbound, types::Direction::Inbound];
    let (sent, came) = (listed(1, ours), listed(2, theirs));
    gateway.log.record(vec![sent.clone(), came.clone()]).unwrap();
    let mut browser = Browser::new(&gateway);
    browser.sign_in(OWNER, OWNER_PASSWORD).await;
    for path in ["/messages/{id}", "/messages/{id}/life", "/messages?view=all", "/lifelines/{life}"]
    {
        for event in [&sent, &came] {
            let path = path.replace("{id}", &event.id.to_string());
            let path = path.replace("{life}", &event.life_line.to_string());
            let page = browser.get(&path).await;
            assert_eq!(page.status, StatusCode::OK, "{path}");
            for act in ["permit", "block"] {
                let is_offered = page.text.contains(&format!("/messages/{}/{act}\"", event.id));
                assert_eq!(is_offered, event.id == came.id, "{path} {act}\n{}", page.text);
            }
        }
    }
    for verdict in ["permit", "block"] {
        let path = format!("/api/v1/attempts/{}/senders?verdict={verdict}", sent.id);
        let (status, told) = get(&gateway, &path).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{told}");
        assert!(told.contains("mail of your own servers"), "{told}");
    }
}

//! The pages of the console: complete without script, escaped, small.

use std::collections::HashSet;

use axum::http::{Method, StatusCode};
use http_body_util::BodyExt;

use store::EventLog;

use super::doors::{Gateway, HOSTILE, ask, gateway, get, refusal, send};
use api::client::encoded;

const HOST: &str = "localhost:8080";

fn filled(rows: u8) -> Gateway {
    let gateway = gateway();
    gateway.log.record((1..=rows).map(refusal).collect()).unwrap();
    gateway
}

/// Where a redirect leads.
async fn redirected(gateway: &Gateway, path: &str) -> String {
    let response = ask(gateway, Method::GET, path, HOST).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER, "{path}");
    response.headers()["location"].to_str().unwrap().to_owned()
}

/// The references of the rows of a page, in order.
fn rows(page: &str) -> Vec<&str> {
    page.split("data-ref=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

/// The target of the first link that has `mark` in its tag.
fn link<'a>(page: &'a str, mark: &str) -> Option<String> {
    let tag: &'a str = page.split("<a ").skip(1).find_map(|rest| {
        let tag = rest.split('>').next()?;
        tag.contains(mark).then_some(tag)
    })?;
    let target = tag.split("href=\"").nth(1)?.split('"').next()?;
    Some(target.replace("&#38;", "&").replace("&amp;", "&"))
}

#[tokio::test]
async fn every_page_has_its_frame_and_no_inline_style_or_script() {
    let gateway = filled(3);
    for path in [
        "/",
        "/?span=7d",
        "/?span=7d&table=flow",
        "/messages",
        "/messages?view=rejected",
        "/messages?view=rejected&facets=open&chart=table&figures=wait",
        "/messages?view=held",
        "/messages?q=nothing-like-this",
        "/messages?q=sujbect%3Ax",
        "/messages/live",
        "/reports/downloads",
        "/reports/downloads/new?view=rejected",
    ] {
        let (status, page) = get(&gateway, path).await;
        assert_eq!(status, StatusCode::OK, "{path}\n{page}");
        for part in ["class=\"skip\"", "<main", "role=\"search\"", "<h1", "aria-label=\"Main\""] {
            assert!(page.contains(part), "{path} has no {part}\n{page}");
        }
        assert!(!page.contains(" style=") && !page.contains(" onclick"), "{path}");
        let scripts = page.matches("<script type=\"module\" src=\"/assets/").count();
        assert_eq!(page.matches("<script").count(), scripts, "{path}");
    }
}

#[tokio::test]
async fn what_a_sender_wrote_is_never_markup() {
    let gateway = filled(1);
    let query = encoded(HOSTILE);
    for path in [
        "/messages?view=all&cols=time,from,hfrom,subject,helo,info".to_owned(),
        "/messages/live?view=all".to_owned(),
        "/messages?view=rejected&facets=open&figures=wait".to_owned(),
        format!("/messages?q={query}"),
        format!("/messages?view={query}&sort={query}&cols={query}&after={query}&from={query}"),
        format!("/reports/downloads/new?q=%22{query}%22"),
        "/".to_owned(),
    ] {
        let (_, page) = get(&gateway, &path).await;
        assert!(!page.contains("<img") && !page.contains("<script>"), "{path}\n{page}");
        assert!(!page.contains('\u{1b}'), "{path}");
        // What the reader typed stands in the search box as it was typed.
        assert!(path.contains(&query) || !page.contains('\u{202e}'), "{path}");
    }
}

#[tokio::test]
async fn what_a_colleague_wrote_turns_no_text_around() {
    let gateway = gateway();
    let policy = serde_json::json!({ "policy": {
        "narrative": "No \u{202e}gpj.exe",
        "option": { "type": "blocked_senders", "set": "block" },
    } });
    let (status, body) = send(&gateway, Method::POST, "/api/v1/policies", &policy).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    for path in ["/policies", "/policies/1", "/changes/1", "/policies/versions", "/system/audit"] {
        let (status, page) = get(&gateway, path).await;
        assert_eq!(status, StatusCode::OK, "{path}\n{page}");
        assert!(!page.contains('\u{202e}'), "{path}\n{page}");
        assert!(
            path == "/policies/versions" || page.contains("\u{2039}202E\u{203a}gpj"),
            "{path}\n{page}"
        );
    }
}

#[tokio::test]
async fn a_mistake_in_an_address_is_a_page_that_says_what_would_be_right() {
    let gateway = gateway();
    for (path, told) in [
        ("/?span=xyz", "possible is"),
        ("/messages?from=garbage", "is no time (try last24h, today or"),
        ("/requests?list=xyz", "possible is"),
        ("/requests?before=x", "invalid digit"),
        ("/system/audit?before=x", "invalid digit"),
    ] {
        let (status, page) = get(&gateway, path).await;
        assert!(status.is_client_error(), "{path} {status}");
        assert!(page.contains("<h1>This ") && page.contains(told), "{path}\n{page}");
        let plain = path.split('?').next().unwrap();
        assert!(
            page.contains(&format!("href=\"{plain}\">Open this page without")),
            "{path}\n{page}"
        );
        assert!(!page.contains("Unprocessable"), "{path}\n{page}");
    }
}

#[tokio::test]
async fn the_simple_filters_are_a_form_that_becomes_a_query() {
    let gateway = filled(3);
    let place =
        redirected(&gateway, "/messages?view=rejected&q=&by=to&text=bob%40corp.example").await;
    assert_eq!(place, "/messages?view=rejected&q=to%3Abob%40corp.example");
    let (_, by_form) = get(&gateway, &place).await;
    assert_eq!(rows(&by_form).len(), 3);
    let chosen = redirected(&gateway, "/messages?view=rejected&col=time&col=to").await;
    assert_eq!(chosen, "/messages?view=rejected&cols=time%2Cto");
    let (_, page) = get(&gateway, &chosen).await;
    assert!(page.contains("class=\"c-to\"") && !page.contains("class=\"c-ip\""), "{page}");
}

#[tokio::test]
async fn a_wrong_query_leaves_the_list_as_it_was() {
    let gateway = filled(2);
    let (_, before) = get(&gateway, "/messages?view=rejected&q=to%3Abob").await;
    let (_, after) = get(&gateway, "/messages?view=rejected&was=to%3Abob&q=sujbect%3Ax").await;
    assert_eq!(rows(&before), rows(&after));
    assert!(after.contains("<mark><bdi>sujbect:</bdi></mark>"), "{after}");
    assert_eq!(link(&after, "subject").as_deref(), Some("/messages?view=rejected&q=subject%3Ax"));
    // A right one gets a plain address.
    let place = redirected(&gateway, "/messages?view=rejected&was=to%3Abob&q=to%3Aann").await;
    assert_eq!(place, "/messages?view=rejected&q=to%3Aann");
}

#[tokio::test]
async fn chips_facets_and_empty_lists_are_links() {
    let gateway = filled(2);
    let (_, page) = get(&gateway, "/messages?view=rejected&q=to%3Abob%20-type%3Arbl").await;
    assert_eq!(link(&page, "Remove type: rbl").unwrap(), "/messages?view=rejected&q=to%3Abob");
    assert_eq!(
        link(&page, "Exclude to: bob").unwrap(),
        "/messages?view=rejected&q=-to%3Abob%20-type%3Arbl"
    );
    let (_, page) = get(&gateway, "/messages?view=deferred&q=to%3Abob").await;
    assert!(page.contains("Nothing matches in this time."), "{page}");
    let (_, page) = get(&gateway, "/messages?view=rejected&facets=open").await;
    assert!(page.contains("aria-label=\"Only"), "{page}");
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_repetition() {
    let gateway = filled(120);
    let mut seen = HashSet::new();
    let mut place = "/messages?view=rejected&figures=wait".to_owned();
    for expected in [50, 50, 20] {
        let (_, page) = get(&gateway, &place).await;
        let shown = rows(&page);
        assert_eq!(shown.len(), expected, "{place}");
        seen.extend(shown.into_iter().map(str::to_owned));
        place = link(&page, "id=\"page-next\"").unwrap_or_default();
    }
    assert_eq!((seen.len(), place.as_str()), (120, ""));
}

#[tokio::test]
async fn sorting_is_a_link_in_the_heading() {
    let gateway = filled(2);
    let (_, page) = get(&gateway, "/messages?view=rejected").await;
    assert!(page.contains("aria-sort=\"descending\""));
    let oldest = page.split("aria-sort=\"descending\"").nth(1).unwrap();
    assert_eq!(link(oldest, "sort=time").unwrap(), "/messages?view=rejected&sort=time");
    let (_, page) = get(&gateway, "/messages?view=rejected&sort=time").await;
    assert!(page.contains("aria-sort=\"ascending\""));
}

#[tokio::test]
async fn the_first_page_is_at_most_60_kb_in_all() {
    let gateway = filled(60);
    let (_, page) = get(&gateway, "/messages?view=rejected&figures=wait").await;
    let mut paths: Vec<String> = page
        .split("/assets/")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .map(|rest| format!("/assets/{rest}"))
        .collect();
    let folder = paths[0].rsplit_once('/').unwrap().0.to_owned();
    // What the modules import comes along.
    for name in ["keys", "menus", "pulse", "complete", "panel", "histogram"] {
        paths.push(format!("{folder}/{name}.js"));
    }
    paths.push("/messages?view=rejected&figures=wait".to_owned());
    let mut octets = 0;
    for path in paths {
        let response = super::doors::ask_with(&gateway, &path, ("accept-encoding", "gzip")).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        let packed = response.headers().get("content-encoding").is_some();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(packed || body.len() < 1_000, "{path} is not packed");
        octets += body.len();
    }
    assert!(octets <= 60_000, "{octets} octets");
}

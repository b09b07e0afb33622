//! Definitions as forms: what is shown is what is sent back, mistakes stand
//! beside their fields, and what no page sends is refused by name.

use axum::body::Body;
use axum::http::{Method, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::doors::{Gateway, HOSTILE, gateway, get, get_json, local, send};
use api::client::encoded;

type Fields = Vec<(String, String)>;

/// Definitions of each kind in which every field says something.
fn full() -> [Value; 3] {
    [
        json!({ "name": "Lists", "narrative": "What is\nlisted", "set": { "reputation": {
            "reject_weight": 4,
            "global_permitted_list": false,
            "local": { "defer_score": 0, "reject_score": 99 },
            "lists": [
                { "list": "bl.example.net", "of": "ip", "weight": 3, "answers": ["127.0.0.4/30"] },
                { "list": "bl.corp.example", "of": "helo", "weight": 5 },
                { "list": "names.example.net", "of": "host_name", "weight": -2 },
            ],
        } } }),
        json!({ "name": "Places & more", "set": { "geographical_restriction": {
            "action": "permit", "countries": ["DE", "AT", "XA"], "networks": [64500],
        } } }),
        json!({ "name": HOSTILE, "narrative": HOSTILE, "set": { "dns_authentication": {
            "spf": { "fail": "reject", "temperror": "defer", "pass": "no_action" },
            "dkim": { "policy": "hold" },
            "dmarc": { "fail": "honour_record", "none": "ignore_permitted" },
        } } }),
    ]
}

async fn filled() -> Gateway {
    let gateway = gateway();
    for definition in full() {
        let path = format!("/api/v1/definitions/{}", encoded(definition["name"].as_str().unwrap()));
        let body = json!({ "definition": definition });
        let (status, answer) = send(&gateway, Method::PUT, &path, &body).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
    }
    gateway
}

/// A text of a page as a browser reads it.
fn plain(text: &str) -> String {
    let mut plain = text.to_owned();
    for (written, meant) in [
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&#38;", "&"),
        ("&amp;", "&"),
    ] {
        plain = plain.replace(written, meant);
    }
    plain
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let rest = tag.split_once(&format!(" {name}=\""))?.1;
    Some(plain(rest.split('"').next()?))
}

/// What a browser sends of the form of a page, with the button `act`.
fn sent(page: &str, act: &str) -> Fields {
    let form = page
        .split("<form method=\"post\"")
        .find(|form| form.contains("name=\"expected\""))
        .unwrap();
    let form = form.split("</form>").next().unwrap();
    let mut fields = Fields::new();
    let mut select = String::new();
    for part in form.split('<').skip(1) {
        let (tag, after) = part.split_once('>').unwrap();
        let name = attribute(tag, "name");
        let is = |word: &str| tag.split(' ').any(|part| part == word);
        match (tag.split(' ').next().unwrap(), name) {
            ("select", Some(name)) => select = name,
            ("option", _) if is("selected") => {
                fields.push((select.clone(), attribute(tag, "value").unwrap()));
            }
            ("textarea", Some(name)) => {
                let text = plain(after.strip_prefix('\n').unwrap_or(after));
                fields.push((name, text.replace('\n', "\r\n")));
            }
            ("input", Some(name)) => {
                let is_ticked = match attribute(tag, "type").as_deref() {
                    Some("checkbox" | "radio") => is("checked"),
                    _ => true,
                };
                if is_ticked {
                    fields.push((name, attribute(tag, "value").unwrap_or_default()));
                }
            }
            _ => {}
        }
    }
    fields.push(("do".to_owned(), act.to_owned()));
    fields
}

/// The same with other values of some fields.
fn with(mut fields: Fields, others: &[(&str, &str)]) -> Fields {
    fields.retain(|(name, _)| !others.iter().any(|(other, _)| name == other));
    let others = others.iter().filter(|(_, value)| !value.is_empty());
    fields.extend(others.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    fields
}

/// Sends a form; gives the status, where it leads and the page.
async fn post(gateway: &Gateway, path: &str, fields: &Fields) -> (StatusCode, String, String) {
    let pairs = fields.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value)));
    let body = pairs.collect::<Vec<_>>().join("&");
    let request = local().method(Method::POST).uri(path).header("host", "localhost");
    let request = request.header("authorization", format!("Bearer {}", gateway.token()));
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let request = request.body(Body::from(body)).unwrap();
    let response = gateway.api.console_router().oneshot(request).await.unwrap();
    let status = response.status();
    let there = response.headers().get("location").map(|to| to.to_str().unwrap().to_owned());
    let octets = response.into_body().collect().await.unwrap().to_bytes();
    (status, there.unwrap_or_default(), String::from_utf8_lossy(&octets).into_owned())
}

#[tokio::test]
async fn a_form_that_is_saved_as_it_was_opened_changes_nothing() {
    let gateway = filled().await;
    let (_, before) = get_json(&gateway, "/api/v1/definitions").await;
    for definition in full() {
        let path = format!("/definitions/{}", encoded(definition["name"].as_str().unwrap()));
        for side in ["form", "text"] {
            let (status, page) = get(&gateway, &format!("{path}?as={side}")).await;
            assert_eq!(status, StatusCode::OK, "{page}");
            assert!(!page.contains("<script>alert") && !page.contains('\u{202e}'), "{page}");
            if side == "text" && definition["name"] == HOSTILE {
                // What acts unseen is made visible, so this text has another name.
                continue;
            }
            let (status, there, page) = post(&gateway, &path, &sent(&page, "save")).await;
            assert_eq!((status, there.as_str()), (StatusCode::SEE_OTHER, "/definitions"), "{page}");
        }
        // Over to the text and back, nothing is lost either.
        let (_, page) = get(&gateway, &path).await;
        let (status, _, text) = post(&gateway, &path, &sent(&page, "text")).await;
        assert!(status == StatusCode::OK && text.contains("[definition.set."), "{text}");
        if definition["name"] == HOSTILE {
            continue;
        }
        let (status, _, page) = post(&gateway, &path, &sent(&text, "form")).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        let (status, there, page) = post(&gateway, &path, &sent(&page, "save")).await;
        assert_eq!((status, there.as_str()), (StatusCode::SEE_OTHER, "/definitions"), "{page}");
    }
    let (_, after) = get_json(&gateway, "/api/v1/definitions").await;
    assert_eq!(after, before);
}

#[tokio::test]
async fn each_kind_is_made_by_its_form_and_changed_there() {
    let gateway = gateway();
    let (status, kinds) = get(&gateway, "/definitions/new").await;
    assert_eq!(status, StatusCode::OK);
    for (kind, fields, expected) in [
        (
            "dns_authentication",
            vec![("dkim.fail", "hold")],
            json!({ "dns_authentication": {
                "spf": { "fail": "ignore_permitted" },
                "dkim": { "fail": "hold" },
                "dmarc": { "fail": "honour_record" },
            } }),
        ),
        (
            "reputation",
            vec![("lists.1.use", "on"), ("lists.2.use", "on"), ("lists.2.weight", "-3")],
            json!({ "reputation": { "reject_weight": 1, "lists": [
                { "list": "bl.corp.example", "of": "ip", "weight": 1 },
                { "list": "names.corp.example", "of": "sender_domain", "weight": -3 },
            ] } }),
        ),
        (
            "geographical_restriction",
            vec![("add", "France, ch"), ("action", "block"), ("networks", "AS64500, 64501")],
            json!({ "geographical_restriction": {
                "action": "block", "countries": ["FR", "CH"], "networks": [64500, 64501],
            } }),
        ),
    ] {
        let new = format!("/definitions/new?kind={kind}");
        assert!(kinds.contains(&format!("href=\"{new}\"")), "{kinds}");
        let (status, page) = get(&gateway, &new).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        let fields = with(with(sent(&page, "save"), &fields), &[("name", kind), ("note", "first")]);
        let (status, there, page) = post(&gateway, "/definitions/new", &fields).await;
        assert_eq!(status, StatusCode::SEE_OTHER, "{page}");
        assert!(there.starts_with("/changes/"), "{there}");
        let (_, stored) = get_json(&gateway, &format!("/api/v1/definitions/{kind}")).await;
        assert_eq!(stored["definition"]["set"], expected);
        // A second one of the name is refused beside the name, and an old form at all.
        let (status, _, page) = post(&gateway, "/definitions/new", &fields).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(page.contains("id=\"name-fault\"") && page.contains("already"), "{page}");
        let path = format!("/definitions/{kind}");
        let (_, page) = get(&gateway, &path).await;
        let opened = sent(&page, "save");
        let changed = with(opened.clone(), &[("narrative", "changed")]);
        assert_eq!(post(&gateway, &path, &changed).await.0, StatusCode::SEE_OTHER);
        let (status, _, page) =
            post(&gateway, &path, &with(opened, &[("narrative", "late")])).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(page.contains("nothing is overwritten") && page.contains("late"), "{page}");
    }
}

#[tokio::test]
async fn a_mistake_stands_beside_its_field_and_what_was_typed_is_kept() {
    let gateway = filled().await;
    let path = "/definitions/Lists";
    let (_, page) = get(&gateway, path).await;
    let opened = sent(&page, "save");
    for (act, others, field) in [
        ("save", vec![("reject_weight", "99")], "reject_weight"),
        ("replay", vec![("reject_weight", "a lot")], "reject_weight"),
        (
            "save",
            vec![("lists.1.use", ""), ("reject_weight", "5"), ("lists.2.weight", "0")],
            "lists.2.weight",
        ),
        ("save", vec![("local.reject_score", "101")], "local.reject_score"),
        ("save", vec![("lists.3.answers", "203.0.113.9")], "lists.3.answers"),
        ("text", vec![("lists.3.list", "<b>")], "lists.3.list"),
    ] {
        let fields = with(with(opened.clone(), &others), &[("do", act), ("note", "my note")]);
        let (status, _, page) = post(&gateway, path, &fields).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{others:?}: {page}");
        let beside = format!("aria-invalid=\"true\" aria-describedby=\"{field}-fault\"");
        assert!(page.contains(&beside), "{others:?}: {page}");
        assert!(page.contains(&format!("<p class=\"fault\" id=\"{field}-fault\"")), "{page}");
        assert!(page.contains(&format!("<a href=\"#{field}\">")), "{page}");
        let again = sent(&page, act);
        for (name, value) in others.into_iter().filter(|(_, value)| !value.is_empty()) {
            assert!(again.contains(&(name.to_owned(), value.to_owned())), "{name}: {again:?}");
        }
    }
    let (_, row) = get_json(&gateway, "/api/v1/definitions/Lists").await;
    assert_eq!(row["provenance"]["version"], 1);
}

#[tokio::test]
async fn what_no_page_sends_is_refused_with_its_field() {
    let gateway = filled().await;
    let path = "/definitions/Lists";
    let (_, page) = get(&gateway, path).await;
    let opened = sent(&page, "save");
    for (field, value, expected) in [
        ("kind", "greylisting", StatusCode::BAD_REQUEST),
        ("kind", HOSTILE, StatusCode::BAD_REQUEST),
        ("as", "picture", StatusCode::BAD_REQUEST),
        ("do", "drop tables", StatusCode::BAD_REQUEST),
        ("expected", "-1", StatusCode::BAD_REQUEST),
        ("local", "theirs", StatusCode::UNPROCESSABLE_ENTITY),
        ("lists.1.of", HOSTILE, StatusCode::UNPROCESSABLE_ENTITY),
        ("lists.1.colour", "red", StatusCode::UNPROCESSABLE_ENTITY),
        ("spf.fail", "hold", StatusCode::UNPROCESSABLE_ENTITY),
        ("name", "Another", StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        let (status, _, page) =
            post(&gateway, path, &with(opened.clone(), &[(field, value)])).await;
        assert_eq!(status, expected, "{field} = {value}: {page}");
        let named = page.contains(field) || page.contains(&format!("{field}-fault"));
        assert!(named, "{field} = {value}: {page}");
        assert!(!page.contains("<script>alert") && !page.contains('\u{202e}'), "{page}");
    }
    let none = with(opened, &[("kind", "")]);
    assert_eq!(post(&gateway, path, &none).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(get(&gateway, "/definitions/new?kind=greylisting").await.0, StatusCode::NOT_FOUND);
    assert_eq!(get(&gateway, "/definitions/Lists?as=picture").await.0, StatusCode::BAD_REQUEST);
    let (_, row) = get_json(&gateway, "/api/v1/definitions/Lists").await;
    assert_eq!(row["provenance"]["version"], 1);
}

#[tokio::test]
async fn what_is_looked_for_is_added_and_rows_come_without_storing_anything() {
    let gateway = filled().await;
    let path = "/definitions/Places%20%26%20more";
    let (_, page) = get(&gateway, path).await;
    let fields = with(sent(&page, "add"), &[("add", "Japan"), ("note", "my note")]);
    let (status, _, page) = post(&gateway, path, &fields).await;
    assert_eq!(status, StatusCode::OK, "{page}");
    let again = sent(&page, "save");
    assert!(again.contains(&("countries".to_owned(), "JP".to_owned())), "{again:?}");
    assert!(again.contains(&("add".to_owned(), String::new())), "{again:?}");
    assert!(page.contains("Japan (JP)"), "{page}");
    let (_, page) = get(&gateway, "/definitions/Lists").await;
    let fields = with(sent(&page, "rows"), &[("lists.1.weight", "half")]);
    let (status, _, page) = post(&gateway, "/definitions/Lists", &fields).await;
    assert!(status == StatusCode::OK && page.contains("value=\"half\""), "{page}");
    let rows = |fields: &Fields| fields.iter().filter(|(name, _)| name.ends_with(".list")).count();
    assert_eq!(rows(&sent(&page, "save")), rows(&fields) + 3);
    let (_, row) = get_json(&gateway, "/api/v1/definitions/Lists").await;
    assert_eq!(row["provenance"]["version"], 1);
}

//! Groups of directories: shown with where they come from, offered in scopes,
//! and changed by nobody here.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use store::state::{Authorship, DirectoryEdit, PolicyState, SqliteState};
use types::lists::Group;
use types::{Actor, DirectoryAttribute};

use super::doors::{Gateway, HOSTILE, gateway, get, get_json, now, send};
use api::client::encoded;

fn taken(gateway: &Gateway, edits: Vec<DirectoryEdit>) {
    let state = SqliteState::open(&gateway.folder.path().join("state.db")).unwrap();
    let (actor, note) = (Actor::machine("directory corp"), String::new());
    let who = Authorship { actor, note, at: now(), expected: None };
    state.take_groups(&who, edits).unwrap();
    let read = now().as_millis().to_string();
    state.set_fact("directory_groups.corp", Some(&read)).unwrap();
}

fn put(name: &str) -> DirectoryEdit {
    let members = vec!["ann@partner.example".parse().unwrap()];
    DirectoryEdit::Put(Group { name: Group::name_in("corp", name), parent: None, members })
}

/// A gateway with groups of a directory and one of its own.
async fn filled() -> Gateway {
    let gateway = gateway();
    taken(&gateway, vec![put("Sales"), put("Old"), put(HOSTILE)]);
    taken(&gateway, vec![DirectoryEdit::Leave { name: "corp:Old".to_owned(), needed: true }]);
    let mine = json!({ "group": { "name": "Mine", "members": [] } });
    let (status, answer) = send(&gateway, Method::PUT, "/api/v1/groups/Mine", &mine).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    gateway
}

#[tokio::test]
async fn the_api_says_where_a_group_comes_from_and_changes_none_of_a_directory() {
    let gateway = filled().await;
    let (_, sales) = get_json(&gateway, "/api/v1/groups/corp:Sales").await;
    assert_eq!(sales["provenance"]["origin"], "directory", "{sales}");
    let source = json!({ "name": "corp", "read": now() });
    assert_eq!(
        (&sales["directory"], &sales["group"]["members"][0]),
        (&source, &json!("ann@partner.example"))
    );
    let (_, old) = get_json(&gateway, "/api/v1/groups/corp%3AOld").await;
    assert_eq!(
        (&old["provenance"]["origin"], &old["directory"]["gone"]),
        (&json!("gone"), &json!(now()))
    );
    let (_, mine) = get_json(&gateway, "/api/v1/groups/Mine").await;
    assert_eq!(mine["directory"], Value::Null);
    let path = "/api/v1/groups/corp:Sales";
    let sales = json!({ "group": { "name": "corp:Sales", "members": [] } });
    let below = json!({ "group": { "name": "Mine", "parent": "corp:Sales", "members": [] } });
    for (method, path, body) in [
        (Method::PUT, path, &sales),
        (Method::DELETE, path, &json!({})),
        (Method::POST, "/api/v1/groups/corp:Sales/members", &json!({ "add": ["a.example"] })),
        (Method::PUT, "/api/v1/groups/Mine", &below),
    ] {
        let (status, problem) = send(&gateway, method, path, body).await;
        assert_eq!(status, StatusCode::CONFLICT, "{problem}");
        let kind = problem["type"].as_str().unwrap_or_default();
        assert!(kind.ends_with("directory_managed"), "{problem}");
    }
    let new = json!({ "group": { "name": "other:New", "members": [] } });
    let (status, problem) = send(&gateway, Method::PUT, "/api/v1/groups/other:New", &new).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    let (status, gone) =
        send(&gateway, Method::DELETE, "/api/v1/groups/corp:Old", &json!({})).await;
    assert_eq!(status, StatusCode::OK, "{gone}");
}

/// Values of attributes, one of them hostile.
#[tokio::test]
async fn the_values_of_attributes_are_listed_apart_and_a_policy_can_name_one() {
    let gateway = filled().await;
    let held = |value: &str| {
        let held = DirectoryAttribute::new("department", value).unwrap();
        let members = vec!["ann@partner.example".parse().unwrap()];
        let name = Group::name_of_value("corp", &held);
        DirectoryEdit::Put(Group { name, parent: None, members })
    };
    taken(&gateway, vec![held("Sales"), held(&HOSTILE.replace(char::is_control, ""))]);
    let (_, rows) = get_json(&gateway, "/api/v1/attributes").await;
    let sales = json!({
        "directory": "corp", "name": "department", "value": "Sales", "addresses": 1,
    });
    assert!(rows.as_array().unwrap().contains(&sales), "{rows}");
    let (_, groups) = get_json(&gateway, "/api/v1/groups").await;
    assert!(!groups.to_string().contains("corp::"), "{groups}");
    let (_, tree) = get(&gateway, "/groups").await;
    assert!(!tree.contains("corp::"), "{tree}");
    let policy = json!({
        "narrative": "No mail of their sales",
        "option": { "type": "blocked_senders", "set": "block" },
        "from": { "attribute": { "name": "Department", "value": "sales" } },
    });
    let body = json!({ "policy": policy });
    let (status, made) = send(&gateway, Method::POST, "/api/v1/policies", &body).await;
    assert_eq!(status, StatusCode::OK, "{made}");
    let (_, list) = get(&gateway, "/policies").await;
    assert!(list.contains("Department = sales"), "{list}");
    let (_, editor) = get(&gateway, "/policies/new/blocked_senders").await;
    assert!(editor.contains("<option value=\"attribute\">"), "{editor}");
    assert!(editor.contains("<option value=\"Sales\">department</option>"), "{editor}");
    assert!(editor.contains("<option value=\"department\">attribute</option>"), "{editor}");
    assert!(!editor.contains("<script>alert") && !editor.contains("corp::"), "{editor}");
    let filled = "/policies/new/blocked_senders?to=attribute&to_name=department&to_value=Sales";
    let (_, editor) = get(&gateway, filled).await;
    assert!(editor.contains("name=\"to_value\" maxlength=\"256\""), "{editor}");
    assert!(editor.contains("<option value=\"attribute\" selected>"), "{editor}");
    let wrong = json!({ "name": "a b", "value": "x" });
    let wrong = json!({ "policy": { "narrative": "x", "from": { "attribute": wrong },
        "option": { "type": "blocked_senders", "set": "block" } } });
    let (status, problem) = send(&gateway, Method::POST, "/api/v1/policies", &wrong).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    assert!(problem.to_string().contains("the name of an attribute"), "{problem}");
}

#[tokio::test]
async fn the_console_shows_it_read_only_with_its_directory_and_offers_it_in_scopes() {
    let gateway = filled().await;
    let (status, tree) = get(&gateway, "/groups").await;
    assert_eq!(status, StatusCode::OK);
    assert!(tree.contains("<bdi>corp:Sales</bdi>"), "{tree}");
    assert!(tree.contains("directory <bdi>corp</bdi>") && tree.contains("gone there"), "{tree}");
    assert!(!tree.contains("<script>alert") && !tree.contains("<option value=\"corp:"), "{tree}");
    let (_, page) = get(&gateway, "/groups/corp:Sales").await;
    assert!(page.contains("from the directory <bdi>corp</bdi>, read 2026-11-21"), "{page}");
    assert!(page.contains("ann@partner.example"), "{page}");
    assert!(!page.contains("Add members") && !page.contains("Remove the group"), "{page}");
    let (_, page) = get(&gateway, "/groups/corp:Old").await;
    assert!(page.contains("has this group no more since"), "{page}");
    assert!(!page.contains("Add members"), "{page}");
    let hostile = Group::name_in("corp", HOSTILE);
    let (status, page) = get(&gateway, &format!("/groups/{}", encoded(&hostile))).await;
    assert_eq!(status, StatusCode::OK, "{page}");
    assert!(!page.contains("<script>alert"), "{page}");
    let (_, editor) = get(&gateway, "/policies/new/blocked_senders").await;
    assert!(editor.contains("<option value=\"corp:Sales\">"), "{editor}");
}

//! Alerts of saved views: from a refused mail to a program and a person that
//! are told of it, with the real binary.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;

use crate::client::Client;
use crate::gateway::{BOB, Gateway, PERMITTED};
use crate::receiver::Receiver;
use crate::sink::Sink;
use crate::waiting::wait_for;

const LETTER: &str = "Subject: hello\r\n\r\ntext\r\n";
const SOON: Duration = Duration::from_secs(30);
/// A web address on this machine may be told only if it is listed.
const LISTED: &str = "[alerts]\nwebhook_inward = [\"127.0.0.0/8\"]";

/// A refused mail; its reference.
fn refuse(gateway: &Gateway) -> String {
    let mut client = Client::hello(gateway.smtp).unwrap();
    let refused = client.deliver(PERMITTED, "nobody@corp.example", LETTER).unwrap();
    assert_eq!(refused.code, 550, "{refused}");
    refused.reference().unwrap().to_owned()
}

fn done(gateway: &Gateway, arguments: &[&str]) -> Json {
    let said = gateway.ask(&[arguments, &["--json", "--yes"]].concat());
    assert_eq!(said.code, 0, "{arguments:?}: {}", said.err);
    serde_json::from_str(&said.out).unwrap_or_default()
}

/// Saves a view of all that is refused; its number.
fn view(gateway: &Gateway) -> String {
    let saved =
        done(gateway, &["views", "save", "refused", "type:recipient", "--list", "rejected"]);
    saved["id"].to_string()
}

/// How the alert of the only view stands.
fn alert(gateway: &Gateway) -> Json {
    gateway.ask_json(&["views", "list"])[0]["alert"].clone()
}

#[test]
fn a_program_and_a_person_are_told_once_and_also_after_a_crash() {
    let (sink, receiver) = (Sink::start(), Receiver::start());
    let mut gateway = Gateway::before(&sink, LISTED).start();
    let view = view(&gateway);
    let to = format!("http://{}/hook", receiver.address);
    let set = done(
        &gateway,
        &[
            "views",
            "alert",
            &view,
            "--more-than",
            "1",
            "--minutes",
            "5",
            "--quiet",
            "5",
            "--mail",
            BOB,
            "--webhook",
            &to,
        ],
    );
    let secret = set["secret"].as_str().unwrap().strip_prefix("whsec_").unwrap().to_owned();
    refuse(&gateway);
    std::thread::sleep(Duration::from_secs(2));
    assert!(receiver.posted().is_empty(), "one is as expected");
    // The second comes, and the process is killed before it can tell: that
    // waits for a change of the database, which somebody else holds.
    let other = rusqlite::Connection::open(gateway.data().join("state.db")).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let reference = refuse(&gateway);
    gateway.kill();
    assert!(receiver.posted().is_empty(), "nobody is told of what is not written down");
    drop(other);
    gateway.launch();
    let posted = wait_for(SOON, "the webhook is told", || receiver.posted().first().cloned());
    assert_eq!(posted.request, "POST /hook HTTP/1.1");
    let message: Json = serde_json::from_slice(&posted.body).unwrap();
    assert_eq!((&message["type"], &message["data"]["count"]), (&"alert.fired".into(), &2.into()));
    assert_eq!(message["data"]["newest"][0]["ref"], reference.as_str());
    assert!(message["data"].get("link").is_none(), "no public_url is set");
    let sent_s: i64 = posted.field("webhook-timestamp").parse().unwrap();
    let id = posted.field("webhook-id");
    let octets = STANDARD.decode(secret).unwrap();
    let signed = center::alerts::signature(&octets, id, sent_s, &posted.body);
    assert_eq!(posted.field("webhook-signature"), signed);
    let letter = sink.wait(1, SOON).remove(0);
    let text = String::from_utf8_lossy(&letter.content).into_owned();
    assert!(letter.from.starts_with("<>"), "{}", letter.from);
    assert!(
        text.contains("Auto-Submitted: auto-generated\r\n") && text.contains(&reference),
        "{text}"
    );
    gateway.wait_queue_empty(SOON);
    // More of the same is quiet now, and so it is after another crash.
    refuse(&gateway);
    std::thread::sleep(Duration::from_secs(2));
    gateway.kill();
    gateway.launch();
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!((receiver.posted().len(), sink.count()), (1, 1));
    let (_, numbers) = gateway.get(gateway.metrics, "/metrics").unwrap();
    assert!(numbers.contains("portcullis_alerts{state=\"watching\"} 1"), "{numbers}");
    gateway.audit_conservation();
}

#[test]
fn a_test_says_what_is_wrong_with_a_receiver() {
    let (sink, receiver) = (Sink::start(), Receiver::start());
    let gateway = Gateway::before(&sink, LISTED).start();
    let view = view(&gateway);
    let to = format!("http://{}/hook", receiver.address);
    done(&gateway, &["views", "alert", &view, "--first", "--webhook", &to]);
    receiver.answer("307 Temporary Redirect");
    done(&gateway, &["views", "alert-test", &view]);
    let why = wait_for(SOON, "the failure is told", || {
        alert(&gateway)["failure"]["why"].as_str().map(str::to_owned)
    });
    assert!(why.contains("307") && why.contains("elsewhere"), "{why}");
    receiver.answer("200 OK");
    wait_for(SOON, "it is tried again and told", || {
        alert(&gateway)["told"].is_string().then_some(())
    });
    assert_eq!(alert(&gateway)["failure"], Json::Null);
    let posted = receiver.posted();
    assert_eq!(posted.len(), 2);
    assert_eq!(posted[0].field("webhook-id"), posted[1].field("webhook-id"));
    let audit = gateway.ask_json(&["audit", "list"]);
    for action in ["view.saved", "alert.set", "alert.tested"] {
        assert!(audit.iter().any(|entry| entry["action"] == action), "{action}: {audit:?}");
    }
    let refused = gateway.ask(&[
        "views",
        "alert",
        &view,
        "--first",
        "--mail",
        "x@elsewhere.example",
        "--yes",
    ]);
    assert!(refused.code != 0 && refused.err.contains("none of our domains"), "{}", refused.err);
    done(&gateway, &["views", "alert-remove", &view]);
    assert_eq!(alert(&gateway), Json::Null);
}

#[test]
fn what_leads_inward_and_is_not_listed_is_not_posted_to() {
    let (sink, receiver) = (Sink::start(), Receiver::start());
    let gateway = Gateway::before(&sink, "").start();
    let view = view(&gateway);
    let to = format!("http://{}/hook", receiver.address);
    done(&gateway, &["views", "alert", &view, "--first", "--webhook", &to]);
    done(&gateway, &["views", "alert-test", &view]);
    let why = wait_for(SOON, "the failure is told", || {
        alert(&gateway)["failure"]["why"].as_str().map(str::to_owned)
    });
    assert!(why.contains("alerts.webhook_inward"), "{why}");
    assert!(receiver.posted().is_empty());
}

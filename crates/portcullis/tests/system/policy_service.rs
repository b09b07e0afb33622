//! A mail server that has the sessions itself and asks us at each recipient:
//! its side of the protocol spoken by hand, and a real Postfix.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::client::Client;
use crate::gateway::{BOB, Gateway, PERMITTED, STRANGER};
use crate::peer::{self, Peer};
use crate::sink::Sink;
use crate::waiting::{free_port, wait_for};

const SOON: Duration = Duration::from_secs(20);

/// A gateway that is asked at an address of its own.
struct Service {
    gateway: Gateway,
    address: SocketAddr,
}

impl Service {
    fn start(more: &str) -> Service {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let settings = format!("[[policy_service]]\nlisten = \"{address}\"\n{more}");
        Service { gateway: Gateway::before(&Sink::start(), &settings).start(), address }
    }

    fn ask(&self) -> Asker {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        Asker { stream, instances: 0 }
    }
}

/// One connection of an asking server.
struct Asker {
    stream: TcpStream,
    instances: u32,
}

impl Asker {
    /// What is advised for one message from a client at 192.0.2.7.
    fn about(&mut self, sender: &str, recipient: &str) -> String {
        self.instances += 1;
        let instance = self.instances;
        self.send(&format!(
            "request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\n\
             client_address=192.0.2.7\nclient_name=unknown\nhelo_name=mta.sender.example\n\
             sender={sender}\nrecipient={recipient}\ninstance={instance}.1\nsize=0\n\n"
        ));
        self.answer().expect("an answer")
    }

    fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).unwrap();
    }

    /// The next action; nothing if the connection was closed instead.
    fn answer(&mut self) -> Option<String> {
        let mut answer = Vec::new();
        let mut octet = [0];
        while !answer.ends_with(b"\n\n") {
            if self.stream.read(&mut octet).unwrap_or(0) == 0 {
                return None;
            }
            answer.push(octet[0]);
        }
        let answer = String::from_utf8(answer).unwrap();
        Some(answer.trim_end().strip_prefix("action=").unwrap().to_owned())
    }
}

/// The reasons of all attempts of this sender, oldest first.
fn reasons(gateway: &Gateway, sender: &str) -> Vec<String> {
    let rows = gateway.trace(&format!("from:{sender}"));
    rows.iter().rev().map(|row| row["reason"].as_str().unwrap().to_owned()).collect()
}

/// What would have been advised about a row, had it been meant.
fn would(gateway: &Gateway, row: &serde_json::Value) -> String {
    let reference = row["ref"].as_str().unwrap();
    let why = gateway.ask_json(&["why", reference]).remove(0);
    let would = why["would"].as_str().unwrap_or_default();
    would.split(['(', ')']).nth(1).unwrap_or_default().to_owned()
}

#[test]
fn a_first_contact_is_asked_to_come_back_and_then_passes() {
    let service = Service::start("");
    let mut asker = service.ask();
    let first = asker.about(STRANGER, BOB);
    assert!(first.starts_with("DEFER_IF_PERMIT 4.7.1 Greylisted"), "{first}");
    std::thread::sleep(Duration::from_millis(1_100));
    assert_eq!(asker.about(STRANGER, BOB), "DUNNO");
    assert_eq!(asker.about(STRANGER, BOB), "DUNNO", "known from now on");
    let rows = service.gateway.trace(&format!("from:{STRANGER}"));
    assert_eq!(rows[1]["life"], rows[2]["life"], "the retry belongs to the first contact");
    assert_ne!(rows[0]["life"], rows[1]["life"], "what passed is over");
    assert_eq!(
        reasons(&service.gateway, STRANGER),
        ["greylist.first_seen", "accepted.passed", "accepted.passed"]
    );
    let reference = first.split("[ref ").nth(1).unwrap().trim_end_matches(']');
    let why = service.gateway.ask(&["why", reference]);
    assert!(why.out.contains("450 4.7.1 Greylisted"), "what the client was told: {}", why.out);
    service.gateway.audit_conservation();
}

#[test]
fn what_is_decided_on_is_what_we_know_of_the_domain() {
    let service = Service::start("");
    let mut asker = service.ask();
    let unknown = asker.about(STRANGER, "nobody@corp.example");
    assert!(unknown.starts_with("550 5.1.1 Recipient address rejected"), "{unknown}");
    assert_eq!(asker.about(PERMITTED, BOB), "DUNNO");
    assert_eq!(reasons(&service.gateway, PERMITTED), ["accepted.permitted"]);
    // Its own domain is the asking server's business, greylisting ours.
    let elsewhere = asker.about(STRANGER, "eve@elsewhere.example");
    assert!(elsewhere.starts_with("DEFER_IF_PERMIT 4.7.1 Greylisted"), "{elsewhere}");
    assert_eq!(asker.about("root", BOB), "DUNNO", "no address of mail between servers");
    assert!(reasons(&service.gateway, "root").is_empty());
    service.gateway.audit_conservation();
}

#[test]
fn who_only_watches_is_always_told_to_go_on() {
    let service = Service::start("mode = \"observe\"");
    let mut asker = service.ask();
    for _ in 0..2 {
        assert_eq!(asker.about(STRANGER, BOB), "DUNNO");
    }
    assert_eq!(asker.about(STRANGER, "nobody@corp.example"), "DUNNO");
    let rows = service.gateway.trace(&format!("from:{STRANGER}"));
    assert!(rows.iter().all(|row| row["reason"] == "accepted.passed"), "{rows:?}");
    let would: Vec<String> = rows.iter().rev().map(|row| would(&service.gateway, row)).collect();
    // A first contact counts as one that came back.
    assert_eq!(would, ["greylist.first_seen", "", "recipient.unknown"]);
    service.gateway.audit_conservation();
}

/// Waits until a first contact at our own door is told to have stayed away;
/// what `sender` did before it is over by then, and was told nothing of.
fn assert_never_missed(gateway: &Gateway, sender: &str) {
    let other = "eve@other.example";
    let mut client = Client::hello(gateway.smtp).unwrap();
    assert_eq!(client.deliver(other, BOB, "Subject: x\r\n\r\nx\r\n").unwrap().code, 451);
    wait_for(SOON, "the other window closes", || {
        let rows = gateway.trace(&format!("from:{other} reason:greylist.expired"));
        (!rows.is_empty()).then_some(())
    });
    let missed = gateway.trace(&format!("from:{sender} reason:greylist.expired"));
    assert!(missed.is_empty(), "{missed:?}");
}

#[test]
fn a_first_contact_that_only_was_watched_is_not_waited_for() {
    let service = Service::start(
        "mode = \"observe\"\n[greylist]\nretry_after = \"1s\"\nretry_within = \"2s\"",
    );
    assert_eq!(service.ask().about(STRANGER, BOB), "DUNNO");
    assert_never_missed(&service.gateway, STRANGER);
}

#[test]
fn what_passes_by_a_permit_is_not_waited_for_any_more() {
    let service = Service::start("[greylist]\nretry_after = \"1s\"\nretry_within = \"2s\"");
    let mut asker = service.ask();
    assert!(asker.about(STRANGER, BOB).starts_with("DEFER_IF_PERMIT 4.7.1 Greylisted"));
    let added = service.gateway.ask(&["senders", "add", "permit", STRANGER, BOB, "--yes"]);
    assert_eq!(added.code, 0, "{added:?}");
    assert_eq!(asker.about(STRANGER, BOB), "DUNNO");
    assert_never_missed(&service.gateway, STRANGER);
}

#[test]
fn who_only_watches_counts_unknown_recipients_all_the_same() {
    let harvest = "mode = \"observe\"\n[smtp]\nunknown_recipients_per_client_max = 3";
    let service = Service::start(harvest);
    let mut asker = service.ask();
    for name in 0..4 {
        asker.about(STRANGER, &format!("nobody{name}@corp.example"));
    }
    let rows = service.gateway.trace(&format!("from:{STRANGER}"));
    assert_eq!(would(&service.gateway, &rows[0]), "rate.limited");
    let found = service.gateway.ask_json(&["reputation", "show", "192.0.2.7"]).remove(0);
    let marks = found.to_string();
    assert!(marks.contains("unknown_recipient") && !marks.contains("accepted"), "{marks}");
}

#[test]
fn who_does_not_speak_the_protocol_gets_no_answer() {
    let service = Service::start("");
    for nonsense in ["EHLO me.example\r\n\r\n\n\n", "request=something_else\n\n", "\n\n"] {
        let mut asker = service.ask();
        asker.send(nonsense);
        assert_eq!(asker.answer(), None, "{nonsense:?}");
    }
    service.gateway.wait_logged("policy_request_not_answered");
    let mut asker = service.ask();
    asker.send("request=smtpd_access_policy\nprotocol_state=DATA\n\n");
    assert_eq!(asker.answer().as_deref(), Some("DUNNO"));
    service.gateway.audit_conservation();
}

#[test]
fn who_may_not_ask_is_closed_at_once() {
    let service = Service::start("allow_from = [\"192.0.2.1/32\"]");
    assert_eq!(service.ask().answer(), None);
}

#[test]
fn a_stopping_server_answers_what_was_asked_and_leaves() {
    let mut service = Service::start("");
    let mut asker = service.ask();
    assert_eq!(asker.about(PERMITTED, BOB), "DUNNO");
    service.gateway.stop();
    assert_eq!(asker.answer(), None);
}

#[test]
fn a_real_postfix_asks_us_about_its_recipients() {
    let Some(layers) = peer::layers("Postfix that asks our policy service") else { return };
    let service = Service::start("");
    let port = free_port();
    let asks = format!("inet:{}\n", service.address);
    let files: [(&str, &[u8]); 1] = [("policy_service", asks.as_bytes())];
    let postfix = Peer::start(&layers, "postfix", &port.to_string(), &files);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    wait_for(SOON, "Postfix listens", || Client::open(address).ok());
    let mut client = Client::hello(address).unwrap();
    let deferred = client.deliver(STRANGER, "bob@mailbox.example", "Subject: x\r\n\r\nx\r\n");
    let deferred = deferred.unwrap();
    assert_eq!(deferred.code, 450, "{deferred}");
    assert!(deferred.to_string().contains("Greylisted"), "{deferred}");
    // A later restriction of Postfix still refuses for good.
    let refused = client.deliver(STRANGER, "nobody@mailbox.example", "Subject: x\r\n\r\nx\r\n");
    assert_eq!(refused.unwrap().code, 550);
    std::thread::sleep(Duration::from_millis(1_100));
    let accepted = client.deliver(STRANGER, "bob@mailbox.example", "Subject: x\r\n\r\nx\r\n");
    assert_eq!(accepted.unwrap().code, 250);
    wait_for(SOON, "the message is in the mailbox", || {
        let mut files = std::fs::read_dir(postfix.folder().join("mail/new")).ok()?;
        files.next().map(drop)
    });
    let rows = service.gateway.trace(&format!("from:{STRANGER} to:bob@mailbox.example"));
    let reasons: Vec<&str> = rows.iter().rev().map(|row| row["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["greylist.first_seen", "accepted.passed"]);
    assert!(rows.iter().all(|row| row["ip"] == "127.0.0.1"), "{rows:?}");
    service.gateway.audit_conservation();
}

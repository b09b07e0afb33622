//! Mail of our own servers leaves signed: keys made by the command line,
//! published in a name server of the test, and verified by the gateway itself
//! as mail that comes in, and by a program of other people's making.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use crate::client::Client;
use crate::gateway::{BOB, Gateway, PERMITTED, STRANGER};
use crate::names::NameServer;
use crate::peer;
use crate::sink::Sink;
use crate::waiting::free_port;

const SOON: Duration = Duration::from_secs(30);
const ANN: &str = "ann@signed.example";
/// Dots, blanks and empty lines: what on the way is written in other ways.
const TEXT: &str = "From: Ann <ann@signed.example>\r\nTo: sue@stranger.example\r\n\
    Subject: Lunch\r\nDate: Mon, 16 Nov 2026 10:00:00 +0000\r\n\r\n.one  dot\r\n..two\r\n \t\r\n\
    at one? \u{20ac}\r\n\r\n\r\n";

const POLICIES: &str = r#"
[[group]]
name = "Permitted Senders"
members = ["permitted.example"]
[[policy]]
narrative = "Look at signatures"
option = { type = "dns_authentication", set = { apply = "Look" } }
[[definition]]
name = "Look"
[definition.set.dns_authentication]
dkim = { fail = "hold" }
"#;

/// With every dot at the start of a line doubled (RFC 5321 section 4.5.2).
fn dotted(text: &str) -> String {
    text.replace("\r\n.", "\r\n..")
}

struct House {
    gateway: Gateway,
    outbound: SocketAddr,
    names: NameServer,
    inside: Sink,
    world: Sink,
}

impl House {
    /// A gateway that signs for signed.example with keys r1 and e1, which are
    /// not there yet. Not started.
    fn new() -> House {
        let (inside, world) = (Sink::start(), Sink::start());
        let names = NameServer::start(|_| Duration::ZERO);
        let outbound = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let settings = format!(
            "[dns]\nresolver = [\"{}\"]\n[delivery]\noutbound_hop = [\"{}\"]\n\
             [[smtp.listener]]\nlisten = \"{outbound}\"\nrole = \"outbound\"\n\
             allow_from = [\"127.0.0.0/8\"]\n[[domain]]\nname = \"signed.example\"\n\
             next_hop = [\"{}\"]\nrecipients = \"accept_all\"\ndkim_selectors = [\"r1\", \"e1\"]",
            names.address, world.address, inside.address
        );
        let gateway = Gateway::before(&inside, &settings);
        gateway.write("policy.toml", POLICIES);
        House { gateway, outbound, names, inside, world }
    }

    /// Makes a key and publishes what the command says.
    fn create(&self, selector: &str, kind: &[&str]) {
        let order = ["--json", "dkim", "create", "signed.example", "--selector", selector];
        let made = self.gateway.ask(&[&order, kind].concat());
        assert_eq!(made.code, 0, "{}", made.err);
        let made: serde_json::Value = serde_json::from_str(&made.out).unwrap();
        let file = made["file"].as_str().unwrap();
        assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
        self.names.set_text(made["name"].as_str().unwrap(), made["record"].as_str().unwrap());
    }

    fn check(&self) -> (i32, Vec<serde_json::Value>) {
        let said = self.gateway.ask(&["--json", "dkim", "check", "signed.example"]);
        let rows = said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        (said.code, rows)
    }

    /// Sends a message out; gives its reference and what the world got.
    fn send(&self, from: &str, text: &str) -> (String, Vec<u8>) {
        let before = self.world.count();
        let mut server = Client::hello(self.outbound).unwrap();
        let sent = server.deliver(from, STRANGER, &dotted(text)).unwrap();
        assert_eq!(sent.code, 250, "{sent}");
        let letter = self.world.wait(before + 1, SOON).pop().unwrap();
        (sent.reference().unwrap().to_owned(), letter.content)
    }

    fn why(&self, reference: &str) -> String {
        self.gateway.ask(&["why", reference]).out
    }
}

#[test]
fn mail_leaves_signed_and_is_verified_as_it_comes_in() {
    let mut house = House::new();
    assert_eq!(house.gateway.ask(&["dkim", "check", "corp.example"]).code, 3, "no key at all");
    let (code, rows) = house.check();
    assert_eq!((code, &rows[0]["result"]), (1, &"no_key".into()), "{rows:?}");
    house.create("r1", &["--rsa", "2048"]);
    house.create("e1", &["--ed25519"]);
    let again = house.gateway.ask(&["dkim", "create", "signed.example", "--selector", "r1"]);
    assert_eq!(again.code, 5, "a key is never overwritten: {}", again.out);
    let (code, rows) = house.check();
    assert!(code == 0 && rows.iter().all(|row| row["result"] == "fits"), "{rows:?}");
    let record = house.gateway.ask(&["dkim", "record", "signed.example"]);
    assert!(
        record.out.contains("e1._domainkey.signed.example. IN TXT \"v=DKIM1;"),
        "{}",
        record.out
    );
    house.gateway.launch();
    let (reference, content) = house.send(ANN, TEXT);
    let text = String::from_utf8(content.clone()).unwrap();
    assert!(text.starts_with("DKIM-Signature: v=1;") && text.ends_with(TEXT), "{text}");
    let why = house.why(&reference);
    let told =
        "signed by d=signed.example, s=r1, rsa-sha256; d=signed.example, s=e1, ed25519-sha256";
    assert!(why.contains(told), "{why}");
    // What the world got comes back in.
    let mut back = Client::hello(house.gateway.smtp).unwrap();
    let taken = back.deliver(PERMITTED, BOB, &dotted(&text)).unwrap();
    assert_eq!(taken.code, 250, "{taken}");
    let letter = house.inside.wait(1, SOON).remove(0);
    let found = String::from_utf8_lossy(&letter.content).into_owned();
    assert_eq!(found.matches("dkim=pass").count(), 2, "{found}");
    // What the world would get changed does not pass.
    let changed = text.replace("at one?", "at two?");
    back.deliver(PERMITTED, BOB, &dotted(&changed)).unwrap();
    let rows = house.gateway.trace("dkim:fail");
    assert_eq!(rows.len(), 1, "{rows:?}");
    verified_by_others(&house, &content);
    // A bounce has no sender, but an author.
    let (_, bounce) = house.send("", TEXT);
    assert!(bounce.starts_with(b"DKIM-Signature:"));
    // Signed already, with the same keys.
    let (reference, same) = house.send(ANN, &text);
    assert_eq!(String::from_utf8(same).unwrap().matches("DKIM-Signature:").count(), 2);
    assert!(house.why(&reference).contains("rsa-sha256, which it came with"));
    drop(back);
    house.gateway.audit_conservation();
}

/// Has a verifier of other people's making look at the message, where it is
/// there.
fn verified_by_others(house: &House, content: &[u8]) {
    let Some(layers) = peer::layers("Mail::DKIM as a verifier of our signatures") else { return };
    let port = house.names.address.port().to_string();
    let said = peer::verify_dkim(&layers, content, &port);
    // Debian's Mail::DKIM does not know Ed25519 everywhere.
    assert!(said.contains("rsa-sha256 pass") && !said.contains("fail"), "{said}");
}

#[test]
fn what_cannot_be_signed_leaves_without_and_a_broken_key_leaves_the_old_one() {
    let mut house = House::new();
    house.create("r1", &[]);
    house.gateway.launch();
    // e1 is missing: r1 signs alone, and health says so.
    let (_, content) = house.send(ANN, TEXT);
    let text = String::from_utf8(content).unwrap();
    assert_eq!(text.matches("DKIM-Signature:").count(), 1, "{text}");
    let ready = house.gateway.get(house.gateway.metrics, "/readyz").unwrap();
    assert_eq!(ready.0, 200, "{}", ready.1);
    let status = house.gateway.ask(&["status"]).out;
    assert!(status.contains("nothing is signed with it"), "{status}");
    // Whoever has no key, or no one author, leaves without.
    for (text, why) in [
        ("From: bob@corp.example\r\n\r\nx\r\n", "no selector is set for the author's domain"),
        ("From: a@signed.example\r\nFrom: b@signed.example\r\n\r\nx\r\n", "several From fields"),
        (
            "Subject: nobody\r\n\r\nx\r\n",
            "the From field has an author that cannot be read, or none",
        ),
    ] {
        let (reference, content) = house.send(ANN, text);
        assert!(content.starts_with(b"Received:") && content.ends_with(text.as_bytes()));
        let told = house.why(&reference);
        assert!(told.contains("not signed: ") && told.contains(why), "{told}");
    }
    let key = house.gateway.data().join("dkim/signed.example/r1.pem");
    std::fs::write(&key, "broken").unwrap();
    let reload = house.gateway.ask(&["reload"]);
    assert_eq!(reload.code, 0, "{}", reload.err);
    house.gateway.wait_logged("settings_warning");
    assert!(house.gateway.log().contains("holds no key that can sign"), "{}", house.gateway.log());
    let (_, content) = house.send(ANN, TEXT);
    assert!(content.starts_with(b"DKIM-Signature:"), "the key read before signs");
    let status = house.gateway.ask(&["status"]).out;
    assert!(status.contains("the key read before signs"), "{status}");
    let metrics = house.gateway.get(house.gateway.metrics, "/metrics").unwrap().1;
    for line in ["{result=\"signed\"} 2", "{result=\"unsigned\"} 3"] {
        let line = format!("portcullis_dkim_outbound_messages_total{line}");
        assert!(metrics.contains(&line), "{line}\n{metrics}");
    }
    house.gateway.audit_conservation();
}

//! What the running program learns of a client: put off, kept over a kill,
//! shown, and forgotten on request.

use std::net::SocketAddr;

use crate::client::{Client, Reply};
use crate::gateway::{BOB, Gateway, STRANGER};
use crate::sink::Sink;
use crate::waiting::free_port;

const LETTER: &str = "Subject: hello\r\n\r\ntext\r\n";
const CLIENT: &str = "198.51.100.7";

/// Without greylisting, so that only the record of the client speaks.
const POLICIES: &str = r#"
[[policy]]
narrative = "No greylisting"
override = true
option = { type = "greylisting", set = "no_action" }

[[policy]]
narrative = "Strict"
override = true
option = { type = "reputation", set = { apply = "Strict" } }

[[definition]]
name = "Strict"
[definition.set.reputation.local]
defer_score = 15
reject_score = 90
"#;

fn client(door: SocketAddr) -> Client {
    let mut client = Client::open(door).unwrap();
    client.send(format!("PROXY TCP4 {CLIENT} 192.0.2.1 4711 25\r\n").as_bytes()).unwrap();
    assert_eq!(client.reply().unwrap().code, 220);
    client.say("EHLO client.example").unwrap();
    client
}

fn deliver(door: SocketAddr) -> Reply {
    client(door).deliver(STRANGER, BOB, LETTER).unwrap()
}

#[test]
fn a_client_is_known_by_what_it_did_until_it_is_forgotten() {
    let door = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let sink = Sink::start();
    let listener =
        format!("[[smtp.listener]]\nlisten = \"{door}\"\nproxy_protocol_from = [\"127.0.0.1/32\"]");
    let gateway = Gateway::before(&sink, &listener);
    gateway.write("policy.toml", POLICIES);
    let mut gateway = gateway.start();
    assert_eq!(deliver(door).code, 250, "nothing speaks against it");
    let mut bad = client(door);
    assert_eq!(bad.say(&format!("MAIL FROM:<{STRANGER}>")).unwrap().code, 250);
    for number in 0..8 {
        let refused = bad.say(&format!("RCPT TO:<nobody{number}@corp.example>")).unwrap();
        assert_eq!(refused.code, 550, "{refused}");
    }
    let refused = deliver(door);
    assert_eq!(refused.code, 451, "{refused}");
    let row = &gateway.trace(refused.reference().unwrap())[0];
    assert_eq!(row["reason"], "reputation.temporary");
    let why = gateway.ask(&["why", refused.reference().unwrap()]).out;
    assert!(why.contains("unknown recipients 8") && why.contains("accepted messages 1"), "{why}");
    assert!(why.contains("by its own marks alone"), "{why}");
    assert!(why.contains("put off from a score of"), "the limits of that time: {why}");

    gateway.kill();
    gateway.launch();
    assert_eq!(deliver(door).code, 451, "learned again from what is stored");
    let listed = &gateway.ask_json(&["reputation", "list"])[0];
    assert_eq!(listed["ip"], CLIENT);
    let shown = gateway.ask(&["reputation", "show", CLIENT]);
    assert!(shown.out.contains("unknown recipients 8"), "{}", shown.out);

    let reset = gateway.ask(&["--yes", "reputation", "reset", CLIENT]);
    assert_eq!(reset.code, 0, "{}", reset.err);
    assert_eq!(deliver(door).code, 250, "its network alone is not bad enough");
    gateway.kill();
    gateway.launch();
    assert_eq!(deliver(door).code, 250, "what was forgotten stays so");
    let audit = gateway.ask(&["audit", "list"]);
    assert!(audit.out.contains("reputation.reset"), "{}", audit.out);
    assert_ne!(gateway.ask(&["reputation", "show", "nonsense"]).code, 0);
}

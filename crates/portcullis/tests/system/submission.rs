//! Mail of devices and programs that prove who they are with a name and a
//! password: by hand, by swaks and by a real Postfix.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::client::{Client, Reply};
use crate::gateway::{BOB, Gateway, STRANGER};
use crate::peer::{self, Peer};
use crate::sink::Sink;
use crate::tls::{NAME, issue, trusting};
use crate::waiting::{free_port, wait_for};

const SOON: Duration = Duration::from_secs(30);
const PRINTER: &str = "printer@corp.example";
const TEXT: &str = "From: Printer <printer@corp.example>\r\nSubject: Scan\r\n\r\nPage one.\r\n";

/// A gateway whose outbound listener takes mail from submitters alone, before
/// a sink for the world.
struct House {
    gateway: Gateway,
    outbound: SocketAddr,
    world: Sink,
    trusts: std::sync::Arc<rustls::ClientConfig>,
    _inside: Sink,
}

impl House {
    fn start() -> House {
        House::with("")
    }

    /// With further tables of the settings file.
    fn with(more: &str) -> House {
        let (inside, world) = (Sink::start(), Sink::start());
        let outbound = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let settings = format!(
            "[delivery]\noutbound_hop = [\"{}\"]\n[[smtp.listener]]\nlisten = \"{outbound}\"\n\
             role = \"outbound\"\nauth = true",
            world.address
        );
        let gateway = Gateway::before(&inside, &settings);
        gateway.write_settings(&format!(
            "{more}\n[smtp.tls]\ncertificate_file = \"{}\"\nkey_file = \"{}\"",
            gateway.path("tls.crt").display(),
            gateway.path("tls.key").display()
        ));
        let trusts = trusting(&issue(&gateway));
        House { gateway: gateway.start(), outbound, world, trusts, _inside: inside }
    }

    /// Makes a submitter; gives its password.
    fn submitter(&self, name: &str, sender: &str) -> String {
        let said = self.gateway.ask(&["--yes", "submitters", "add", name, "--sender", sender]);
        assert_eq!(said.code, 0, "{}", said.err);
        said.out.trim().to_owned()
    }

    /// A client inside TLS.
    fn encrypted(&self) -> Client {
        let client = Client::hello(self.outbound).unwrap();
        client.start_tls(std::sync::Arc::clone(&self.trusts), NAME).unwrap().0
    }

    fn rows_of(&self, reply: &Reply) -> serde_json::Value {
        self.gateway.trace(reply.reference().unwrap()).remove(0)
    }
}

fn plain(name: &str, password: &str) -> String {
    STANDARD.encode(format!("\0{name}\0{password}"))
}

/// Whether `order` says this.
fn says(gateway: &Gateway, order: &[&str], text: &str) -> bool {
    let said = gateway.ask(order);
    said.out.contains(text) || said.err.contains(text)
}

#[test]
fn a_listener_without_submitters_and_submitters_without_a_listener_are_told_of() {
    let house = House::start();
    let nobody = "there is no submitter that has one: portcullis submitters add";
    for order in [&["submitters", "list"][..], &["check-config"], &["status"]] {
        assert!(says(&house.gateway, order, nobody), "{order:?}");
    }
    house.submitter("printer", PRINTER);
    for order in [&["submitters", "list"][..], &["check-config"], &["status"]] {
        assert!(!says(&house.gateway, order, nobody), "{order:?}");
    }
    let gateway = Gateway::before(&Sink::start(), "").start();
    let nowhere = "a submitter may send, but no listener takes names and passwords";
    assert!(!says(&gateway, &["status"], nowhere));
    let add = ["--yes", "submitters", "add", "printer", "--sender", PRINTER];
    assert!(says(&gateway, &add, nowhere));
    for order in [&["submitters", "list"][..], &["check-config"], &["status"]] {
        assert!(says(&gateway, order, nowhere), "{order:?}");
    }
    gateway.ask(&["--yes", "submitters", "disable", "printer"]);
    assert!(!says(&gateway, &["status"], nowhere), "it may not send anyhow");
}

#[test]
fn a_printer_proves_itself_and_sends_as_itself_alone() {
    let house = House::start();
    let password = house.submitter("printer", PRINTER);
    let mut printer = house.encrypted();
    let ehlo = printer.say("EHLO printer").unwrap();
    assert!(ehlo.lines.contains(&"AUTH PLAIN LOGIN".to_owned()), "{ehlo}");
    assert_eq!(
        printer.say(&format!("AUTH PLAIN {}", plain("printer", &password))).unwrap().code,
        235
    );
    let sent = printer.deliver(PRINTER, STRANGER, TEXT).unwrap();
    assert_eq!(sent.code, 250, "{sent}");
    let letter = house.world.wait(1, SOON).remove(0);
    let content = String::from_utf8_lossy(&letter.content).into_owned();
    assert!(content.contains("with ESMTPSA ") && content.ends_with(TEXT), "{content}");
    assert!(!content.contains(&password));
    // It is found by who submitted it, and says so.
    let rows = house.gateway.trace("submitter:printer");
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(rows[0]["submitter"], "printer");
    let why = house.gateway.ask(&["why", sent.reference().unwrap()]);
    assert!(why.out.contains("submitted by printer"), "{}", why.out);
    // What it wrote to may answer, as with mail of listed networks.
    let pairs = house.gateway.ask_json(&["senders", "auto", "list"]);
    assert_eq!((&pairs[0]["sender"], &pairs[0]["recipient"]), (&STRANGER.into(), &PRINTER.into()));
    // Somebody else of ours it is not.
    let other = printer.deliver(BOB, STRANGER, TEXT).unwrap();
    assert_eq!(other.code, 553, "{other}");
    assert_eq!(house.rows_of(&other)["reason"], "submission.sender_denied");
    // Closed, it sends no more, the open connection included.
    let closed = house.gateway.ask(&["--yes", "submitters", "disable", "printer"]);
    assert_eq!(closed.code, 0, "{}", closed.err);
    let refused = printer.deliver(PRINTER, STRANGER, TEXT).unwrap();
    assert_eq!(refused.code, 530, "{refused}");
    assert_eq!(
        house.encrypted().say(&format!("AUTH PLAIN {}", plain("printer", &password))).unwrap().code,
        535
    );
    drop(printer);
    house.gateway.audit_conservation();
    let log = house.gateway.log();
    assert!(
        log.contains("\"event\":\"submission_refused\"") && log.contains("printer is disabled")
    );
    assert!(!log.contains(&password) && !log.contains(&plain("printer", &password)));
}

#[test]
fn strangers_are_asked_who_they_are_and_passwords_are_taken_in_tls_alone() {
    let house = House::start();
    let password = house.submitter("printer", PRINTER);
    let mut clear = Client::hello(house.outbound).unwrap();
    assert!(!clear.say("EHLO printer").unwrap().announces("AUTH"));
    assert_eq!(
        clear.say(&format!("AUTH PLAIN {}", plain("printer", &password))).unwrap().code,
        538
    );
    let refused = clear.deliver(PRINTER, STRANGER, TEXT).unwrap();
    assert_eq!(refused.code, 530, "{refused}");
    let row = house.rows_of(&refused);
    assert_eq!(
        (&row["reason"], &row["check"]),
        (&"submission.required".into(), &"submission".into())
    );
    // The inbound listener knows no such command.
    let mut inbound = Client::hello(house.gateway.smtp).unwrap();
    assert_eq!(
        inbound.say(&format!("AUTH PLAIN {}", plain("printer", &password))).unwrap().code,
        502
    );
    drop((clear, inbound));
    house.gateway.audit_conservation();
}

#[test]
fn whoever_guesses_is_closed_out_and_leaves_one_event() {
    let house = House::start();
    house.submitter("printer", PRINTER);
    let mut guesser = house.encrypted();
    // A name that is there and one that is not are answered alike.
    let first = guesser.say(&format!("AUTH PLAIN {}", plain("printer", "wrong wrong"))).unwrap();
    let second = guesser.say(&format!("AUTH PLAIN {}", plain("nobody", "wrong wrong"))).unwrap();
    assert_eq!((first.code, &first), (535, &second));
    let third = guesser.say(&format!("AUTH PLAIN {}", plain("printer", "wrong again"))).unwrap();
    assert_eq!(third.code, 421, "{third}");
    assert!(guesser.is_closed());
    house.gateway.audit_conservation();
    let rows = house.gateway.trace("type:submission.failed");
    assert_eq!(rows.len(), 1, "{rows:?}");
    let why = house.gateway.ask(&["why", rows[0]["ref"].as_str().unwrap()]);
    assert!(why.out.contains("3 names and passwords were wrong"), "{}", why.out);
    let (_, metrics) = house.gateway.get(house.gateway.metrics, "/metrics").unwrap();
    assert!(metrics.contains("portcullis_authentications_total{result=\"wrong\"} 3"), "{metrics}");
}

#[test]
fn a_stolen_password_sends_no_more_than_its_rate() {
    let house = House::with("[smtp]\nsubmitter_rate_max = \"1/min\"\nsubmitter_burst_max = 2");
    let password = house.submitter("printer", PRINTER);
    let mut thief = house.encrypted();
    let said = thief.say(&format!("AUTH PLAIN {}", plain("printer", &password))).unwrap();
    assert_eq!(said.code, 235, "{said}");
    // What it may not send as is not counted.
    assert_eq!(thief.deliver(BOB, STRANGER, TEXT).unwrap().code, 553);
    for _ in 0..2 {
        assert_eq!(thief.deliver(PRINTER, STRANGER, TEXT).unwrap().code, 250);
    }
    let limited = thief.deliver(PRINTER, STRANGER, TEXT).unwrap();
    assert_eq!(limited.code, 451, "{limited}");
    assert_eq!(house.rows_of(&limited)["reason"], "rate.limited");
    let why = house.gateway.ask(&["why", limited.reference().unwrap()]);
    assert!(why.out.contains("smtp.submitter_rate_max"), "{}", why.out);
    drop(thief);
    house.gateway.audit_conservation();
}

#[test]
fn swaks_submits_with_both_mechanisms() {
    let Some(layers) = peer::layers("swaks as a device") else { return };
    let house = House::start();
    let password = house.submitter("app@corp.example", "corp.example");
    let server = house.outbound.to_string();
    let swaks = |more: &[&str]| {
        let mut arguments = vec!["swaks", "--server", &server, "--helo", "app", "--from", BOB];
        arguments.extend(["--to", STRANGER, "--auth-user", "app@corp.example"]);
        arguments.extend(more);
        let output = peer::run(&layers, "swaks", &arguments);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code(), said + &String::from_utf8_lossy(&output.stderr))
    };
    for mechanism in ["PLAIN", "LOGIN"] {
        let (code, said) = swaks(&["--tls", "--auth", mechanism, "--auth-password", &password]);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("235 2.7.0"), "{said}");
    }
    // 28 is swaks's way to say that authentication failed.
    let (code, said) = swaks(&["--tls", "--auth", "PLAIN", "--auth-password", "wrong"]);
    assert_eq!(code, Some(28), "{said}");
    assert!(said.contains("535 5.7.8"), "{said}");
    house.world.wait(2, SOON);
    assert_eq!(house.gateway.trace("submitter:app@corp.example is:accepted").len(), 2);
}

#[test]
fn a_real_postfix_elsewhere_submits_with_its_relayhost() {
    let Some(layers) = peer::layers("Postfix that submits") else { return };
    let house = House::start();
    let password = house.submitter("branch", "corp.example");
    let port = house.outbound.port();
    let transport = format!("* smtp:[127.0.0.1]:{port}\n");
    let sasl = format!("[127.0.0.1]:{port} branch:{password}\n");
    let files: [(&str, &[u8]); 3] = [
        ("transport", transport.as_bytes()),
        ("sasl_passwords", sasl.as_bytes()),
        ("letter", TEXT.as_bytes()),
    ];
    let mut postfix = Peer::start(&layers, "submitter", &free_port().to_string(), &files);
    assert_eq!(postfix.order(&format!("send {BOB} {STRANGER} /peer/letter")), 1);
    house.world.wait(1, SOON);
    wait_for(SOON, "Postfix notes our reply", || {
        postfix.log("maillog").contains("status=sent (250 2.0.0").then_some(())
    });
    assert_eq!(house.gateway.trace("submitter:branch").len(), 1);
}

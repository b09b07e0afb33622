//! What the running program asks the name system, and who waits for it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use testkit::{DnsServer, DnsTable};

use crate::client::Client;
use crate::gateway::{BOB, Gateway, PERMITTED, STRANGER};
use crate::names::NameServer;
use crate::sink::Sink;
use crate::waiting::{free_port, wait_for};

const SESSIONS: usize = 200;
const LATE: Duration = Duration::from_secs(2);
/// Debug builds on a busy machine.
const SOON: Duration = Duration::from_secs(30);

const LISTS: &str = r#"
[[policy]]
narrative = "Ask lists"
option = { type = "reputation", set = { apply = "Lists" } }

[[policy]]
narrative = "Take the mail of a partner"
option = { type = "permitted_senders", set = "permit" }
from = { domain = "permitted.example" }

[[definition]]
name = "Lists"
[definition.set.reputation]
lists = [
    { list = "helo.example", of = "helo" },
    { list = "senders.example", of = "sender_domain" },
    { list = "again.example", of = "sender_domain" },
    { list = "clients.example" },
    { list = "hosts.example", of = "host_name" },
]
"#;
/// Which of them are asked.
const NAMED: [&str; 5] =
    ["helo.example", "senders.example", "again.example", "clients.example", "hosts.example"];
const CLIENT: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 7);

fn behind(server: &NameServer, sink: &Sink) -> (Gateway, SocketAddr) {
    let (resolver, door) = (server.address, SocketAddr::from(([127, 0, 0, 1], free_port())));
    let lists = NAMED.map(|name| format!("[[list]]\nname = \"{name}\"\ntest_entries = false\n"));
    let settings = format!(
        "[dns]\nresolver = [\"{resolver}\"]\ntimeout = \"15s\"\n[smtp]\nconnections_per_ip_max = 1000\n\
         [[smtp.listener]]\nlisten = \"{door}\"\nproxy_protocol_from = [\"127.0.0.1/32\"]\n{}",
        lists.concat()
    );
    let gateway = Gateway::before(sink, &settings);
    gateway.write("policy.toml", LISTS);
    (gateway.start(), door)
}

/// A client that a proxy tells of, after its greeting.
fn proxied(door: SocketAddr, ip: &str) -> Client {
    let mut client = Client::open(door).unwrap();
    client.send(format!("PROXY TCP4 {ip} 192.0.2.1 4711 25\r\n").as_bytes()).unwrap();
    assert_eq!(client.reply().unwrap().code, 220);
    client
}

/// A letter with a signature that nobody has the key to.
const SIGNED: &str = "DKIM-Signature: v=1; a=rsa-sha256; d=permitted.example; s=s1; h=from;\r\n \
    bh=frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=; b=AAAA\r\n\
    From: ann@permitted.example\r\nSubject: hello\r\n\r\ntext\r\n";

/// Every answer comes late and may not be kept, and the policies ask for all
/// there is; a session of a named client, of three transactions, the last with
/// a signed message, asks each question once.
#[test]
fn nothing_is_asked_twice_in_a_session() {
    let server = NameServer::start(|_| Duration::from_millis(50));
    server.set_host(CLIENT, "out.sender.example");
    let (gateway, door) = behind(&server, &Sink::start());
    let mut client = proxied(door, &CLIENT.to_string());
    client.say("EHLO client.example").unwrap();
    for _ in 0..2 {
        for line in [&format!("MAIL FROM:<{STRANGER}>"), "RCPT TO:<bob@corp.example>"] {
            client.say(line).unwrap();
        }
        assert_eq!(client.say("RCPT TO:<carla@corp.example>").unwrap().code, 451);
        client.say("RSET").unwrap();
    }
    assert_eq!(client.deliver(PERMITTED, BOB, SIGNED).unwrap().code, 250);
    drop(client);
    // What is looked up beside the dialogue may be asked after its end.
    for name in [
        "stranger.example",
        "stranger.example.senders.example",
        "client.example.helo.example",
        "7.113.0.203.in-addr.arpa",
        "7.113.0.203.clients.example",
        "out.sender.example.hosts.example",
        "s1._domainkey.permitted.example",
        "_dmarc.permitted.example",
    ] {
        let asked = || server.asked().iter().any(|(other, _)| other == name).then_some(());
        wait_for(SOON, name, asked);
    }
    let mut counts = BTreeMap::new();
    for question in server.asked() {
        *counts.entry(question).or_insert(0) += 1;
    }
    let twice: Vec<_> = counts.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    gateway.audit_conservation();
}

/// What a list says of the client's name follows from its address alone: it is
/// asked while the client says nothing.
#[test]
fn lists_of_host_names_are_asked_before_the_client_says_a_word() {
    let server = NameServer::start(|_| Duration::from_millis(50));
    server.set_host(CLIENT, "out.sender.example");
    let (_gateway, door) = behind(&server, &Sink::start());
    let _silent = proxied(door, &CLIENT.to_string());
    wait_for(SOON, "the list is asked", || {
        let asked = server.asked();
        asked.iter().any(|(name, _)| name == "out.sender.example.hosts.example").then_some(())
    });
}

/// While 200 sessions wait for answers that take two seconds, another one is
/// served.
#[test]
fn sessions_that_wait_for_answers_hold_up_nobody_else() {
    let wait = |name: &str| if name.ends_with(".slow.example") { LATE } else { Duration::ZERO };
    let server = NameServer::start(wait);
    // However busy the machine is, they still wait when the other one comes.
    server.keep_late_answers(true);
    let (gateway, _) = behind(&server, &Sink::start());
    let answered = Arc::new(AtomicUsize::new(0));
    let slow = (0..SESSIONS).map(|n| {
        let (smtp, answered) = (gateway.smtp, Arc::clone(&answered));
        std::thread::spawn(move || {
            let mut client = Client::hello(smtp).unwrap();
            let reply = client.envelope(&format!("eve@n{n}.slow.example"), BOB).unwrap();
            answered.fetch_add(1, Ordering::SeqCst);
            reply.code
        })
    });
    let slow: Vec<_> = slow.collect();
    wait_for(SOON, "the slow questions are asked", || {
        let asked = server.asked().into_iter().map(|(name, _)| name);
        let slow: BTreeSet<_> = asked.filter(|name| name.ends_with(".slow.example")).collect();
        (slow.len() >= SESSIONS).then_some(())
    });
    let mut quick = Client::hello(gateway.smtp).unwrap();
    assert_eq!(quick.envelope(STRANGER, BOB).unwrap().code, 451);
    drop(quick);
    let before = answered.load(Ordering::SeqCst);
    server.keep_late_answers(false);
    assert!(before < SESSIONS, "it was served after all {before} of them");
    let codes: BTreeSet<_> = slow.into_iter().map(|session| session.join().unwrap()).collect();
    assert_eq!(codes, BTreeSet::from([451]), "late answers change no decision");
    gateway.audit_conservation();
}

/// A server behind a proxy, with this name server and these settings of
/// looking names up.
fn behind_proxy(names: SocketAddr, dns: &str, sink: &Sink) -> (Gateway, SocketAddr) {
    let door = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let settings = format!(
        "[dns]\nresolver = [\"{names}\"]\ntimeout = \"15s\"\n{dns}\n\
         [[smtp.listener]]\nlisten = \"{door}\"\nproxy_protocol_from = [\"127.0.0.1/32\"]\n"
    );
    (Gateway::before(sink, &settings).start(), door)
}

/// One letter of a client at this address to somebody; the reply to it.
fn letter_from(door: SocketAddr, ip: &str, to: &str) -> u16 {
    let mut client = proxied(door, ip);
    client.say("EHLO client.example").unwrap();
    client.deliver(PERMITTED, to, "Subject: hello\r\n\r\ntext\r\n").unwrap().code
}

/// Names are recorded where they are known in time, and held up nobody.
#[test]
fn the_names_of_clients_are_recorded_and_not_waited_for() {
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    let table = DnsTable::new()
        .reverse(ip("203.0.113.7"), "out.sender.example")
        .address("out.sender.example", ip("203.0.113.7"))
        .reverse(ip("203.0.113.8"), "out.sender.example")
        .silent("9.113.0.203.in-addr.arpa");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let server = runtime.block_on(DnsServer::start(table)).unwrap();
    let sink = Sink::start();
    let (gateway, door) = behind_proxy(server.at(), "", &sink);
    // The first letter may be quicker than the answer, which is known then.
    wait_for(SOON, "the name is recorded", || {
        assert_eq!(letter_from(door, "203.0.113.7", BOB), 250);
        (!gateway.trace("rdns:out.sender.example").is_empty()).then_some(())
    });
    wait_for(SOON, "the next hop is told", || {
        let told = |content: &[u8]| {
            String::from_utf8_lossy(content).contains("(out.sender.example [203.0.113.7])")
        };
        sink.letters().iter().any(|letter| told(&letter.content)).then_some(())
    });
    wait_for(SOON, "the claim is told", || {
        assert_eq!(letter_from(door, "203.0.113.8", "nobody@corp.example"), 550);
        let why = |row: &serde_json::Value| gateway.ask(&["why", row["ref"].as_str().unwrap()]).out;
        let told = |row| why(row).contains("claims out.sender.example, not confirmed");
        gateway.trace("ip:203.0.113.8").iter().any(told).then_some(())
    });
    let began = Instant::now();
    assert_eq!(letter_from(door, "203.0.113.9", BOB), 250);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let rows = gateway.trace("ip:203.0.113.9");
    assert!(!rows.is_empty() && rows.iter().all(|row| row["rdns"].is_null()), "{rows:?}");
    gateway.audit_conservation();
}

#[test]
fn names_of_clients_are_asked_for_unless_the_settings_forbid_it() {
    for (dns, asks) in [("client_names = true", true), ("client_names = false", false)] {
        let server = NameServer::start(|_| Duration::ZERO);
        let (_gateway, door) = behind_proxy(server.address, dns, &Sink::start());
        for _ in 0..2 {
            assert_eq!(letter_from(door, "203.0.113.7", BOB), 250);
        }
        // At the door itself, the client is on this machine.
        assert_eq!(letter_from(door, "127.0.0.1", BOB), 250);
        let asked = server.asked();
        let about = |name: &str| asked.iter().filter(|(other, _)| other == name).count();
        assert_eq!(about("7.113.0.203.in-addr.arpa") > 0, asks, "{dns}: {asked:?}");
        assert_eq!(about("1.0.0.127.in-addr.arpa"), 0, "{asked:?}");
    }
}

//! What the running program asks the name system, and who waits for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::client::Client;
use crate::gateway::{BOB, Gateway, STRANGER};
use crate::names::NameServer;
use crate::sink::Sink;
use crate::waiting::wait_for;

const SESSIONS: usize = 200;
const LATE: Duration = Duration::from_secs(2);
/// Debug builds on a busy machine.
const SOON: Duration = Duration::from_secs(30);

const LISTS: &str = r#"
[[policy]]
narrative = "Ask lists"
option = { type = "reputation", set = { apply = "Lists" } }

[[definition]]
name = "Lists"
[definition.set.reputation]
lists = [
    { list = "helo.example", of = "helo" },
    { list = "senders.example", of = "sender_domain" },
    { list = "again.example", of = "sender_domain" },
]
"#;

fn behind(server: &NameServer, sink: &Sink) -> Gateway {
    let resolver = server.address;
    let settings = format!(
        "[dns]\nresolver = [\"{resolver}\"]\ntimeout = \"15s\"\n[smtp]\nconnections_per_ip_max = 1000\n\
         [[list]]\nname = \"helo.example\"\ntest_entries = false\n\
         [[list]]\nname = \"senders.example\"\ntest_entries = false\n\
         [[list]]\nname = \"again.example\"\ntest_entries = false\n"
    );
    let gateway = Gateway::before(sink, &settings);
    gateway.write("policy.toml", LISTS);
    gateway.start()
}

/// Every answer comes late and may not be kept, and the policies ask for all
/// there is; a session of two transactions with two recipients each asks
/// each question once.
#[test]
fn nothing_is_asked_twice_in_a_session() {
    let server = NameServer::start(|_| Duration::from_millis(50));
    let gateway = behind(&server, &Sink::start());
    let mut client = Client::hello(gateway.smtp).unwrap();
    for _ in 0..2 {
        for line in [&format!("MAIL FROM:<{STRANGER}>"), "RCPT TO:<bob@corp.example>"] {
            client.say(line).unwrap();
        }
        assert_eq!(client.say("RCPT TO:<carla@corp.example>").unwrap().code, 451);
        client.say("RSET").unwrap();
    }
    let mut counts = BTreeMap::new();
    for question in server.asked() {
        *counts.entry(question).or_insert(0) += 1;
    }
    let asked = |name: &str| counts.keys().any(|(other, _)| other == name);
    for name in ["stranger.example", "stranger.example.senders.example"] {
        assert!(asked(name), "{name} in {counts:?}");
    }
    let twice: Vec<_> = counts.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
}

/// While 200 sessions wait for answers that take two seconds, another one is
/// served.
#[test]
fn sessions_that_wait_for_answers_hold_up_nobody_else() {
    let wait = |name: &str| if name.ends_with(".slow.example") { LATE } else { Duration::ZERO };
    let server = NameServer::start(wait);
    // However busy the machine is, they still wait when the other one comes.
    server.keep_late_answers(true);
    let gateway = behind(&server, &Sink::start());
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

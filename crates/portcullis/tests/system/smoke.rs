//! The main job from end to end: deferred, too early, accepted, delivered,
//! and every step of it explained.

use std::time::Duration;

use crate::client::Client;
use crate::gateway::{BOB, Gateway, PERMITTED, STRANGER};
use crate::sink::Sink;
use crate::waiting::wait_for;

const LETTER: &str = "From: Sue <sue@stranger.example>\r\nSubject: hello\r\n\r\nfirst line\r\n";
/// How long delivery may take.
const SOON: Duration = Duration::from_secs(20);

#[test]
fn a_stranger_is_deferred_comes_back_and_is_delivered() {
    let sink = Sink::start();
    // Long enough for a second attempt that is too early on a busy machine.
    let gateway = Gateway::before(&sink, "[greylist]\nretry_after = \"8s\"").start();
    let mut client = Client::hello(gateway.smtp).unwrap();

    let first = client.deliver(STRANGER, BOB, LETTER).unwrap();
    assert_eq!(first.code, 451, "{first}");
    let early = client.deliver(STRANGER, BOB, LETTER).unwrap();
    assert_eq!(early.code, 451, "{early}");
    let accepted = wait_for(SOON, "a retry passes", || {
        std::thread::sleep(Duration::from_millis(300));
        Some(client.deliver(STRANGER, BOB, LETTER).unwrap()).filter(|reply| reply.code == 250)
    });

    let letters = sink.wait(1, SOON);
    assert_eq!(String::from_utf8_lossy(letters[0].below_trace()), LETTER);
    assert!(letters[0].content.starts_with(b"Authentication-Results: mx.corp.example;"));
    assert!(letters[0].below_results().starts_with(b"Received: from client.example"));
    assert!(letters[0].from.starts_with("<sue@stranger.example>"), "{}", letters[0].from);
    gateway.wait_queue_empty(SOON);

    // Each reply leads back to its event, and all are one story.
    let reason = |reference: &str| gateway.trace(reference)[0]["reason"].clone();
    assert_eq!(reason(first.reference().unwrap()), "greylist.first_seen");
    assert_eq!(reason(early.reference().unwrap()), "greylist.too_early");
    assert_eq!(reason(accepted.reference().unwrap()), "accepted");
    let why = gateway.ask(&["why", first.reference().unwrap()]);
    assert_eq!(why.code, 0, "{}", why.err);
    assert!(why.out.contains("Attempt Greylisting"), "{}", why.out);
    let mut lives: Vec<String> =
        gateway.trace("").iter().map(|row| row["life"].to_string()).collect();
    lives.dedup();
    assert_eq!(lives.len(), 1, "one life-line: {lives:?}");
    let life = gateway.ask(&["life", first.reference().unwrap()]);
    assert!(life.out.contains("taken"), "the next hop's answer ends the story: {}", life.out);
    drop(client);
    gateway.audit_conservation();
}

#[test]
fn every_refusal_has_its_reason() {
    let sink = Sink::start();
    let gateway = Gateway::before(&sink, "[smtp]\nrecipients_max = 1").start();
    let cases = [
        (PERMITTED, "nobody@corp.example", 550, "recipient.unknown"),
        (PERMITTED, "bob@elsewhere.example", 550, "relay.denied"),
        (STRANGER, "carla@corp.example", 451, "greylist.first_seen"),
        ("", "carla@corp.example", 451, "greylist.first_seen"),
    ];
    for (from, to, code, reason) in cases {
        let mut client = Client::hello(gateway.smtp).unwrap();
        let reply = client.deliver(from, to, LETTER).unwrap();
        assert_eq!(reply.code, code, "{from} to {to}: {reply}");
        let rows = gateway.trace(reply.reference().unwrap());
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0]["reason"], reason);
        assert_eq!((&rows[0]["from"], &rows[0]["to"]), (&from.into(), &to.into()));
    }
    let mut client = Client::hello(gateway.smtp).unwrap();
    assert_eq!(client.envelope(PERMITTED, BOB).unwrap().code, 250);
    let too_many = client.say("RCPT TO:<carla@corp.example>").unwrap();
    assert_eq!(too_many.code, 452, "{too_many}");
    assert_eq!(gateway.trace(too_many.reference().unwrap())[0]["reason"], "recipients.limited");
    // The line is cut in the middle of the content.
    client.say("DATA").unwrap();
    client.send(b"Subject: cut").unwrap();
    drop(client);
    drop(Client::hello(gateway.smtp).unwrap());
    wait_for(SOON, "broken off connections are rows", || {
        let rows = gateway.trace("");
        let has = |reason: &str| rows.iter().any(|row| row["reason"] == reason);
        (has("data.ended_early") && has("connection.unused") | has("client.dropped")).then_some(())
    });
    assert_eq!(sink.count(), 0);
    gateway.audit_conservation();
}

#[test]
fn a_next_hop_that_defers_is_tried_again() {
    let sink = Sink::start();
    sink.refuse(Some("451 4.3.2 later"));
    let gateway =
        Gateway::before(&sink, "[delivery]\nretry_schedule = [\"0s\", \"1s x9\"]").start();
    let mut client = Client::hello(gateway.smtp).unwrap();
    assert_eq!(client.deliver(PERMITTED, BOB, LETTER).unwrap().code, 250);
    wait_for(SOON, "the message waits", || {
        let queue = gateway.ask_json(&["queue", "list"]);
        (!queue.is_empty()).then_some(())
    });
    sink.refuse(None);
    sink.wait(1, SOON);
    gateway.wait_queue_empty(SOON);
}

#[test]
fn what_is_seen_is_also_in_files_pages_and_numbers() {
    let sink = Sink::start();
    let mut gateway = Gateway::before(&sink, "").start();
    let mut client = Client::hello(gateway.smtp).unwrap();
    let refused = client.deliver(PERMITTED, "nobody@corp.example", LETTER).unwrap();
    let reference = refused.reference().unwrap().to_owned();
    client.say("QUIT").unwrap();

    let get = |door, path: &str| gateway.get(door, path).unwrap();
    assert_eq!(get(gateway.metrics, "/healthz").0, 200);
    assert_eq!(get(gateway.metrics, "/readyz").0, 200);
    let (status, numbers) = get(gateway.metrics, "/metrics");
    assert_eq!(status, 200);
    let counted = numbers.lines().any(|line| {
        line.starts_with("portcullis_decisions_total")
            && line.contains("recipient.unknown")
            && line.ends_with(" 1")
    });
    assert!(counted, "{numbers}");
    let (status, page) = get(gateway.http, "/");
    assert!(status == 200 || status == 303 || status == 307, "{status} {page}");
    // The log has one line for the attempt, with the same reference.
    let logged = wait_for(SOON, "the log line of the attempt", || {
        let log = gateway.log();
        let mut lines = log.lines().filter(|line| line.contains(&reference)).map(str::to_owned);
        let line = lines.next()?;
        assert_eq!(lines.next(), None, "one line per attempt");
        Some(line)
    });
    let line: serde_json::Value = serde_json::from_str(&logged).unwrap();
    assert_eq!(line["reason"], "recipient.unknown");
    // The daily file of rejections has its row. Rows are written once a
    // minute, when they are a few seconds old, and at a start.
    std::thread::sleep(Duration::from_secs(6));
    gateway.stop();
    gateway.launch();
    wait_for(SOON, "the row in the daily CSV file", || {
        let folder = std::fs::read_dir(gateway.data().join("daily")).ok()?;
        let texts = folder.flatten().filter_map(|file| std::fs::read_to_string(file.path()).ok());
        texts.into_iter().any(|text| text.contains(&reference)).then_some(())
    });
}

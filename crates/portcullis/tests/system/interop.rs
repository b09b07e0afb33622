//! Real mail servers as they come: greylisted by us, coming back by
//! themselves, accepted; and as the next hop.

use std::time::Duration;

use crate::client::Client;
use crate::gateway::{BOB, Gateway, PERMITTED};
use crate::peer::{self, Peer};
use crate::sink::{Letter, Sink};
use crate::waiting::{free_port, wait_for};

/// Greylisting as short as a peer's shortest retry allows to be seen.
const GREYLIST: &str = "[greylist]\nretry_after = \"4s\"";
/// How long a peer may take to come back.
const RETURN: Duration = Duration::from_secs(90);

const LETTER: &[u8] = "From: Sue <sue@stranger.example>\nTo: bob@corp.example\nSubject: Grüße\n\
                       Message-ID: <1@stranger.example>\nDate: Sat, 3 Jan 2026 10:00:00 +0000\n\n\
                       Schöne Grüße\n.\n..zwei Punkte\nund ein Ende ohne Zeilenende"
    .as_bytes();

/// What became of a peer's message: deferred at least once, then accepted and
/// delivered, in one story.
fn came_back(gateway: &Gateway, sink: &Sink) -> Letter {
    let letter = sink.wait(1, RETURN).remove(0);
    gateway.wait_queue_empty(RETURN);
    let rows = gateway.trace("from:stranger.example");
    let reasons: Vec<&str> = rows.iter().rev().map(|row| row["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons.first(), Some(&"greylist.first_seen"), "{reasons:?}");
    assert_eq!(reasons.last(), Some(&"accepted"), "{reasons:?}");
    let between = &reasons[1..reasons.len() - 1];
    assert!(between.iter().all(|reason| *reason == "greylist.too_early"), "{reasons:?}");
    assert!(rows.iter().all(|row| row["life"] == rows[0]["life"]), "one life-line");
    assert_eq!(sink.count(), 1, "delivered once");
    letter
}

/// The body of the letter every peer sends, as SMTP carries it.
fn body() -> String {
    let text = String::from_utf8(LETTER.to_vec()).unwrap();
    let (_, body) = text.split_once("\n\n").unwrap();
    format!("\r\n\r\n{}\r\n", body.replace('\n', "\r\n"))
}

#[test]
fn postfix_is_greylisted_comes_back_and_is_accepted() {
    let Some(layers) = peer::layers("Postfix as a sender") else { return };
    let sink = Sink::start();
    let gateway = Gateway::before(&sink, GREYLIST).start();
    let transport = format!("* smtp:[127.0.0.1]:{}\n", gateway.smtp.port());
    let files: [(&str, &[u8]); 2] = [("transport", transport.as_bytes()), ("letter", LETTER)];
    let mut postfix = Peer::start(&layers, "postfix", &free_port().to_string(), &files);
    assert_eq!(postfix.order(&format!("send sue@stranger.example {BOB} /peer/letter")), 1);
    let letter = came_back(&gateway, &sink);
    assert!(letter.content.ends_with(body().as_bytes()));
    let trace = String::from_utf8_lossy(&letter.content).into_owned();
    assert!(trace.contains("TLSv1.3"), "Postfix speaks TLS where it can: {trace}");
    let sent = "status=sent (250 2.0.0 Message accepted [ref ";
    wait_for(RETURN, "Postfix notes our reply", || {
        postfix.log("maillog").contains(sent).then_some(())
    });
}

#[test]
fn exim_is_greylisted_comes_back_and_is_accepted() {
    let Some(layers) = peer::layers("Exim as a sender") else { return };
    let sink = Sink::start();
    let gateway = Gateway::before(&sink, GREYLIST).start();
    let port = gateway.smtp.port().to_string();
    let mut exim = Peer::start(&layers, "exim", &port, &[("letter", LETTER)]);
    assert_eq!(exim.order(&format!("send sue@stranger.example {BOB} /peer/letter")), 1);
    let letter = came_back(&gateway, &sink);
    assert!(letter.content.ends_with(body().as_bytes()));
}

#[test]
fn postfix_as_the_next_hop_gets_every_octet() {
    let Some(layers) = peer::layers("Postfix as the next hop") else { return };
    let port = free_port();
    let postfix = Peer::start(&layers, "postfix", &port.to_string(), &[]);
    let mailbox = "bob@mailbox.example";
    let domain = format!(
        "[[domain]]\nname = \"mailbox.example\"\nnext_hop = [\"127.0.0.1:{port}\"]\n\
         recipients = \"call_forward\""
    );
    let gateway = Gateway::before(&Sink::start(), &domain).start();
    wait_for(RETURN, "Postfix listens", || Client::open(([127, 0, 0, 1], port).into()).ok());
    let mut client = Client::hello(gateway.smtp).unwrap();
    let sent = String::from_utf8(LETTER.to_vec()).unwrap().replace('\n', "\r\n") + "\r\n";
    // The client stuffs dots itself.
    let stuffed = sent.replace("\r\n.", "\r\n..");
    for _ in 0..20 {
        let reply = client.deliver(PERMITTED, mailbox, &stuffed).unwrap();
        assert_eq!(reply.code, 250, "{reply}");
    }
    gateway.wait_queue_empty(RETURN);
    let kept = wait_for(RETURN, "all are in the mailbox", || {
        let files = std::fs::read_dir(postfix.folder().join("mail/new")).ok()?;
        let kept: Vec<Vec<u8>> =
            files.flatten().map(|file| std::fs::read(file.path()).unwrap()).collect();
        (kept.len() == 20).then_some(kept)
    });
    // A mailbox has LF at the ends of lines.
    let wanted = sent.replace("\r\n", "\n");
    for file in kept {
        assert!(file.ends_with(wanted.as_bytes()), "{}", String::from_utf8_lossy(&file));
    }
    // It was asked about the recipient, and knows one that it has not.
    let refused = client.deliver(PERMITTED, "nobody@mailbox.example", &stuffed).unwrap();
    assert_eq!(refused.code, 550, "{refused}");
    let rows = gateway.trace(refused.reference().unwrap());
    assert_eq!(rows[0]["reason"], "recipient.unknown");
}

#[test]
fn swaks_speaks_tls_pipelining_and_eight_bits() {
    let Some(layers) = peer::layers("swaks as a client") else { return };
    let sink = Sink::start();
    let gateway = Gateway::before(&sink, "").start();
    let server = gateway.smtp.to_string();
    let swaks = |more: &[&str]| {
        let mut arguments =
            vec!["swaks", "--server", &server, "--helo", "client.example", "--to", BOB];
        arguments.extend(more);
        let output = peer::run(&layers, "swaks", &arguments);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code(), said + &String::from_utf8_lossy(&output.stderr))
    };
    // 24 is swaks's way to say that every recipient was refused.
    let (code, said) = swaks(&["--from", "sue@stranger.example"]);
    assert_eq!(code, Some(24), "{said}");
    assert!(said.contains("451 4.7.1"), "{said}");
    std::thread::sleep(Duration::from_secs(1));
    let (code, said) = swaks(&["--from", "sue@stranger.example", "--body", "Grüße", "--pipeline"]);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) =
        swaks(&["--from", PERMITTED, "--tls", "--body", "Grüße unter TLS", "--pipeline"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("TLSv1.3"), "{said}");
    let letters = sink.wait(2, RETURN);
    for (letter, text) in letters.iter().zip(["Grüße", "Grüße unter TLS"]) {
        let content = String::from_utf8_lossy(&letter.content).into_owned();
        assert!(content.contains(text), "{content}");
    }
}

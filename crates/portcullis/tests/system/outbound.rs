//! Mail of our own servers to the world: by hand and by a real Postfix, to a
//! smarthost; who was written to may answer at once.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::client::Client;
use crate::gateway::{BOB, Gateway, STRANGER};
use crate::peer::{self, Peer};
use crate::sink::Sink;
use crate::waiting::{free_port, wait_for};

const SOON: Duration = Duration::from_secs(30);
const TEXT: &str = "From: Bob <bob@corp.example>\r\nSubject: Lunch\r\n\r\nAt one?\r\n";

/// A gateway with an outbound listener before one sink for its own domain and
/// one for the world.
struct House {
    gateway: Gateway,
    outbound: SocketAddr,
    inside: Sink,
    world: Sink,
}

impl House {
    fn start(allow_from: &str) -> House {
        let (inside, world) = (Sink::start(), Sink::start());
        let outbound = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let settings = format!(
            "[delivery]\noutbound_hop = [\"{}\"]\n[[smtp.listener]]\nlisten = \"{outbound}\"\n\
             role = \"outbound\"\nallow_from = [\"{allow_from}\"]",
            world.address
        );
        let gateway = Gateway::before(&inside, &settings).start();
        House { gateway, outbound, inside, world }
    }
}

#[test]
fn what_our_servers_send_goes_to_the_smarthost_and_answers_pass_at_once() {
    let mut house = House::start("127.0.0.0/8");
    let mut server = Client::hello(house.outbound).unwrap();
    let sent = server.deliver(BOB, STRANGER, TEXT).unwrap();
    assert_eq!(sent.code, 250, "{sent}");
    let letter = house.world.wait(1, SOON).remove(0);
    assert!(letter.from.contains(BOB) && letter.to[0].contains(STRANGER), "{letter:?}");
    assert!(letter.content.ends_with(TEXT.as_bytes()));
    // It is an attempt like any other, and says its direction.
    let rows = house.gateway.trace("direction:outbound");
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!((&rows[0]["from"], &rows[0]["direction"]), (&BOB.into(), &"outbound".into()));
    // Who was written to is known, over a restart, and may answer.
    house.gateway.wait_queue_empty(SOON);
    house.gateway.kill();
    house.gateway.launch();
    let pairs = house.gateway.ask_json(&["senders", "auto", "list"]);
    assert_eq!((&pairs[0]["sender"], &pairs[0]["recipient"]), (&STRANGER.into(), &BOB.into()));
    let mut stranger = Client::hello(house.gateway.smtp).unwrap();
    let answer = stranger.deliver(STRANGER, BOB, "Subject: Re: Lunch\r\n\r\nYes.\r\n").unwrap();
    assert_eq!(answer.code, 250, "{answer}");
    house.inside.wait(1, SOON);
    let why = house.gateway.ask(&["why", answer.reference().unwrap()]);
    let told = "bob@corp.example wrote to sue@stranger.example on ";
    assert!(why.out.contains(told), "{}", why.out);
    let other = stranger.deliver("eve@stranger.example", BOB, TEXT).unwrap();
    assert_eq!(other.code, 451, "{other}");
    // Forgotten, he has to come back.
    let purged = house.gateway.ask(&["--yes", "senders", "auto", "purge", STRANGER]);
    assert_eq!(purged.code, 0, "{}", purged.err);
    let mut again = Client::hello(house.gateway.smtp).unwrap();
    let waits = again.deliver(STRANGER, BOB, TEXT).unwrap();
    assert_eq!(waits.code, 451, "{waits}");
    drop((stranger, again));
    house.gateway.audit_conservation();
}

#[test]
fn nobody_else_sends_through_it() {
    let house = House::start("192.0.2.0/24");
    let mut stranger = Client::hello(house.outbound).unwrap();
    let refused = stranger.deliver(BOB, STRANGER, TEXT).unwrap();
    assert_eq!(refused.code, 550, "{refused}");
    let rows = house.gateway.trace(refused.reference().unwrap());
    assert_eq!(
        (&rows[0]["reason"], &rows[0]["check"]),
        (&"relay.denied".into(), &"outbound".into())
    );
    // The inbound listener takes no mail for the world from anybody.
    let mut inbound = Client::hello(house.gateway.smtp).unwrap();
    assert_eq!(inbound.deliver(BOB, STRANGER, TEXT).unwrap().code, 550);
    drop((stranger, inbound));
    house.gateway.audit_conservation();
}

#[test]
fn a_real_postfix_inside_sends_by_it() {
    let Some(layers) = peer::layers("Postfix as a server of our own") else { return };
    let house = House::start("127.0.0.0/8");
    let transport = format!("* smtp:[127.0.0.1]:{}\n", house.outbound.port());
    let files: [(&str, &[u8]); 2] =
        [("transport", transport.as_bytes()), ("letter", TEXT.as_bytes())];
    let mut postfix = Peer::start(&layers, "postfix", &free_port().to_string(), &files);
    assert_eq!(postfix.order(&format!("send {BOB} {STRANGER} /peer/letter")), 1);
    let letter = house.world.wait(1, SOON).remove(0);
    assert!(letter.to[0].contains(STRANGER), "{letter:?}");
    let trace = String::from_utf8_lossy(&letter.content).into_owned();
    assert!(trace.contains("TLSv1.3"), "Postfix speaks TLS where it can: {trace}");
    wait_for(SOON, "Postfix notes our reply", || {
        let sent = "status=sent (250 2.0.0 Message accepted [ref ";
        postfix.log("maillog").contains(sent).then_some(())
    });
    let pairs = house.gateway.ask_json(&["senders", "auto", "list"]);
    assert_eq!(pairs[0]["sender"], STRANGER);
}

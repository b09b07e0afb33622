//! Who the client is: behind a proxy that says so, and over IPv6.

use std::net::{Ipv6Addr, SocketAddr, TcpListener};
use std::time::Duration;

use crate::client::Client;
use crate::gateway::{BOB, Gateway, PERMITTED, STRANGER};
use crate::sink::Sink;
use crate::waiting::{free_port, skip, wait_for};

const LETTER: &str = "Subject: hello\r\n\r\ntext\r\n";
const SOON: Duration = Duration::from_secs(20);

/// A further listener, in settings.
fn listener(address: SocketAddr, proxies: &str) -> String {
    format!("[[smtp.listener]]\nlisten = \"{address}\"\nproxy_protocol_from = [{proxies}]")
}

fn local() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], free_port()))
}

/// A PROXY v2 header: 198.51.100.9:4711 to 192.0.2.1:25 over TCP.
const VERSION_2: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xc6\x33\x64\x09\xc0\x00\x02\x01\x12\x67\x00\x19";

#[test]
fn a_proxy_names_the_client() {
    let door = local();
    let sink = Sink::start();
    let gateway = Gateway::before(&sink, &listener(door, "\"127.0.0.1/32\"")).start();
    let headers: [(&[u8], &str); 4] = [
        (b"PROXY TCP4 198.51.100.7 192.0.2.1 4711 25\r\n", "198.51.100.7"),
        (b"PROXY TCP6 2001:db8::7 2001:db8::1 4711 25\r\n", "2001:db8::7"),
        (VERSION_2, "198.51.100.9"),
        (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
    ];
    for (header, ip) in headers {
        let mut client = Client::open(door).unwrap();
        client.send(header).unwrap();
        assert_eq!(client.reply().unwrap().code, 220);
        client.say("EHLO client.example").unwrap();
        let reply = client.deliver(STRANGER, BOB, LETTER).unwrap();
        assert_eq!(reply.code, 451, "{ip}: each client is a stranger of its own: {reply}");
        assert_eq!(gateway.trace(reply.reference().unwrap())[0]["ip"], ip);
    }
}

#[test]
fn a_header_that_is_missing_broken_or_unasked_is_refused() {
    let door = local();
    let sink = Sink::start();
    let gateway = Gateway::before(&sink, &listener(door, "\"127.0.0.1/32\"")).start();
    let wrong: [&[u8]; 3] = [
        b"EHLO client.example\r\n",
        b"PROXY TCP4 not.an.address 192.0.2.1 1 25\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x31\x11\x00\x0c\xc6\x33\x64\x09\xc0\x00\x02\x01\x12\x67\x00\x19",
    ];
    for octets in wrong {
        let mut client = Client::open(door).unwrap();
        client.send(octets).unwrap();
        assert!(client.is_closed(), "{octets:?}");
    }
    wait_for(SOON, "each is a row", || {
        let rows = gateway.trace("type:proxy.invalid");
        (rows.len() == wrong.len()).then_some(())
    });
    // Where no proxy is expected, its header is not believed.
    let mut client = Client::open(gateway.smtp).unwrap();
    client.send(b"PROXY TCP4 198.51.100.7 192.0.2.1 4711 25\r\n").unwrap();
    let believed = client.reply().is_ok() && client.reply().is_ok_and(|reply| reply.code == 250);
    assert!(!believed);
    assert!(gateway.trace("ip:198.51.100.7").is_empty());
}

#[test]
fn ipv6_is_spoken() {
    let door = SocketAddr::from((Ipv6Addr::LOCALHOST, free_port()));
    if TcpListener::bind(door).is_err() {
        skip("IPv6", "this system has no ::1");
        return;
    }
    let sink = Sink::start();
    let gateway = Gateway::before(&sink, &listener(door, "")).start();
    let mut client = Client::hello(door).unwrap();
    let deferred = client.deliver(STRANGER, BOB, LETTER).unwrap();
    assert_eq!(deferred.code, 451);
    assert_eq!(gateway.trace(deferred.reference().unwrap())[0]["ip"], "::1");
    assert_eq!(client.deliver(PERMITTED, BOB, LETTER).unwrap().code, 250);
    let letters = sink.wait(1, SOON);
    let trace = String::from_utf8_lossy(&letters[0].content).into_owned();
    assert!(trace.contains("[IPv6:::1]"), "{trace}");
}

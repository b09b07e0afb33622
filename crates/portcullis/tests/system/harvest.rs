//! Clients that try names out, as the settings of the running program have it:
//! who is counted and slowed, who is put off, until when, and who is exempt.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::client::{Client, Reply};
use crate::gateway::{BOB, Gateway, PERMITTED};
use crate::sink::Sink;
use crate::waiting::{free_port, wait_for};

const DELAY: Duration = Duration::from_secs(1);
const SOON: Duration = Duration::from_secs(90);

fn settings(door: SocketAddr, window: &str) -> String {
    format!(
        "[smtp]\nunknown_recipients_per_client_max = 4\nunknown_recipients_window = \"{window}\"\n\
         unknown_recipients_delay = \"1s\"\nunknown_recipients_exempt = [\"198.51.100.0/24\"]\n\
         [[smtp.listener]]\nlisten = \"{door}\"\nproxy_protocol_from = [\"127.0.0.1/32\"]\n"
    )
}

/// A client at this address, after MAIL.
fn client(door: SocketAddr, ip: &str) -> Client {
    let mut client = Client::open(door).unwrap();
    client.send(format!("PROXY TCP4 {ip} 192.0.2.1 4711 25\r\n").as_bytes()).unwrap();
    assert_eq!(client.reply().unwrap().code, 220);
    client.say("EHLO client.example").unwrap();
    client.say(&format!("MAIL FROM:<{PERMITTED}>")).unwrap();
    client
}

fn ask(client: &mut Client, recipient: &str) -> (Reply, Duration) {
    let asked = Instant::now();
    let reply = client.say(&format!("RCPT TO:<{recipient}>")).unwrap();
    (reply, asked.elapsed())
}

fn metric(gateway: &Gateway, name: &str) -> u64 {
    let (_, metrics) = gateway.get(gateway.metrics, "/metrics").unwrap();
    let line = metrics.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
    line.unwrap_or_else(|| panic!("{name} in {metrics}")).parse().unwrap()
}

#[test]
fn half_of_the_limit_slows_all_of_it_puts_off_and_the_exempt_go_on() {
    let door = SocketAddr::from(([127, 0, 0, 1], free_port()));
    // A quarter of it makes room for one: not while they are counted.
    let gateway = Gateway::before(&Sink::start(), &settings(door, "1h")).start();
    let mut guesser = client(door, "203.0.113.7");
    assert_eq!(ask(&mut guesser, BOB).0.code, 250, "who is known is not counted");
    for n in 1..=4 {
        let (reply, took) = ask(&mut guesser, &format!("nobody{n}@corp.example"));
        assert_eq!(reply.code, 550, "{reply}");
        assert!(n <= 2 || took >= DELAY, "the reply {n} took {took:?}");
    }
    for recipient in ["nobody5@corp.example", BOB] {
        let (reply, _) = ask(&mut guesser, recipient);
        assert_eq!(reply.code, 451, "nothing is said of {recipient}: {reply}");
    }
    // Another session is the same client; another client is another.
    assert_eq!(ask(&mut client(door, "203.0.113.7"), BOB).0.code, 451);
    assert_eq!(ask(&mut client(door, "203.0.113.8"), BOB).0.code, 250);
    let counted = |gateway: &Gateway| {
        ["delayed_total", "refused_total", "delayed_now"]
            .map(|name| metric(gateway, &format!("portcullis_unknown_recipients_{name}")))
    };
    assert_eq!(counted(&gateway), [2, 3, 0]);
    assert_eq!(gateway.trace("type:rate.limited").len(), 3);

    let mut partner = client(door, "198.51.100.7");
    for n in 1..=8 {
        let (reply, _) = ask(&mut partner, &format!("gone{n}@corp.example"));
        assert_eq!(reply.code, 550, "{reply}");
    }
    assert_eq!(ask(&mut partner, BOB).0.code, 250);
    assert_eq!(counted(&gateway), [2, 3, 0], "the exempt are neither slowed nor put off");
}

#[test]
fn time_makes_room_again() {
    let door = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let gateway = Gateway::before(&Sink::start(), &settings(door, "40s")).start();
    let mut guesser = client(door, "203.0.113.7");
    let mut unknown = 0;
    let put_off = loop {
        unknown += 1;
        let (reply, _) = ask(&mut guesser, &format!("nobody{unknown}@corp.example"));
        if reply.code == 451 {
            break Instant::now();
        }
    };
    assert!(unknown > 4, "after {unknown}");
    wait_for(SOON, "there is room", || (ask(&mut guesser, BOB).0.code == 250).then_some(()));
    assert!(put_off.elapsed() < Duration::from_secs(60), "{:?}", put_off.elapsed());
    assert!(metric(&gateway, "portcullis_unknown_recipients_refused_total") >= 1);
}

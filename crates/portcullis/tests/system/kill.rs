//! `kill -9` at random moments under load, and the audit afterwards: what a
//! client was promised is kept, and what it was told has its event, once.
//!
//! `SEED=n` chooses the moments again.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::client::{Client, Reply};
use crate::gateway::{BOB, Gateway, PERMITTED};
use crate::sink::Sink;

const CLIENTS: u64 = 8;
const KILLS: u64 = 6;
/// How long the deliveries may take after the last start.
const SETTLED: Duration = Duration::from_secs(60);

/// What the clients were told.
#[derive(Default)]
struct Told {
    /// The numbers of the messages that were answered with 250, with the
    /// reference of that reply.
    accepted: Vec<(u64, String)>,
    /// The references of all replies that refused.
    refused: Vec<String>,
}

/// SplitMix64: enough chance for a test, and the same from the same seed.
fn draw(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut word = *state;
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// One client: connects, sends, is cut off, connects again, until `stop`.
fn work(server: SocketAddr, mut seed: u64, number: &AtomicU64, stop: &AtomicBool) -> Told {
    let mut told = Told::default();
    while !stop.load(Ordering::Relaxed) {
        // An error is the kill: whatever was not answered was not promised.
        let _ = session(server, &mut seed, number, stop, &mut told);
        std::thread::sleep(Duration::from_millis(5));
    }
    told
}

fn session(
    server: SocketAddr,
    seed: &mut u64,
    number: &AtomicU64,
    stop: &AtomicBool,
    told: &mut Told,
) -> io::Result<()> {
    let mut client = Client::hello(server)?;
    for _ in 0..20 {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let chance = draw(seed);
        let refused = match chance % 4 {
            0 => client.envelope(PERMITTED, "nobody@corp.example")?,
            1 => client.envelope(&stranger(chance), BOB)?,
            _ => {
                let number = number.fetch_add(1, Ordering::Relaxed);
                let reply = client.deliver(PERMITTED, BOB, &letter(number, chance))?;
                note(told, number, &reply);
                continue;
            }
        };
        told.refused.push(reference(&refused));
        client.say("RSET")?;
    }
    client.say("QUIT").map(drop)
}

fn note(told: &mut Told, number: u64, reply: &Reply) {
    match reply.code {
        250 => told.accepted.push((number, reference(reply))),
        _ => told.refused.push(reference(reply)),
    }
}

fn reference(reply: &Reply) -> String {
    reply.reference().unwrap_or_else(|| panic!("no reference in {reply}")).to_owned()
}

/// A sender nobody has seen. Without digits, because runs of them make no
/// difference to greylisting.
fn stranger(mut chance: u64) -> String {
    let mut name = String::new();
    while chance > 0 {
        name.push(char::from(b'a' + u8::try_from(chance % 26).unwrap()));
        chance /= 26;
    }
    format!("{name}@stranger.example")
}

/// A message that can be recognised, of up to some tens of kilobytes.
fn letter(number: u64, chance: u64) -> String {
    let lines = usize::try_from((chance >> 8) % 512).unwrap();
    format!("Message-ID: <{number}@load.example>\r\n\r\n")
        + &"all work and no play\r\n".repeat(lines)
}

/// The number of a letter at the next hop.
fn number_of(content: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(content);
    let (_, id) = text.split_once("Message-ID: <").expect("the header field is there");
    id.split('@').next().unwrap().parse().unwrap()
}

#[test]
fn kill_9_under_load_loses_nothing_that_was_said() {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    println!("SEED={seed}");
    let sink = Sink::start();
    let settings = "[delivery]\nback_off_first = \"0s\"\nretry_schedule = [\"0s\", \"1s x60\"]";
    let mut gateway = Gateway::before(&sink, settings).start();
    let (number, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let told: Vec<Told> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let (server, number, stop) = (gateway.smtp, &number, &stop);
                scope.spawn(move || work(server, seed * CLIENTS + client, number, stop))
            })
            .collect();
        let mut chance = seed;
        for _ in 0..KILLS {
            std::thread::sleep(Duration::from_millis(300 + draw(&mut chance) % 1500));
            gateway.kill();
            gateway.launch();
        }
        std::thread::sleep(Duration::from_millis(500));
        stop.store(true, Ordering::Relaxed);
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    gateway.wait_queue_empty(SETTLED);
    audit(&gateway, &sink, &told);
    gateway.audit_conservation();
}

fn audit(gateway: &Gateway, sink: &Sink, told: &[Told]) {
    let mut events: HashMap<String, Vec<String>> = HashMap::new();
    for row in gateway.trace("is:accepted OR is:deferred OR is:rejected") {
        let outcome = row["outcome"].as_str().unwrap().to_owned();
        events.entry(row["ref"].as_str().unwrap().to_owned()).or_default().push(outcome);
    }
    assert!(events.values().all(|outcomes| outcomes.len() == 1), "each attempt once");
    let delivered: HashSet<u64> =
        sink.letters().iter().map(|letter| number_of(&letter.content)).collect();
    let (mut accepted, mut refused) = (0, 0);
    for told in told {
        for (number, reference) in &told.accepted {
            assert!(
                delivered.contains(number),
                "message {number} was accepted ({reference}) and is lost"
            );
            assert_eq!(
                events.get(reference).map(Vec::as_slice),
                Some(&["accepted".to_owned()][..]),
                "{reference}"
            );
            accepted += 1;
        }
        for reference in &told.refused {
            let found = events.get(reference).map_or(0, Vec::len);
            assert_eq!(found, 1, "a client was told {reference}, which has {found} events");
            refused += 1;
        }
    }
    println!("{accepted} accepted, {refused} refused, {} delivered", sink.count());
    assert!(accepted > 20 && refused > 20, "there was a load");
}

//! A name server that sends what no honest one would, octet by octet: each
//! kind ends in a failure of its own, in time, and never in an answer.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::time::timeout;
use world::{DnsError, DnsResolver, Family, Resolver, ResolverSettings};

/// Octets of the header of a DNS message (RFC 1035 section 4.1.1).
const HEADER: usize = 12;
/// An answer, recursion desired and available.
const ANSWER: [u8; 2] = [0x81, 0x80];
/// The same, cut off.
const TRUNCATED: [u8; 2] = [0x83, 0x80];
/// A pointer to the name of the question (RFC 1035 section 4.1.4).
const THE_NAME: [u8; 2] = [0xC0, 12];
/// The longest text there is, in strings of 255 octets: 64 KiB less what the
/// message around it takes.
const LONG_STRINGS: usize = 250;

/// A question as it came.
struct Query<'a> {
    octets: &'a [u8],
    /// Its name, as labels with their lengths.
    name: &'a [u8],
    kind: [u8; 2],
}

impl<'a> Query<'a> {
    fn read(octets: &'a [u8]) -> Query<'a> {
        let rest = &octets[HEADER..];
        let end = rest.iter().position(|octet| *octet == 0).unwrap() + 1;
        Query { octets, name: &rest[..end], kind: [rest[end], rest[end + 1]] }
    }

    fn first_label(&self) -> String {
        let length = usize::from(self.name[0]);
        String::from_utf8_lossy(&self.name[1..=length]).to_ascii_lowercase()
    }

    /// A message that says it has `count` answers, with `answers` behind the
    /// question about `name`.
    fn reply_about(&self, name: &[u8], flags: [u8; 2], count: u16, answers: &[u8]) -> Vec<u8> {
        let mut reply = self.octets[..2].to_vec();
        reply.extend_from_slice(&flags);
        reply.extend_from_slice(&[0, 1]);
        reply.extend_from_slice(&count.to_be_bytes());
        reply.extend_from_slice(&[0; 4]);
        reply.extend_from_slice(name);
        reply.extend_from_slice(&self.kind);
        reply.extend_from_slice(&[0, 1]);
        reply.extend_from_slice(answers);
        reply
    }

    fn reply(&self, flags: [u8; 2], count: u16, answers: &[u8]) -> Vec<u8> {
        self.reply_about(self.name, flags, count, answers)
    }

    /// A record of the kind that is asked for.
    fn record(&self, owner: &[u8], data: &[u8]) -> Vec<u8> {
        record(owner, self.kind, data)
    }
}

fn record(owner: &[u8], kind: [u8; 2], data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap();
    let mut record = owner.to_vec();
    record.extend_from_slice(&kind);
    record.extend_from_slice(&[0, 1, 0, 0, 0, 60]);
    record.extend_from_slice(&length.to_be_bytes());
    record.extend_from_slice(data);
    record
}

fn name(text: &str) -> Vec<u8> {
    let mut name = Vec::new();
    for label in text.split('.') {
        name.push(u8::try_from(label.len()).unwrap());
        name.extend_from_slice(label.as_bytes());
    }
    name.push(0);
    name
}

/// What is sent for a question, by the first label of its name.
fn lie(query: &Query<'_>, over_tcp: bool) -> Vec<u8> {
    const CNAME: [u8; 2] = [0, 5];
    let address = query.record(&THE_NAME, &[192, 0, 2, 1]);
    let honest = query.reply(ANSWER, 1, &address);
    match query.first_label().as_str() {
        "other-id" => {
            let mut reply = honest;
            reply[0] ^= 0xFF;
            reply
        }
        "other-question" => query.reply_about(&name("bank.example"), ANSWER, 1, &address),
        "other-owner" => {
            query.reply(ANSWER, 1, &query.record(&name("bank.example"), &[192, 0, 2, 1]))
        }
        "a-question" => query.reply([0x01, 0], 1, &address),
        "round-a" => query.reply(ANSWER, 1, &record(&THE_NAME, CNAME, &name("round-b.example"))),
        "round-b" => query.reply(ANSWER, 1, &record(&THE_NAME, CNAME, &name("round-a.example"))),
        "round-itself" => query.reply(ANSWER, 1, &record(&THE_NAME, CNAME, &THE_NAME)),
        "pointer-to-itself" => {
            let place = u8::try_from(HEADER + query.name.len() + 4).unwrap();
            query.reply(ANSWER, 1, &query.record(&[0xC0, place], &[192, 0, 2, 1]))
        }
        "pointer-forward" => query.reply(ANSWER, 1, &query.record(&[0xC0, 0xFF], &[192, 0, 2, 1])),
        "long-label" => {
            let mut owner = vec![64];
            owner.extend_from_slice(&[b'a'; 64]);
            owner.push(0);
            query.reply(ANSWER, 1, &query.record(&owner, &[192, 0, 2, 1]))
        }
        "long-data" => {
            let mut cut = query.record(&THE_NAME, &[192, 0, 2, 1]);
            let length = cut.len();
            cut[length - 6] = 0xFF;
            query.reply(ANSWER, 1, &cut)
        }
        "short-address" => query.reply(ANSWER, 1, &query.record(&THE_NAME, &[192, 0])),
        "no-such-count" => query.reply(ANSWER, u16::MAX, &address),
        "cut" if over_tcp => honest[..20].to_vec(),
        "cut" => query.reply(TRUNCATED, 0, &[]),
        "long-text" if over_tcp => {
            let string = [&[255][..], &[b'a'; 255][..]].concat();
            query.reply(ANSWER, 1, &query.record(&THE_NAME, &string.repeat(LONG_STRINGS)))
        }
        "long-text" => query.reply(TRUNCATED, 0, &[]),
        "honest" => honest,
        _ => query.octets[..5].to_vec(),
    }
}

async fn over_tcp(mut stream: TcpStream) -> Option<()> {
    loop {
        let length = usize::from(stream.read_u16().await.ok()?);
        let mut octets = vec![0; length];
        stream.read_exact(&mut octets).await.ok()?;
        let reply = lie(&Query::read(&octets), true);
        stream.write_u16(u16::try_from(reply.len()).ok()?).await.ok()?;
        stream.write_all(&reply).await.ok()?;
    }
}

/// Starts the server; it ends with the runtime of its test.
async fn liar() -> SocketAddr {
    let (udp, tcp) = loop {
        let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        // The port of one may be taken for the other.
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
            break (udp, tcp);
        }
    };
    let at = udp.local_addr().unwrap();
    tokio::spawn(async move {
        let mut octets = [0; 1_500];
        while let Ok((length, from)) = udp.recv_from(&mut octets).await {
            let _ = udp.send_to(&lie(&Query::read(&octets[..length]), false), from).await;
        }
    });
    tokio::spawn(async move {
        while let Ok((stream, _)) = tcp.accept().await {
            tokio::spawn(over_tcp(stream));
        }
    });
    at
}

async fn resolver() -> DnsResolver {
    let settings = ResolverSettings {
        servers: vec![liar().await],
        timeout: Duration::from_millis(500),
        ..ResolverSettings::default()
    };
    DnsResolver::new(&settings).unwrap()
}

/// What comes of a question to the liar, which must come to an end.
async fn asked(resolver: &DnsResolver, kind: &str) -> Result<Vec<IpAddr>, DnsError> {
    let name = format!("{kind}.example");
    let answer = timeout(Duration::from_secs(60), resolver.addresses_in(Family::V4, &name)).await;
    answer.unwrap_or_else(|_| panic!("{kind} takes too long"))
}

/// Each alone may be asked again, because nobody's mail is given up for a
/// packet that makes no sense.
#[tokio::test]
async fn what_no_honest_server_sends_is_no_answer() {
    for kind in [
        "other-id",
        "other-question",
        "a-question",
        "pointer-to-itself",
        "pointer-forward",
        "long-label",
        "long-data",
        "short-address",
        "no-such-count",
        "cut",
        "nothing-but-five-octets",
    ] {
        // A new one each time: silence about two makes the servers gone.
        let resolver = resolver().await;
        let answer = asked(&resolver, kind).await;
        assert!(answer.as_ref().is_err_and(|error| error.is_temporary()), "{kind}: {answer:?}");
        let honest = resolver.addresses_in(Family::V4, "honest.example").await;
        assert_eq!(honest, Ok(vec!["192.0.2.1".parse().unwrap()]), "after {kind}");
    }
}

/// Nobody can be spoken for by a record that was not asked for, and names that
/// lead in a circle end.
#[tokio::test]
async fn records_of_others_and_circles_are_no_answer() {
    let resolver = resolver().await;
    for kind in ["other-owner", "round-a", "round-itself"] {
        let answer = asked(&resolver, kind).await;
        assert!(answer.is_err(), "{kind}: {answer:?}");
    }
    let bank = resolver.addresses_in(Family::V4, "bank.example").await;
    assert!(bank.is_err(), "nothing was kept for another name: {bank:?}");
}

#[tokio::test]
async fn the_longest_text_there_is_arrives_whole() {
    let resolver = resolver().await;
    let texts = resolver.texts("long-text.example").await.unwrap();
    assert_eq!(texts.iter().map(Vec::len).collect::<Vec<_>>(), [255 * LONG_STRINGS]);
    assert_ne!(resolver.texts("cut.example").await, Err(DnsError::NoSuchName));
}

//! The client against servers that are played, good ones and others.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use types::Timestamp;

use super::message::played;
use super::*;
use crate::simulated::{SimulatedClock, SimulatedNetwork, SimulatedResolver};

const AT: &str = "127.0.0.1:389";

fn server(start_tls: bool, sign_in: bool) -> LdapServer {
    LdapServer {
        urls: vec!["ldap://127.0.0.1".parse().unwrap()],
        start_tls,
        ca_file: None,
        sign_in: sign_in.then(|| ("cn=reader".to_owned(), "secret".to_owned())),
        timeout: Duration::from_secs(2),
    }
}

/// Waits for a request, and says these octets; gives the request.
async fn answer(stream: &mut DuplexStream, said: &[u8]) -> String {
    let mut request = [0; 4_096];
    let length = stream.read(&mut request).await.unwrap();
    assert!(length > 0, "a request");
    stream.write_all(said).await.unwrap();
    String::from_utf8_lossy(&request[..length]).into_owned()
}

/// Searches where each request is answered with the next of these octets; the
/// connection is then kept open if `hold` says so. The names of what came, and
/// how it ended.
async fn searched(
    server: &LdapServer,
    answers: Vec<Vec<u8>>,
    hold: bool,
) -> (Vec<String>, Result<LdapDone, LdapError>) {
    let (came, ended, _) = read(server, answers, hold).await;
    (came.into_iter().map(|entry| entry.name).collect(), ended)
}

/// The same with the entries, and with what was asked.
async fn read(
    server: &LdapServer,
    answers: Vec<Vec<u8>>,
    hold: bool,
) -> (Vec<LdapEntry>, Result<LdapDone, LdapError>, Vec<String>) {
    let network = SimulatedNetwork::new(Arc::new(SimulatedClock::new(Timestamp::EPOCH)));
    let mut listener = network.listen(AT.parse().unwrap());
    let asked = Arc::new(std::sync::Mutex::new(Vec::new()));
    let heard = Arc::clone(&asked);
    let played = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        for said in answers {
            let request = answer(&mut stream, &said).await;
            heard.lock().unwrap().push(request);
        }
        if hold {
            std::future::pending::<()>().await;
        }
    });
    let ldap = Ldap::new(Arc::new(SimulatedResolver::new()), Arc::new(network));
    let (filter, attributes) = ("(mail=*)".parse().unwrap(), vec!["mail".to_owned()]);
    let search = LdapSearch {
        base: "dc=corp",
        scope: Scope::Whole,
        filter: &filter,
        attributes: &attributes,
        page_size: 2,
        entries_max: 3,
    };
    let mut came = Vec::new();
    let ended = match ldap.open(server, &server.urls[0]).await {
        Ok(mut session) => session.search(&search, &mut |entry| came.push(entry)).await,
        Err(error) => Err(error),
    };
    played.abort();
    let asked = asked.lock().unwrap().clone();
    (came, ended, asked)
}

/// A page of entries, and where the next begins.
fn page(id: u32, names: &[&str], cookie: &[u8]) -> Vec<u8> {
    let entries = names.iter().flat_map(|name| played::entry(id, name, "mail", &[b"a@b.example"]));
    entries.chain(played::done(id, 0, cookie)).collect()
}

#[tokio::test]
async fn pages_are_read_to_the_last_and_referrals_are_not_followed() {
    let second = [played::reference(3), page(3, &["c"], b"")].concat();
    let signed_in = played::answer(1, 0x61, 0, "");
    let answers = vec![signed_in, page(2, &["a", "b"], b"more"), second];
    let (came, ended) = searched(&server(false, true), answers, true).await;
    assert_eq!(came, ["a", "b", "c"]);
    assert_eq!(ended, Ok(LdapDone { entries: 3, pages: 2, referrals: 1 }));
}

#[tokio::test]
async fn what_a_server_refuses_is_said_in_words() {
    let told = async |server: LdapServer, answers: Vec<Vec<u8>>| {
        searched(&server, answers, true).await.1.unwrap_err().to_string()
    };
    let wrong = played::answer(1, 0x61, 49, "bad\0");
    assert_eq!(
        told(server(false, true), vec![wrong]).await,
        "ldap://127.0.0.1 refuses the sign-in: the name or password is wrong (result 49: bad)"
    );
    let said = told(server(false, false), vec![played::done(1, 4, b"")]).await;
    assert!(said.contains("gives this account no more entries"), "{said}");
    // Who takes STARTTLS away gets no password.
    let no_tls = played::answer(1, 0x78, 2, "unsupported");
    let said = told(server(true, true), vec![no_tls]).await;
    assert!(said.starts_with("TLS with ldap://127.0.0.1: it does not understand us"), "{said}");
    let notice = played::answer(0, 0x78, 52, "shutting down");
    let said = told(server(false, false), vec![notice]).await;
    assert!(said.contains("broke: it is not available (result 52: shutting down)"), "{said}");
}

#[tokio::test]
async fn what_is_hostile_is_bounded_and_named() {
    let plain = server(false, false);
    let told = async |said: Vec<u8>, hold| searched(&plain, vec![said], hold).await.1.unwrap_err();
    let at = || "ldap://127.0.0.1".to_owned();
    let malformed = LdapError::Malformed { at: at() };
    for rubbish in
        [&b"220 mail.example ESMTP\r\n"[..], b"\x30\x03\x02\x01\x07", b"\x30\x80\x00\x00"]
    {
        assert_eq!(told(rubbish.to_vec(), true).await, malformed, "{rubbish:?}");
    }
    let other = page(9, &["a"], b"");
    assert_eq!(told(other, true).await, malformed, "the answer to another request");
    let huge = told(b"\x30\x84\xff\xff\xff\xff".to_vec(), true).await;
    assert!(matches!(huge, LdapError::TooMuch { what: "octets", .. }), "{huge}");
    let many = page(1, &["a", "b", "c", "d"], b"");
    assert_eq!(told(many, true).await, LdapError::TooMuch { at: at(), what: "entries", max: 3 });
    let half = page(1, &["a"], b"");
    let half = half.get(..half.len() - 3).unwrap().to_vec();
    assert!(matches!(told(half, false).await, LdapError::Broken { .. }));
    let endless = (1..200).map(|id| page(id, &[], b"more")).collect();
    let ended = searched(&plain, endless, true).await.1.unwrap_err();
    assert!(matches!(ended, LdapError::TooMuch { what: "empty pages", .. }), "{ended}");
}

#[tokio::test]
async fn a_server_that_is_silent_or_drips_does_not_keep_us() {
    let after = Duration::from_millis(200);
    let hasty = |sign_in| LdapServer { timeout: after, ..server(false, sign_in) };
    let entry = played::entry(1, "a", "mail", &[b"a@b.example"]);
    let ended = searched(&hasty(false), vec![entry], true).await;
    let late = LdapError::TimedOut { at: "ldap://127.0.0.1".to_owned(), after };
    assert_eq!(ended, (vec!["a".to_owned()], Err(late.clone())));
    assert_eq!(searched(&hasty(true), Vec::new(), true).await.1, Err(late));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let network = SimulatedNetwork::new(Arc::new(SimulatedClock::new(Timestamp::EPOCH)));
    let ldap = Ldap::new(Arc::new(SimulatedResolver::new()), Arc::new(network));
    let (server, url) = (server(false, false), |url: &str| url.parse::<LdapUrl>().unwrap());
    let error = ldap.open(&server, &url("ldap://192.0.2.1")).await.err().unwrap();
    assert!(matches!(error, LdapError::Unreachable { .. }), "{error}");
    let error = ldap.open(&server, &url("ldap://nowhere.example")).await.err().unwrap();
    assert!(matches!(error, LdapError::Name { .. }), "{error}");
}

/// One entry with one attribute, as an answer to request `id` that ends it.
fn only(id: u32, attribute: &str, values: &[&[u8]]) -> Vec<u8> {
    [played::entry(id, "cn=big", attribute, values), played::done(id, 0, b"")].concat()
}

#[tokio::test]
async fn what_comes_in_parts_is_fetched_to_its_end() {
    let first = [
        played::entry(1, "cn=big", "member;range=0-1", &[b"a", b"b"]),
        page(1, &["cn=small"], b"more"),
    ];
    let answers = vec![
        first.concat(),
        only(2, "member;range=0-1", &[b"a", b"b"]),
        only(3, "member;range=2-3", &[b"c", b"d"]),
        only(4, "member;range=4-*", &[b"e"]),
        page(5, &["cn=last"], b""),
    ];
    let (came, ended, asked) = read(&server(false, false), answers, true).await;
    assert_eq!(ended, Ok(LdapDone { entries: 3, pages: 2, referrals: 0 }));
    let names: Vec<&str> = came.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["cn=small", "cn=big", "cn=last"]);
    let values = [b"a", b"b", b"c", b"d", b"e"].map(|one| one.to_vec()).to_vec();
    assert_eq!(came[1].attributes, [("member".to_owned(), values)]);
    let holds = |at: usize, text: &str| assert!(asked[at].contains(text), "{text} in {asked:?}");
    holds(2, "cn=big");
    holds(3, "cn=big");
    holds(2, "member;range=2-*");
    holds(3, "member;range=4-*");
}

#[tokio::test]
async fn parts_that_make_no_whole_are_an_error_and_have_an_end() {
    let plain = server(false, false);
    let first = || only(1, "member;range=0-1", &[b"a", b"b"]);
    let again = || only(2, "member;range=0-1", &[b"a", b"b"]);
    let told = async |answers: Vec<Vec<u8>>| {
        let (came, ended) = searched(&plain, [vec![first()], answers].concat(), true).await;
        (came, ended.unwrap_err())
    };
    let unfit = LdapError::Parts { at: "ldap://127.0.0.1".to_owned() };
    for (what, answer) in [
        ("it goes back", only(3, "member;range=0-1", &[b"a", b"b"])),
        ("it leaves some out", only(3, "member;range=3-*", &[b"d"])),
        ("it is shorter than it says", only(3, "member;range=2-5", &[b"c"])),
        ("another attribute", only(3, "memberOf;range=2-*", &[b"c"])),
        ("an attribute that is whole", only(3, "member", &[b"c"])),
        ("no entry", played::done(3, 0, b"")),
    ] {
        assert_eq!(told(vec![again(), answer]).await, (Vec::new(), unfit.clone()), "{what}");
    }
    let (_, gone) = told(vec![again(), played::done(3, 32, b"")]).await;
    assert!(matches!(gone, LdapError::Refused { .. }), "{gone}");
    let endless = (2..20_100_u32).map(|id| {
        let at = id - 2;
        only(id, &format!("member;range={at}-{at}"), &[b"x"])
    });
    let (came, error) = told(endless.collect()).await;
    assert!(matches!(error, LdapError::TooMuch { what: "parts of attributes", .. }), "{error}");
    assert!(came.is_empty(), "{came:?}");
    let wide = vec![&b"x"[..]; 150_000];
    let parts = [(0, 149_999), (150_000, 299_999)].into_iter().zip(2..);
    let parts = parts.map(|((from, to), id)| only(id, &format!("member;range={from}-{to}"), &wide));
    let (_, error) = told(parts.collect()).await;
    assert!(matches!(error, LdapError::TooMuch { what: "values in one entry", .. }), "{error}");
}

#[test]
fn a_password_is_not_shown() {
    assert!(!format!("{:?}", server(false, true)).contains("secret"));
}

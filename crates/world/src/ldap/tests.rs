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

/// Waits for a request, whatever it is, and says these octets.
async fn answer(stream: &mut DuplexStream, said: &[u8]) {
    let mut request = [0; 4_096];
    assert!(stream.read(&mut request).await.unwrap() > 0, "a request");
    stream.write_all(said).await.unwrap();
}

/// Searches where each request is answered with the next of these octets; the
/// connection is then kept open if `hold` says so. What came, and how it
/// ended.
async fn searched(
    server: &LdapServer,
    answers: Vec<Vec<u8>>,
    hold: bool,
) -> (Vec<String>, Result<LdapDone, LdapError>) {
    let network = SimulatedNetwork::new(Arc::new(SimulatedClock::new(Timestamp::EPOCH)));
    let mut listener = network.listen(AT.parse().unwrap());
    let played = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        for said in answers {
            answer(&mut stream, &said).await;
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
    let ended = match ldap.open(server).await {
        Ok(mut session) => session.search(&search, &mut |entry| came.push(entry.name)).await,
        Err(error) => Err(error),
    };
    played.abort();
    (came, ended)
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
async fn of_several_servers_the_first_that_answers_is_taken() {
    let network = SimulatedNetwork::new(Arc::new(SimulatedClock::new(Timestamp::EPOCH)));
    let _listener = network.listen("192.0.2.2:389".parse().unwrap());
    let ldap = Ldap::new(Arc::new(SimulatedResolver::new()), Arc::new(network));
    let urls = |all: &[&str]| LdapServer {
        urls: all.iter().map(|url| url.parse().unwrap()).collect(),
        ..server(false, false)
    };
    assert!(ldap.open(&urls(&["ldap://192.0.2.1", "ldap://192.0.2.2"])).await.is_ok());
    let error = ldap.open(&urls(&["ldap://192.0.2.1"])).await.err().unwrap();
    assert!(matches!(error, LdapError::Unreachable { .. }), "{error}");
    let error = ldap.open(&urls(&["ldap://nowhere.example"])).await.err().unwrap();
    assert!(matches!(error, LdapError::Name { .. }), "{error}");
}

#[test]
fn a_password_is_not_shown() {
    assert!(!format!("{:?}", server(false, true)).contains("secret"));
}

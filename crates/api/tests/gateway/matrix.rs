//! Asks every route as every role, over HTTP, and compares with the matrix.

use axum::body::Body;
use axum::http::{Method, StatusCode};
use center::accounts::{NewPerson, NewToken};
use http_body_util::BodyExt;
use serde_json::Value;
use store::EventLog;
use tower::ServiceExt;
use types::lists::Group;
use types::policy::DomainPattern;
use types::{Caller, Permissions, Role};

use super::doors::{Gateway, gateway, local, refusal};

const MATRIX: &str = include_str!("../../src/auth/matrix.txt");

/// One line: method, address, the sign of the visitor and those of the roles.
struct Line {
    method: Method,
    path: String,
    signs: Vec<bool>,
    /// It is about whoever asks: what more it takes to see others is looked
    /// at where it is done.
    about_oneself: bool,
}

fn lines() -> Vec<Line> {
    let line = |text: &str| {
        let mut words = text.split_whitespace();
        let method = words.next().unwrap().parse().unwrap();
        let path = words.next().unwrap().to_owned();
        let signs = words.take_while(|word| ["+", "-", "|"].contains(word));
        let signs = signs.filter(|word| *word != "|").map(|word| word == "+").collect();
        Line { method, path, signs, about_oneself: text.ends_with("signed in") }
    };
    MATRIX.lines().filter(|text| !text.starts_with('#')).map(line).collect()
}

/// The address with something in place of each name in braces.
fn filled(path: &str) -> String {
    let name = |piece: &str| match piece {
        "{number}" | "{version}" | "{id}" => "99999".to_owned(),
        "{link}" | "{reference}" | "{name}" | "{kind}" => "somebody".to_owned(),
        piece => piece.to_owned(),
    };
    path.split('/').map(name).collect::<Vec<_>>().join("/")
}

/// Whose mail the accounts of the roles see.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Limited {
    No,
    ToDomain,
    ToGroup,
}

const GROUP: &str = "Clinic";

/// A token of a new account of this role.
fn token(gateway: &Gateway, role: Role, limited: Limited) -> String {
    let machine = Caller::with_all("test");
    let name = format!("{}-{limited:?}", role.slug().replace('_', "-")).to_lowercase();
    let domain: DomainPattern = "corp.example".parse().unwrap();
    let person = NewPerson {
        name: name.clone(),
        role: role.into(),
        domains: if limited == Limited::ToDomain { vec![domain] } else { Vec::new() },
        groups: if limited == Limited::ToGroup { vec![GROUP.to_owned()] } else { Vec::new() },
    };
    gateway.accounts.add_account(&machine, &person).unwrap();
    let token = NewToken {
        name: "matrix".into(),
        account: Some(name),
        permissions: Permissions::all(),
        networks: vec![],
        expires: None,
    };
    // More than the account may is refused to be given.
    assert!(
        role == Role::Owner && limited == Limited::No || {
            let more = gateway.accounts.add_token(&machine, &token);
            more.is_err()
        }
    );
    let permissions = match limited {
        Limited::No => role.permissions(),
        Limited::ToDomain | Limited::ToGroup => role.permissions().of_recipients(),
    };
    gateway.accounts.add_token(&machine, &NewToken { permissions, ..token }).unwrap().secret
}

async fn ask(gateway: &Gateway, line: &Line, token: Option<&str>) -> (StatusCode, String) {
    let mut request = local().method(line.method.clone()).uri(filled(&line.path));
    request = request.header("host", "localhost").header("sec-fetch-dest", "empty");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let request = request.body(Body::empty()).unwrap();
    let response = gateway.api.console_router().oneshot(request).await.unwrap();
    let status = response.status();
    // A stream that is let in has no end.
    let text = match status.is_client_error() {
        true => response.into_body().collect().await.unwrap().to_bytes().to_vec(),
        false => Vec::new(),
    };
    (status, String::from_utf8_lossy(&text).into_owned())
}

#[tokio::test]
async fn every_route_lets_in_whom_the_matrix_says_and_nobody_else() {
    let gateway = gateway();
    gateway.log.record(vec![refusal(1)]).unwrap();
    let members = vec!["bob@corp.example".parse().unwrap()];
    let group = Group { name: GROUP.to_owned(), parent: None, members };
    gateway.center.put_group(&Caller::with_all("test"), group, None, "").unwrap();
    let of = |limited| Role::ALL.iter().map(move |role| (*role, limited));
    let all = of(Limited::No).chain(of(Limited::ToDomain)).chain(of(Limited::ToGroup));
    let tokens: Vec<String> = all.map(|(role, limited)| token(&gateway, role, limited)).collect();
    let lines = lines();
    assert!(lines.len() > 150, "the matrix is read: {}", lines.len());
    for line in &lines {
        // Whoever is limited to a group may what they may in a domain.
        let limited = line.signs.iter().skip(1 + Role::ALL.len());
        let signs: Vec<bool> = line.signs.iter().chain(limited).copied().collect();
        assert_eq!(signs.len(), 1 + tokens.len(), "{}", line.path);
        let askers = std::iter::once(None).chain(tokens.iter().map(|token| Some(&**token)));
        for (place, (asker, may)) in askers.zip(&signs).enumerate() {
            let (status, text) = ask(&gateway, line, asker).await;
            // Without the secret of our own page nobody sends a form; who may
            // is another question.
            let refused = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
                && !text.contains("\"type\":\"forged\"");
            let what = format!("{} {} as {place}: {status} {text}", line.method, line.path);
            assert_ne!(status, StatusCode::METHOD_NOT_ALLOWED, "{what}");
            let of_others = refused && *may && line.about_oneself && asker.is_some();
            assert!(refused != *may || of_others, "{what}");
            if refused && asker.is_some() {
                let problem: Value = serde_json::from_str(&text).unwrap();
                assert!(problem["lacking"]["permission"].is_string(), "which: {what}");
                assert_eq!(
                    problem["lacking"]["granted_by"][0], "owner",
                    "who can grant it: {what}"
                );
            }
        }
    }
}

//! Roles, limits and the account for emergencies, from the command line and
//! as a program far away sees them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Stdio;
use std::time::Duration;

use crate::client::Client;
use crate::gateway::{BOB, Gateway, PERMITTED, Said};
use crate::sink::Sink;

const LETTER: &str = "Subject: hello\r\n\r\ntext\r\n";

/// Asks with a token, as a program would.
fn with_token(gateway: &Gateway, token: &str, arguments: &[&str]) -> Said {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command.env_clear().stdin(Stdio::null());
    command.env("PORTCULLIS_NODE", format!("http://{}", gateway.http));
    let output = command.env("PORTCULLIS_TOKEN", token).args(arguments).output().unwrap();
    Said {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn a_limit_holds_for_programs_and_the_last_owner_stays() {
    let sink = Sink::start();
    let gateway = Gateway::before(&sink, "").start();
    let mut client = Client::hello(gateway.smtp).unwrap();
    let accepted = client.deliver(PERMITTED, BOB, LETTER).unwrap();
    let reference = accepted.reference().unwrap().to_owned();
    let (_, domain) = BOB.split_once('@').unwrap();

    let done = |arguments: &[&str]| {
        let said = gateway.ask(arguments);
        assert_eq!(said.code, 0, "{arguments:?}: {}", said.err);
    };
    done(&["account", "add", "ana", "--role", "owner", "--yes"]);
    done(&["role", "set", "desk", "--may", "see_metadata,export_metadata,see_policies", "--yes"]);
    done(&["account", "add", "vera", "--role", "desk", "--domain", "other.example", "--yes"]);
    let roles = gateway.ask_json(&["role", "list"]);
    let desk = roles.iter().find(|role| role["name"] == "desk").unwrap();
    assert_eq!(desk["accounts"][0], "vera");

    let may = "see_metadata,export_metadata";
    let made = gateway.ask_json(&["token", "add", "vera", "desk", "--may", may, "--yes"]);
    let token = made[0]["secret"].as_str().unwrap();
    let more = gateway.ask(&["token", "add", "vera", "x", "--may", "see_policies", "--yes"]);
    assert!(more.code != 0 && more.err.contains("see_policies"), "{}", more.err);
    let rows = |token| with_token(&gateway, token, &["trace", "", "--format", "ndjson"]).out;
    let found = |token| with_token(&gateway, token, &["why", &reference]).code;
    assert_eq!((rows(token).contains(BOB), found(token)), (false, 3), "another's mail");
    done(&["account", "limit", "vera", "--domain", domain, "--yes"]);
    assert_eq!((rows(token).contains(BOB), found(token)), (true, 0), "from now on theirs");
    done(&["account", "disable", "vera", "--yes"]);
    let closed = with_token(&gateway, token, &["why", &reference]);
    assert!(closed.code != 0 && closed.err.contains("disabled"), "{}", closed.err);

    // An owner counts once somebody can sign in as one.
    let link = gateway.ask(&["account", "setup-link", "ana"]).out;
    let link = link.split("/set-up/").nth(1).unwrap().split_whitespace().next().unwrap();
    let password = "password=quiet+harbour+lamp&again=quiet+harbour+lamp";
    let inside = sent(gateway.http, &format!("/set-up/{link}"), password);
    assert!(inside.starts_with("HTTP/1.1 303"), "{inside}");
    for arguments in [
        vec!["account", "role", "ana", "viewer", "--yes"],
        vec!["account", "disable", "ana", "--yes"],
        vec!["account", "limit", "ana", "--domain", domain, "--yes"],
        vec!["account", "remove", "ana", "--yes"],
    ] {
        let said = gateway.ask(&arguments);
        assert!(
            said.code != 0 && said.err.contains("the last owner"),
            "{arguments:?}: {}",
            said.err
        );
    }
    let unknown = gateway.ask(&["account", "add", "x", "--role", "nobody", "--yes"]);
    assert!(
        unknown.code != 0 && unknown.err.contains("there is no role nobody"),
        "{}",
        unknown.err
    );
    done(&["role", "switch", "viewer", "edit_senders", "on", "--yes"]);
    let never = gateway.ask(&["role", "switch", "viewer", "edit_policies", "on", "--yes"]);
    assert!(never.code != 0 && never.err.contains("never has edit_policies"), "{}", never.err);
}

/// One request over a connection of its own; the whole answer.
fn http(door: SocketAddr, head: &str, body: &str) -> String {
    let mut connection = TcpStream::connect(door).unwrap();
    connection.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let length = body.len();
    write!(
        connection,
        "{head}\r\nHost: {door}\r\nConnection: close\r\nAccept: text/html\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    answer
}

/// What stands in an answer between two texts.
fn between<'a>(answer: &'a str, before: &str, after: &str) -> &'a str {
    let rest = answer.split(before).nth(1).unwrap_or_else(|| panic!("{before} in {answer}"));
    rest.split(after).next().unwrap()
}

/// Opens the page of a form as a stranger and sends the form.
fn sent(door: SocketAddr, path: &str, fields: &str) -> String {
    let page = http(door, &format!("GET {path} HTTP/1.1"), "");
    let cookie = between(&page.to_lowercase(), "set-cookie: ", ";").to_owned();
    let name = cookie.split('=').next().unwrap();
    let secret = between(&page, &format!("{name}="), ";");
    let csrf = between(&page, "name=\"csrf\" value=\"", "\"");
    let head = format!("POST {path} HTTP/1.1\r\nCookie: {name}={secret}");
    http(door, &head, &format!("csrf={csrf}&{fields}"))
}

#[test]
fn the_account_for_emergencies_lets_in_and_is_loud() {
    let sink = Sink::start();
    let gateway = Gateway::before(&sink, "").start();
    let made = gateway.ask_json(&["account", "emergency", "--yes"]);
    let password = made[0]["password"].as_str().unwrap();
    assert!(password.len() > 20, "{password}");
    let fields = format!("name=emergency&password={password}&next=/me");
    let inside = sent(gateway.http, "/sign-in", &fields);
    assert!(inside.starts_with("HTTP/1.1 303"), "{inside}");
    gateway.wait_logged("emergency_sign_in");
    let noted = gateway.ask_json(&["audit", "list", "--action", "sign_in.emergency"]);
    assert_eq!(noted[0]["who"], "emergency", "{noted:?}");
    let session = between(&inside, "set-cookie: session", ";");
    let head = format!("GET /me HTTP/1.1\r\nCookie: session{session}");
    let page = http(gateway.http, &head, "");
    assert!(page.contains("The account for emergencies, emergency, signed in"), "{page}");
}

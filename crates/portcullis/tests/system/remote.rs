//! The command line against a node elsewhere: over TLS, with a token.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::Value as Json;

use crate::client::Client;
use crate::gateway::{BOB, Gateway, PERMITTED, Said};
use crate::sink::Sink;
use crate::waiting::wait_for;

const SOON: Duration = Duration::from_secs(30);
const LETTER: &str = "Subject: hello\r\n\r\ntext\r\n";

/// Asks as another machine would: without the settings and the data folder.
fn far(gateway: &Gateway, arguments: &[&str], token: Option<&str>) -> Said {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command.env_clear().stdin(Stdio::null());
    command.env("PORTCULLIS_NODE", format!("https://localhost:{}", gateway.http.port()));
    command.envs(token.map(|token| ("PORTCULLIS_TOKEN", token)));
    let output = command.args(arguments).output().unwrap();
    Said {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn a_node_elsewhere_answers_who_has_a_token_and_knows_its_authority() {
    let sink = Sink::start();
    let gateway = Gateway::before(&sink, "");
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    gateway.write("http.crt", &cert.pem());
    gateway.write("http.key", &signing_key.serialize_pem());
    let (certificate, key) = (gateway.path("http.crt"), gateway.path("http.key"));
    gateway.write_settings(&format!(
        "[http.tls]\ncertificate_file = {certificate:?}\nkey_file = {key:?}\n"
    ));
    let gateway = gateway.start();
    let mut client = Client::hello(gateway.smtp).unwrap();
    let accepted = client.deliver(PERMITTED, BOB, LETTER).unwrap();
    let reference = accepted.reference().unwrap().to_owned();
    assert_eq!(gateway.ask(&["account", "add", "ana", "--role", "owner", "--yes"]).code, 0);
    let may = "see_metadata,export_metadata";
    let made = gateway.ask_json(&["token", "add", "ana", "far", "--may", may, "--yes"]);
    let token = made[0]["secret"].as_str().unwrap();
    let ca = certificate.to_str().unwrap();

    let said = far(&gateway, &["--ca-file", ca, "why", &reference], Some(token));
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.out.contains(BOB), "{}", said.out);
    gateway.write("token", &format!("{token}\n"));
    let file = gateway.path("token");
    let arguments = ["--ca-file", ca, "--token-file", file.to_str().unwrap(), "life", &reference];
    assert_eq!(far(&gateway, &arguments, None).code, 0);
    let query = format!("to:{BOB}");
    let arguments = ["--ca-file", ca, "trace", &query, "--format", "ndjson"];
    let rows = far(&gateway, &arguments, Some(token)).out;
    let row: Json = serde_json::from_str(rows.lines().next().unwrap()).unwrap();
    assert_eq!(row["to"], BOB);
    let list = gateway.path("list.xlsx");
    let arguments = ["--ca-file", ca, "export", &query, "--output", list.to_str().unwrap()];
    let said = far(&gateway, &arguments, Some(token));
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(std::fs::read(&list).unwrap().starts_with(b"PK"), "a workbook is an archive");

    // Each failure says what it is, and a token does not leave for anybody else.
    for (arguments, token, code, told) in [
        (vec!["trace"], Some(token), 1, "--ca-file"),
        (vec!["--ca-file", ca, "trace"], Some("wrong"), 1, "token"),
        (vec!["--ca-file", ca, "trace"], None, 2, "--token-file"),
        (vec!["--ca-file", ca, "trace", "sujbect:x"], Some(token), 2, "did you mean"),
        (vec!["--ca-file", ca, "why", "ZZZZZZZZZZZZ"], Some(token), 3, "no attempt"),
        (vec!["--ca-file", ca, "queue", "list"], Some(token), 1, "see_queue"),
        (vec!["--node", "http://gate.example", "trace"], Some(token), 2, "in clear"),
        (
            vec!["--node", "https://127.0.0.1:1", "--ca-file", ca, "trace"],
            Some(token),
            4,
            "cannot reach",
        ),
    ] {
        let said = far(&gateway, &arguments, token);
        assert!(said.err.contains(told), "{arguments:?}: {}", said.err);
        assert_eq!(said.code, code, "{arguments:?}: {}", said.err);
    }
}

#[test]
fn what_comes_is_followed() {
    let sink = Sink::start();
    let gateway = Gateway::before(&sink, "").start();
    let mut follow = gateway.command();
    follow.args(["--json", "trace", "is:accepted", "--follow"]).stdout(Stdio::piped());
    let mut follow = follow.spawn().unwrap();
    let mut lines = BufReader::new(follow.stdout.take().unwrap()).lines();
    let mut client = Client::hello(gateway.smtp).unwrap();
    let (heard, first) = std::sync::mpsc::channel();
    std::thread::spawn(move || heard.send(lines.next().unwrap().unwrap()));
    // The first may come before the stream is open; some later one does not.
    let mut sent = Vec::new();
    let line = wait_for(SOON, "a row is told", || {
        let accepted = client.deliver(PERMITTED, BOB, LETTER).unwrap();
        sent.push(accepted.reference().unwrap().to_owned());
        first.try_recv().ok()
    });
    let row: Json = serde_json::from_str(&line).unwrap();
    follow.kill().unwrap();
    follow.wait().unwrap();
    assert!(sent.iter().any(|reference| row["ref"] == reference.as_str()), "{row}");
}

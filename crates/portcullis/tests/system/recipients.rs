//! What the running program knows of recipients: a file that changes, lists
//! that are imported, and what was learned, kept over a kill.

use std::time::Duration;

use crate::client::Client;
use crate::gateway::{BOB, Gateway, PERMITTED};
use crate::sink::Sink;
use crate::waiting::wait_for;

const LETTER: &str = "Subject: hello\r\n\r\ntext\r\n";
const SOON: Duration = Duration::from_secs(20);

/// What RCPT to somebody is answered.
fn code(gateway: &Gateway, recipient: &str) -> u16 {
    let mut client = Client::hello(gateway.smtp).unwrap();
    assert_eq!(client.say(&format!("MAIL FROM:<{PERMITTED}>")).unwrap().code, 250);
    client.say(&format!("RCPT TO:<{recipient}>")).unwrap().code
}

#[test]
fn lists_count_once_they_are_imported_and_files_once_they_change() {
    let sink = Sink::start();
    let mut gateway = Gateway::before(&sink, "").start();
    assert_eq!(code(&gateway, "new@corp.example"), 550);
    gateway.write("people.csv", "Name,Mail\nNew,new@corp.example\nBad,bad\n");
    let file = gateway.path("people.csv").display().to_string();
    let refused = gateway.ask(&["recipients", "import", &file, "--yes"]);
    assert!(refused.code != 0 && refused.err.contains("not an address"), "{}", refused.err);
    assert_eq!(code(&gateway, "new@corp.example"), 550, "one bad line, and nothing is stored");
    let done = gateway.ask(&["recipients", "import", &file, "--yes", "--partial"]);
    assert!(done.out.contains("1 imported, 1 of them new"), "{}{}", done.out, done.err);
    assert_eq!(code(&gateway, "new@corp.example"), 250);
    gateway.kill();
    gateway.launch();
    assert_eq!(code(&gateway, "new@corp.example"), 250, "an import outlives a kill");
    let shown = gateway.ask(&["recipients", "show", "new@corp.example"]);
    assert!(shown.out.contains("directory: the address exists"), "{}{}", shown.out, shown.err);
    assert_eq!(gateway.ask_json(&["recipients", "list"]).len(), 1);
    let listed = gateway.ask_json(&["recipients", "status"]);
    assert_eq!(listed[0]["imported"], 1, "{listed:?}");
    gateway.write("people.csv", "");
    let emptied = ["recipients", "import", &file, "--yes", "--replace", "corp.example"];
    let emptied = gateway.ask(&emptied);
    assert!(emptied.code != 0 && emptied.err.contains("names nobody"), "{}", emptied.err);
    assert_eq!(code(&gateway, "new@corp.example"), 250, "an export that failed forgets nobody");
    gateway.write("people.csv", "other@corp.example\n");
    let replace = ["recipients", "import", &file, "--yes", "--replace", "corp.example"];
    let most = gateway.ask(&replace);
    assert!(most.code != 0 && most.err.contains("remove 1 of the 1 recipients"), "{}", most.err);
    let meant = gateway.ask(&[&replace[..], &["--accept-removals"]].concat());
    assert!(meant.out.contains("1 imported, 1 of them new; 1 went"), "{}{}", meant.out, meant.err);
    assert_eq!(code(&gateway, "new@corp.example"), 550);
    assert_eq!(code(&gateway, "other@corp.example"), 250);
    gateway.ask(&["recipients", "forget", "other@corp.example", "--yes"]);
    assert_eq!(code(&gateway, "other@corp.example"), 550);
}

#[test]
fn a_domain_of_imported_recipients_is_warned_of_until_they_are_there() {
    let settings = "[[domain]]\nname = \"other.example\"\nnext_hop = [\"127.0.0.1:26\"]\n\
                    recipients = \"directory\"";
    let gateway = Gateway::before(&Sink::start(), settings);
    let told = "other.example has no directory yet";
    let checked = || gateway.ask(&["check-config", "--strict"]);
    assert!(checked().out.contains(told), "before the first start");
    let gateway = gateway.start();
    wait_for(SOON, "the warning in the log", || gateway.log().contains(told).then_some(()));
    let checked = || gateway.ask(&["check-config", "--strict"]);
    assert!(checked().out.contains(told), "{}", checked().out);
    gateway.write("people", "sue@other.example\n");
    let file = gateway.path("people").display().to_string();
    assert_eq!(gateway.ask(&["--yes", "recipients", "import", &file]).code, 0);
    let said = checked();
    assert_eq!((said.code, said.out.contains(told)), (0, false), "{}", said.out);
    assert!(!gateway.ask(&["status"]).out.contains(told));
    let mut gateway = gateway;
    gateway.stop();
    gateway.launch();
    let again = gateway.log().lines().filter(|line| line.contains(told)).count();
    assert_eq!(again, 1, "{}", gateway.log());
}

#[test]
fn what_the_next_hop_took_is_learned_and_kept() {
    let sink = Sink::start();
    let mut gateway = Gateway::before(&sink, "").start();
    let mut client = Client::hello(gateway.smtp).unwrap();
    assert_eq!(client.deliver(PERMITTED, BOB, LETTER).unwrap().code, 250);
    sink.wait(1, SOON);
    let known = |gateway: &Gateway| gateway.ask_json(&["recipients", "list"]);
    wait_for(SOON, "a learned recipient", || (known(&gateway).len() == 1).then_some(()));
    assert_eq!(known(&gateway)[0]["address"], BOB);
    gateway.stop();
    gateway.launch();
    assert_eq!(known(&gateway).len(), 1, "learned recipients outlive a restart");
}

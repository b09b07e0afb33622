//! Unit tests of policy sets, tested.

use super::*;
use crate::trial::{Trials, numbered};

const POLICIES: &str = r#"
[[policy]]
narrative = "Ask first contacts"
option = { type = "greylisting", set = { apply = "network" } }

[[policy]]
narrative = "No mail from x"
option = { type = "blocked_senders", set = "block" }
from = { domain = "x.example" }

[[policy]]
narrative = "The bank shows who it is"
option = { type = "secure_receipt", set = "require_verified" }
from = { domain = "bank.example" }

[[managed_sender]]
sender = "ann@sender.example"
recipient = "bob@corp.example"
action = "permit"
"#;

const MAIL: &str = r#"to = "bob@corp.example"
ip = "192.0.2.1"
"#;

/// Runs one test, whose mail is completed.
fn run(test: &str) -> Option<String> {
    let text = format!("[[test]]\nname = \"it\"\n{MAIL}{test}");
    let document = Document::parse(POLICIES).unwrap();
    let objects = numbered(document, NOW);
    let set = compile(objects.clone());
    let trials = Trials::parse(&text).unwrap();
    let event = |file: &str| Err(format!("no file {file}"));
    trials.run(&set, &objects, NOW, &event).remove(0).fault
}

#[test]
fn what_is_as_expected_passes() {
    for test in [
        "from = \"ann@sender.example\"\nexpect = \"accepted\"",
        "from = \"eve@sender.example\"\nexpect = \"deferred\"\nreason = \"greylist.first_seen\"\n\
         policy = \"Ask first contacts\"",
        "from = \"eve@sender.example\"\ntriplet = \"passed\"\nexpect = \"accepted\"",
        "from = \"eve@x.example\"\nexpect = \"rejected\"\npolicy = \"No mail from x\"",
        "from = \"ann@sender.example\"\nrecipient_known = false\nexpect = \"rejected\"",
        "from = \"ann@sender.example\"\nsize = 2000\nexpect = \"rejected\"\nreason = \"size.exceeded\"",
        "from = \"\"\ntriplet = \"known\"\nexpect = \"accepted\"",
        "from = \"ann@bank.example\"\nexpect = \"rejected\"\nreason = \"tls.required\"",
        "from = \"ann@bank.example\"\ntls = true\nexpect = \"rejected\"\nreason = \"tls.unverified\"",
        "from = \"ann@bank.example\"\ntls = true\ncertificate = true\ntriplet = \"known\"\n\
         expect = \"accepted\"",
        "from = \"ann@bank.example\"\ntls = true\nexpect = \"rejected\"\nreason = \"tls.unverified\"\n\
         evidence = [{ check = \"certificate\", stage = \"mail\", source = \"session\", took = 0, \
         observed = { client_certificate = { not_verified = { flaw = \"expired\" } } } }]",
    ] {
        assert_eq!(run(test), None, "{test}");
    }
}

#[test]
fn what_is_not_says_what_it_is() {
    for (test, fault) in [
        (
            "from = \"eve@sender.example\"\nexpect = \"accepted\"",
            "expected accepted; it is deferred (greylist.first_seen) by \"Ask first contacts\"",
        ),
        ("from = \"no\"\nexpect = \"accepted\"", "from \"no\": "),
        ("expect = \"fine\"", "`expect` must be one of accepted, held,"),
        ("attempt = \"a.json\"\nexpect = \"accepted\"", "no file a.json"),
    ] {
        let found = run(test).unwrap();
        assert!(found.starts_with(fault), "{found}");
    }
}

#[test]
fn a_file_that_is_none_names_its_line() {
    let error = Trials::parse("[[test]]\nname = \"x\"\nexpected = 1\n").unwrap_err();
    assert_eq!(error.line, 3, "{error}");
}

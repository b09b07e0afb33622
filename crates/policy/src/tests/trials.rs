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
fn people_are_in_the_groups_and_have_the_attributes_that_the_file_gives_them() {
    let policies = r#"
        [[policy]]
        narrative = "No mail to the warehouse"
        option = { type = "blocked_senders", set = "block" }
        to = { group = "corp:Warehouse" }

        [[policy]]
        narrative = "Sales need not wait"
        option = { type = "greylisting", set = "no_action" }
        to = { attribute = { name = "department", value = "sales" } }

        [[policy]]
        narrative = "No permit for our own"
        option = { type = "permitted_senders", set = "permit" }
        from = { attribute = { name = "unit", value = "x" } }
    "#;
    let people = r#"
        [[person]]
        address = "ann@corp.example"
        groups = ["corp:Warehouse", "corp:Other"]
        attributes = [{ name = "Department", value = "Purchase" }]

        [[person]]
        address = "bob@corp.example"
        attributes = [{ name = "department", value = "SALES" }]
    "#;
    let test = |to: &str, expect: &str| {
        format!(
            "[[test]]\nname = \"to {to}\"\nfrom = \"x@sender.example\"\nip = \"192.0.2.1\"\n\
             to = \"{to}@corp.example\"\nexpect = \"{expect}\"\n"
        )
    };
    let tests = test("ann", "rejected") + &test("bob", "accepted") + &test("cid", "deferred");
    let mut objects = numbered(Document::parse(policies).unwrap(), NOW);
    objects.policies.extend(numbered(crate::defaults(), NOW).policies.into_iter().skip(2).take(1));
    objects.policies.last_mut().unwrap().policy.id = Some(PolicyId(9));
    objects.groups.push(group_of("corp:Warehouse:"));
    let with = |people: &str| {
        let trials = Trials::parse(&(people.to_owned() + &tests)).unwrap();
        let objects = trials.with_people(objects.clone())?;
        let set = PolicySet::compile(1, objects.clone(), &base()).map_err(|e| e.to_string())?;
        let event = |_: &str| Err(String::new());
        let tried = trials.run(&set, &objects, NOW, &event);
        Ok::<_, String>(tried.into_iter().filter_map(|tried| tried.fault).collect::<Vec<_>>())
    };
    assert_eq!(with(people), Ok(vec![]));
    assert_eq!(with("").unwrap().len(), 2, "nobody is in it, and nobody has it");
    for (wrong, why) in [
        ("groups = [\"Nobody\"]", "eve@corp.example: there is no group \"Nobody\""),
        ("attributes = [{ name = \"a b\", value = \"c\" }]", "eve@corp.example: the name of an"),
        ("attributes = [{ name = \"unit\", value = \"X\" }]", "policy #3: it permits corp.example"),
    ] {
        let fault = with(&format!("[[person]]\naddress = \"eve@corp.example\"\n{wrong}\n"));
        let fault = fault.unwrap_err();
        assert!(fault.starts_with(why), "{fault}");
    }
}

#[test]
fn a_file_that_is_none_names_its_line() {
    let error = Trials::parse("[[test]]\nname = \"x\"\nexpected = 1\n").unwrap_err();
    assert_eq!(error.line, 3, "{error}");
}

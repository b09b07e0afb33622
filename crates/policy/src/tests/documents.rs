//! The policy set as text.

use proptest::prelude::*;

use super::*;

/// The example that the documentation shows.
const EXAMPLE: &str = include_str!("../../examples/policies.toml");

#[test]
fn the_example_is_read_validated_and_written_back() {
    let document = Document::parse(EXAMPLE).unwrap();
    assert_eq!(document.policies.len(), 7);
    assert_eq!(document.groups.len(), 3);
    assert_eq!(document.managed_senders.len(), 4);
    let policies = document.policies.iter().cloned();
    let objects = PolicyObjects {
        policies: policies
            .map(|policy| StoredPolicy { policy, version: 1, created: NOW })
            .collect(),
        groups: document.groups.clone(),
        definitions: document.definitions.clone(),
        managed_senders: document.managed_senders.clone(),
    };
    assert_eq!(validate(&objects, &base()), []);
    let text = document.to_text().unwrap();
    assert_eq!(Document::parse(&text).unwrap(), document, "{text}");
}

#[test]
fn one_policy_may_stand_alone_or_in_a_document() {
    let policy = policy("#1 block from sender.example").policy;
    let bare = toml::to_string(&policy).unwrap();
    let document = Document { policies: vec![policy.clone()], ..Document::default() };
    for text in [bare.as_str(), &format!("# a remark\n\n{bare}"), &document.to_text().unwrap()] {
        assert_eq!(Document::parse_policy(text).unwrap(), policy, "{text}");
        assert_eq!(Document::parse_any(text).unwrap(), document, "{text}");
    }
    assert!(Document::parse(&bare).is_err(), "no document replaces all policies by accident");
    let two = Document { policies: vec![policy.clone(), policy], ..Document::default() };
    assert!(Document::parse_policy(&two.to_text().unwrap()).is_err());
    assert_eq!(Document::parse_any(&two.to_text().unwrap()).unwrap(), two);
    let wrong = Document::parse_any("narrative = \"x\"\nfrom = 3\n").unwrap_err();
    assert_eq!(wrong.line, 2, "{wrong}");
    assert_eq!(Document::parse_any("").unwrap(), Document::default());
}

#[test]
fn a_document_is_written_for_people() {
    let document = Document {
        policies: vec![policy("#1 block from *.sender.example ip 192.0.2.0/24 override").policy],
        groups: vec![group_of("Staff: bob@corp.example, corp.example")],
        ..Document::default()
    };
    let expected = r##"[[policy]]
id = 1
narrative = "#1 block from *.sender.example ip 192.0.2.0/24 override"
option = { set = "block", type = "blocked_senders" }
based_on = "envelope"
from = { domain = "*.sender.example" }
to = "everyone"
source_ips = ["192.0.2.0/24"]
mode = "on"
override = true

[[group]]
name = "Staff"
members = [
    "bob@corp.example",
    "corp.example",
]
"##;
    assert_eq!(document.to_text().unwrap(), expected);
}

#[test]
fn an_error_names_its_line() {
    let greylist = "option = { type = \"greylisting\", set = \"no_action\" }\n";
    for (text, line, words) in [
        ("[[policy]]\nnarrative = \"x\"\nopti = 1\n", 3, "unknown field `opti`"),
        ("[[policy]]\nnarrative = \n", 2, ""),
        ("[[policies]]\n", 1, "unknown field `policies`"),
        (
            &format!("[[policy]]\nnarrative = \"x\"\n{greylist}mode = \"of\"\n"),
            4,
            "unknown variant",
        ),
        ("[[managed_sender]]\nsender = \"a@b@c\"\n", 2, "character"),
    ] {
        let error = Document::parse(text).unwrap_err();
        assert_eq!(error.line, line, "{text}{error}");
        assert!(error.message.contains(words), "{error}");
    }
}

#[test]
fn the_line_of_an_object_is_that_of_its_heading() {
    let line = |object| Document::line_of(EXAMPLE, &object);
    let lines: Vec<usize> =
        (1..=7).map(|place| line(ObjectName::Policy(None, place)).unwrap()).collect();
    assert!(lines.is_sorted() && EXAMPLE.lines().nth(lines[2] - 1) == Some("[[policy]]"));
    assert_eq!(line(ObjectName::Policy(None, 8)), None);
    assert_eq!(line(ObjectName::Policy(None, 0)), None);
}

#[test]
fn a_new_installation_starts_with_seven_policies_and_two_groups() {
    let document = defaults();
    let titles: Vec<&str> = document.policies.iter().map(|p| p.kind().title()).collect();
    assert_eq!(
        titles,
        [
            "Permitted Senders",
            "Blocked Senders",
            "Greylisting",
            "Anti-Spoofing",
            "DNS Authentication",
            "Auto Allow",
            "Auto Allow Creation"
        ]
    );
    assert_eq!(document.definitions.len(), 1);
    let text = document.to_text().unwrap();
    assert_eq!(Document::parse(&text).unwrap(), document);
}

proptest! {
    #[test]
    fn every_document_survives_writing_and_reading(
        policies in super::properties::policies(),
        groups in super::properties::groups(),
        managed_senders in super::properties::senders(),
        narrative in "\\PC{0,40}",
    ) {
        let mut policies: Vec<Policy> = policies.into_iter().map(|stored| stored.policy).collect();
        policies.iter_mut().for_each(|policy| policy.narrative.clone_from(&narrative));
        let document = Document { policies, groups, managed_senders, ..Document::default() };
        let text = document.to_text().unwrap();
        prop_assert_eq!(Document::parse(&text).unwrap(), document);
    }

    #[test]
    fn no_text_makes_reading_panic(text in "\\PC{0,200}") {
        let _ = Document::parse(&text);
    }
}

#[test]
fn a_source_may_be_an_address_alone_and_is_written_with_its_prefix() {
    let of = |sources: &str| {
        let option = "option = { type = \"greylisting\", set = \"no_action\" }";
        Document::parse(&format!(
            "[[policy]]\nnarrative = \"x\"\n{option}\nsource_ips = {sources}\n"
        ))
    };
    let document = of("[\"192.0.2.7\", \"2001:db8::7\", \"198.51.100.0/24\"]").unwrap();
    let sources: Vec<String> =
        document.policies[0].source_ips.iter().map(ToString::to_string).collect();
    assert_eq!(sources, ["192.0.2.7/32", "2001:db8::7/128", "198.51.100.0/24"]);
    let written = document.to_text().unwrap();
    assert!(written.contains("\"192.0.2.7/32\""), "{written}");
    assert_eq!(Document::parse(&written).unwrap(), document);
    let wrong = of("[\"192.0.2\"]").unwrap_err();
    assert!(wrong.line == 4 && wrong.message.contains("no network and no address"), "{wrong:?}");
}

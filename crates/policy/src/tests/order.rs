//! The order in which things are decided, as a table: whoever changes it
//! changes what people were told.

use super::*;

fn names(stage: Stage, direction: Direction) -> Vec<&'static str> {
    rules(stage, direction).iter().map(|rule| rule.name).collect()
}

const MISSING: &str = "Something of ours is missing";

const ORDER: &[(Stage, Direction, &[&str])] = &[
    (
        Stage::Connect,
        Direction::Inbound,
        &[MISSING, "PROXY header", "Connections held", "Rate of connections", "Early talker"],
    ),
    (Stage::Helo, Direction::Inbound, &[MISSING]),
    (Stage::Mail, Direction::Inbound, &[MISSING, "Declared size, for anybody", "Secure Receipt"]),
    (
        Stage::Rcpt,
        Direction::Inbound,
        &[
            MISSING,
            "Relay control",
            "Declared size",
            "Secure Receipt",
            "Names tried out",
            "Recipient validation",
            "Addresses beyond ASCII",
            "Domain without mail",
            "SPF is asked for",
            "Anti-Spoofing, envelope",
            "Geographical Restriction",
            "Blocked Senders",
            "Managed senders",
            "SPF",
            "Block lists",
            "Local reputation",
            "Rate of recipients",
            "Greylisting",
        ],
    ),
    (
        Stage::Data,
        Direction::Inbound,
        &[
            MISSING,
            "Line endings",
            "Length of lines",
            "Size",
            "Hops",
            "DKIM and DMARC are asked for",
            "Blocked Senders",
            "Managed senders",
            "Anti-Spoofing",
            "DKIM",
            "DMARC",
        ],
    ),
    (Stage::Content, Direction::Inbound, &[MISSING]),
    (Stage::Deliver, Direction::Inbound, &[]),
    (Stage::Mail, Direction::Outbound, &[MISSING, "Declared size, for anybody"]),
    (
        Stage::Rcpt,
        Direction::Outbound,
        &[MISSING, "Who may send", "Rate of submitters", "Declared size"],
    ),
    (
        Stage::Data,
        Direction::Outbound,
        &[MISSING, "Line endings", "Length of lines", "Size", "Hops"],
    ),
    (Stage::Deliver, Direction::Outbound, &[]),
];

#[test]
fn the_order_of_the_rules_is_fixed() {
    for (stage, direction, expected) in ORDER {
        assert_eq!(names(*stage, *direction), *expected, "{stage:?} {direction:?}");
    }
    for stage in [Stage::Connect, Stage::Helo, Stage::Content] {
        assert_eq!(names(stage, Direction::Inbound), names(stage, Direction::Outbound));
    }
}

/// What is decided first wins, whatever speaks against the mail behind it.
#[test]
fn the_first_rule_that_decides_wins_and_says_what_would_have_come_next() {
    let lines = "#1 block from sender.example\n#2 guard_always from sender.example";
    let all = "<ann@sender.example> to <bob@corp.example> fast";
    for (more, expected) in [
        ("unknown", "reject recipient.unknown by settings next spoofing.envelope"),
        ("", "reject spoofing.envelope by #2 next blocked.policy.envelope"),
    ] {
        check(lines, &format!("{all} {more}"), expected);
    }
    let blocked = "#1 block from sender.example";
    let mut without = mail(all);
    let ruling = without.decide(&compile(objects(blocked))).0;
    assert!(show(&ruling).starts_with("reject blocked.policy.envelope by #1"));
}

//! Mail of our own servers.

use types::finding::RateHolder;

use super::*;

fn leaving(line: &str, listed: bool) -> Mail {
    mail(line).observed(CheckName::Outbound, Observed::Outbound { listed, offers_auth: false })
}

#[track_caller]
fn ends(lines: &str, line: &str, listed: bool, expected: &str) {
    let (ruling, asked) = leaving(line, listed).decide(&compile(objects(lines)));
    assert_eq!(show(&ruling), expected, "{lines}\n{line}");
    // Nothing is looked up, entered into a table, or asked of anybody.
    assert_eq!(asked, [], "{line}");
}

#[test]
fn listed_networks_send_for_our_senders_and_nobody_else_sends() {
    let denied = "reject relay.denied";
    ends("", "<bob@corp.example> to <ann@sender.example>", true, "proceed");
    ends("", "<> to <ann@sender.example>", true, "proceed");
    ends("", "<bob@corp.example> to <cid@corp.example>", true, "proceed");
    ends("", "<bob@corp.example> to <ann@sender.example>", false, denied);
    ends("", "<> to <ann@sender.example>", false, denied);
    ends("", "<bob@corp.example> to <cid@corp.example>", false, denied);
    // From outside to outside: never.
    ends("", "<eve@other.example> to <ann@sender.example>", true, denied);
}

#[test]
fn no_policy_opens_the_relay_and_none_of_inbound_mail_applies() {
    let all = "#1 permit\n#2 permit from eve@other.example to sender.example override\n\
               #3 no_block\n#4 accept_all\n#5 learn";
    ends(all, "<eve@other.example> to <ann@sender.example>", true, "reject relay.denied");
    ends(all, "<bob@corp.example> to <ann@sender.example>", false, "reject relay.denied");
    let inbound = "#1 block\n#2 greylist\n#3 guard_always from corp.example";
    ends(inbound, "<bob@corp.example> to <ann@sender.example> fast unknown", true, "proceed");
    ends(
        inbound,
        "<bob@corp.example> to <ann@sender.example> author bob@corp.example",
        true,
        "proceed",
    );
}

#[test]
fn size_and_circles_are_refused_as_ever() {
    let line = "<bob@corp.example> to <ann@sender.example> author bob@corp.example";
    let set = compile(objects(""));
    let large = Observed::Size { declared: None, received: Some(1_001) };
    let (ruling, _) = leaving(line, true).observed(CheckName::Size, large).decide(&set);
    assert!(show(&ruling).starts_with("reject size.exceeded"), "{}", show(&ruling));
    let hops = Observed::Hops { received_fields: 26, max: 25 };
    let (ruling, _) = leaving(line, true).observed(CheckName::Hops, hops).decide(&set);
    assert!(show(&ruling).starts_with("reject loop"), "{}", show(&ruling));
}

/// An attempt at a listener that offers AUTH, from a network that is not listed.
fn submitted(line: &str, facts: SubmissionFacts) -> Mail {
    let door = Observed::Outbound { listed: false, offers_auth: true };
    let mail = mail(line).observed(CheckName::Outbound, door);
    mail.observed(CheckName::Submission, Observed::Submission(facts))
}

#[test]
fn submitters_send_as_their_senders_and_strangers_are_asked_who_they_are() {
    let all = "#1 permit\n#2 permit from eve@other.example to sender.example override";
    let by = |may_send| SubmissionFacts { by: Some("app".into()), may_send, failed: 0 };
    let stranger = SubmissionFacts { by: None, may_send: true, failed: 2 };
    for (line, facts, expected) in [
        ("<bob@corp.example> to <ann@sender.example>", by(true), "proceed"),
        ("<> to <ann@sender.example>", by(true), "proceed"),
        (
            "<bob@corp.example> to <ann@sender.example>",
            by(false),
            "reject submission.sender_denied",
        ),
        // What is not ours any more is nobody's to send as.
        ("<eve@other.example> to <ann@sender.example>", by(true), "reject relay.denied"),
        (
            "<bob@corp.example> to <ann@sender.example>",
            stranger.clone(),
            "reject submission.required",
        ),
        ("<> to <cid@corp.example>", stranger, "reject submission.required"),
    ] {
        let (ruling, asked) = submitted(line, facts).decide(&compile(objects(all)));
        assert_eq!(show(&ruling), expected, "{line}");
        assert_eq!(asked, [], "{line}");
    }
}

#[test]
fn whoever_is_in_a_listed_network_loses_nothing_by_a_name() {
    let facts = SubmissionFacts { by: Some("app".into()), may_send: false, failed: 0 };
    let mail = leaving("<bob@corp.example> to <ann@sender.example>", true);
    let mut mail = mail.observed(CheckName::Submission, Observed::Submission(facts));
    assert_eq!(show(&mail.decide(&compile(objects(""))).0), "proceed");
}

#[test]
fn a_submitter_that_sends_too_much_is_asked_to_come_back() {
    let facts = SubmissionFacts { by: Some("app".into()), may_send: true, failed: 0 };
    let over = |of| Observed::Rate { exceeded: true, per_minute_max: 10, retry_in_s: 6, of };
    for (of, expected) in [
        (RateHolder::Submitter, "defer rate.limited"),
        // The rate of connections is asked for at another stage.
        (RateHolder::Client, "proceed"),
    ] {
        let mail = submitted("<bob@corp.example> to <ann@sender.example>", facts.clone());
        let mut mail = mail.observed(CheckName::Rate, over(of));
        let shown = show(&mail.decide(&compile(objects(""))).0);
        assert!(shown.starts_with(expected), "{shown}");
    }
}

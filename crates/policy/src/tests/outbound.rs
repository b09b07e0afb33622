//! Mail of our own servers.

use super::*;

fn leaving(line: &str, listed: bool) -> Mail {
    mail(line).observed(CheckName::Outbound, Observed::Outbound { listed })
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

//! Who prevails: the table of spec and issue, row by row.

use super::*;

const ANN: &str = "<ann@mail.sender.example> to <bob@corp.example>";

#[test]
fn a_permit_skips_greylisting_and_nothing_before_it() {
    let permit = "#1 permit from ann@mail.sender.example";
    check(permit, ANN, "proceed permitted by #1");
    check(
        permit,
        "<x@other.example> to <bob@corp.example>",
        "defer greylist.first_seen by settings",
    );
    check(
        permit,
        "<ann@mail.sender.example> to <bob@corp.example> unknown",
        "reject recipient.unknown by settings",
    );
    check(permit, "<ann@mail.sender.example> to <eve@elsewhere.example>", "reject relay.denied");
    let rate = "<ann@mail.sender.example> to <bob@corp.example> fast";
    check(permit, rate, "defer rate.limited permitted by #1");
    let lines = "#1 permit from ann@mail.sender.example\n#2 10";
    let size = Observed::Size { declared: Some(11), received: None };
    let (ruling, _) = mail(ANN).observed(CheckName::Size, size).decide(&compile(objects(lines)));
    assert_eq!(show(&ruling), "reject size.exceeded by #2");
}

#[test]
fn the_more_specific_of_permit_and_block_wins_and_block_on_a_tie() {
    let block = "reject blocked.policy.envelope by #2";
    for (permit, blocked, expected) in [
        ("from ann@mail.sender.example", "from mail.sender.example", "proceed permitted by #1"),
        ("from mail.sender.example", "from ann@mail.sender.example", block),
        ("from mail.sender.example", "from mail.sender.example", block),
        ("from mail.sender.example", "from *.sender.example", "proceed permitted by #1"),
        ("to bob@corp.example", "from ann@mail.sender.example", "proceed permitted by #1"),
        ("to corp.example", "to bob@corp.example", block),
        ("ip 192.0.2.0/24", "from everyone", "proceed permitted by #1"),
        ("from everyone", "ip 192.0.2.0/24", block),
        ("from ann@mail.sender.example", "from external override", block),
    ] {
        let lines = format!("#1 permit {permit}\n#2 block {blocked}");
        let (ruling, _) = mail(ANN).decide(&compile(objects(&lines)));
        let shown = show(&ruling);
        let shown = shown.split(" next").next().unwrap_or_default();
        assert_eq!(shown, expected, "{lines}");
    }
}

#[test]
fn an_override_on_a_permit_counts_among_permits_only() {
    let lines = "#1 permit from external override\n#2 block from mail.sender.example";
    check(lines, ANN, "reject blocked.policy.envelope by #2");
}

#[test]
fn no_action_makes_an_exception_in_its_own_type() {
    let lines = "#1 block from *.sender.example\n#2 no_block from mail.sender.example";
    check(lines, ANN, "defer greylist.first_seen by settings");
    let lines = "#1 permit from *.sender.example\n#2 no_permit from mail.sender.example";
    check(lines, ANN, "defer greylist.first_seen by settings");
}

#[test]
fn among_a_users_entries_address_beats_subdomain_beats_domain() {
    for (entries, expected) in [
        (
            "#1 permit for bob@corp.example from ann@mail.sender.example\n#2 block for bob@corp.example from mail.sender.example",
            "proceed permitted by #1",
        ),
        (
            "#1 permit for bob@corp.example from mail.sender.example\n#2 block for bob@corp.example from *.sender.example",
            "proceed permitted by #1",
        ),
        (
            "#1 permit for bob@corp.example from *.sender.example\n#2 block for bob@corp.example from mail.sender.example",
            "reject blocked.manual.envelope by #2",
        ),
        (
            "#1 block for bob@corp.example from *.example\n#2 permit for bob@corp.example from *.sender.example",
            "proceed permitted by #2",
        ),
        ("#1 auto for bob@corp.example from ann@mail.sender.example", "proceed learned by #1"),
        (
            "#1 auto for bob@corp.example from ann@mail.sender.example\n#2 block for bob@corp.example from *.example",
            "reject blocked.manual.envelope by #2",
        ),
        (
            "#1 disabled for bob@corp.example from ann@mail.sender.example",
            "defer greylist.first_seen by settings",
        ),
        (
            "#1 block for eve@corp.example from ann@mail.sender.example",
            "defer greylist.first_seen by settings",
        ),
        (
            "#1 block for bob@corp.example from ann@mail.sender.example until 2026-01-01T00:00:00Z",
            "defer greylist.first_seen by settings",
        ),
    ] {
        check(entries, ANN, expected);
    }
}

#[test]
fn administrators_stand_above_users() {
    let blocks =
        "#1 block from external\n#2 permit for bob@corp.example from ann@mail.sender.example";
    check(blocks, ANN, "reject blocked.policy.envelope by #1");
    let permits = "#1 permit from *.sender.example\n#2 block for bob@corp.example from ann@mail.sender.example";
    check(permits, ANN, "proceed permitted by #1");
    let (ruling, _) = mail(ANN).decide(&compile(objects(permits)));
    let managed = ruling.consulted.iter().find(|c| c.kind == PolicyType::ManagedSenders).unwrap();
    let loser =
        (PolicyRef::ManagedSender { id: PolicyId(2) }, types::evidence::Loss::BelowAdministrator);
    assert_eq!((managed.winner, managed.losers.as_slice()), (None, [loser].as_slice()));
}

#[test]
fn the_next_decider_is_what_the_layers_below_would_have_said() {
    let lines =
        "#1 block from external\n#2 block for bob@corp.example from ann@mail.sender.example";
    check(lines, ANN, "reject blocked.policy.envelope by #1 next blocked.manual.envelope");
    // The rate was not asked for, so what comes after it is unknown.
    check("#1 block from external", ANN, "reject blocked.policy.envelope by #1");
    check(
        "",
        "<ann@mail.sender.example> to <eve@elsewhere.example> unknown",
        "reject relay.denied",
    );
}

#[test]
fn authors_count_from_the_data_on() {
    let by_author = "<bounce@list.example> to <bob@corp.example> author ann@mail.sender.example";
    let header = "#1 block from mail.sender.example header";
    check(header, by_author, "reject blocked.policy.header by #1");
    check(header, ANN, "defer greylist.first_seen by settings");
    check("#1 block from mail.sender.example", by_author, "proceed");
    check(
        "#1 block from mail.sender.example both",
        by_author,
        "reject blocked.policy.header by #1",
    );
    check("#1 block from mail.sender.example both", ANN, "reject blocked.policy.envelope by #1");
    let manual = "#1 block for bob@corp.example from ann@mail.sender.example";
    check(manual, by_author, "reject blocked.manual.header by #1");
    check(manual, ANN, "reject blocked.manual.envelope by #1");
}

#[test]
fn who_matches_as_sender_and_as_author_is_named_as_the_sender() {
    let both = "<ann@mail.sender.example> to <bob@corp.example> author ann@mail.sender.example";
    let lines = "#1 block from mail.sender.example both";
    check(lines, both, "reject blocked.policy.envelope by #1");
    let lines = "#1 block for bob@corp.example from mail.sender.example";
    check(lines, both, "reject blocked.manual.envelope by #1");
}

#[test]
fn an_entry_ends_at_its_last_instant() {
    let entry = "#1 block for bob@corp.example from mail.sender.example until";
    let later = Timestamp::from_millis(NOW.as_millis() + 1);
    check(&format!("{entry} {NOW}"), ANN, "defer greylist.first_seen by settings");
    check(&format!("{entry} {later}"), ANN, "reject blocked.manual.envelope by #1");
}

#[test]
fn a_permit_of_the_author_beats_a_less_specific_block_and_no_users_block() {
    let by_author = "<bounce@list.example> to <bob@corp.example> author ann@mail.sender.example";
    let lines =
        "#1 permit from ann@mail.sender.example header\n#2 block from mail.sender.example header";
    check(lines, by_author, "proceed permitted by #1");
    let lines = "#1 permit from ann@mail.sender.example header\n#2 block for bob@corp.example from mail.sender.example";
    check(lines, by_author, "reject blocked.manual.header by #2");
    // An envelope permit reaches the data too, above the user's block.
    let lines =
        "#1 permit from list.example\n#2 block for bob@corp.example from mail.sender.example";
    check(lines, by_author, "proceed permitted by #1");
}

#[test]
fn a_message_without_an_author_is_everybodys_and_nobodys() {
    let mail = "<ann@mail.sender.example> to <bob@corp.example> unauthored";
    check("#1 block from everyone header", mail, "reject blocked.policy.header by #1");
    check("#1 block from external header", mail, "reject blocked.policy.header by #1");
    check("#1 block from *.example header", mail, "proceed");
}

#[test]
fn losers_are_named_with_what_they_lack() {
    use types::evidence::Loss;
    let lines = "#1 block from ann@mail.sender.example\n#2 block to bob@corp.example\n\
                 #3 block from external override\n#4 block from external override\n\
                 #5 permit from ann@mail.sender.example";
    let (ruling, _) = mail(ANN).decide(&compile(objects(lines)));
    let of = |kind| ruling.consulted.iter().find(|c| c.kind == kind).unwrap();
    let reference = |id| PolicyRef::Policy { id: PolicyId(id), version: 1 };
    let blocked = of(PolicyType::BlockedSenders);
    assert_eq!(blocked.winner, Some(reference(3)));
    let losers = [
        (reference(1), Loss::NoOverride),
        (reference(2), Loss::NoOverride),
        (reference(4), Loss::Newer),
    ];
    assert_eq!(blocked.losers, losers);
    let permitted = of(PolicyType::PermittedSenders);
    assert_eq!(permitted.losers, [(reference(5), Loss::NoOverride)]);
}

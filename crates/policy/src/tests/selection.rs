//! Which policy of one type applies, seen through the size limit: each
//! policy sets its own number.

use super::*;

/// The limit that applies to a mail.
#[track_caller]
fn limit(lines: &str, mail_line: &str, expected: u64) {
    let mail = mail(mail_line);
    let set = compile(objects(lines));
    let limit = set.size_max_octets(mail.stage, NOW, &mail.parties());
    assert_eq!(limit, expected, "{lines}\n{mail_line}");
}

const ANN: &str = "<ann@mx.sender.example> to <bob@corp.example>";

#[test]
fn the_more_specific_scope_wins_recipient_first() {
    let ladder = "#1 10 from everyone\n#2 20 from external\n#3 30 from *.example\n\
                  #4 40 from *.sender.example\n#5 50 from mx.sender.example\n\
                  #6 60 from group:Friends\n#7 70 from department=Sales\n\
                  #8 80 from ann@mx.sender.example\n\
                  group Friends: sender.example, *.sender.example, ann@mx.sender.example\n\
                  group corp::department=Sales: ann@mx.sender.example";
    for (last, expected) in [(8, 80), (7, 70), (6, 60), (5, 50), (4, 40), (3, 30), (2, 20), (1, 10)]
    {
        let lines: Vec<&str> = ladder
            .lines()
            .filter(|line| {
                let number = line.trim().trim_start_matches('#').split(' ').next().unwrap();
                number.parse::<u32>().map_or(true, |number| number <= last)
            })
            .collect();
        limit(&lines.join("\n"), ANN, expected);
    }
    limit("#1 10 to corp.example\n#2 20 from ann@mx.sender.example", ANN, 10);
    limit("#1 10 to internal\n#2 20 to corp.example", ANN, 20);
}

#[test]
fn who_has_a_value_in_any_directory_is_in_its_scope_and_nobody_else() {
    let lines = "#1 10 to department=SALES_north\n\
                 group corp::Department=Sales  North: bob@corp.example\n\
                 group other::department=sales north: eve@open.example\n\
                 group corp::department=Sales: cid@corp.example\n\
                 group corp::title=Sales North: dan@corp.example\n\
                 group corp:department=Sales North: fay@corp.example";
    for (recipient, expected) in [
        ("BOB@corp.example", 10),
        ("eve@open.example", 10),
        ("cid@corp.example", 1_000),
        ("dan@corp.example", 1_000),
        ("fay@corp.example", 1_000),
        ("bob@open.example", 1_000),
    ] {
        limit(lines, &format!("<ann@sender.example> to <{recipient}>"), expected);
    }
    // A value that nobody has matches nobody, and is no mistake.
    limit("#1 10 to department=Sales", ANN, 1_000);
    // Both sides, and the sides exchanged.
    let both = "#1 10 from unit=A to unit=B bidirectional\ngroup d::unit=A: bob@corp.example\n\
                group d::unit=B: ann@mx.sender.example";
    limit(both, ANN, 10);
}

#[test]
fn override_comes_before_specificity_and_age_last() {
    limit("#1 10 from ann@mx.sender.example to bob@corp.example\n#2 20 override", ANN, 20);
    limit("#1 10\n#2 20", ANN, 10);
    limit("#2 20\n#1 10", ANN, 10);
    let mut objects = objects("#1 10\n#2 20");
    objects.policies[0].created = NOW;
    let mail = mail(ANN);
    let set = compile(objects);
    assert_eq!(set.size_max_octets(Stage::Rcpt, NOW, &mail.parties()), 20);
}

#[test]
fn a_restricted_source_must_match_and_beats_none() {
    let lines = "#1 10\n#2 20 ip 192.0.2.0/24 ip 2001:db8::/32";
    limit(lines, ANN, 20);
    limit(lines, &format!("{ANN} from 198.51.100.1"), 10);
    limit(lines, &format!("{ANN} from 2001:db8::1"), 20);
    // Host bits in a network are not meant.
    limit("#1 10 ip 192.0.2.77/24", ANN, 10);
    let hosts = "#1 10\n#2 20 host sender.example";
    limit(hosts, ANN, 10);
    limit(hosts, &format!("{ANN} host mx.sender.example"), 20);
    limit(hosts, &format!("{ANN} host MX.Sender.Example."), 20);
    limit(hosts, &format!("{ANN} host notsender.example"), 10);
    let both = "#1 10\n#2 20 ip 192.0.2.0/24 host sender.example";
    limit(both, ANN, 10);
    limit(both, &format!("{ANN} host sender.example"), 20);
    limit(both, &format!("{ANN} host sender.example from 198.51.100.1"), 10);
}

#[test]
fn a_policy_applies_inside_its_validity_and_mode() {
    limit("#1 10 until 2026-01-01T00:00:00Z", ANN, 1_000);
    limit("#1 10 since 2030-01-01T00:00:00Z", ANN, 1_000);
    limit("#1 10 since 2026-01-01T00:00:00Z until 2030-01-01T00:00:00Z", ANN, 10);
    limit(&format!("#1 10 since {NOW}"), ANN, 10);
    limit(&format!("#1 10 until {NOW}"), ANN, 1_000);
    limit("#1 10 off", ANN, 1_000);
    limit("#1 10 observe", ANN, 1_000);
}

#[test]
fn bidirectional_matches_with_the_sides_exchanged() {
    let one_way = "#1 10 from corp.example to sender.example";
    let mail = "<ann@sender.example> to <bob@corp.example>";
    limit(one_way, mail, 1_000);
    limit(&format!("{one_way} bidirectional"), mail, 10);
    // Exchanged, its recipient side is what `from` says.
    let lines =
        "#1 10 from bob@corp.example bidirectional\n#2 20 to corp.example from sender.example";
    limit(lines, mail, 10);
}

#[test]
fn members_of_a_group_are_members_of_the_groups_above() {
    let lines = "#1 10 to group:All\ngroup All:\ngroup Staff below All:\n\
                 group Sales below Staff: bob@corp.example, *.corp.example, open.example";
    limit(lines, ANN, 10);
    limit(lines, "<ann@x.example> to <eve@corp.example>", 1_000);
    limit(lines, "<ann@x.example> to <eve@sub.corp.example>", 10);
    limit(lines, "<ann@x.example> to <eve@open.example>", 10);
}

#[test]
fn the_null_reverse_path_is_external_and_has_no_address() {
    let null = "<> to <bob@corp.example>";
    limit("#1 10 from external", null, 10);
    limit("#1 10 from everyone", null, 10);
    limit("#1 10 from internal", null, 1_000);
    limit("#1 10 from *.example", null, 1_000);
}

#[test]
fn postmaster_without_a_domain_is_internal_and_has_no_address() {
    let postmaster = "<ann@sender.example> to <postmaster>";
    limit("#1 10 to internal", postmaster, 10);
    limit("#1 10 to corp.example", postmaster, 1_000);
    check(
        "#1 block for bob@corp.example from ann@sender.example",
        postmaster,
        "defer greylist.first_seen by settings",
    );
    check("", "<ann@sender.example> to <postmaster> retry unknown", "proceed");
}

#[test]
fn a_policy_lowers_the_limit_of_the_settings_and_never_raises_it() {
    limit("#1 5000 to corp.example", ANN, 1_000);
    limit("#1 5000 to corp.example\n#2 10", ANN, 1_000);
}

#[test]
fn observed_policies_are_recorded_and_never_enforced() {
    check(
        "#1 block from external observe",
        &format!("{ANN} retry"),
        "proceed would blocked.policy.envelope by #1",
    );
    let set = compile(objects("#1 block from external observe\n#2 block from external"));
    let (ruling, _) = mail(ANN).decide(&set);
    assert_eq!(
        show(&ruling),
        "reject blocked.policy.envelope by #2 would blocked.policy.envelope by #1"
    );
    let blocked = ruling.consulted.iter().find(|c| c.kind == PolicyType::BlockedSenders).unwrap();
    assert_eq!(blocked.observing, [PolicyRef::Policy { id: PolicyId(1), version: 1 }]);
    // Nothing is looked up for the sake of a policy that is only observed.
    let set = compile(objects("#1 greylist_by_address observe\n#2 no_greylist"));
    let (ruling, asked) = mail(ANN).decide(&set);
    assert!(!asked.iter().any(|need| matches!(need, Need::Triplet(_))), "{asked:?}");
    assert_eq!(show(&ruling), "proceed");
}

#[test]
fn what_applied_and_said_no_action_is_recorded_so() {
    let (ruling, _) = mail(ANN).decide(&compile(objects("#1 no_greylist\n#2 block observe")));
    let of = |kind| ruling.consulted.iter().find(|one| one.kind == kind).unwrap();
    assert!(of(PolicyType::Greylisting).no_action);
    assert!(!of(PolicyType::BlockedSenders).no_action, "nothing of it applied");
    let (ruling, _) =
        mail(&format!("{ANN} retry")).decide(&compile(objects("#1 greylist_by_address")));
    let greylisting = ruling.consulted.iter().find(|one| one.kind == PolicyType::Greylisting);
    assert_eq!(greylisting.map(|one| (one.winner.is_some(), one.no_action)), Some((true, false)));
}

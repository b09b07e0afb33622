//! What is learned from outbound mail, and when it counts.

use super::*;

const MAIL: &str = "<ann@sender.example> to <bob@corp.example>";

#[track_caller]
fn ends(lines: &str, words: &str, expected: &str) {
    check(lines, &format!("{MAIL} {words}"), expected);
}

#[test]
fn whoever_was_written_to_may_answer_for_a_hundred_and_twenty_days() {
    let waits = "defer greylist.first_seen by settings";
    ends("", "", waits);
    ends("", "wrote 0", "proceed learned by settings");
    ends("", "wrote 119", "proceed learned by settings");
    ends("", "wrote 120", waits);
    ends("#1 auto_allow", "wrote 3", "proceed learned by #1");
}

#[test]
fn a_policy_makes_exceptions_of_it_and_of_lists_that_were_taken_over() {
    let waits = "defer greylist.first_seen by settings";
    ends("#1 no_auto_allow", "wrote 3", waits);
    ends("#1 no_auto_allow to bob@corp.example", "wrote 3", waits);
    ends("#1 no_auto_allow to cid@corp.example", "wrote 3", "proceed learned by settings");
    let lists = "#1 no_auto_allow\n#2 auto for bob@corp.example from ann@sender.example";
    ends(lists, "", waits);
    ends("#2 auto for bob@corp.example from ann@sender.example", "", "proceed learned by #2");
}

#[test]
fn it_stands_below_everything_that_a_person_said() {
    ends("#1 block from sender.example", "wrote 3", "reject blocked.policy.envelope by #1");
    let own = "#2 block for bob@corp.example from sender.example";
    ends(own, "wrote 3", "reject blocked.manual.envelope by #2");
    let permit = "#3 permit for bob@corp.example from sender.example";
    ends(permit, "wrote 3", "proceed permitted by #3");
    ends("#4 permit from sender.example", "wrote 3", "proceed permitted by #4");
}

#[test]
fn observing_an_exception_changes_nothing_and_says_what_it_would() {
    ends("#1 no_auto_allow observe", "wrote 3 early", "proceed learned by settings");
}

#[test]
fn a_failure_of_authentication_takes_it_out_and_the_record_says_so() {
    let mut objects = authentication::strict("spf fail ignore", "#1 authenticate");
    objects.policies.push(policy("#2 auto_allow"));
    let (ruling, _) = mail(&format!("{MAIL} wrote 3 spf fail")).decide(&compile(objects));
    assert!(show(&ruling).starts_with("defer greylist.first_seen"), "{}", show(&ruling));
    let said = ruling.consulted.iter().find(|one| one.kind == PolicyType::AutoAllow).unwrap();
    assert_eq!(said.winner, None);
    assert!(matches!(said.losers.first(), Some((_, types::Loss::NotAuthenticated))), "{said:?}");
}

#[test]
fn nothing_is_recorded_of_it_where_nobody_wrote() {
    let (ruling, _) = mail(MAIL).decide(&compile(objects("#1 auto_allow")));
    assert!(ruling.consulted.iter().all(|one| one.kind != PolicyType::AutoAllow));
}

#[test]
fn outbound_mail_teaches_unless_a_policy_says_otherwise() {
    let learns = |lines: &str| {
        let mail = mail("<bob@corp.example> to <ann@sender.example>");
        let consulted = compile(objects(lines)).learns(NOW, &mail.parties());
        assert_eq!(consulted.kind, PolicyType::AutoAllowCreation);
        assert!(consulted.winner.is_some(), "what decides has a name, and a count");
        !consulted.no_action
    };
    assert!(learns(""));
    assert!(learns("#1 learn"));
    assert!(!learns("#1 no_learning"));
    assert!(!learns("#1 no_learning from bob@corp.example"));
    assert!(learns("#1 no_learning from cid@corp.example"));
    assert!(!learns("#1 learn\n#2 no_learning to sender.example"));
    // Observed and switched off policies take no part.
    assert!(learns("#1 no_learning observe") && learns("#1 no_learning off"));
}

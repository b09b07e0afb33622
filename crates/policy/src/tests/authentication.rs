//! What SPF, DKIM and DMARC lead to, and mail in our own name.

use std::collections::BTreeMap;

use types::definition::{AuthenticationAction, DnsAuthenticationDefinition};
use types::message::UnseenAuthors;

use super::*;

/// Objects with a definition named Strict, written
/// `spf fail reject, dmarc fail honour_record`.
pub(super) fn strict(actions: &str, lines: &str) -> PolicyObjects {
    let mut objects = objects(lines);
    let mut set = DnsAuthenticationDefinition::default();
    for action in actions.split(", ").filter(|action| !action.is_empty()) {
        let words: Vec<&str> = action.split(' ').collect();
        let does = match words[2] {
            "ignore" => AuthenticationAction::IgnorePermitted,
            "defer" => AuthenticationAction::Defer,
            "hold" => AuthenticationAction::Hold,
            "reject" => AuthenticationAction::Reject,
            "honour" => AuthenticationAction::HonourRecord,
            _ => AuthenticationAction::NoAction,
        };
        fn put<T: Copy + Ord>(
            map: &mut BTreeMap<T, AuthenticationAction>,
            key: T,
            does: AuthenticationAction,
        ) {
            map.insert(key, does);
        }
        let word = Some(words[1]);
        match words[0] {
            "spf" => put(&mut set.spf, of_slug(SpfResult::ALL, word, |one| one.slug()), does),
            "dkim" => put(&mut set.dkim, of_slug(DkimResult::ALL, word, |one| one.slug()), does),
            _ => put(&mut set.dmarc, of_slug(DmarcResult::ALL, word, |one| one.slug()), does),
        }
    }
    objects.definitions.push(Definition {
        name: "Strict".to_owned(),
        narrative: String::new(),
        set: DefinitionSet::DnsAuthentication(set),
    });
    objects
}

#[track_caller]
fn check_strict(actions: &str, lines: &str, mail_line: &str, expected: &str) {
    let (ruling, _) = mail(mail_line).decide(&compile(strict(actions, lines)));
    assert_eq!(show(&ruling), expected, "{actions}; {lines}; {mail_line}");
}

const ANN: &str = "<ann@sender.example> to <bob@corp.example>";
const ALL: &str = "#1 authenticate";

#[test]
fn a_selection_names_each_type_once() {
    let set = compile(strict("spf fail ignore", "#1 authenticate\n#2 permit\n#3 auto_allow"));
    let mail = mail(&format!("{ANN} wrote 3"));
    let chosen = set.selections(Stage::Rcpt, NOW, &mail.parties(), &mail.evidence);
    let mut kinds: Vec<PolicyType> = chosen.iter().map(|one| one.kind).collect();
    let all = kinds.len();
    kinds.dedup();
    assert_eq!(kinds.len(), all, "{kinds:?}");
    assert!(kinds.contains(&PolicyType::DnsAuthentication));
}

#[test]
fn each_result_leads_to_what_the_definition_says() {
    let at_rcpt = |actions: &str, result: &str, expected: &str| {
        check_strict(actions, ALL, &format!("{ANN} retry spf {result}"), expected);
    };
    at_rcpt("spf fail reject", "fail", "reject auth.spf by #1");
    at_rcpt("spf fail reject", "softfail", "proceed");
    at_rcpt("spf softfail hold", "softfail", "hold hold.authentication by #1");
    at_rcpt("spf temperror defer", "temperror", "defer auth.temporary by #1");
    at_rcpt("spf permerror reject", "permerror", "reject auth.spf by #1");
    let at_data = |actions: &str, result: &str, expected: &str| {
        check_strict(actions, ALL, &format!("{ANN} author ann@sender.example {result}"), expected);
    };
    at_data("dkim fail reject", "dkim fail sender.example", "reject auth.dkim by #1");
    at_data("dkim none hold", "", "hold hold.authentication by #1");
    at_data("dkim temperror defer", "dkim temperror x.example", "defer auth.temporary by #1");
    let neutral = "dkim neutral x.example";
    at_data("dkim neutral hold", &format!("{neutral} unseen"), "proceed");
    let held = "hold hold.authentication by #1";
    at_data("dkim neutral hold", &format!("{neutral} malformed"), held);
    at_data("dmarc fail reject", "dmarc fail", "reject auth.dmarc by #1");
    at_data("dmarc fail honour", "dmarc fail asks reject", "reject auth.dmarc by #1");
    let set_aside = "hold hold.dmarc_quarantine by #1";
    at_data("dmarc fail honour", "dmarc fail asks quarantine", set_aside);
    at_data("dmarc fail hold", "dmarc fail asks quarantine", set_aside);
    // The author's domain asked for something else, or its answer is not a failure.
    let held = "hold hold.authentication by #1";
    at_data("dmarc fail hold", "dmarc fail asks reject", held);
    at_data("dmarc fail hold", "dmarc fail", held);
    at_data("dmarc none hold", "", held);
    at_data("dmarc temperror hold", "dmarc temperror asks quarantine", held);
    at_data("dmarc fail honour", "dmarc fail", "proceed");
    at_data("dmarc fail honour", "dmarc pass asks reject", "proceed");
}

#[test]
fn a_more_specific_policy_makes_an_exception() {
    let lines = "#1 authenticate\n#2 no_authentication from sender.example";
    check_strict("spf fail reject", lines, &format!("{ANN} retry spf fail"), "proceed");
    let observed = "#1 authenticate observe";
    let mail = format!("{ANN} retry spf fail");
    check_strict("spf fail reject", observed, &mail, "proceed");
}

#[test]
fn a_hold_gives_way_to_whatever_refuses() {
    check_strict(
        "spf softfail hold",
        ALL,
        &format!("{ANN} spf softfail"),
        "defer greylist.first_seen by settings next hold.authentication",
    );
    check_strict(
        "dkim none hold, dmarc fail reject",
        ALL,
        &format!("{ANN} author ann@sender.example dmarc fail"),
        "reject auth.dmarc by #1 next hold.authentication",
    );
}

#[test]
fn a_failure_takes_permits_out_so_that_blocks_behind_them_come_out() {
    let actions = "spf fail ignore";
    let permit = "#1 authenticate\n#2 permit from ann@sender.example";
    check_strict(actions, permit, &format!("{ANN} spf pass"), "proceed permitted by #2");
    let failed = format!("{ANN} spf fail");
    check_strict(actions, permit, &failed, "defer greylist.first_seen by settings");
    let block = format!("{permit}\n#3 block from sender.example");
    check_strict(actions, &block, &format!("{ANN} spf none"), "proceed permitted by #2");
    check_strict(actions, &block, &failed, "reject blocked.policy.envelope by #3");
    let own = "#1 authenticate\n#2 permit for bob@corp.example from ann@sender.example\n\
               #3 block for bob@corp.example from sender.example\n\
               #4 auto for bob@corp.example from ann@sender.example";
    check_strict(actions, own, &failed, "reject blocked.manual.envelope by #3");
    let (ruling, _) = mail(&failed).decide(&compile(strict(actions, permit)));
    assert!(ruling.permits_ignored);
    let lost = ruling.consulted.iter().find(|one| one.kind == PolicyType::PermittedSenders);
    assert_eq!(lost.unwrap().losers[0].1, Loss::NotAuthenticated);
}

/// The table of policies.md: what *permitted* skips and what it never skips.
#[test]
fn what_permitted_skips_and_never_skips() {
    let permit = "#1 authenticate\n#2 permit from ann@sender.example\n#3 guard from internal both";
    for (what, actions, mail_line, expected) in [
        ("greylisting", "", ANN.to_owned(), "proceed permitted by #2"),
        ("validation", "", format!("{ANN} unknown"), "reject recipient.unknown by settings"),
        ("rate", "", format!("{ANN} fast"), "defer rate.limited permitted by #2"),
        (
            "spf action",
            "spf fail reject",
            format!("{ANN} spf fail"),
            "reject auth.spf by #1 permitted by #2",
        ),
        (
            "spf that ignores permits",
            "spf fail ignore",
            format!("{ANN} spf fail"),
            "defer greylist.first_seen by settings",
        ),
        (
            "dkim",
            "dkim fail reject",
            format!("{ANN} author ann@sender.example dkim fail sender.example"),
            "reject auth.dkim by #1 permitted by #2",
        ),
        (
            "dmarc",
            "dmarc fail honour",
            format!("{ANN} author ann@sender.example dmarc fail asks reject"),
            "reject auth.dmarc by #1 permitted by #2",
        ),
        (
            "spoofing of an author",
            "",
            format!("{ANN} author bob@corp.example"),
            "reject spoofing.header by #3 permitted by #2",
        ),
    ] {
        let (ruling, _) = mail(&mail_line).decide(&compile(strict(actions, permit)));
        assert_eq!(show(&ruling), expected, "{what}");
    }
}

const OWN: &str = "<bob@corp.example> to <cid@corp.example>";

#[test]
fn mail_in_our_name_needs_a_proof_for_that_very_domain() {
    let guard = "#1 guard from internal both";
    let author = |rest: &str| format!("<x@service.example> to <cid@corp.example> author {rest}");
    check(guard, &format!("{OWN} retry spf fail"), "proceed");
    check("#1 guard_always from internal", OWN, "reject spoofing.envelope by #1");
    let refused = "reject spoofing.envelope by #1";
    check(guard, &format!("{OWN} author ann@x.example spf fail"), refused);
    check(guard, &format!("{OWN} author ann@x.example dkim pass x.example"), refused);
    check(guard, &format!("{OWN} author ann@x.example dkim pass corp.example"), "proceed");
    check(guard, &format!("{OWN} author ann@x.example dkim pass m.corp.example"), "proceed");
    let refused = "reject spoofing.header by #1";
    check(guard, &author("bob@corp.example"), refused);
    check(guard, &author("bob@corp.example spf pass"), refused);
    check(guard, &author("bob@corp.example dkim pass example"), refused);
    check(guard, &author("bob@corp.example dmarc pass"), "proceed");
    check(guard, &author("bob@corp.example dkim pass corp.example"), "proceed");
    check(guard, &author("ann@x.example author bob@corp.example"), refused);
    check(
        guard,
        &author("bob@corp.example dkim temperror corp.example"),
        "defer auth.temporary by #1",
    );
    check(guard, &author("bob@corp.example dkim temperror x.example"), refused);
    check("#1 guard from internal", &author("bob@corp.example"), "proceed");
    // SPF is enough for an author too, and nobody else has to ask for it.
    let below = |rest: &str| {
        format!("<x@bounce.corp.example> to <cid@corp.example> author bob@corp.example {rest}")
    };
    check(guard, &below("spf pass"), "proceed");
    check(guard, &below("spf fail"), refused);
    check(guard, &below("spf temperror"), "defer auth.temporary by #1");
}

/// Beyond a fixed limit nothing is looked at: what claims to be signed by us is
/// neither refused nor let pass.
#[test]
fn mail_in_our_name_whose_signature_is_not_looked_at_waits_for_somebody() {
    let guard = "#1 guard from internal both";
    let author = |rest: &str| {
        format!("<x@service.example> to <cid@corp.example> author bob@corp.example {rest}")
    };
    let held = "hold hold.authentication by #1";
    check(guard, &author("dkim neutral corp.example unseen"), held);
    check(guard, &author("dkim neutral m.corp.example unseen"), held);
    check(guard, &format!("{OWN} author x@x.example dkim neutral corp.example unseen"), held);
    let refused = "reject spoofing.header by #1";
    check(guard, &author("dkim neutral evil.example unseen"), refused);
    check(guard, &author("unseen"), refused);
    check(guard, &author("dkim neutral corp.example"), refused);
    check(guard, &author("dkim neutral corp.example malformed"), refused);
    // With two authors, the one that nothing speaks for.
    let both = "author eve@open.example dkim neutral corp.example unseen";
    check(guard, &author(both), refused);
    check(
        "#1 guard_always from internal both",
        &author("dkim neutral corp.example unseen"),
        refused,
    );
}

/// Who hides an author behind more than is read of a header is not believed.
#[test]
fn authors_whom_nobody_has_looked_at_wait_for_somebody() {
    let guard = "#1 guard from internal both";
    let nobody = "hold hold.authentication";
    for (lines, author, expected) in [
        (guard, "", nobody.to_owned()),
        (guard, "author ann@x.example dmarc pass", nobody.to_owned()),
        ("", "author ann@x.example", nobody.to_owned()),
        ("#1 permit from x@service.example", "", format!("{nobody} permitted by #1")),
        (guard, "author bob@corp.example dkim pass corp.example", format!("{nobody} by #1")),
        (guard, "author bob@corp.example", "reject spoofing.header by #1".to_owned()),
        ("#1 no_guard from x@service.example", "", "proceed".to_owned()),
    ] {
        let line = format!("<x@service.example> to <cid@corp.example> retry unauthored {author}");
        for unseen in UnseenAuthors::ALL {
            let mut mail = mail(&line);
            mail.header.push(unseen.mailbox().address);
            let (ruling, _) = mail.decide(&compile(objects(lines)));
            assert_eq!(show(&ruling), expected, "{lines}; {line}");
        }
    }
}

/// The same for the policy of a stranger: what would be refused is held.
#[test]
fn a_policy_of_the_author_is_not_got_round_by_a_header_nobody_looks_at() {
    let at_data = |actions: &str, asks: &str, expected: &str| {
        let unseen = "dkim neutral sender.example dmarc temperror unseen";
        let line = format!("{ANN} author ann@sender.example {unseen} {asks}");
        check_strict(actions, ALL, &line, expected);
    };
    let held = "hold hold.authentication by #1";
    at_data("dmarc fail honour", "asks reject", held);
    at_data("dmarc fail honour", "asks quarantine", held);
    at_data("dmarc fail honour", "", "proceed");
    at_data("dmarc fail reject", "", held);
    at_data("dmarc fail hold", "", held);
    at_data("dmarc pass nothing", "asks reject", "proceed");
    at_data("dmarc fail reject, dmarc temperror defer", "", "defer auth.temporary by #1");
    let permit = "#1 authenticate\n#2 permit from ann@sender.example header";
    let ignoring = strict("dmarc fail ignore", permit);
    let line =
        format!("{ANN} author ann@sender.example dkim neutral sender.example dmarc temperror");
    let (ruling, _) = mail(&format!("{line} unseen")).decide(&compile(ignoring.clone()));
    assert_eq!(show(&ruling), "proceed");
    let (ruling, _) = mail(&line).decide(&compile(ignoring));
    assert_eq!(show(&ruling), "proceed permitted by #2");
}

#[test]
fn exceptions_are_policies_that_are_more_specific() {
    let guard = "#1 guard_always from internal both";
    for exception in [
        "no_guard from bob@corp.example both",
        "no_guard from internal both ip 192.0.2.0/24",
        "no_guard from internal both host service.example",
    ] {
        let lines = format!("{guard}\n#2 {exception}");
        check(&lines, &format!("{OWN} retry host out.service.example"), "proceed");
    }
    let lines = format!("{guard}\n#2 no_guard from internal both ip 198.51.100.0/24");
    check(&lines, OWN, "reject spoofing.envelope by #1");
}

#[test]
fn spf_is_asked_only_where_a_definition_looks_at_it() {
    let asked = |actions: &str, lines: &str, line: &str| {
        let (_, asked) = mail(line).decide(&compile(strict(actions, lines)));
        asked.contains(&Need::Spf)
    };
    assert!(asked("spf fail ignore", ALL, ANN));
    assert!(!asked("dmarc fail honour", ALL, ANN));
    assert!(!asked("spf fail ignore", "#1 permit from x.example", ANN));
    assert!(!asked("", "#1 guard from internal both", ANN));
    assert!(asked("", "#1 guard from internal both", OWN));
    let unknown = format!("{ANN} unknown");
    assert!(!asked("spf fail ignore", ALL, &unknown), "not before the recipient is known");
}

#[test]
fn what_cannot_be_done_about_a_result_is_refused_with_a_reason() {
    for (actions, expected) in [
        ("spf pass reject", "spf = pass: a result of pass can lead to nothing but no_action"),
        ("dkim fail defer", "dkim = fail: only temperror can be deferred"),
        ("spf fail honour", "spf = fail: only fail of dmarc can honour a record"),
        ("dmarc none honour", "dmarc = none: only fail of dmarc can honour a record"),
    ] {
        let told = validate(&strict(actions, ""), &base());
        let told: Vec<String> = told.iter().map(ToString::to_string).collect();
        assert!(told.len() == 1 && told[0].contains(expected), "{told:?}");
    }
    assert!(validate(&strict("spf pass nothing, dmarc fail honour", ""), &base()).is_empty());
    for lines in ["#1 guard from everyone", "#1 guard_always from external both"] {
        let told = validate(&objects(lines), &base());
        assert!(told[0].to_string().contains("anti-spoofing refuses mail"), "{told:?}");
    }
    let header = validate(&strict("", "#1 authenticate header"), &base());
    assert!(header[0].to_string().contains("cannot be based on the header"), "{header:?}");
}

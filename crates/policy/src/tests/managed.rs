//! What managed senders match, and which count for authenticated mail alone.

use std::time::Duration;

use super::authentication::strict;
use super::*;

const ANN: &str = "<ann@sender.example> to <bob@corp.example>";
/// Mail that a list passes on, of an author elsewhere.
const LIST: &str = "<bounce@list.example> to <bob@corp.example> author ann@sender.example";
const GREYLISTED: &str = "defer greylist.first_seen by settings";

/// An entry of Bob's.
fn bobs(text: &str) -> String {
    let (entry, sender) = text.split_once(' ').unwrap();
    let (number, action) = entry.split_once(':').unwrap();
    format!("#{number} {action} for bob@corp.example from {sender}\n")
}

/// Entries of Bob's, parted by semicolons: `1:permit ann@sender.example`.
fn entries(texts: &str) -> String {
    texts.split("; ").map(bobs).collect()
}

#[track_caller]
fn check_entries(texts: &str, mail_line: &str, expected: &str) {
    check(&entries(texts), mail_line, expected);
}

#[test]
fn the_domain_of_a_signature_is_matched_once_the_message_is_there() {
    let refused = "reject blocked.manual.header by #1";
    let signed = |result: &str| format!("{LIST} dkim {result}");
    for (entry, result, expected) in [
        ("1:block dkim:bulk.example", "pass bulk.example", refused),
        ("1:block dkim:bulk.example", "fail bulk.example", "proceed"),
        ("1:block dkim:bulk.example", "pass m.bulk.example", "proceed"),
        ("1:block dkim:bulk.example", "pass notbulk.example", "proceed"),
        ("1:block dkim:*.bulk.example", "pass m.bulk.example", refused),
        ("1:block dkim:*.bulk.example", "pass bulk.example", "proceed"),
        ("1:permit dkim:bulk.example", "pass bulk.example", "proceed permitted by #1"),
        ("1:auto dkim:bulk.example", "pass bulk.example", "proceed learned by #1"),
        ("1:disabled dkim:bulk.example", "pass bulk.example", "proceed"),
        // Who it says it is from is not who signed it, and the other way round.
        ("1:block dkim:sender.example", "none -", "proceed"),
        ("1:block bulk.example", "pass bulk.example", "proceed"),
    ] {
        check_entries(entry, &signed(result), expected);
    }
    // At RCPT nobody knows who signed it.
    check_entries("1:permit dkim:sender.example", ANN, GREYLISTED);
    check_entries("1:block dkim:sender.example", &format!("{ANN} retry"), "proceed");
}

#[test]
fn the_domain_of_a_signature_ranks_as_its_domain_does() {
    let mail = format!("{ANN} author ann@sender.example dkim pass sender.example");
    for (texts, expected) in [
        ("1:permit ann@sender.example; 2:block dkim:sender.example", "proceed permitted by #1"),
        (
            "1:permit sender.example; 2:block dkim:sender.example",
            "reject blocked.manual.header by #2",
        ),
        (
            "1:block sender.example; 2:permit dkim:sender.example",
            "reject blocked.manual.envelope by #1",
        ),
        ("1:block *.example; 2:permit dkim:sender.example", "proceed permitted by #2"),
    ] {
        check_entries(texts, &mail, expected);
    }
    let below = "<ann@m.sender.example> to <bob@corp.example> author ann@m.sender.example";
    let texts = "1:block m.sender.example; 2:permit dkim:*.sender.example";
    let refused = "reject blocked.manual.envelope by #1";
    check_entries(texts, &format!("{below} dkim pass m.sender.example"), refused);
}

#[test]
fn an_administrators_policy_stands_above_the_domain_of_a_signature() {
    let mail = format!("{ANN} author ann@sender.example dkim pass sender.example");
    let block = entries("1:block dkim:sender.example");
    check(&format!("#9 permit from sender.example\n{block}"), &mail, "proceed permitted by #9");
    let permit = entries("1:permit dkim:sender.example");
    let refused = "reject blocked.policy.envelope by #9";
    check(&format!("#9 block from *.example\n{permit}"), &mail, refused);
}

#[test]
fn what_counts_for_authenticated_mail_counts_by_spf_at_rcpt_and_by_dkim_at_data() {
    let entry = "1:permit ann@sender.example if_authenticated";
    check_entries(entry, &format!("{ANN} spf pass"), "proceed permitted by #1");
    for result in ["none", "neutral", "fail", "softfail", "temperror", "permerror"] {
        check_entries(entry, &format!("{ANN} spf {result}"), GREYLISTED);
    }
    let at_data = |rest: &str| format!("{ANN} author ann@sender.example {rest}");
    for (rest, expected) in [
        ("spf pass", "proceed permitted by #1"),
        ("dkim pass sender.example", "proceed permitted by #1"),
        ("dkim pass m.sender.example", "proceed permitted by #1"),
        ("dmarc pass", "proceed permitted by #1"),
        ("dkim pass example", "proceed"),
        ("dkim pass other.example", "proceed"),
        ("dkim fail sender.example", "proceed"),
        ("dkim neutral sender.example unseen", "proceed"),
        ("", "proceed"),
    ] {
        check_entries(entry, &at_data(rest), expected);
    }
    let learned = "1:auto ann@sender.example if_authenticated";
    check_entries(learned, &format!("{ANN} spf pass"), "proceed learned by #1");
    check_entries(learned, ANN, GREYLISTED);
}

#[test]
fn the_proof_is_of_the_very_address_that_matched() {
    let entry = "1:permit sender.example if_authenticated";
    check_entries(entry, &format!("{LIST} spf pass"), "proceed");
    check_entries(entry, &format!("{LIST} dkim pass list.example"), "proceed");
    check_entries(entry, &format!("{LIST} dkim pass sender.example"), "proceed permitted by #1");
    // One that covers both counts for whichever is proved.
    let below = "1:permit *.sender.example if_authenticated";
    let mail = "<x@a.sender.example> to <bob@corp.example> author y@b.sender.example";
    check_entries(below, &format!("{mail} dkim pass b.sender.example"), "proceed permitted by #1");
    check_entries(below, &format!("{mail} dkim pass c.sender.example"), "proceed");
    // A signature is its own proof.
    let signed = "1:permit dkim:list.example if_authenticated";
    check_entries(signed, &format!("{LIST} dkim pass list.example"), "proceed permitted by #1");
}

#[test]
fn the_record_says_that_the_sender_was_not_authenticated() {
    let lines = entries("1:permit ann@sender.example if_authenticated; 2:permit sender.example");
    let (ruling, _) = mail(ANN).decide(&compile(objects(&lines)));
    let of = |consulted: &Consulted| consulted.kind == PolicyType::ManagedSenders;
    let said = ruling.consulted.iter().find(|one| of(one)).unwrap();
    let entry = |id| PolicyRef::ManagedSender { id: PolicyId(id) };
    assert_eq!(
        (said.winner, said.losers.as_slice()),
        (Some(entry(2)), &[(entry(1), Loss::Unproven)][..])
    );
    let alone = entries("1:permit ann@sender.example if_authenticated");
    let (ruling, _) = mail(ANN).decide(&compile(objects(&alone)));
    let said = ruling.consulted.iter().find(|one| of(one)).unwrap();
    assert_eq!((said.winner, said.losers.as_slice()), (None, &[(entry(1), Loss::Unproven)][..]));
}

/// The spec has a user's permitted address beat the same user's blocked
/// domain. Who proves it by DKIM alone must have got so far.
#[test]
fn a_block_waits_for_the_signature_that_a_more_specific_entry_counts_by() {
    let texts = "1:permit ann@sender.example if_authenticated; 2:block sender.example";
    let at_data = |rest: &str| format!("{ANN} author ann@sender.example {rest}");
    check_entries(texts, &format!("{ANN} spf pass"), "proceed permitted by #1");
    check_entries(texts, &format!("{ANN} spf fail"), GREYLISTED);
    let refused = "reject blocked.manual.envelope by #2";
    check_entries(texts, &at_data("spf fail"), refused);
    check_entries(texts, &at_data("dkim pass sender.example"), "proceed permitted by #1");
    // Others of the domain are refused at once.
    check_entries(texts, "<eve@sender.example> to <bob@corp.example>", refused);
    // A less specific permit does not come out meanwhile.
    let three = "1:permit ann@m.sender.example if_authenticated; 2:block m.sender.example; \
                 3:permit *.sender.example";
    check_entries(three, "<ann@m.sender.example> to <bob@corp.example>", GREYLISTED);
    // Nothing waits for an entry that is less specific, or that was learned.
    let specific = "1:permit sender.example if_authenticated; 2:block ann@sender.example";
    check_entries(specific, ANN, refused);
    let learned = "1:auto ann@sender.example if_authenticated; 2:block sender.example";
    check_entries(learned, ANN, refused);
    // Nor where no permit counts any more.
    let lines = format!("#9 authenticate\n{}", entries(texts));
    let (ruling, _) =
        mail(&format!("{ANN} spf fail")).decide(&compile(strict("spf fail ignore", &lines)));
    assert_eq!(show(&ruling), refused);
}

/// A sender is not refused for good because name servers failed, nor let past
/// because a header is too large to be looked at.
#[test]
fn a_block_is_not_final_while_what_outweighs_it_may_be_proved() {
    let texts = "1:permit ann@sender.example if_authenticated; 2:block sender.example";
    let later = "defer auth.temporary by #2";
    let held = "hold hold.authentication by #2";
    let refused = "reject blocked.manual.envelope by #2";
    let at_data = |rest: &str| format!("{ANN} author ann@sender.example {rest}");
    for (rest, expected) in [
        ("spf temperror", later),
        ("dkim temperror sender.example", later),
        ("dkim temperror m.sender.example", later),
        ("spf temperror dkim fail sender.example", later),
        ("spf temperror dkim pass sender.example", "proceed permitted by #1"),
        ("dkim neutral sender.example unseen", held),
        ("spf temperror dkim neutral sender.example unseen", later),
        // What says nothing of the sender leaves no doubt.
        ("dkim temperror other.example", refused),
        ("dkim neutral other.example unseen", refused),
        ("dkim permerror sender.example", refused),
        ("dkim temperror m.sender.example dmarc fail", refused),
    ] {
        check_entries(texts, &at_data(rest), expected);
    }
    let author = format!("{LIST} dkim temperror sender.example");
    check_entries(texts, &author, later);
    check_entries("2:block sender.example", &author, "reject blocked.manual.header by #2");
    // What is less specific than the block casts no doubt on it.
    let specific = "1:permit sender.example if_authenticated; 2:block ann@sender.example";
    check_entries(specific, &at_data("spf temperror"), refused);
    // Nor what would not count if it were proved.
    let lines = format!("#9 authenticate\n{}", entries(texts));
    let set = compile(strict("spf temperror ignore", &lines));
    let (ruling, _) = mail(&at_data("spf temperror")).decide(&set);
    assert_eq!(show(&ruling), refused);
}

/// A mail server that asks about the envelope keeps the content to itself.
#[test]
fn a_block_does_not_wait_for_content_that_never_comes() {
    let texts = "1:permit ann@sender.example if_authenticated; 2:block sender.example";
    let set = compile(objects(&entries(texts)));
    let refused = "reject blocked.manual.envelope by #2";
    for (rest, expected) in [
        ("spf pass", "proceed permitted by #1"),
        ("spf fail", refused),
        ("spf none", refused),
        ("spf temperror", "defer auth.temporary by #2"),
    ] {
        let relay = Observed::Relay { internal: true, askers: true };
        let mut asked = mail(&format!("{ANN} {rest}")).observed(CheckName::Relay, relay);
        let (ruling, _) = asked.decide(&set);
        assert_eq!(show(&ruling), expected, "{rest}");
    }
}

#[test]
fn strangers_below_a_domain_and_its_own_policy_prove_nothing() {
    let entry = "1:permit ann@sender.example if_authenticated";
    let mail = |rest: &str| format!("{ANN} author ann@sender.example {rest}");
    let permitted = "proceed permitted by #1";
    for (rest, expected) in [
        ("dkim pass tenant.sender.example", permitted),
        // By strict alignment, which the domain asks for.
        ("dkim pass tenant.sender.example dmarc fail", "proceed"),
        ("dkim pass sender.example dmarc pass", permitted),
    ] {
        check_entries(entry, &mail(rest), expected);
    }
    // What DMARC says of another author says nothing of this sender.
    let other = format!("{ANN} author eve@x.example dkim pass sender.example dmarc fail");
    check_entries(entry, &other, permitted);
    // Anybody can have a name below a public suffix.
    let shared = "1:permit info@eu.org if_authenticated; 2:permit ann@x.eu.org if_authenticated";
    for (local, rest, expected) in [
        ("info@eu.org", "dkim pass customer.eu.org", "proceed"),
        ("info@eu.org", "dkim pass eu.org", permitted),
        ("info@eu.org", "spf pass", permitted),
        ("ann@x.eu.org", "dkim pass m.x.eu.org", "proceed permitted by #2"),
    ] {
        let mail = format!("<{local}> to <bob@corp.example> author {local} {rest}");
        check_entries(shared, &mail, expected);
    }
}

#[test]
fn an_entry_that_is_disabled_costs_nobody_a_look_at_authentication() {
    let looks = |set: &PolicySet| set.list_authenticates(NOW, &mail(ANN).to);
    let put = |text: &str| SenderChange::Put(managed(&entries(text)));
    for sender in ["ann@sender.example if_authenticated", "dkim:bulk.example"] {
        let [on, off] = ["permit", "disabled"].map(|action| format!("1:{action} {sender}"));
        let off_set = compile(objects(&entries(&off)));
        assert!(!looks(&off_set) && off_set.managed_senders() == 1, "{sender}");
        let changed = compile(objects("")).with_senders(2, &[put(&on)]).unwrap();
        assert!(looks(&changed), "{sender}");
        let changed = changed.with_senders(3, &[put(&off)]).unwrap();
        assert!(!looks(&changed) && changed.managed_senders() == 1, "{sender}");
        let changed = off_set.with_senders(4, &[put(&on)]).unwrap();
        assert!(looks(&changed) && changed.managed_senders() == 1, "{sender}");
    }
}

#[test]
fn an_entry_that_has_ended_costs_nobody_a_look_at_authentication() {
    let at = |seconds: u64| NOW + Duration::from_secs(seconds);
    let put = |text: &str, until: Option<u64>| {
        let entry = managed(&entries(text));
        SenderChange::Put(ManagedSender { valid_until: until.map(at), ..entry })
    };
    let to = mail(ANN).to;
    let looks = |set: &PolicySet| [0, 9, 10, 19, 20].map(|s| set.list_authenticates(at(s), &to));
    let (short, long) =
        ("1:permit ann@sender.example if_authenticated", "2:permit dkim:bulk.example");
    let compiled = |changes: &[SenderChange]| {
        let entry = |change: &SenderChange| match change {
            SenderChange::Put(entry) => entry.clone(),
            SenderChange::Remove { .. } => unreachable!(),
        };
        let managed_senders = changes.iter().map(entry).collect();
        compile(PolicyObjects { managed_senders, ..objects("") })
    };
    let nothing = compile(objects(""));
    let [no, yes] = [false, true];
    for (changes, expected) in [
        (vec![put(short, Some(10))], [yes, yes, no, no, no]),
        (vec![put(short, Some(10)), put(long, Some(20))], [yes, yes, yes, yes, no]),
        (vec![put(long, None), put(short, Some(10))], [yes; 5]),
        (vec![put(short, Some(0))], [no; 5]),
    ] {
        assert_eq!(looks(&compiled(&changes)), expected, "compiled: {changes:?}");
        let above = nothing.with_senders(2, &changes).unwrap();
        assert_eq!(looks(&above), expected, "changed: {changes:?}");
    }
    // Nor is it asked for in a decision.
    let (_, asked) = mail(ANN).decide(&compiled(&[put(short, Some(10))]));
    assert!(asked.contains(&Need::Spf));
    let (_, asked) = mail(ANN).decide(&compiled(&[put(short, Some(0))]));
    assert!(!asked.contains(&Need::Spf));
}

#[test]
fn only_a_list_that_looks_at_authentication_has_it_asked() {
    let asked = |texts: &str, line: &str| {
        let (_, asked) = mail(line).decide(&compile(objects(&entries(texts))));
        let wanted = |need: &Need| matches!(need, Need::Spf | Need::Authentication);
        asked.into_iter().filter(wanted).collect::<Vec<_>>()
    };
    let at_data = format!("{ANN} author ann@sender.example");
    let proven = "1:permit ann@sender.example if_authenticated";
    assert_eq!(asked(proven, ANN), [Need::Spf]);
    assert_eq!(asked(proven, &at_data), [Need::Spf, Need::Authentication]);
    assert_eq!(asked(proven, "<eve@sender.example> to <bob@corp.example>"), []);
    assert_eq!(asked(proven, "<ann@sender.example> to <eve@corp.example>"), []);
    assert_eq!(asked("1:permit ann@sender.example", &at_data), []);
    let signed = "1:permit dkim:bulk.example";
    assert_eq!(asked(signed, ANN), []);
    assert_eq!(asked(signed, &at_data), [Need::Authentication]);
    for texts in [proven, signed] {
        let set = compile(objects(&entries(texts)));
        let looks = |recipient: &str| {
            set.list_authenticates(NOW, &ForwardPath::Address(recipient.parse().unwrap()))
        };
        assert!(looks("bob@corp.example") && !looks("eve@corp.example"), "{texts}");
        assert!(!set.authenticates(NOW) && !set.asks_spf(NOW));
    }
    assert!(
        !compile(objects(&entries("1:block sender.example")))
            .list_authenticates(NOW, &mail(ANN).to)
    );
}

#[test]
fn what_makes_no_sense_or_no_safety_is_refused_with_a_reason() {
    for (entry, expected) in [
        ("1:block sender.example if_authenticated", "only a permit can be limited"),
        ("1:permit corp.example if_authenticated", "it permits corp.example"),
        ("1:permit bob@open.example if_authenticated", "it permits open.example"),
        ("1:permit dkim:corp.example", "it permits what corp.example"),
        ("1:permit dkim:*.example", "one of the organisation's own domains, has signed"),
        // What was learned skips as much as a permit.
        ("1:auto corp.example", "it permits corp.example"),
        ("1:auto bob@open.example if_authenticated", "it permits open.example"),
        ("1:auto dkim:corp.example", "it permits what corp.example"),
    ] {
        let told = validate(&objects(&entries(entry)), &base());
        let told: Vec<String> = told.iter().map(ToString::to_string).collect();
        assert!(told.len() == 1 && told[0].contains(expected), "{entry}: {told:?}");
        let change = SenderChange::Put(managed(&entries(entry)));
        assert!(compile(objects("")).with_senders(2, &[change]).is_err(), "{entry}");
    }
    for entry in [
        "1:block dkim:corp.example",
        "1:permit dkim:sender.example if_authenticated",
        "1:auto sender.example if_authenticated",
        "1:disabled sender.example if_authenticated",
        "1:disabled corp.example",
    ] {
        assert!(validate(&objects(&entries(entry)), &base()).is_empty(), "{entry}");
    }
}

#[test]
fn a_domain_and_its_signatures_are_two_pairs_and_changes_keep_them_apart() {
    let both = "1:permit sender.example if_authenticated; 2:block dkim:sender.example";
    let set = compile(objects(&entries(both)));
    assert_eq!(set.managed_senders(), 2);
    let shown = |set: &PolicySet, rest: &str| {
        let (ruling, _) = mail(&format!("{ANN} author ann@sender.example {rest}")).decide(set);
        show(&ruling)
    };
    let signed = "dkim pass sender.example";
    assert_eq!(shown(&set, signed), "reject blocked.manual.header by #2");
    let remove = |sender: &str| SenderChange::Remove {
        recipient: "bob@corp.example".parse().unwrap(),
        sender: sender.parse().unwrap(),
    };
    let without = set.with_senders(2, &[remove("dkim:sender.example")]).unwrap();
    assert_eq!(
        (without.managed_senders(), shown(&without, signed)),
        (1, "proceed permitted by #1".to_owned())
    );
    assert_eq!(shown(&without, ""), "proceed");
    // A plain permit takes the place of the one for authenticated mail.
    let plain = SenderChange::Put(managed(&entries("3:permit sender.example")));
    let without = without.with_senders(3, &[plain]).unwrap();
    assert_eq!(
        (without.managed_senders(), shown(&without, "")),
        (1, "proceed permitted by #3".to_owned())
    );
    // What is compiled anew is what it was.
    let many: Vec<SenderChange> = (10..3_000)
        .map(|n| managed(&format!("#{n} block for u{n}@corp.example from x.example")))
        .map(SenderChange::Put)
        .collect();
    let merged = set.with_senders(4, &many).unwrap();
    assert_eq!(shown(&merged, signed), "reject blocked.manual.header by #2");
    let merged = merged.with_senders(5, &[remove("dkim:sender.example")]).unwrap();
    assert_eq!(
        [shown(&merged, signed), shown(&merged, "")],
        ["proceed permitted by #1", "proceed"]
    );
    let late = SenderChange::Put(managed(&entries("4:block dkim:late.example")));
    let merged = merged.with_senders(6, &[late]).unwrap();
    assert_eq!(shown(&merged, "dkim pass late.example"), "reject blocked.manual.header by #4");
}

#[test]
fn a_selection_is_told_what_authentication_says() {
    let set = compile(objects(&entries("1:permit ann@sender.example if_authenticated")));
    let seen = mail(&format!("{ANN} spf pass"));
    let chosen = |evidence: &Evidence| {
        let chosen = set.selections(Stage::Rcpt, NOW, &seen.parties(), evidence);
        let own = chosen.into_iter().find(|one| one.kind == PolicyType::ManagedSenders);
        own.unwrap().winner
    };
    let spf = finding(CheckName::Spf, Stage::Rcpt, Observed::Spf(seen.spf_facts()));
    let proof: Evidence = [spf].into_iter().collect();
    assert_eq!(chosen(&proof), Some(PolicyRef::ManagedSender { id: PolicyId(1) }));
    assert_eq!(chosen(&Evidence::new()), None);
}

#[test]
fn a_document_has_what_an_entry_matches_and_counts_for() {
    let text = "[[managed_sender]]\nsender = \"dkim:*.bulk.example\"\nrecipient = \"bob@corp.example\"\n\
                action = \"permit\"\nauthenticated_only = true\n";
    let document = Document::parse(text).unwrap();
    let entry = &document.managed_senders[0];
    assert!(
        entry.authenticated_only && entry.sender.kind() == types::lists::SenderKind::DkimDomain
    );
    let written = document.to_text().unwrap();
    assert!(written.contains("action = \"permit\"\nauthenticated_only = true\n"), "{written}");
    assert_eq!(Document::parse(&written).unwrap(), document);
    // As older versions wrote it.
    let old =
        Document::parse(&text.replace("dkim:", "").replace("authenticated_only = true\n", ""));
    let old = old.unwrap();
    assert!(!old.managed_senders[0].authenticated_only);
    assert!(!old.to_text().unwrap().contains("authenticated_only"));
}

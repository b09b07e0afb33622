//! The rules of RCPT and of the data, and the order in which they ask.

use std::time::Duration;

use types::finding::{NoPool, Unavailable};

use super::*;

const ANN: &str = "<ann@sender.example> to <bob@corp.example>";

/// What is asked for, in order.
fn asked(lines: &str, mail_line: &str) -> Vec<Need> {
    mail(mail_line).decide(&compile(objects(lines))).1
}

#[test]
fn a_domain_is_by_known_recipients_where_a_policy_can_say_so() {
    let by_known = |lines: &str| {
        let set = compile(objects(lines));
        ["corp.example", "open.example"].map(|domain| set.is_by_known(domain))
    };
    assert_eq!(by_known(""), [false, false]);
    assert_eq!(by_known("#1 known to corp.example"), [true, false]);
    assert_eq!(by_known("#1 known to *.corp.example"), [false, false]);
    assert_eq!(by_known("#1 known to *.example"), [true, true]);
    assert_eq!(by_known("#1 known to ann@open.example"), [false, true]);
    assert_eq!(by_known("#1 known to internal"), [true, true]);
    assert_eq!(by_known("#1 known to external"), [false, false]);
    assert_eq!(by_known("group Staff: bob@corp.example\n#1 known to group:Staff"), [true, false]);
    assert_eq!(by_known("#1 known observe\n#2 known off\n#3 accept_all"), [false, false]);
}

#[test]
fn evidence_is_asked_for_in_order_and_only_where_it_can_decide() {
    let directory = Need::Recipient(RecipientValidation::Directory);
    let triplet = Need::Triplet(ClientIdentity::Network);
    assert_eq!(asked("", ANN), [directory, Need::Rate, triplet]);
    assert_eq!(asked("", "<ann@sender.example> to <x@elsewhere.example>"), []);
    assert_eq!(asked("", "<ann@sender.example> to <x@open.example>"), [Need::Rate, triplet]);
    assert_eq!(asked("#1 block", ANN), [directory]);
    assert_eq!(asked("#1 permit from sender.example", ANN), [directory, Need::Rate]);
    assert_eq!(asked("#1 no_greylist", ANN), [directory, Need::Rate]);
    let call = Need::Recipient(RecipientValidation::CallForward);
    let by_address = Need::Triplet(ClientIdentity::Address);
    let lines = "#1 call_forward to corp.example\n#2 greylist_by_address";
    assert_eq!(asked(lines, ANN), [call, Need::Rate, by_address]);
    let utf8 = "<b\u{fc}ro@sender.example> to <x@open.example>";
    assert_eq!(asked("", utf8), [Need::Smtputf8, Need::Rate, triplet]);
}

/// Else a refusal's *otherwise* and every replay end at a rate nobody has set.
#[test]
fn no_rate_is_asked_for_where_none_is_limited() {
    let base = BasePolicies { limits_recipient_rate: false, ..base() };
    let set = |lines: &str| PolicySet::compile(1, objects(lines), &base).unwrap();
    let directory = Need::Recipient(RecipientValidation::Directory);
    let triplet = Need::Triplet(ClientIdentity::Network);
    assert_eq!(mail(ANN).decide(&set("")).1, [directory, triplet]);
    let (ruling, _) = mail(ANN).decide(&set("#1 block\n#2 no_greylist"));
    let Step::Decided(Verdict::Reject(decision)) = ruling.step else { panic!("{ruling:?}") };
    assert_eq!((decision.next, decision.next_lacks), (None, None), "nothing else, and known so");
    // What was found is not passed over, whatever is set now.
    let (ruling, _) = mail(ANN).observed(CheckName::Rate, exceeded()).decide(&set(""));
    assert_eq!(show(&ruling), "defer rate.limited");
}

fn exceeded() -> Observed {
    Observed::Rate { exceeded: true, per_minute_max: 60, retry_in_s: 7, of: Default::default() }
}

#[test]
fn a_pool_is_looked_up_with_what_spf_says_and_the_network_stands_in_for_it() {
    let directory = Need::Recipient(RecipientValidation::Directory);
    let (pools, pool) = ("#1 greylist_by_pool", Need::Triplet(ClientIdentity::Pool));
    assert_eq!(asked(pools, ANN), [directory, Need::Rate, Need::Spf, pool]);
    assert!(compile(objects(pools)).asks_spf(NOW) && !compile(objects(pools)).authenticates(NOW));
    // Where the table looked by the network, that answers, and no other.
    for (no_pool, answers) in [(Some(NoPool::Spf(SpfResult::TempError)), true), (None, false)] {
        let mut mail = mail(ANN);
        let facts = mail.triplet_facts(ClientIdentity::Network);
        let spf = Observed::Spf(mail.spf_facts());
        mail.evidence.add(finding(CheckName::Spf, Stage::Rcpt, spf));
        let facts = Observed::Triplet(TripletFacts { no_pool, ..facts });
        mail.evidence.add(finding(CheckName::Greylist, Stage::Rcpt, facts));
        let (_, asked) = mail.decide(&compile(objects(pools)));
        assert_eq!(!asked.contains(&pool), answers, "{asked:?}");
    }
}

#[test]
fn where_strangers_alone_are_greylisted_a_history_and_an_allow_list_speak_for_a_client() {
    use super::reputation::{said, with_lists};
    let network = ClientIdentity::Network;
    let strangers = "#1 greylist_strangers";
    let first = "defer greylist.first_seen by #1";
    assert!(asked(strangers, ANN).ends_with(&[Need::History(network), Need::Triplet(network)]));
    for (pairs, score, expected) in
        [(0, 0, first), (4, 0, first), (5, 0, "proceed"), (5, 20, "proceed"), (500, 21, first)]
    {
        let mut mail = mail(ANN).observed(CheckName::History, history(network, pairs, score));
        let (ruling, _) = mail.decide(&compile(objects(strangers)));
        assert_eq!(show(&ruling), expected, "{pairs} pairs, score {score}");
    }
    // Of a list of the good, not of a bad one; and only where a policy says so.
    for (list, policy, expected) in [
        ("9: ok.example -2", strangers, "proceed"),
        ("3: ok.example 2, other.example 1", strangers, first),
        ("9: other.example -2", strangers, first),
        ("9: ok.example -2", "#1 greylist", first),
    ] {
        let mut mail = mail(ANN);
        mail.lists = said("ok.example 127.0.5.3, other.example not");
        let set = compile(with_lists(list, &format!("{policy}\n#2 lists")));
        let (ruling, asked) = mail.decide(&set);
        assert_eq!(show(&ruling), expected, "{list}, {policy}");
        let triplet = asked.iter().any(|need| matches!(need, Need::Triplet(_)));
        assert_eq!(triplet, expected != "proceed", "{asked:?}");
    }
}

#[test]
fn a_domain_of_the_server_that_asks_is_its_business_and_greylisting_ours() {
    let askers = || Observed::Relay { internal: false, askers: true };
    let line = "<b\u{fc}ro@sender.example> to <x@elsewhere.example>";
    let mut asked = mail(line).observed(CheckName::Relay, askers());
    let (ruling, needs) = asked.decide(&compile(objects("")));
    assert_eq!(needs, [Need::Rate, Need::Triplet(ClientIdentity::Network)]);
    assert_eq!(show(&ruling), "defer greylist.first_seen by settings");
    let ours = Observed::Relay { internal: true, askers: true };
    let mut asked = mail(ANN).observed(CheckName::Relay, ours);
    let (_, needs) = asked.decide(&compile(objects("")));
    assert_eq!(needs.first(), Some(&Need::Recipient(RecipientValidation::Directory)));
}

#[test]
fn greylisting_says_how_long_to_wait() {
    for (mail_line, reason, seconds) in [
        (ANN.to_owned(), Reason::GreylistFirstSeen, 60),
        (format!("{ANN} early"), Reason::GreylistTooEarly, 40),
    ] {
        let (ruling, _) = mail(&mail_line).decide(&compile(objects("")));
        let Step::Decided(Verdict::Defer(decision)) = ruling.step else { panic!("{ruling:?}") };
        assert_eq!(decision.reason, reason);
        assert_eq!(decision.detail, Detail::RetryIn { seconds });
    }
    check("", &format!("{ANN} retry"), "proceed");
}

#[test]
fn each_answer_about_a_recipient_has_its_reason() {
    use RecipientAnswer::*;
    let words = || Quoted::new(Some(552), None, "mailbox full");
    for (observed, expected) in [
        (answered(Unknown), "reject recipient.unknown by settings"),
        (answered(SenderRefused(words())), "reject sender.refused_by_next_hop by settings"),
        (answered(Refused(words())), "reject next_hop.rejected by settings"),
        (answered(Deferred(words())), "defer next_hop.deferred by settings"),
        (
            Observed::Inconclusive(Inconclusive::TimedOut),
            "defer recipient.unverifiable by settings",
        ),
    ] {
        let mut mail = mail(ANN);
        mail.recipient = observed;
        let (ruling, _) = mail.decide(&compile(objects("")));
        assert_eq!(show(&ruling), expected);
        if let Step::Decided(verdict) = &ruling.step
            && let Some(Detail::Quoted(quoted)) = verdict.decision().map(|d| &d.detail)
        {
            assert_eq!(quoted.text(), "mailbox full");
        }
    }
}

#[test]
fn addresses_beyond_ascii_need_a_next_hop_that_takes_them() {
    let utf8 = "<b\u{fc}ro@sender.example> to <bob@corp.example> retry";
    check("", utf8, "proceed");
    check("", &format!("{utf8} ascii_only"), "reject recipient.needs_smtputf8");
    check("", &format!("{ANN} ascii_only retry"), "proceed");
    let mut mail = mail(utf8);
    mail.utf8 = None;
    assert_eq!(show(&mail.decide(&compile(objects(""))).0), "proceed");
}

#[test]
fn what_cannot_be_asked_about_rate_and_triplet_lets_the_mail_pass() {
    let unknown = || Observed::Inconclusive(Inconclusive::Unreachable);
    let mut mail = mail(ANN).observed(CheckName::Rate, unknown());
    mail = mail.observed(CheckName::Greylist, unknown());
    assert_eq!(show(&mail.decide(&compile(objects(""))).0), "proceed");
}

#[test]
fn nothing_is_refused_for_good_while_something_of_ours_is_missing() {
    for (what, expected) in [
        (Unavailable::Store, "defer system.unavailable"),
        (Unavailable::Engine, "defer system.unavailable"),
        (Unavailable::Memory, "defer system.unavailable"),
        (Unavailable::Disk, "defer system.storage_full"),
        (Unavailable::Stopping, "defer system.stopping"),
    ] {
        for stage in
            [Stage::Connect, Stage::Helo, Stage::Mail, Stage::Rcpt, Stage::Data, Stage::Content]
        {
            let mut mail = mail("<ann@sender.example> to <x@elsewhere.example>");
            mail.stage = stage;
            let mut mail = mail.observed(CheckName::System, Observed::Unavailable(what));
            let shown = show(&mail.decide(&compile(objects("#1 block"))).0);
            assert!(shown.starts_with(expected), "{stage:?}: {shown}");
        }
    }
    // A triplet table that came back since speaks for itself.
    let mut mail =
        mail(ANN).observed(CheckName::Greylist, Observed::Unavailable(Unavailable::Store));
    let facts = mail.triplet_facts(ClientIdentity::Network);
    mail = mail.observed(CheckName::Greylist, Observed::Triplet(facts));
    assert_eq!(
        show(&mail.decide(&compile(objects(""))).0),
        "defer greylist.first_seen by settings"
    );
}

#[test]
fn size_is_declared_and_measured() {
    let size = |declared, received| Observed::Size { declared, received };
    let lines = "#1 10 to bob@corp.example";
    let decide = |mail_line: &str, observed| {
        let mut mail = mail(mail_line).observed(CheckName::Size, observed);
        show(&mail.decide(&compile(objects(lines))).0)
    };
    assert_eq!(decide(ANN, size(Some(11), None)), "reject size.exceeded by #1");
    assert_eq!(decide(&format!("{ANN} retry"), size(Some(10), None)), "proceed");
    let other = "<ann@sender.example> to <eve@corp.example>";
    assert_eq!(decide(other, size(Some(1_001), None)), "reject size.exceeded by settings");
    let data = format!("{ANN} author ann@sender.example");
    assert_eq!(decide(&data, size(Some(5), Some(11))), "reject size.exceeded by #1");
    assert_eq!(decide(&data, size(Some(5), Some(10))), "proceed");
}

#[test]
fn the_data_must_be_well_formed_and_not_in_a_circle() {
    let data = || mail(&format!("{ANN} author ann@sender.example"));
    let show_with =
        |check, observed| show(&data().observed(check, observed).decide(&compile(objects(""))).0);
    let hops = |received_fields| Observed::Hops { received_fields, max: 25 };
    assert_eq!(show_with(CheckName::Hops, hops(25)), "proceed");
    assert_eq!(show_with(CheckName::Hops, hops(26)), "reject loop");
    assert_eq!(
        show_with(CheckName::DataFormat, Observed::BareLineEnd),
        "reject protocol.smuggling"
    );
    let long = Observed::LineTooLong { max: 5 };
    assert_eq!(show_with(CheckName::DataFormat, long), "reject protocol.line_too_long");
    let mut both = data()
        .observed(CheckName::DataFormat, Observed::BareLineEnd)
        .observed(CheckName::Hops, hops(99));
    let shown = show(&both.decide(&compile(objects(""))).0);
    assert_eq!(shown, "reject protocol.smuggling next loop");
}

#[test]
fn relay_control_believes_its_finding_and_else_the_settings() {
    let relay = |internal| Observed::Relay { internal, askers: false };
    let mut ours = mail("<ann@sender.example> to <x@elsewhere.example> retry")
        .observed(CheckName::Relay, relay(true));
    assert_eq!(show(&ours.decide(&compile(objects(""))).0), "proceed");
    let mut not_ours = mail(ANN).observed(CheckName::Relay, relay(false));
    assert_eq!(show(&not_ours.decide(&compile(objects(""))).0), "reject relay.denied");
    check(
        "#1 permit override",
        "<ann@sender.example> to <x@sub.corp.example>",
        "reject relay.denied",
    );
}

#[test]
fn expected_mail_of_a_proven_sender_does_not_have_to_come_back() {
    let lines = "#9 expect to bob@corp.example";
    check(lines, &format!("{ANN} spf pass"), "proceed");
    // Without a proof it is greylisted as if nobody expected it.
    for result in ["none", "neutral", "softfail", "fail", "temperror", "permerror"] {
        let greylisted = "defer greylist.first_seen by settings";
        check(lines, &format!("{ANN} spf {result}"), greylisted);
        check(lines, &format!("{ANN} spf {result} retry"), "proceed");
    }
    let other = "<ann@sender.example> to <eve@corp.example> spf pass";
    check(lines, other, "defer greylist.first_seen by settings");
    // An expectation never makes greylisting stricter, and skips nothing else.
    check("#3 no_greylist\n#9 expect", &format!("{ANN} spf fail"), "proceed");
    check(
        "#3 block\n#9 expect",
        &format!("{ANN} spf pass"),
        "reject blocked.policy.envelope by #3",
    );
    check(lines, &format!("{ANN} spf pass unknown"), "reject recipient.unknown by settings");
    let exception = "#9 expect\n#10 no_expect from sender.example";
    check(exception, &format!("{ANN} spf pass"), "defer greylist.first_seen by settings");
}

#[test]
fn spf_is_asked_for_expected_mail_alone_and_the_record_says_who_expected_it() {
    let expects = |line: &str| {
        let mut proven = mail(line);
        let (ruling, asked) = proven.decide(&compile(objects("#9 expect to bob@corp.example")));
        let consulted =
            ruling.consulted.into_iter().find(|one| one.kind == PolicyType::ExpectedMail);
        (consulted, asked)
    };
    let (consulted, asked) = expects(&format!("{ANN} spf pass"));
    let nine = PolicyRef::Policy { id: PolicyId(9), version: 1 };
    assert_eq!(consulted.unwrap().winner, Some(nine));
    assert!(
        asked.contains(&Need::Spf) && !asked.iter().any(|need| matches!(need, Need::Triplet(_)))
    );
    let (consulted, asked) = expects(&format!("{ANN} spf fail"));
    let lost = vec![(nine, Loss::NotAuthenticated)];
    assert_eq!(consulted.map(|one| (one.winner, one.losers)), Some((None, lost)));
    assert!(asked.iter().any(|need| matches!(need, Need::Triplet(_))));
    let (consulted, asked) = expects("<ann@sender.example> to <eve@corp.example> spf pass");
    assert!(consulted.is_none() && !asked.contains(&Need::Spf), "{asked:?}");
    let set = compile(objects("#9 expect"));
    assert!(set.asks_spf(NOW) && !set.authenticates(NOW));
    assert!(!compile(objects("#9 greylist")).asks_spf(NOW));
}

#[test]
fn spf_is_asked_while_a_policy_that_wants_it_is_valid() {
    let (before, after) = (NOW.before(Duration::from_millis(1)), NOW + Duration::from_millis(1));
    for kind in ["expect", "guard from internal"] {
        let asks = |line: &str| {
            let set = compile(objects(&format!("#9 {kind} {line}")));
            [before, NOW, after].map(|at| set.asks_spf(at))
        };
        assert_eq!(asks(""), [true, true, true]);
        assert_eq!(asks(&format!("until {NOW}")), [true, false, false], "it is over");
        assert_eq!(asks(&format!("since {NOW}")), [false, true, true], "it is not yet");
        assert_eq!(asks(&format!("since {before} until {NOW}")), [true, false, false]);
    }
    // One that is over takes nothing from another.
    let set =
        compile(objects(&format!("#9 expect until {NOW}\n#10 guard from internal since {NOW}")));
    assert!([before, NOW, after].iter().all(|at| set.asks_spf(*at)));
    assert_eq!([before, NOW].map(|at| set.authenticates(at)), [false, true]);
}

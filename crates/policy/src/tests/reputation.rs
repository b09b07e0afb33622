//! What lists weigh.

use types::definition::{ListUse, LocalReputation, PermittedList, ReputationDefinition};
use types::{PutOff, ReputationFacts};

use super::*;

/// Objects with a definition named Lists, written
/// `3: bl.example 2, bl.example 5 127.0.0.4/30, ok.example -4, names.example helo 1`.
pub(super) fn with_lists(definition: &str, lines: &str) -> PolicyObjects {
    let mut objects = objects(lines);
    let (threshold, uses) = definition.split_once(": ").unwrap();
    let used = |text: &str| {
        let mut used = ListUse {
            list: text.split(' ').next().unwrap().parse().unwrap(),
            of: ListSubject::Ip,
            weight: 1,
            answers: Vec::new(),
        };
        for word in text.split(' ').skip(1) {
            match word {
                "helo" => used.of = ListSubject::Helo,
                "sender" => used.of = ListSubject::SenderDomain,
                "host" => used.of = ListSubject::HostName,
                number if !number.contains('.') => used.weight = number.parse().unwrap(),
                range => used.answers.push(range.parse().unwrap()),
            }
        }
        used
    };
    let set = ReputationDefinition {
        reject_weight: threshold.parse().unwrap(),
        lists: uses.split(", ").map(used).collect(),
        ..ReputationDefinition::default()
    };
    objects.definitions.push(Definition {
        name: "Lists".to_owned(),
        narrative: String::new(),
        set: DefinitionSet::Reputation(set),
    });
    objects
}

/// Answers written `bl.example 127.0.0.2, names.example helo fails`.
pub(super) fn said(answers: &str) -> Vec<ListFacts> {
    let one = |text: &str| {
        let mut words = text.split(' ');
        let mut facts = ListFacts {
            list: words.next().unwrap().parse().unwrap(),
            of: ListSubject::Ip,
            subject: "192.0.2.1".to_owned(),
            answer: ListAnswer::NotListed,
            read_ago_s: None,
            took: Micros(1),
        };
        for word in words {
            match word {
                "helo" => facts.of = ListSubject::Helo,
                "host" => facts.of = ListSubject::HostName,
                "fails" => facts.answer = ListAnswer::Failed(ListFailure::TimedOut),
                "not" => facts.answer = ListAnswer::NotListed,
                answer => {
                    facts.answer = ListAnswer::listed(vec![answer.parse().unwrap()], Some("why"));
                }
            }
        }
        facts
    };
    answers.split(", ").map(one).collect()
}

const ANN: &str = "<ann@sender.example> to <bob@corp.example> retry";

fn decided(definition: &str, lines: &str, mail_line: &str, answers: &str) -> (Ruling, Vec<Need>) {
    let mut mail = mail(mail_line);
    mail.lists = said(answers);
    mail.decide(&compile(with_lists(definition, lines)))
}

#[track_caller]
fn check_lists(definition: &str, answers: &str, expected: &str) {
    let (ruling, _) = decided(definition, "#1 lists", ANN, answers);
    assert_eq!(show(&ruling), expected, "{definition}; {answers}");
}

#[test]
fn weights_of_the_answers_that_count_are_added_up() {
    let listed = "reject rbl.listed by #1";
    check_lists("1: bl.example", "bl.example 127.0.0.2", listed);
    check_lists("1: bl.example", "bl.example not", "proceed");
    check_lists("1: bl.example", "bl.example fails", "proceed");
    let two = "2: bl.example, other.example";
    check_lists(two, "bl.example 127.0.0.2, other.example not", "proceed");
    check_lists(two, "bl.example 127.0.0.2, other.example fails", "proceed");
    check_lists(two, "bl.example 127.0.0.2, other.example 127.0.0.9", listed);
    let ranges = "3: bl.example 1 127.0.0.2, bl.example 3 127.0.0.4/30";
    check_lists(ranges, "bl.example 127.0.0.2", "proceed");
    check_lists(ranges, "bl.example 127.0.0.6", listed);
    check_lists(ranges, "bl.example 127.0.0.10", "proceed");
    let allowed = "3: bl.example 4, ok.example -2";
    check_lists(allowed, "bl.example 127.0.0.2, ok.example not", listed);
    check_lists(allowed, "bl.example 127.0.0.2, ok.example 127.0.5.1", "proceed");
    check_lists(allowed, "bl.example 127.0.0.2, ok.example fails", listed);
}

#[test]
fn the_same_list_of_addresses_and_of_names_is_two_questions() {
    let definition = "1: bl.example helo";
    let (ruling, _) =
        decided(definition, "#1 lists", ANN, "bl.example 127.0.0.2, bl.example helo not");
    assert_eq!(show(&ruling), "proceed");
    check_lists(definition, "bl.example not, bl.example helo 127.0.0.2", "reject rbl.listed by #1");
}

#[test]
fn the_reply_names_the_heaviest_list_and_quotes_it() {
    let definition = "1: ok.example -1, a.example 1, b.example 3, c.example 3";
    let answers =
        "ok.example 127.0.0.2, a.example 127.0.0.2, b.example 127.0.0.3, c.example 127.0.0.3";
    let (ruling, _) = decided(definition, "#1 lists", ANN, answers);
    let Step::Decided(Verdict::Reject(decision)) = ruling.step else { panic!("refused") };
    let Detail::Quoted(quoted) = decision.detail else { panic!("with a quotation") };
    assert_eq!(quoted.text(), "b.example, why");
}

/// What a permit skips, of all that could refuse.
#[test]
fn permits_skip_lists_and_exceptions_do_too() {
    let bad = "bl.example 127.0.0.2";
    let check = |lines: &str, mail: &str, expected: &str, asks: bool| {
        let (ruling, needs) = decided("1: bl.example", lines, mail, bad);
        assert_eq!(show(&ruling), expected, "{lines}");
        assert_eq!(needs.contains(&Need::Lists), asks, "{lines}");
    };
    let permit = "#1 lists\n#2 permit from sender.example";
    check(permit, ANN, "proceed permitted by #2", false);
    let managed = "#1 lists\n#2 permit for bob@corp.example from ann@sender.example";
    check(managed, ANN, "proceed permitted by #2", false);
    let learned = "#1 lists\n#2 auto for bob@corp.example from ann@sender.example";
    check(learned, ANN, "proceed learned by #2", false);
    check("#1 lists\n#2 no_lists from sender.example", ANN, "proceed", false);
    check("#1 lists observe", ANN, "proceed", false);
    let block = "#1 lists\n#2 block from sender.example";
    check(block, ANN, "reject blocked.policy.envelope by #2", false);
    check("#1 lists", &format!("{ANN} unknown"), "reject recipient.unknown by settings", false);
}

#[test]
fn lists_come_before_rate_and_greylisting_and_the_next_is_known() {
    let first = ANN.strip_suffix(" retry").unwrap();
    let mut mail = mail(&format!("{first} fast"));
    mail.lists = said("bl.example 127.0.0.2");
    let set = compile(with_lists("1: bl.example", "#1 lists"));
    let (ruling, asked) = mail.decide(&set);
    assert_eq!(show(&ruling), "reject rbl.listed by #1");
    assert!(!asked.contains(&Need::Rate), "{asked:?}");
}

#[test]
fn a_question_without_an_answer_is_asked_and_not_taken_for_a_no() {
    let set = compile(with_lists("1: bl.example, new.example", "#1 lists"));
    let lists = Observed::Lists(said("bl.example not"));
    let mail = mail(ANN).observed(CheckName::Rbl, lists);
    let recipient = finding(CheckName::Recipient, Stage::Rcpt, answered(RecipientAnswer::Known));
    let mut evidence = mail.evidence.clone();
    evidence.add(recipient);
    let ruling = set.decide(Stage::Rcpt, NOW, &mail.parties(), &evidence);
    assert_eq!(ruling.step, Step::Ask(Need::Lists));
}

#[test]
fn a_set_knows_which_lists_it_asks_and_that_names_are_needed() {
    let set =
        compile(with_lists("1: bl.example, bl.example 2 127.0.0.4, a.example helo", "#1 lists"));
    let asked: Vec<String> =
        set.lists().iter().map(|one| format!("{} {}", one.list, one.of.slug())).collect();
    assert_eq!(asked, ["a.example helo", "bl.example ip"]);
    assert!(!set.names_hosts());
    assert!(compile(with_lists("1: bl.example host", "#1 lists")).names_hosts());
    assert!(compile(with_lists("1: bl.example", "#1 lists off")).lists().is_empty());
}

/// Mail of a client with this score, put off so long ago with that one.
fn reputed(score: u8, put_off: Option<(i64, u8)>) -> Mail {
    let at = |seconds: i64| Timestamp::from_millis(NOW.as_millis() - seconds * 1_000);
    let put_off = put_off.map(|(ago_s, score)| PutOff { at: at(ago_s), score });
    let facts = ReputationFacts { score, own: score, counted: Vec::new(), put_off };
    let mut mail = mail(ANN).observed(CheckName::Reputation, Observed::Reputation(facts));
    mail.lists = said("bl.example not");
    mail
}

#[test]
fn a_poor_score_defers_until_it_is_back_unchanged_and_a_bad_one_refuses() {
    let put_off = "defer reputation.temporary by settings";
    let refused = "reject reputation.rejected by settings";
    for (score, before, expected) in [
        (49, None, "proceed"),
        (50, None, put_off),
        (84, None, put_off),
        (60, Some((59, 60)), put_off),
        (60, Some((60, 60)), "proceed"),
        (60, Some((86_400, 60)), "proceed"),
        (59, Some((60, 60)), "proceed"),
        (65, Some((60, 60)), "proceed"),
        (66, Some((60, 60)), put_off),
        (85, None, refused),
        (85, Some((60, 90)), refused),
    ] {
        let (ruling, _) = reputed(score, before).decide(&compile(objects("")));
        assert_eq!(show(&ruling), expected, "{score} {before:?}");
    }
}

#[test]
fn a_policy_has_scores_of_its_own_and_an_exception_has_none() {
    let local = |defer_score, reject_score| {
        let mut objects = with_lists("1: bl.example", "#1 lists");
        let DefinitionSet::Reputation(set) = &mut objects.definitions[0].set else {
            panic!("of reputation")
        };
        set.local = Some(LocalReputation { defer_score, reject_score });
        objects
    };
    let decided = |score, objects| show(&reputed(score, None).decide(&compile(objects)).0);
    assert_eq!(decided(20, local(20, 30)), "defer reputation.temporary by #1");
    let (ruling, _) = reputed(20, None).decide(&compile(local(20, 30)));
    let Step::Decided(verdict) = ruling.step else { panic!("decided") };
    let detail = verdict.decision().map(|decision| decision.detail.clone());
    assert_eq!(detail, Some(Detail::Scores { defer: 20, reject: 30 }), "what it went by is kept");
    assert_eq!(decided(30, local(20, 30)), "reject reputation.rejected by #1");
    assert_eq!(decided(100, local(20, 0)), "defer reputation.temporary by #1");
    assert_eq!(decided(100, local(0, 0)), "proceed");
    let silent = with_lists("1: bl.example", "#1 lists");
    assert_eq!(decided(60, silent), "defer reputation.temporary by settings");
    let exception = "#1 no_lists from sender.example";
    assert_eq!(decided(100, with_lists("1: bl.example", exception)), "proceed");
}

#[test]
fn neighbours_alone_delay_and_never_refuse() {
    let facts = ReputationFacts { score: 95, own: 40, ..ReputationFacts::default() };
    let mut mail = mail(ANN).observed(CheckName::Reputation, Observed::Reputation(facts));
    let (ruling, _) = mail.decide(&compile(objects("")));
    assert_eq!(show(&ruling), "defer reputation.temporary by settings");
}

/// A base whose settings permit these lists, written
/// `good.example, partners.example host, zone.example 127.0.0.0/16`.
pub(super) fn permitting(lists: &str) -> BasePolicies {
    let one = |text: &str| {
        let mut words = text.split(' ');
        let list = words.next().unwrap().parse().unwrap();
        let mut permitted = PermittedList {
            question: ListQuestion { list, of: ListSubject::Ip },
            answers: Vec::new(),
        };
        for word in words {
            match word {
                "host" => permitted.question.of = ListSubject::HostName,
                range => permitted.answers.push(range.parse().unwrap()),
            }
        }
        permitted
    };
    BasePolicies { permitted_lists: lists.split(", ").map(one).collect(), ..base() }
}

/// The same objects with the switch off.
fn ignoring(mut objects: PolicyObjects) -> PolicyObjects {
    for definition in &mut objects.definitions {
        if let DefinitionSet::Reputation(set) = &mut definition.set {
            set.global_permitted_list = false;
        }
    }
    objects
}

fn spared(ruling: &Ruling) -> Option<String> {
    let consulted = ruling.consulted.iter();
    consulted.filter_map(|one| one.permitted_list.as_ref()).map(ToString::to_string).next()
}

/// What a permitted list spares its clients, and what it does not.
#[test]
fn a_global_permitted_list_spares_weights_and_scores_and_nothing_else() {
    const LISTED: &str = "reject rbl.listed by #1";
    let bad = "bl.example 127.0.0.2";
    let of_good = "good.example";
    let ranged = "good.example 127.0.0.0/16";
    for (permitted, answers, mail_line, expected, why) in [
        (of_good, "good.example 127.0.0.2", ANN, "proceed", Some("good.example")),
        (of_good, "good.example not", ANN, LISTED, None),
        (of_good, "good.example fails", ANN, LISTED, None),
        (ranged, "good.example 127.0.3.1", ANN, "proceed", Some("good.example")),
        (ranged, "good.example 127.1.0.255", ANN, LISTED, None),
        // Of the client's names only the confirmed one counts.
        ("good.example host", "good.example host 127.0.0.2", ANN, "proceed", Some("good.example")),
        (
            "other.example, good.example",
            "other.example fails, good.example 127.0.0.2",
            ANN,
            "proceed",
            Some("good.example"),
        ),
    ] {
        let mut mail = mail(mail_line);
        mail.lists = said(&format!("{bad}, {answers}"));
        let objects = with_lists("1: bl.example", "#1 lists");
        let set = PolicySet::compile(7, objects.clone(), &permitting(permitted)).unwrap();
        let (ruling, _) = mail.decide(&set);
        assert_eq!(show(&ruling), expected, "{permitted}; {answers}");
        assert_eq!(spared(&ruling).as_deref(), why, "{permitted}; {answers}");
        let off = PolicySet::compile(7, ignoring(objects), &permitting(permitted)).unwrap();
        let mut again = self::mail(mail_line);
        again.lists = said(&format!("{bad}, {answers}"));
        let (ruling, _) = again.decide(&off);
        assert_eq!((show(&ruling).as_str(), spared(&ruling)), (LISTED, None), "off: {answers}");
    }
    // The rest of the checks stands.
    for (lines, how, expected) in [
        ("#1 lists\n#2 block from sender.example", "retry", "reject blocked.policy.envelope by #2"),
        ("#1 lists", "unknown", "reject recipient.unknown by settings"),
        ("#1 lists\n#2 greylist", "", "defer greylist.first_seen by #2"),
    ] {
        let mut mail = mail(&format!("<ann@sender.example> to <bob@corp.example> {how}"));
        mail.lists = said("bl.example 127.0.0.2, good.example 127.0.0.2");
        let objects = with_lists("1: bl.example", lines);
        let set = PolicySet::compile(7, objects, &permitting(of_good)).unwrap();
        assert_eq!(show(&mail.decide(&set).0), expected, "{lines}");
    }
}

#[test]
fn scores_are_spared_by_a_definition_and_by_the_settings_alone() {
    let decided = |score, answer: &str, objects: PolicyObjects| {
        let mut mail = reputed(score, None);
        mail.lists = said(&format!("bl.example not, good.example {answer}"));
        let set = PolicySet::compile(7, objects, &permitting("good.example")).unwrap();
        let (ruling, _) = mail.decide(&set);
        (show(&ruling), spared(&ruling))
    };
    let good = Some("good.example".to_owned());
    let defined = || with_lists("1: bl.example", "#1 lists");
    for (score, refusal) in [
        (60, "defer reputation.temporary by settings"),
        (90, "reject reputation.rejected by settings"),
    ] {
        for objects in [objects(""), defined()] {
            let spared = ("proceed".to_owned(), good.clone());
            assert_eq!(decided(score, "127.0.0.2", objects.clone()), spared, "{score}");
            assert_eq!(decided(score, "not", objects.clone()), (refusal.to_owned(), None));
            assert_eq!(decided(score, "fails", objects), (refusal.to_owned(), None));
        }
        assert_eq!(decided(score, "127.0.0.2", ignoring(defined())), (refusal.to_owned(), None));
    }
    // Where nothing would have followed, nobody was spared.
    assert_eq!(decided(10, "127.0.0.2", objects("")), ("proceed".to_owned(), None));
}

#[test]
fn permitted_lists_are_asked_where_they_can_spare_somebody() {
    let asked = |objects: PolicyObjects, base: &BasePolicies| -> Vec<String> {
        let set = PolicySet::compile(7, objects, base).unwrap();
        set.lists().iter().map(|one| format!("{} {}", one.list, one.of.slug())).collect()
    };
    let base = permitting("good.example, names.example host");
    let all = ["good.example ip", "names.example host_name"];
    assert_eq!(asked(objects(""), &base), all);
    let scoreless = BasePolicies { reputation: LocalReputation::OFF, ..base };
    assert!(asked(objects(""), &scoreless).is_empty());
    let lists = || with_lists("1: bl.example", "#1 lists");
    assert_eq!(asked(lists(), &scoreless), ["bl.example ip", all[0], all[1]]);
    assert_eq!(asked(ignoring(lists()), &scoreless), ["bl.example ip"]);
}

#[test]
fn a_list_that_is_permitted_and_weighed_is_known() {
    let set = |definition: &str, switch: bool| {
        let objects = with_lists(definition, "#1 lists");
        let objects = if switch { objects } else { ignoring(objects) };
        let set = PolicySet::compile(7, objects, &permitting("good.example")).unwrap();
        set.weighed_though_permitted().iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(set("1: bl.example, good.example 1", true), ["good.example"]);
    assert!(set("1: bl.example, good.example -1", true).is_empty());
    assert!(set("1: bl.example, good.example 1", false).is_empty());
    assert!(set("1: bl.example", true).is_empty());
}

#[test]
fn other_answers_of_a_permitted_list_may_be_weighed() {
    let range = |text: &str| text.parse().unwrap();
    let question = ListQuestion { list: "both.example".parse().unwrap(), of: ListSubject::Ip };
    let good = PermittedList { question, answers: vec![range("127.0.2.0/23")] };
    let weighs = |of: &str, answers: &str| {
        let text = format!(
            "lists = [{{ list = \"both.example\", of = \"{of}\", answers = [{answers}] }}]"
        );
        let definition: ReputationDefinition = toml::from_str(&text).unwrap();
        !crate::weighed_though_permitted(&definition, std::slice::from_ref(&good)).is_empty()
    };
    assert!(weighs("ip", "") && weighs("ip", "\"127.0.3.1\""));
    assert!(!weighs("ip", "\"127.0.9.0/24\"") && !weighs("helo", ""));
}

#[test]
fn the_switch_is_on_where_nothing_is_said_and_only_off_is_written() {
    let read = |text: &str| toml::from_str::<ReputationDefinition>(text).unwrap();
    let silent = read("reject_weight = 1");
    assert!(silent.global_permitted_list);
    assert!(!toml::to_string(&silent).unwrap().contains("permitted"));
    let off = read("global_permitted_list = false");
    assert!(toml::to_string(&off).unwrap().contains("global_permitted_list = false"));
}

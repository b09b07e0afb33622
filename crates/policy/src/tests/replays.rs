//! Stored attempts under another policy set.

use types::event::{Record, Subject};
use types::outcome::{Attempt, Ending};

use super::*;
use crate::replay::*;

/// The attempt event of a mail, as `receive` stores it.
fn event(lines: &str, mail_line: &str) -> Event {
    let mut mail = mail(mail_line);
    let set = compile(objects(lines));
    if mail.stage == Stage::Data {
        mail.stage = Stage::Rcpt;
        mail.decide(&set);
        mail.stage = Stage::Data;
        let author = Observed::HeaderFrom { addresses: mail.header.clone() };
        mail = mail.observed(CheckName::HeaderFrom, author);
    }
    let (ruling, _) = mail.decide(&set);
    let Step::Decided(verdict) = ruling.step else { panic!("{ruling:?}") };
    let outcome = match verdict {
        Verdict::Proceed => {
            Outcome::Accepted { queue: QueueId::from_bytes([0; 16]), reason: Reason::Accepted }
        }
        Verdict::Defer(decision) => Outcome::Deferred(decision),
        Verdict::Reject(decision) => Outcome::Rejected(decision),
        Verdict::Hold(decision) => Outcome::Held { queue: QueueId::from_bytes([0; 16]), decision },
    };
    event_of(mail, outcome)
}

/// What lists and places said is in the record, so that other weights and
/// other countries are decided exactly; another list was not asked.
#[test]
fn lists_and_places_are_replayed_from_the_record() {
    use super::geography::with_places;
    use super::reputation::{said, with_lists};
    let set = |lists: &str, places: &str| {
        let mut objects = with_lists(lists, "#1 lists\n#2 places");
        objects.definitions.extend(with_places(places, "").definitions);
        compile(objects)
    };
    let mut mail = mail("<ann@sender.example> to <bob@corp.example> retry");
    mail.lists = said("bl.example 127.0.0.2");
    mail.place = Observed::Place(PlaceFacts { country: "XA".parse().ok(), network: Some(64_500) });
    let (ruling, _) = mail.decide(&set("2: bl.example 2", "block XB"));
    let Step::Decided(Verdict::Reject(decision)) = ruling.step else { panic!("{ruling:?}") };
    let event = event_of(mail, Outcome::Rejected(decision));
    for (lists, places, end) in [
        ("2: bl.example 2", "block XB", "rbl.listed by #1"),
        ("3: bl.example 3 127.0.0.2", "block XB", "rbl.listed by #1"),
        ("3: bl.example 3 127.0.0.9", "block XB", "unknown: Rate"),
        ("1: new.example", "block XB", "unknown: Lists"),
        ("2: bl.example 2", "block XA", "geo.blocked by #2"),
        ("2: bl.example 2", "permit XB 64501", "geo.blocked by #2"),
    ] {
        let found = show_end(&settled(&set(lists, places), &event));
        assert_eq!(found, end, "{lists}; {places}");
    }
}

/// What a permitted list said is in the record, so that it spares the client
/// under other settings too; one that was not asked then is not known.
#[test]
fn permitted_lists_are_replayed_from_the_record() {
    use super::reputation::{permitting, said, with_lists};
    let objects = || with_lists("1: bl.example", "#1 lists");
    let set = |base: &BasePolicies| PolicySet::compile(7, objects(), base).unwrap();
    for (answers, permitted, end) in [
        ("bl.example 127.0.0.2, good.example 127.0.0.2", "good.example", "unknown: Rate"),
        ("bl.example 127.0.0.2, good.example not", "good.example", "rbl.listed by #1"),
        ("bl.example 127.0.0.2", "good.example", "unknown: Lists"),
    ] {
        let mut mail = mail("<ann@sender.example> to <bob@corp.example> retry");
        mail.lists = said(answers);
        let (ruling, _) = mail.decide(&set(&base()));
        let Step::Decided(Verdict::Reject(decision)) = ruling.step else { panic!("{ruling:?}") };
        let event = event_of(mail, Outcome::Rejected(decision));
        assert_eq!(show_end(&settled(&set(&permitting(permitted)), &event)), end, "{answers}");
    }
}

/// What a client showed is in the record, so that a policy made today is
/// decided exactly; of those that were not asked then, nobody knows.
#[test]
fn certificates_are_replayed_from_the_record() {
    let verified = compile(objects("#1 verified from bank.example"));
    let nothing = compile(objects(""));
    let line = "<ann@bank.example> to <bob@corp.example> retry tls TLSv1.3";
    for (how, asked, end) in [
        ("shows sender", true, "accepted"),
        ("shows stranger", true, "tls.unverified by #1"),
        ("shows expired", true, "tls.unverified by #1"),
        ("shows host host mx.bank.example", true, "accepted"),
        ("shows host host mx.other.example", true, "tls.unverified by #1"),
        // The DNS failed then; that nobody waited for it says nothing.
        ("shows unanswered", true, "system.unavailable by #1"),
        ("shows unsought", true, "unknown: Certificate"),
        ("shows sender", false, "unknown: Certificate"),
    ] {
        let mut mail = mail(&format!("{line} {how}"));
        if asked {
            let shown = Observed::ClientCertificate(mail.certificate.clone());
            mail.evidence.add(finding(CheckName::Certificate, Stage::Mail, shown));
        }
        let (_, lacked) = mail.decide(&nothing);
        assert!(!lacked.contains(&Need::Certificate));
        let taken =
            Outcome::Accepted { queue: QueueId::from_bytes([0; 16]), reason: Reason::Accepted };
        assert_eq!(show_end(&settled(&verified, &event_of(mail, taken))), end, "{how}");
    }
}

fn event_of(mail: Mail, outcome: Outcome) -> Event {
    let client = Client {
        ip: mail.ip,
        port: 25,
        listener: Arc::from("127.0.0.1:25"),
        direction: Direction::Inbound,
    };
    let host_name = mail.host.as_deref().map(Into::into);
    let client = ClientFacts { client, host_name, helo: None, esmtp: true, tls: mail.tls };
    let subject = Subject {
        client: Arc::new(client),
        reverse_path: Some(Arc::new(mail.from)),
        recipient: Some(mail.to),
        declared_size: None,
        message: None,
    };
    let stage = Some(mail.stage);
    let ending = Ending {
        at: Timestamp::from_millis(NOW.as_millis() + 90_000),
        node: NodeName(Arc::from("mx")),
        session: SessionId::from_bytes([2; 16]),
        life_line: LifeLineId::from_bytes([1; 16]),
        subject,
        record: Record { stage, evidence: mail.evidence, policy_version: 1, ..Record::default() },
    };
    Attempt::open(EventId::from_bytes([3; 16]), NOW).finish(outcome, ending)
}

/// `greylist.first_seen by #1`, `accepted`, `unknown: the content`.
fn show_end(end: &End) -> String {
    let mut text = match (end.lacks, end.reason) {
        (Some(Lack::Content), _) => "unknown: the content".to_owned(),
        (Some(Lack::Evidence(need)), _) => format!("unknown: {need:?}"),
        (None, Some(reason)) => reason.to_string(),
        (None, None) => end.kind.slug().to_owned(),
    };
    if let Some(policy) = end.policy {
        text += &format!(" by {}", show_reference(&policy));
    }
    text
}

/// Settles one event as a replay does that begins with it.
fn settled(set: &PolicySet, event: &Event) -> End {
    let keys = TripletKeys::new(7);
    let mut table = Triplets::new(GreylistTimes::default(), 10);
    settle(&keys, &mut table, set, event)
}

fn settle(keys: &TripletKeys, table: &mut Triplets, set: &PolicySet, event: &Event) -> End {
    let forecast = forecast(set, event).unwrap();
    let wanted = forecast.greylist.and_then(|greylist| keys.of(event, greylist.identity));
    let recorded = recorded_triplet(event)
        .and_then(|facts| Some((keys.of(event, facts.identity)?, facts.state)));
    table.settle(&forecast, wanted, recorded, event.started).end
}

/// Decides under `then`, replays under `now`; `same` where that is no
/// difference.
#[track_caller]
fn check_replay(then: &str, mail_line: &str, now: &str, expected: &str) {
    let event = event(then, mail_line);
    let end = settled(&compile(objects(now)), &event);
    let shown = match end.is_same(&End::recorded(event.outcome().unwrap())) {
        true => "same".to_owned(),
        false => show_end(&end),
    };
    assert_eq!(shown, expected, "{then} -> {now}");
}

const ANN: &str = "<ann@sender.example> to <bob@corp.example>";

#[test]
fn the_same_policies_decide_the_same() {
    let set = "#1 block from eve@sender.example\n#2 permit from permitted.example";
    for mail_line in [
        ANN.to_owned(),
        format!("{ANN} retry"),
        format!("{ANN} early"),
        format!("{ANN} unknown"),
        format!("{ANN} retry author eve@sender.example"),
        "<eve@sender.example> to <bob@corp.example>".to_owned(),
        "<x@permitted.example> to <bob@corp.example>".to_owned(),
    ] {
        check_replay(set, &mail_line, set, "same");
    }
}

#[test]
fn a_change_shows_what_it_would_have_done() {
    let blocked = "blocked.policy.envelope by #1";
    check_replay("", ANN, "#1 block from sender.example", blocked);
    check_replay("", &format!("{ANN} retry"), "#1 block from sender.example", blocked);
    check_replay("", &format!("{ANN} unknown"), "#1 permit from sender.example", "same");
    check_replay("#1 no_greylist", ANN, "", "greylist.first_seen by settings");
    let by_header = "#1 block header from eve@sender.example";
    let from_eve = format!("{ANN} retry author eve@sender.example");
    check_replay(by_header, &from_eve, "", "accepted");
}

#[test]
fn what_was_never_sent_is_never_said_to_be_accepted() {
    let content = "unknown: the content";
    check_replay("", ANN, "#1 permit from ann@sender.example", content);
    check_replay("", ANN, "#1 no_greylist from sender.example", content);
    check_replay("#1 block", ANN, "#1 block observe", "unknown: Rate");
    check_replay("", ANN, "#1 call_forward", "unknown: Recipient(CallForward)");
}

#[test]
fn the_triplet_table_is_simulated_where_it_goes_another_way() {
    let (exempt, asked) = (compile(objects("#1 no_greylist")), compile(objects("")));
    let at = |seconds: i64, state: &str, then: &str| {
        let mut event = event(then, &format!("{ANN} {state}"));
        event.started = Timestamp::from_millis(NOW.as_millis() + seconds * 1_000);
        event
    };
    let story = |set: &PolicySet, events: &[Event]| -> Vec<String> {
        let keys = TripletKeys::new(7);
        let mut table = Triplets::new(GreylistTimes::default(), 10);
        let ends = events.iter().map(|event| settle(&keys, &mut table, set, event));
        ends.map(|end| show_end(&end)).collect()
    };
    // Never looked up then: a first contact, an early retry, a pass, known.
    let times = [0, 20, 90, 4_000];
    let unasked = times.map(|seconds| at(seconds, "", "#1 no_greylist"));
    let first = "greylist.first_seen by settings";
    let early = "greylist.too_early by settings";
    assert_eq!(story(&asked, &unasked), [first, early, "accepted", "accepted"]);
    assert_eq!(story(&exempt, &unasked), ["accepted"; 4]);
    // Too late: the window has closed, another opens.
    let late = [0, 13 * 3_600].map(|seconds| at(seconds, "", "#1 no_greylist"));
    assert_eq!(story(&asked, &late), [first, first]);
    // What was recorded is so, however long ago the window was opened.
    let recorded = [at(0, "early", ""), at(90, "retry", "")];
    assert_eq!(story(&asked, &recorded), [early, "accepted"]);
    // The exception lets the first contact pass and ends before the second,
    // which really was a retry: nobody opened a window for it.
    let until = Timestamp::from_millis(NOW.as_millis() + 60_000);
    let ends = compile(objects(&format!("#1 no_greylist until {until}")));
    let retried = [at(0, "", ""), at(90, "retry", "")];
    assert_eq!(story(&ends, &retried), ["unknown: the content", first]);
}

#[test]
fn a_pool_is_one_client_in_a_replay_and_without_spf_nobody_knows() {
    let pools = "#1 greylist_by_pool";
    for state in ["spf pass", "spf fail", "retry spf pass", "early spf pass"] {
        check_replay(pools, &format!("{ANN} {state}"), pools, "same");
    }
    check_replay("", ANN, pools, "unknown: Spf");
    let (set, keys) = (compile(objects(pools)), TripletKeys::new(7));
    let mut table = Triplets::new(GreylistTimes::default(), 10);
    let mut ends =
        [("192.0.2.1", 0, "pass"), ("198.51.100.1", 60, "pass"), ("203.0.113.1", 90, "fail")].map(
            |(ip, seconds, spf)| {
                let mut event = event("#1 no_greylist\n#2 expect", &format!("{ANN} spf {spf}"));
                Arc::make_mut(&mut event.subject.client).client.ip = ip.parse().unwrap();
                event.started = Timestamp::from_millis(NOW.as_millis() + seconds * 1_000);
                let spf = Observed::Spf(mail(&format!("{ANN} spf {spf}")).spf_facts());
                event.record.evidence.add(finding(CheckName::Spf, Stage::Rcpt, spf));
                show_end(&settle(&keys, &mut table, &set, &event))
            },
        );
    ends.sort();
    let first = "greylist.first_seen by #1";
    assert_eq!(ends, ["accepted", first, first]);
    // Who passed by its network before goes on passing.
    let mut known = event("", &format!("{ANN} retry"));
    let spf = Observed::Spf(mail(&format!("{ANN} spf pass")).spf_facts());
    known.record.evidence.add(finding(CheckName::Spf, Stage::Rcpt, spf));
    assert_eq!(show_end(&settled(&set, &known)), "accepted");
}

#[test]
fn a_table_that_is_full_knows_nothing_more() {
    let set = compile(objects(""));
    let event = event("#1 no_greylist", ANN);
    let keys = TripletKeys::new(7);
    let end = settle(&keys, &mut Triplets::new(GreylistTimes::default(), 0), &set, &event);
    assert_eq!(show_end(&end), "unknown: Triplet(Network)");
}

#[test]
fn what_the_session_ended_by_itself_no_policy_changes() {
    let set = compile(objects("#1 permit from sender.example"));
    let aborted = |outcome| {
        let mut mail = mail(ANN);
        mail.decide(&set);
        event_of(mail, outcome)
    };
    let limited = Decision::new(Reason::RecipientsLimited, CheckName::Protocol);
    for outcome in [Outcome::Aborted(Reason::ClientDropped), Outcome::Deferred(limited)] {
        let recorded = End::recorded(&outcome);
        assert_eq!(settled(&set, &aborted(outcome)), recorded);
    }
    // Nobody had asked for anything when it ended.
    let dropped = event_of(mail(ANN), Outcome::Aborted(Reason::ClientDropped));
    assert_eq!(settled(&set, &dropped).reason, Some(Reason::ClientDropped));
}

/// Older versions counted them as deferred, and said 554 as well.
#[test]
fn early_talkers_of_older_versions_are_no_change() {
    let decision = || Decision::new(Reason::ClientEarlyTalker, CheckName::EarlyTalk);
    for before in [Outcome::Deferred(decision()), Outcome::Aborted(Reason::ClientEarlyTalker)] {
        assert_eq!(End::recorded(&before), End::decided(&Verdict::of(decision())));
    }
}

#[test]
fn a_follow_up_is_no_attempt() {
    let mut event = event("", ANN);
    let what = FollowUp::GreylistExpired { attempts: 1 };
    event.kind = EventKind::FollowUp { of: event.id, what };
    assert_eq!(forecast(&compile(objects("")), &event), None);
}

/// What is said to apply is what decides once it is stored, as the newest.
#[test]
fn an_offered_policy_applies_where_it_outdoes_the_others() {
    const ANN: &str = "<ann@sender.example> to <bob@corp.example> retry";
    const TO_BOB: &str = "from ann@sender.example to bob@corp.example";
    const AT_SERVER: &str = "to bob@corp.example ip 192.0.2.1/32";
    let forged = "<eve@x.example> to <bob@corp.example> author ann@corp.example";
    for (stored, mail, offered, applies) in [
        ("block from sender.example", ANN, format!("no_block {TO_BOB}"), true),
        ("block from sender.example override", ANN, format!("no_block {TO_BOB}"), false),
        ("block from sender.example override", ANN, format!("no_block {TO_BOB} override"), true),
        (&format!("block {TO_BOB}"), ANN, format!("no_block {TO_BOB}"), false),
        (&format!("block {TO_BOB}"), ANN, format!("no_block {TO_BOB} override"), true),
        (&format!("block {TO_BOB} override"), ANN, format!("no_block {TO_BOB} override"), false),
        ("block from sender.example", ANN, format!("no_block {AT_SERVER}"), true),
        (
            "block from sender.example to bob@corp.example",
            ANN,
            format!("no_block {AT_SERVER}"),
            false,
        ),
        ("secure from sender.example", ANN, "no_secure ip 192.0.2.1/32".to_owned(), false),
        ("secure from sender.example", ANN, "no_secure from ann@sender.example".to_owned(), true),
        (
            "guard_always from corp.example header",
            forged,
            format!("no_guard {AT_SERVER} header"),
            true,
        ),
        ("guard_always from corp.example header", forged, format!("no_guard {AT_SERVER}"), true),
        ("block from sender.example", ANN, "no_block from other.example".to_owned(), false),
    ] {
        let event = event(&format!("#1 {stored}"), mail);
        let set = compile(objects(&format!("#1 {stored}")));
        let candidate = policy(&format!("#9 {offered}")).policy;
        assert_eq!(would_apply(&set, &event, &candidate), applies, "{stored}; {offered}");
        let both = compile(objects(&format!("#1 {stored}\n#9 {offered}")));
        let decided = settled(&both, &event).policy == decision_of(&event).policy;
        assert_eq!(decided, !applies, "{stored}; {offered}");
    }
}

fn decision_of(event: &Event) -> &Decision {
    event.outcome().and_then(Outcome::decision).unwrap()
}

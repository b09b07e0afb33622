use std::sync::Arc;

use types::event::{QueueAction, RelayAnswer, RelayAttempt};
use types::finding::{RateHolder, RecipientAnswer, TripletFacts, TripletState};
use types::policy::{ClientIdentity, PolicyOption, RecipientValidation};
use types::{
    CheckName, Decision, Detail, Event, EventKind, Finding, FollowUp, Micros, Observed, Outcome,
    PolicyId, PolicyRef, PolicyType, Quoted, Reason, ReasonKind, ReplyParameters, ReputationFacts,
    ReverseFacts, Source, Stage,
};

use super::ledger::LedgerResult;
use super::life_line::{LifeState, story};
use super::*;
use crate::tests::{at, event_id, queue_id, sample};

/// Explains an event with nothing known beside its life-line.
fn why(event: &Event, line: &[Event], now: Timestamp) -> Explanation {
    let times = GreylistTimes::default();
    let surroundings = Surroundings {
        story: story(line, now, times),
        policy: None,
        permit: None,
        greylist: times,
    };
    explain(event, surroundings)
}

fn told(line: &[Event], now: Timestamp) -> Story {
    story(line, now, GreylistTimes::default())
}

fn outcome(reason: Reason, decision: Decision) -> Outcome {
    match reason.kind() {
        ReasonKind::Acceptance => Outcome::Accepted { queue: queue_id(1), reason },
        ReasonKind::Hold => Outcome::Held { queue: queue_id(1), decision },
        ReasonKind::Deferral => Outcome::Deferred(decision),
        ReasonKind::Rejection => Outcome::Rejected(decision),
    }
}

fn found(check: CheckName, observed: Observed) -> Finding {
    Finding { check, stage: Stage::Rcpt, observed, source: Source::Memory, took: Micros(7) }
}

fn triplet(state: TripletState, attempts: u32) -> Observed {
    Observed::Triplet(TripletFacts {
        identity: ClientIdentity::Network,
        client: "192.0.2.0/24".into(),
        sender: "ann@sender.example".into(),
        state,
        life_line: sample(1, Reason::Accepted).life_line,
        first_seen: at(0),
        first_event: event_id(1),
        attempts,
        let_in: false,
        no_pool: None,
    })
}

#[test]
fn every_reason_is_explained_in_full() {
    for (number, &reason) in Reason::ALL.iter().enumerate() {
        let event = sample(number as u64, reason);
        let why = why(&event, std::slice::from_ref(&event), at(60));
        assert!(why.sentence.ends_with('.'), "{reason}: {}", why.sentence);
        let change = why.change.as_ref().unwrap();
        assert!(change.text.ends_with('.') && !change.text.contains("  "), "{reason}");
        assert!(why.for_sender.as_ref().unwrap().contains(reason.advice()), "{reason}");
        assert!(!why.ledger.is_empty(), "{reason}");
        assert!(why.sentence.starts_with(reason.explanation()), "{reason}");
        assert!(!why.label.is_empty() && !why.remedy.is_empty(), "{reason}");
        assert_eq!(why.reason, Some(reason));
        assert_eq!(why.story.steps.len(), 1, "{reason}");
        let text = why.to_string();
        assert!(!text.contains("[description]"), "{reason}");
        assert!(text.contains(&why.label) && text.contains(reason.remedy()), "{reason}");
        let read: Explanation =
            serde_json::from_str(&serde_json::to_string(&why).unwrap()).unwrap();
        assert_eq!(read, why, "{reason} survives the API");
    }
}

#[test]
fn a_refusal_is_told_with_its_typed_parameters() {
    let check = |reason, decision: Decision, observed: Option<Observed>, expected: &str| {
        let mut event = sample(1, reason);
        event.kind = EventKind::Attempt(outcome(reason, decision.clone()));
        event.record.evidence = observed.map(|o| found(decision.check, o)).into_iter().collect();
        let why = why(&event, std::slice::from_ref(&event), at(60));
        assert_eq!(why.sentence, format!("{} {expected}", reason.explanation()), "{reason}");
    };
    let decide = |reason, check| Decision::new(reason, check);
    check(
        Reason::RecipientUnknown,
        decide(Reason::RecipientUnknown, CheckName::Recipient),
        None,
        "It is addressed to <bob@corp.example>.",
    );
    check(
        Reason::SizeExceeded,
        decide(Reason::SizeExceeded, CheckName::Size)
            .with_detail(Detail::Limit { observed: 11, limit: 10 }),
        None,
        "It has 11 octets; the limit is 10 octets.",
    );
    let facts = ReputationFacts { score: 43, own: 12, ..ReputationFacts::default() };
    let scores = |defer, reject| {
        let decision = decide(Reason::ReputationTemporary, CheckName::Reputation);
        decision.with_detail(Detail::Scores { defer, reject })
    };
    check(
        Reason::ReputationTemporary,
        scores(30, 50),
        Some(Observed::Reputation(facts.clone())),
        "The score of the client is 43 of 100, 12 by its own marks alone. Mail is put off from a score of 30 on, and refused from 50 on by own marks alone.",
    );
    check(
        Reason::ReputationTemporary,
        scores(30, 0),
        Some(Observed::Reputation(facts)),
        "The score of the client is 43 of 100, 12 by its own marks alone. Mail is put off from a score of 30 on, and never refused for one.",
    );
    check(
        Reason::NextHopRejected,
        decide(Reason::NextHopRejected, CheckName::Recipient)
            .with_detail(Detail::Quoted(Quoted::new(Some(550), None, "mailbox full"))),
        None,
        "The answer was: 550 mailbox full.",
    );
    check(
        Reason::BlockedPolicyEnvelope,
        decide(Reason::BlockedPolicyEnvelope, CheckName::Senders)
            .by(PolicyRef::Policy { id: PolicyId(30), version: 4 }),
        None,
        "The sender is <ann@sender.example>. Decided by policy #30.",
    );
    check(
        Reason::RelayDenied,
        decide(Reason::RelayDenied, CheckName::Relay)
            .by(PolicyRef::Base(PolicyType::RecipientValidation)),
        None,
        "It is addressed to <bob@corp.example>. Decided by the setting \u{201c}recipients\u{201d} of the recipient's domain.",
    );
    check(
        Reason::GreylistTooEarly,
        decide(Reason::GreylistTooEarly, CheckName::Greylist)
            .with_detail(Detail::RetryIn { seconds: 22 }),
        Some(triplet(TripletState::TooEarly, 2)),
        "It is attempt 2 from 192.0.2.0/24, 0 s after the first. A retry passes after 22 s more.",
    );
}

fn relay(answer: RelayAnswer) -> RelayAttempt {
    let (host, ip) = ("mx.corp.example:25".into(), "203.0.113.5".parse().ok());
    let (tls, tls_policy, policy_refused) = (Some("TLSv1.3".into()), None, false);
    RelayAttempt { number: 1, host, ip, tls, tls_policy, policy_refused, answer, took: Micros(900) }
}

fn follow(number: u64, after_s: i64, what: FollowUp) -> Event {
    let mut event = sample(number, Reason::Accepted);
    (event.at, event.started) = (at(after_s), at(after_s));
    event.life_line = sample(1, Reason::Accepted).life_line;
    event.kind = EventKind::FollowUp { of: event_id(1), what };
    event.record = Default::default();
    event
}

fn attempt(
    number: u64,
    after_s: i64,
    reason: Reason,
    state: TripletState,
    detail: Detail,
) -> Event {
    let mut event = follow(number, after_s, FollowUp::DelayWarned);
    let decision = Decision::new(reason, CheckName::Greylist).with_detail(detail);
    event.record.reply = decision.reply(ReplyParameters::default());
    event.record.evidence = [found(CheckName::Greylist, triplet(state, 1))].into_iter().collect();
    event.kind = EventKind::Attempt(outcome(reason, decision));
    event
}

#[test]
fn a_notice_that_is_delivered_does_not_deliver_what_it_is_about() {
    let refused = RelayAnswer::Reply(Quoted::new(Some(550), None, "No such user"));
    let taken = RelayAnswer::Reply(Quoted::new(Some(250), None, "Ok"));
    let failed = FollowUp::DeliveryRejected(relay(refused));
    let notice = FollowUp::Delivered(relay(taken)).of_notice();
    assert_eq!((failed.state(), notice.state()), (Some("bounced"), None));
    let events = [
        attempt(1, 0, Reason::Accepted, TripletState::Passed, Detail::None),
        follow(2, 1, failed),
        follow(3, 1, FollowUp::Bounced { notice: queue_id(9) }),
        follow(4, 2, notice),
    ];
    let story = told(&events, at(60));
    assert_eq!(story.head, "Bounced");
    let titles: Vec<&str> = story.steps.iter().map(|step| step.title.as_str()).collect();
    let expected =
        ["accepted", "refused by the next hop", "bounced", "notice to the sender delivered"];
    assert_eq!(titles, expected);
    // A message that waits, of which the sender was told, still waits for the
    // next hop, whatever is done to what told it.
    let taken = RelayAnswer::Reply(Quoted::new(Some(250), None, "Ok"));
    let silent = RelayAnswer::NoReply("connection refused".into());
    let deleted = FollowUp::Queue {
        action: QueueAction::Delete,
        by: "ann".into(),
        note: String::new(),
        of_notice: true,
    };
    let events = [
        events[0].clone(),
        follow(2, 0, FollowUp::DelayWarned),
        follow(3, 10, FollowUp::Delivered(relay(taken)).of_notice()),
        follow(4, 20, deleted),
        follow(5, 60, FollowUp::DeliveryDeferred { attempt: relay(silent), next: at(90) }),
    ];
    let story = told(&events, at(60));
    assert_eq!((story.head.as_str(), story.delay.next_hop_ms), ("Queued", 60_000));
}

#[test]
fn a_life_line_is_told_in_order_with_whose_time_it_took() {
    let retry = |seconds| Detail::RetryIn { seconds };
    let events = [
        attempt(1, 0, Reason::GreylistFirstSeen, TripletState::FirstSeen, retry(60)),
        attempt(2, 38, Reason::GreylistTooEarly, TripletState::TooEarly, retry(22)),
        attempt(3, 372, Reason::Accepted, TripletState::Passed, Detail::None),
        follow(
            4,
            373,
            FollowUp::Delivered(relay(RelayAnswer::Reply(Quoted::new(Some(250), None, "Ok")))),
        ),
    ];
    let story = told(&events, at(400));
    assert_eq!(story.head, "Delivered after waiting");
    // We asked for 60 s (38 + 22) and took 1 s; the rest was the sender's.
    assert_eq!(
        (story.delay.total_ms, story.delay.ours_ms, story.delay.theirs_ms),
        (373_000, 61_000, 312_000)
    );
    assert_eq!(
        story.delay.text(),
        "6 min 13 s (1 min 1 s ours, 5 min 12 s the sender's retry gap)"
    );
    let rules: Vec<Option<u8>> =
        story.steps.iter().map(|step| step.join.as_ref().map(|join| join.rule)).collect();
    // Each sample comes from a neighbour in the same network.
    assert_eq!(rules, [None, Some(2), Some(2), Some(4)]);
    let titles: Vec<&str> = story.steps.iter().map(|step| step.title.as_str()).collect();
    assert_eq!(titles, ["deferred", "too early (38 of 60 s)", "accepted", "delivered"]);
    assert_eq!(
        story.steps[3].text,
        "Try 1 at mx.corp.example:25 [203.0.113.5] over TLSv1.3: 250 Ok"
    );
    assert_eq!(story.steps[1].after_ms, 38_000);
    let waiting = told(&events[..2], at(100));
    assert_eq!(waiting.head, "Waiting for retry");
    assert_eq!(waiting.window.unwrap().text, "may return now; window closes in 11 h 58 min");
    let early = told(&events[..1], at(38)).window.unwrap().text;
    assert_eq!(early, "may return in 22 s; window closes in 11 h 59 min");
    let sentence = why(&events[2], &events, at(400)).sentence;
    assert!(
        sentence
            .ends_with("came back 6 min 12 s after its first attempt, as a real mail server does."),
        "{sentence}"
    );
}

#[test]
fn a_life_line_that_ended_badly_says_how() {
    let first = sample(1, Reason::GreylistFirstSeen);
    let end = |what| told(&[first.clone(), follow(2, 50_000, what)], at(60_000)).head;
    assert_eq!(end(FollowUp::GreylistExpired { attempts: 1 }), "Never came back");
    let refused = RelayAnswer::Reply(Quoted::new(Some(550), None, "no"));
    assert_eq!(end(FollowUp::DeliveryRejected(relay(refused))), "Bounced");
    let silent = RelayAnswer::NoReply("connection refused".to_owned());
    assert_eq!(end(FollowUp::DeliveryExpired(relay(silent))), "Expired");
    let limited = sample(1, Reason::RateLimited);
    assert_eq!(told(&[limited], at(60_000)).head, "Deferred");
}

#[test]
fn what_a_sender_writes_cannot_act_on_a_terminal() {
    let mut event = sample(1, Reason::RecipientUnknown);
    let facts = Arc::make_mut(event.subject.message.as_mut().unwrap());
    facts.subject = Some("\u{1b}]0;owned\u{7}\u{202e}evil\nref FAKE".to_owned());
    let client = Arc::make_mut(&mut event.subject.client);
    client.helo = Some("\u{1b}[2J".into());
    let answer = RecipientAnswer::Refused(Quoted::new(Some(550), None, "\u{1b}[31m"));
    let validation = RecipientValidation::CallForward;
    let finding = found(CheckName::Recipient, Observed::Recipient { validation, answer });
    event.record.evidence = [finding].into_iter().collect();
    let text = why(&event, std::slice::from_ref(&event), at(1)).to_string();
    assert!(!text.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{text:?}");
    assert!(text.contains("\u{2039}1B\u{203a}[2J") && !text.contains("\nref FAKE"), "{text}");
}

#[test]
fn every_check_and_every_loss_has_words() {
    for &check in CheckName::ALL {
        assert!(!ledger::check_title(check).is_empty());
    }
}

/// The line of a check at a stage.
fn line(why: &Explanation, stage: Stage, check: CheckName) -> &LedgerLine {
    let title = ledger::check_title(check);
    let found = why.ledger.iter().find(|line| line.stage == stage && line.check == title);
    found.unwrap_or_else(|| panic!("no {title} at {}", stage.slug()))
}

#[test]
fn the_ledger_has_every_check_in_order_and_says_why_some_did_not_run() {
    let mut event = sample(1, Reason::RecipientUnknown);
    event.subject.message = None;
    let answer = RecipientAnswer::Unknown;
    let validation = RecipientValidation::Directory;
    let mut seen = found(CheckName::Recipient, Observed::Recipient { validation, answer });
    seen.source = Source::Directory { age_s: 240 };
    event.record.evidence =
        [found(CheckName::Relay, Observed::Relay { internal: true, askers: false }), seen]
            .into_iter()
            .collect();
    let why = why(&event, std::slice::from_ref(&event), at(60));
    assert!(why.ledger.windows(2).all(|pair| pair[0].place <= pair[1].place));
    assert_eq!(line(&why, Stage::Connect, CheckName::EarlyTalk).result, LedgerResult::Passed);
    let decided = line(&why, Stage::Rcpt, CheckName::Recipient);
    assert!(decided.decided && decided.result == LedgerResult::Rejected);
    assert_eq!(
        (decided.observed.as_str(), decided.source.as_str(), decided.took.as_str()),
        ("directory: no such address", "directory, 4 min old", "7 \u{b5}s")
    );
    assert_eq!(line(&why, Stage::Rcpt, CheckName::Greylist).result, LedgerResult::NotReached);
    assert_eq!(line(&why, Stage::Data, CheckName::Hops).result, LedgerResult::NoContent);
    assert_eq!(why.ledger.iter().filter(|line| line.decided).count(), 1);
}

#[test]
fn a_permit_and_a_source_that_is_down_show_in_the_ledger() {
    let mut event = sample(1, Reason::AcceptedPermitted);
    event.record.stage = Some(Stage::Content);
    let by = PolicyRef::ManagedSender { id: PolicyId(7) };
    event.record.consulted = vec![Consulted {
        kind: PolicyType::ManagedSenders,
        winner: Some(by),
        no_action: false,
        losers: Vec::new(),
        observing: Vec::new(),
        permitted_list: None,
    }];
    let down = Observed::Inconclusive(types::Inconclusive::TimedOut);
    event.record.evidence = [found(CheckName::HostName, down)].into_iter().collect();
    let why = why(&event, std::slice::from_ref(&event), at(60));
    let greylist = line(&why, Stage::Rcpt, CheckName::Greylist);
    assert_eq!(greylist.result, LedgerResult::SkippedByPermit);
    assert_eq!(greylist.observed, "skipped by managed sender #7");
    let name = line(&why, Stage::Rcpt, CheckName::HostName);
    assert!(name.degraded && name.result.title() == "source down", "{name:?}");
    assert!(line(&why, Stage::Rcpt, CheckName::Senders).observed.contains("managed sender #7"));
}

#[test]
fn the_name_of_a_client_is_told_or_why_it_has_none() {
    let claims = |names: &[&str]| {
        let claimed = names.iter().map(|name| (*name).to_owned()).collect();
        Observed::Reverse(ReverseFacts { claimed, confirmed: None })
    };
    let down = Observed::Inconclusive(types::Inconclusive::TimedOut);
    for (name, seen, expected) in [
        (Some("out.sender.example"), None, Some("out.sender.example (confirmed)")),
        (
            None,
            Some(claims(&["a.example", "b.example"])),
            Some("claims a.example, b.example, not confirmed"),
        ),
        (None, Some(claims(&[])), Some("none")),
        (None, Some(down), Some("no answer from the DNS")),
        (None, None, None),
    ] {
        let mut event = sample(1, Reason::Accepted);
        Arc::make_mut(&mut event.subject.client).host_name = name.map(Arc::from);
        let seen = seen.map(|seen| found(CheckName::HostName, seen));
        event.record.evidence = seen.into_iter().collect();
        let why = why(&event, std::slice::from_ref(&event), at(60));
        let told = why.remote.iter().find(|fact| fact.name == "Host name");
        assert_eq!(told.map(|fact| fact.value.as_str()), expected);
    }
}

#[test]
fn what_would_have_decided_next_is_told_as_far_as_it_is_known() {
    let next = |change: &dyn Fn(&mut Decision)| {
        let mut decision = Decision::new(Reason::BlockedPolicyEnvelope, CheckName::Senders);
        change(&mut decision);
        let mut event = sample(1, Reason::BlockedPolicyEnvelope);
        event.subject.message = None;
        event.kind = EventKind::Attempt(Outcome::Rejected(decision));
        why(&event, std::slice::from_ref(&event), at(60))
    };
    let known = next(&|decision| {
        decision.next = Some(Reason::RateLimited);
        decision.next_check = Some(CheckName::Rate);
    });
    let text = known.next_decider.unwrap();
    assert!(
        text.starts_with("Deferred anyway by Rate limit: Too Many Messages (rate.limited)."),
        "{text}"
    );
    let change = known.change.unwrap();
    assert_eq!(
        change.then.as_deref(),
        Some("Even then it would be deferred, by Rate limit: Too Many Messages.")
    );
    let lacking = next(&|decision| decision.next_lacks = Some(types::Need::Rate));
    let text = lacking.next_decider.unwrap();
    assert!(text.starts_with("Not known: Rate limit would have been next"), "{text}");
    assert!(text.contains("never sent"), "{text}");
}

/// Why an attempt ended so that `check` decided, of which this was found.
fn decided_by(reason: Reason, check: CheckName, findings: &[(CheckName, Observed)]) -> Explanation {
    let mut event = sample(1, reason);
    event.kind = EventKind::Attempt(outcome(reason, Decision::new(reason, check)));
    let findings = findings.iter().map(|(check, observed)| found(*check, observed.clone()));
    event.record.evidence = findings.collect();
    why(&event, std::slice::from_ref(&event), at(60))
}

/// The smallest change for an attempt that this check decided by this finding.
fn change_after(reason: Reason, check: CheckName, observed: Observed) -> SmallestChange {
    decided_by(reason, check, &[(check, observed)]).change.unwrap()
}

#[test]
fn what_leaves_is_refused_for_its_sender_or_its_client_and_not_for_its_recipient() {
    let outbound = |listed| Observed::Outbound { listed, offers_auth: false };
    let denied = |check, listed| {
        decided_by(Reason::RelayDenied, check, &[(CheckName::Outbound, outbound(listed))])
    };
    let sender = denied(CheckName::Relay, true);
    assert!(sender.sentence.starts_with("This listener takes mail of our own alone."));
    assert!(sender.sentence.contains("The sender is "), "{}", sender.sentence);
    assert!(sender.change.unwrap().text.contains("(SRS)"));
    let client = denied(CheckName::Outbound, false);
    assert!(client.change.unwrap().text.contains("`allow_from`"));
}

#[test]
fn a_wrong_password_is_not_told_as_none() {
    let failed = |failed| {
        let facts = types::SubmissionFacts { failed, ..types::SubmissionFacts::default() };
        let observed = Observed::Submission(facts);
        change_after(Reason::SubmissionRequired, CheckName::Submission, observed).text
    };
    assert!(failed(2).contains("is wrong"), "{}", failed(2));
    assert!(!failed(0).contains("is wrong"), "{}", failed(0));
}

#[test]
fn an_entry_of_a_file_of_ours_can_be_taken_out() {
    let listed = |read_ago_s| {
        let facts = types::ListFacts {
            list: "bad.corp.example".parse().unwrap(),
            of: types::ListSubject::Ip,
            subject: "192.0.2.7".to_owned(),
            answer: types::ListAnswer::listed(vec![], None),
            read_ago_s,
            took: Micros(5),
        };
        change_after(Reason::RblListed, CheckName::Rbl, Observed::Lists(vec![facts])).text
    };
    assert!(listed(Some(60)).contains("bad.corp.example is read from a file here"));
    assert!(!listed(None).contains("file"), "{}", listed(None));
}

#[test]
fn the_limit_that_was_passed_is_the_one_to_raise() {
    let rate = |of| Observed::Rate { exceeded: true, per_minute_max: 60, retry_in_s: 9, of };
    let connections = |by_client, in_all| Observed::Connections {
        by_client,
        by_client_max: 20,
        in_all,
        in_all_max: 1_000,
    };
    let (limited, too_many) = (Reason::RateLimited, Reason::ConnectionsLimited);
    let (of_rate, of_number) = (CheckName::Rate, CheckName::Connections);
    for (reason, check, observed, setting) in [
        (limited, of_rate, rate(RateHolder::Client), "recipient_rate_per_client_max"),
        (limited, of_rate, rate(RateHolder::Network), "recipient_rate_per_network_max"),
        (limited, of_rate, rate(RateHolder::Sender), "recipient_rate_per_sender_max"),
        (limited, of_rate, rate(RateHolder::Recipient), "mail_rate_per_recipient_max"),
        (limited, of_rate, rate(RateHolder::Submitter), "submitter_rate_max"),
        (too_many, of_rate, rate(RateHolder::Client), "connection_rate_per_ip_max"),
        (too_many, of_number, connections(21, 1_001), "connections_per_ip_max"),
        (too_many, of_number, connections(2, 1_001), "connections_max"),
    ] {
        let change = change_after(reason, check, observed);
        let command = change.command.unwrap();
        assert_eq!(command, format!("portcullis config help smtp.{setting}"));
        assert!(settings_named().any(|named| command.ends_with(named)), "{setting}");
    }
}

#[test]
fn an_exception_that_is_advised_is_an_option_of_its_type() {
    for (reason, kind) in [
        (Reason::TlsRequired, "secure_receipt"),
        (Reason::TlsUnverified, "secure_receipt"),
        (Reason::GeoBlocked, "geographical_restriction"),
        (Reason::SpoofingEnvelope, "anti_spoofing"),
        (Reason::SpoofingHeader, "anti_spoofing"),
        (Reason::AuthSpf, "dns_authentication"),
        (Reason::AuthDkim, "dns_authentication"),
        (Reason::AuthDmarc, "dns_authentication"),
        (Reason::AuthTemporary, "dns_authentication"),
    ] {
        let event = sample(1, reason);
        let text = why(&event, std::slice::from_ref(&event), at(60)).change.unwrap().text;
        let set = text.split("`set = \"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        let option = serde_json::json!({ "type": kind, "set": set });
        let read: Result<PolicyOption, _> = serde_json::from_value(option);
        assert!(read.is_ok(), "{reason}: {set} {read:?}");
    }
}

/// Who sends is what a certificate would prove: without one, an exception for
/// the sender's name alone is one for whoever writes it.
#[test]
fn an_exception_from_certificates_is_for_one_server() {
    let event = sample(1, Reason::TlsUnverified);
    let text = why(&event, std::slice::from_ref(&event), at(60)).change.unwrap().text;
    assert!(text.contains("`source_ips`"), "{text}");
}

#[test]
fn the_smallest_change_is_honest_about_what_a_permit_skips() {
    let change = |reason: Reason| {
        let event = sample(1, reason);
        why(&event, std::slice::from_ref(&event), at(60)).change.unwrap()
    };
    let unknown = change(Reason::RecipientUnknown);
    assert!(!unknown.possible && unknown.text.contains("A permit does not override"));
    let size = change(Reason::SizeExceeded);
    assert!(size.possible && size.text.contains("A permit does not skip this check."));
    let expired = change(Reason::GreylistExpired);
    assert_eq!(
        expired.command.as_deref(),
        Some("portcullis senders add permit ann@sender.example bob@corp.example")
    );
    assert!(!change(Reason::RelayDenied).possible && !change(Reason::VirusSignature).possible);
    // A block that waits for name servers is one of a list, and lifted there.
    let decision = Decision::new(Reason::AuthTemporary, CheckName::Senders);
    let decision = decision.by(types::PolicyRef::ManagedSender { id: types::PolicyId(7) });
    let mut event = sample(1, Reason::AuthTemporary);
    event.kind = EventKind::Attempt(outcome(Reason::AuthTemporary, decision));
    let waits = why(&event, std::slice::from_ref(&event), at(60)).change.unwrap();
    assert_eq!(waits.command.as_deref(), Some("portcullis senders remove 7"));
}

#[test]
fn nobody_is_told_of_a_failure_before_it_happened() {
    let refused = RelayAnswer::Reply(Quoted::new(Some(550), None, "no"));
    let accepted = sample(1, Reason::Accepted);
    let line = [
        // As the store may give them: of one instant, by identifier.
        accepted.clone(),
        follow(2, 60, FollowUp::Bounced { notice: queue_id(9) }),
        follow(3, 60, FollowUp::DeliveryRejected(relay(refused))),
    ];
    let story = told(&line, at(100));
    let titles: Vec<&str> = story.steps.iter().map(|step| step.title.as_str()).collect();
    assert_eq!(titles, ["accepted", "refused by the next hop", "bounced"]);
    assert_eq!(story.state, LifeState::Bounced);
}

#[test]
fn time_lost_at_the_next_hop_is_the_next_hops() {
    let silent = RelayAnswer::NoReply("connection refused".to_owned());
    let taken = RelayAnswer::Reply(Quoted::new(Some(250), None, "Ok"));
    let line = [
        sample(1, Reason::Accepted),
        follow(2, 2, FollowUp::DeliveryDeferred { attempt: relay(silent), next: at(60) }),
        follow(3, 62, FollowUp::Delivered(relay(taken))),
    ];
    let story = told(&line, at(100));
    assert_eq!(story.delay.text(), "1 min 1 s (1 s ours, 1 min the next hop's)");
    assert!(story.steps[1].text.contains("connection refused"), "{}", story.steps[1].text);
}

#[test]
fn an_attempt_from_a_neighbour_is_joined_by_its_own_rule() {
    let retry = Detail::RetryIn { seconds: 60 };
    let first = attempt(1, 0, Reason::GreylistFirstSeen, TripletState::FirstSeen, retry);
    let mut second = attempt(2, 400, Reason::Accepted, TripletState::Passed, Detail::None);
    let mut moved = |ip: &str, helo: &str| {
        let client = Arc::make_mut(&mut second.subject.client);
        client.client.ip = ip.parse().unwrap();
        client.helo = Some(helo.into());
        let story = told(&[first.clone(), second.clone()], at(500));
        story.steps[1].join.clone().map(|join| (join.rule, join.why))
    };
    let (rule, why) = moved("192.0.2.77", "x").unwrap();
    assert!(rule == 2 && why.contains("/24"), "{why}");
    let (rule, why) = moved("198.51.100.7", "other.sender.example").unwrap();
    assert!(rule == 2 && why.contains("sender.example"), "{why}");
    assert_eq!(moved("198.51.100.7", "elsewhere.example"), None);
}

#[test]
fn strangers_are_told_of_refusals_and_of_nothing_else() {
    for &reason in Reason::ALL {
        let mut event = sample(1, reason);
        let facts = Arc::make_mut(event.subject.message.as_mut().unwrap());
        facts.subject = Some("SECRET".to_owned());
        let told = public::refusal(&event, false);
        let expected = reason.exposure() == types::Exposure::Anybody;
        assert_eq!(told.is_some(), expected, "{reason}");
        let text = serde_json::to_string(&told).unwrap();
        assert!(!text.contains("SECRET") && !text.contains('@'), "{reason}: {text}");
    }
    let spam = sample(1, Reason::SpamSignature);
    assert!(public::refusal(&spam, true).is_some());
}

#[test]
fn mail_that_was_greylisted_all_the_same_was_not_let_in_for_being_expected() {
    let by = PolicyRef::Policy { id: PolicyId(9), version: 2 };
    let consulted = types::Consulted {
        kind: PolicyType::ExpectedMail,
        winner: Some(by),
        no_action: false,
        losers: Vec::new(),
        observing: Vec::new(),
        permitted_list: None,
    };
    let mut event = sample(1, Reason::Accepted);
    event.record.consulted = vec![consulted];
    let expected = |event: &Event| why(event, &[], at(5)).sentence.contains("mail was expected");
    assert!(expected(&event));
    // What won takes no action, or its triplet would not have been looked at.
    let passed = found(CheckName::Greylist, triplet(TripletState::Known, 3));
    event.record.evidence.add(passed);
    assert!(!expected(&event));
}

#[test]
fn a_client_that_a_permitted_list_spares_is_said_to_be_on_it() {
    let listed = |list: &str| types::ListFacts {
        list: list.parse().unwrap(),
        of: types::ListSubject::Ip,
        subject: "192.0.2.1".to_owned(),
        answer: types::ListAnswer::listed(vec!["127.0.0.2".parse().unwrap()], None),
        read_ago_s: None,
        took: Micros(5),
    };
    let mut event = sample(1, Reason::Accepted);
    event.record.stage = Some(Stage::Content);
    let lists = Observed::Lists(vec![listed("bl.example"), listed("good.example")]);
    event.record.evidence.add(found(CheckName::Rbl, lists));
    event.record.consulted = vec![Consulted {
        kind: PolicyType::Reputation,
        winner: Some(PolicyRef::Base(PolicyType::Reputation)),
        no_action: false,
        losers: Vec::new(),
        observing: Vec::new(),
        permitted_list: Some("good.example".parse().unwrap()),
    }];
    let told = why(&event, &[], at(5));
    let spared = "the client is on the global permitted list good.example";
    assert!(told.sentence.contains(spared), "{}", told.sentence);
    assert!(line(&told, Stage::Rcpt, CheckName::Rbl).observed.contains(spared));
    assert!(told.to_string().contains(spared), "{told}");
    event.record.consulted[0].permitted_list = None;
    assert!(!why(&event, &[], at(5)).sentence.contains("permitted list"));
}

#[test]
fn what_a_client_showed_stands_in_the_ledger_and_beside_its_tls() {
    use types::{CertificateFlaw, CertificateNames, ClientCertificate};
    let shown = |certificate: ClientCertificate| {
        let mut event = sample(1, Reason::TlsUnverified);
        event.record.stage = Some(Stage::Mail);
        let seen = Observed::ClientCertificate(certificate);
        let found = Finding { stage: Stage::Mail, ..found(CheckName::Certificate, seen) };
        event.record.evidence = [found].into_iter().collect();
        why(&event, &[], at(5))
    };
    let flaw = CertificateFlaw::UnknownAuthority;
    let told = shown(ClientCertificate::NotVerified { flaw });
    let words = "one that does not count: no authority that is trusted here made it";
    assert!(told.sentence.contains(words), "{}", told.sentence);
    assert_eq!(line(&told, Stage::Mail, CheckName::Certificate).observed, words);
    assert!(
        told.remote.iter().any(|fact| fact.name == "Client certificate" && fact.value == words)
    );
    // Where nobody knows what it is worth, it is put off; not for our failure.
    let mut event = sample(1, Reason::SystemUnavailable);
    let decision = Decision::new(Reason::SystemUnavailable, CheckName::SecureReceipt);
    event.kind = EventKind::Attempt(Outcome::Deferred(decision));
    let seen = Observed::ClientCertificate(ClientCertificate::NotAsked);
    event.record.evidence = [found(CheckName::Certificate, seen)].into_iter().collect();
    let told = why(&event, &[], at(5));
    let older = "was not asked for its certificate: its connection is older than the policy";
    assert!(told.sentence.contains(older), "{}", told.sentence);
    assert_eq!(told.sentence.matches("older than the policy").count(), 1, "{}", told.sentence);
    assert!(told.remedy.contains("next connection is asked"), "{}", told.remedy);
    let ticket = told.for_ticket(None);
    assert!(!ticket.contains("health") && !ticket.contains("resolver"), "{ticket}");
    let change = told.change.unwrap();
    assert!(change.text.contains("asked for its certificate"), "{}", change.text);
    assert!(!change.text.contains("gateway itself") && change.command.is_none(), "{change:?}");
    // Its name could not be looked up: another thing, and another place to look.
    let host = types::HostCoverage::Unanswered;
    let names = CertificateNames { host, ..CertificateNames::default() };
    let seen = Observed::ClientCertificate(ClientCertificate::Verified(names));
    event.record.evidence = [found(CheckName::Certificate, seen)].into_iter().collect();
    let told = why(&event, &[], at(5));
    assert!(told.sentence.contains("could not be looked up"), "{}", told.sentence);
    assert!(!told.sentence.contains("older than the policy"), "{}", told.sentence);
    assert!(told.remedy.contains("resolver answers"), "{}", told.remedy);
    let change = told.change.unwrap();
    assert_eq!(change.command.as_deref(), Some("portcullis check-config --online"));
    // The same reason from elsewhere is our failure, and said to be.
    let told = why(&sample(1, Reason::SystemUnavailable), &[], at(5));
    assert_eq!(told.remedy, Reason::SystemUnavailable.remedy());
    // What somebody wrote into a certificate is shown as text.
    let names = vec!["a\u{202e}.example".into()];
    let names = CertificateNames { names, ..CertificateNames::default() };
    let told = shown(ClientCertificate::Verified(names));
    assert!(!told.sentence.contains('\u{202e}'), "{}", told.sentence);
}

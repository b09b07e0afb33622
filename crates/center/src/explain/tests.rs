use std::sync::Arc;

use types::event::{RelayAnswer, RelayAttempt};
use types::finding::{RecipientAnswer, TripletFacts, TripletState};
use types::policy::{ClientIdentity, RecipientValidation};
use types::{
    CheckName, Decision, Detail, Event, EventKind, Finding, FollowUp, Micros, Observed, Outcome,
    PolicyId, PolicyRef, PolicyType, Quoted, Reason, ReasonKind, ReplyParameters, Source, Stage,
};

use super::*;
use crate::tests::{at, event_id, queue_id, sample};

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
    })
}

#[test]
fn every_reason_is_explained_in_full() {
    for (number, &reason) in Reason::ALL.iter().enumerate() {
        let event = sample(number as u64, reason);
        let why = explain(&event, std::slice::from_ref(&event), at(60));
        assert!(why.sentence.ends_with('.'), "{reason}: {}", why.sentence);
        assert!(why.sentence.starts_with(reason.explanation()), "{reason}");
        assert!(!why.label.is_empty() && !why.remedy.is_empty(), "{reason}");
        assert_eq!(why.reason, Some(reason));
        assert_eq!(why.story.steps.len(), 1, "{reason}");
        let text = why.to_string();
        assert!(text.contains(reason.label()) && text.contains(reason.remedy()), "{reason}");
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
        let why = explain(&event, std::slice::from_ref(&event), at(60));
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
        "It was 11 octets; the limit is 10 octets.",
    );
    check(
        Reason::NextHopRejected,
        decide(Reason::NextHopRejected, CheckName::Recipient)
            .with_detail(Detail::Quoted(Quoted::new(Some(550), None, "mailbox full"))),
        None,
        "The answer was: 550 mailbox full",
    );
    check(
        Reason::BlockedPolicyEnvelope,
        decide(Reason::BlockedPolicyEnvelope, CheckName::Senders)
            .by(PolicyRef::Policy { id: PolicyId(30), version: 4 }),
        None,
        "The sender is <ann@sender.example>. Decided by policy #30 (version 4).",
    );
    check(
        Reason::RelayDenied,
        decide(Reason::RelayDenied, CheckName::Relay)
            .by(PolicyRef::Base(PolicyType::RecipientValidation)),
        None,
        "It is addressed to <bob@corp.example>. Decided by what the settings say about Recipient Validation.",
    );
    check(
        Reason::GreylistTooEarly,
        decide(Reason::GreylistTooEarly, CheckName::Greylist)
            .with_detail(Detail::RetryIn { seconds: 22 }),
        Some(triplet(TripletState::TooEarly, 2)),
        "It is attempt 2 from 192.0.2.0/24, 1 s after the first. A retry passes after 22 s more.",
    );
}

fn relay(answer: RelayAnswer) -> RelayAttempt {
    let (host, ip) = ("mx.corp.example:25".into(), "203.0.113.5".parse().ok());
    RelayAttempt { number: 1, host, ip, tls: Some("TLSv1.3".into()), answer, took: Micros(900) }
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
    let story = life_line::story(&events, at(400));
    assert_eq!(story.head, "Delivered after waiting");
    assert_eq!((story.total_ms, story.ours_ms, story.theirs_ms), (373_000, 1_000, 372_000));
    let titles: Vec<&str> = story.steps.iter().map(|step| step.title.as_str()).collect();
    assert_eq!(titles, ["deferred", "too early (38 of 60 s)", "accepted", "delivered"]);
    assert_eq!(story.steps[3].text, "mx.corp.example:25: 250 Ok");
    assert_eq!(story.steps[1].after_ms, 38_000);
    let waiting = life_line::story(&events[..2], at(100));
    assert_eq!(waiting.head, "Waiting for retry");
    let sentence = explain(&events[2], &events, at(400)).sentence;
    assert!(
        sentence
            .ends_with("came back 6 min 12 s after its first attempt, as a real mail server does."),
        "{sentence}"
    );
}

#[test]
fn a_life_line_that_ended_badly_says_how() {
    let first = sample(1, Reason::GreylistFirstSeen);
    let end = |what| {
        let story = life_line::story(&[first.clone(), follow(2, 50_000, what)], at(60_000));
        story.head
    };
    assert_eq!(end(FollowUp::GreylistExpired { attempts: 1 }), "Never came back");
    let refused = RelayAnswer::Reply(Quoted::new(Some(550), None, "no"));
    assert_eq!(end(FollowUp::DeliveryRejected(relay(refused))), "Bounced");
    let silent = RelayAnswer::NoReply("connection refused".to_owned());
    assert_eq!(end(FollowUp::DeliveryExpired(relay(silent))), "Bounced");
    assert_eq!(life_line::story(&[first], at(60_000)).head, "Deferred");
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
    let text = explain(&event, std::slice::from_ref(&event), at(1)).to_string();
    assert!(!text.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{text:?}");
    assert!(text.contains("\u{2039}1B\u{203a}[2J") && !text.contains("\nref FAKE"), "{text}");
}

#[test]
fn every_check_and_every_loss_has_words() {
    for &check in CheckName::ALL {
        assert!(!ledger::check_title(check).is_empty());
    }
    assert_eq!(life_line::span(59), "59 s");
    assert_eq!(life_line::span(338), "5 min 38 s");
    assert_eq!(life_line::span(43_140), "11 h 59 min");
    assert_eq!(life_line::span(200_000), "2 d 7 h");
}

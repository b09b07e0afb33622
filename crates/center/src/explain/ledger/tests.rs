use std::sync::Arc;

use types::{
    CheckName, Correspondence, Decision, Detail, Direction, Event, EventKind, Finding, Lesson,
    Observed, Outcome, PlaceFacts, Reason, ReasonKind, Source, Stage, SubmissionFacts, Untaught,
};

use super::*;
use crate::tests::{at, queue_id, sample};

fn found(check: CheckName, stage: Stage, observed: Observed) -> Finding {
    Finding { check, stage, observed, source: Source::Session, took: Micros(0) }
}

/// An attempt that this decision ended at `stage`, with the message if it got so
/// far.
fn decided(decision: Decision, stage: Stage, findings: &[Finding]) -> Event {
    let mut event = sample(1, decision.reason);
    event.record.stage = Some(stage);
    event.record.evidence = findings.iter().cloned().collect();
    if stage < Stage::Data {
        event.subject.message = None;
    }
    event.kind = EventKind::Attempt(match decision.reason.kind() {
        ReasonKind::Hold => Outcome::Held { queue: queue_id(1), decision },
        ReasonKind::Deferral => Outcome::Deferred(decision),
        _ => Outcome::Rejected(decision),
    });
    event
}

fn outbound(mut event: Event) -> Event {
    let client = Arc::make_mut(&mut event.subject.client);
    client.client.direction = Direction::Outbound;
    event
}

#[track_caller]
fn line(event: &Event, stage: Stage, check: CheckName) -> LedgerLine {
    let title = check_title(check);
    let mut lines = lines(event).into_iter();
    let found = lines.find(|line| line.stage == stage && line.check == title);
    found.unwrap_or_else(|| panic!("no {title} at {}", stage.slug()))
}

#[track_caller]
fn results(event: &Event, rows: &[(Stage, CheckName, bool)]) {
    for &(stage, check, asked) in rows {
        let line = line(event, stage, check);
        let is_asked = !matches!(line.result, LedgerResult::NotReached | LedgerResult::NoContent);
        assert_eq!(is_asked, asked, "{line:?}");
    }
}

fn place() -> Finding {
    let facts = PlaceFacts { country: Some("FR".parse().unwrap()), network: None };
    found(CheckName::Place, Stage::Connect, Observed::Place(facts))
}

#[test]
fn a_message_that_is_kept_back_was_asked_about_to_its_end() {
    for (reason, check) in [
        (Reason::HoldGeo, CheckName::Place),
        (Reason::HoldAuthentication, CheckName::Spf),
        (Reason::HoldAuthentication, CheckName::Senders),
        (Reason::HoldDmarcQuarantine, CheckName::Dmarc),
    ] {
        let held = decided(Decision::new(reason, check), Stage::Data, &[place()]);
        for line in lines(&held) {
            let unasked = [LedgerResult::NotReached, LedgerResult::NoContent];
            assert!(!unasked.contains(&line.result), "{reason}: {line:?}");
        }
        let system = line(&held, Stage::Content, CheckName::System);
        assert_eq!(system.observed, "written and flushed");
        let by: Vec<_> = lines(&held).into_iter().filter(|line| line.decided).collect();
        assert_eq!(by.len(), 1, "{by:?}");
        assert_eq!((by[0].result, &*by[0].check), (LedgerResult::Held, check_title(check)));
    }
}

#[test]
fn what_is_decided_at_a_stage_leaves_the_stages_before_it_whole() {
    use CheckName as C;
    use Stage::{Data, Helo, Mail, Rcpt};
    let refused =
        |reason, check, findings: &[Finding]| decided(Decision::new(reason, check), Rcpt, findings);
    let geo = refused(Reason::GeoBlocked, C::Place, &[place()]);
    let asked = [(Helo, C::Tls, true), (Mail, C::Size, true), (Rcpt, C::Spoofing, true)];
    results(&geo, &asked);
    results(&geo, &[(Rcpt, C::Senders, false), (Rcpt, C::Rate, false), (Data, C::Hops, false)]);
    assert_eq!(line(&geo, Stage::Connect, C::Place).result, LedgerResult::Rejected);
    assert_eq!(line(&geo, Data, C::Hops).result, LedgerResult::NoContent);
    let spf = refused(Reason::AuthSpf, C::Spf, &[]);
    results(&spf, &[(Rcpt, C::Senders, true), (Rcpt, C::Rbl, false), (Rcpt, C::Greylist, false)]);
    let listed = refused(Reason::ReputationRejected, C::Reputation, &[]);
    results(&listed, &[(Rcpt, C::Rbl, true), (Rcpt, C::Rate, false), (Rcpt, C::Greylist, false)]);
    let null_mx = refused(Reason::SenderNullMx, C::SenderDomain, &[]);
    results(&null_mx, &[(Rcpt, C::Smtputf8, true), (Rcpt, C::Spf, false)]);
    let size = refused(Reason::SizeExceeded, C::Size, &[]);
    results(&size, &[(Helo, C::Tls, true), (Rcpt, C::Recipient, false)]);
    let missing = refused(Reason::SystemUnavailable, C::System, &[]);
    results(&missing, &[(Mail, C::Size, true), (Rcpt, C::Relay, false)]);
    let dmarc = decided(Decision::new(Reason::AuthDmarc, C::Dmarc), Data, &[]);
    results(&dmarc, &[(Rcpt, C::Greylist, true), (Data, C::DataFormat, true)]);
    assert_eq!(line(&dmarc, Stage::Content, C::System).observed, "decided before");
}

#[test]
fn a_session_that_ended_in_its_data_was_not_looked_at() {
    let mut event = sample(1, Reason::DataEndedEarly);
    event.kind = EventKind::Attempt(Outcome::Aborted(Reason::DataEndedEarly));
    event.record.stage = Some(Stage::Data);
    event.subject.message = None;
    let data = line(&event, Stage::Data, CheckName::DataFormat);
    assert_eq!(
        (data.result, &*data.observed),
        (LedgerResult::NoContent, "the message was not sent")
    );
    results(&event, &[(Stage::Rcpt, CheckName::Greylist, true)]);
}

#[test]
fn what_the_session_refuses_itself_has_a_row_that_says_what_was_wrong() {
    let wrong = Detail::Note("ann@: the domain is missing".into());
    let rows = [
        (Reason::SenderMalformed, Stage::Mail, wrong.clone(), "ann@: the domain is missing"),
        (Reason::RecipientMalformed, Stage::Rcpt, wrong, "ann@: the domain is missing"),
        (
            Reason::RecipientsLimited,
            Stage::Rcpt,
            Detail::Limit { observed: 101, limit: 100 },
            "number 101 (at most 100)",
        ),
    ];
    for (reason, stage, detail, words) in rows {
        let decision = Decision::new(reason, CheckName::Protocol).with_detail(detail);
        let event = decided(decision, stage, &[]);
        let own = line(&event, stage, CheckName::Protocol);
        assert!(own.decided && own.observed == words, "{own:?}");
        let before = line(&event, Stage::Helo, CheckName::Protocol);
        assert_eq!((before.result, before.decided), (LedgerResult::Passed, false));
        let next = if stage == Stage::Mail { CheckName::Size } else { CheckName::Relay };
        results(&event, &[(stage, next, false)]);
    }
}

#[test]
fn mail_that_leaves_has_the_rows_of_its_own_rules() {
    let mut event = outbound(sample(1, Reason::Accepted));
    let pair = Correspondence {
        own: "bob@corp.example".parse().unwrap(),
        other: "ann@sender.example".parse().unwrap(),
        wrote: at(0),
    };
    let by = SubmissionFacts { by: Some("printer".into()), may_send: true, failed: 0 };
    let addresses = vec!["bob@corp.example".to_owned()];
    let taught = Observed::Lesson(Lesson::Taught(pair));
    event.record.evidence = [
        found(CheckName::Submission, Stage::Helo, Observed::Submission(by)),
        found(CheckName::HeaderFrom, Stage::Data, Observed::HeaderFrom { addresses }),
        found(CheckName::AutoAllow, Stage::Content, taught),
    ]
    .into_iter()
    .collect();
    let all = lines(&event);
    for check in [
        CheckName::Recipient,
        CheckName::Rbl,
        CheckName::Greylist,
        CheckName::Senders,
        CheckName::Spoofing,
        CheckName::Spf,
        CheckName::Dkim,
        CheckName::HeaderFrom,
    ] {
        assert!(all.iter().all(|line| line.check != check_title(check)), "{check:?}");
    }
    assert!(all.iter().any(|line| line.check == "Author"));
    let taught = line(&event, Stage::Content, CheckName::AutoAllow);
    assert!(taught.observed.starts_with("bob@corp.example wrote to ann@sender"), "{taught:?}");
    let why = Observed::Lesson(Lesson::Nothing(Untaught::Automatic));
    event.record.evidence.replace(found(CheckName::AutoAllow, Stage::Content, why));
    let untaught = line(&event, Stage::Content, CheckName::AutoAllow);
    assert_eq!(untaught.observed, "taught nothing: it is an automatic reply or a mailing");
}

#[test]
fn who_may_not_send_is_told_at_the_row_that_decided() {
    let note = Detail::Note("outbound listener: the client did not authenticate".into());
    let decision = Decision::new(Reason::SubmissionRequired, CheckName::Submission);
    let event = outbound(decided(decision.with_detail(note), Stage::Rcpt, &[]));
    let own = line(&event, Stage::Helo, CheckName::Submission);
    assert!(own.decided && own.result == LedgerResult::Rejected, "{own:?}");
    assert_eq!(own.observed, "outbound listener: the client did not authenticate");
    results(&event, &[(Stage::Rcpt, CheckName::Rate, false), (Stage::Mail, CheckName::Size, true)]);
}

#[test]
fn whatever_decided_has_one_row() {
    for &reason in Reason::ALL.iter().filter(|reason| reason.kind() != ReasonKind::Acceptance) {
        for &check in CheckName::ALL {
            for stage in [Stage::Connect, Stage::Mail, Stage::Rcpt, Stage::Data, Stage::Content] {
                let event = decided(Decision::new(reason, check), stage, &[]);
                for event in [event.clone(), outbound(event)] {
                    let lines = lines(&event);
                    let decided = lines.iter().filter(|line| line.decided).count();
                    assert_eq!(decided, 1, "{reason} {check:?} {}", stage.slug());
                    assert!(lines.windows(2).all(|pair| pair[0].place <= pair[1].place));
                }
            }
        }
    }
}

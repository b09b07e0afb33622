//! Stored attempts under another policy set.

use types::event::{Record, Subject};
use types::outcome::{Attempt, Ending};

use super::*;

/// The attempt event of a mail, as `receive` stores it.
fn event(lines: &str, mail_line: &str) -> Event {
    let mut mail = mail(mail_line);
    let (ruling, _) = mail.decide(&compile(objects(lines)));
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

fn event_of(mail: Mail, outcome: Outcome) -> Event {
    let client = Client { ip: mail.ip, port: 25, listener: Arc::from("127.0.0.1:25") };
    let client = ClientFacts { client, host_name: None, helo: None, esmtp: true, tls: None };
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

/// Decides under `then`, replays under `now`.
#[track_caller]
fn check_replay(then: &str, mail_line: &str, now: &str, expected: &str) {
    let replayed = replay(&compile(objects(now)), &event(then, mail_line));
    let shown = match &replayed {
        Replayed::Differs(verdict) => match verdict.decision() {
            Some(decision) => show_decision(decision),
            None => "proceeds".to_owned(),
        },
        other => format!("{other:?}"),
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
        "<eve@sender.example> to <bob@corp.example>".to_owned(),
        "<x@permitted.example> to <bob@corp.example>".to_owned(),
    ] {
        check_replay(set, &mail_line, set, "Same");
    }
}

#[test]
fn a_change_shows_what_it_would_have_done() {
    check_replay("", ANN, "#1 permit from ann@sender.example", "proceeds");
    check_replay("", ANN, "#1 no_greylist from sender.example", "proceeds");
    check_replay(
        "",
        ANN,
        "#1 block from sender.example",
        "blocked.policy.envelope by #1 next greylist.first_seen",
    );
    check_replay("#1 block", ANN, "#1 block observe", "Unknown(Rate)");
    check_replay("", ANN, "#1 greylist_by_address", "Unknown(Triplet(Address))");
    check_replay("", ANN, "#1 call_forward", "Unknown(Recipient(CallForward))");
    check_replay("", &format!("{ANN} unknown"), "#1 permit from sender.example", "Same");
}

#[test]
fn what_the_session_ended_by_itself_no_policy_changes() {
    let set = compile(objects("#1 permit from sender.example"));
    let aborted = |outcome| {
        let mut mail = mail(ANN);
        mail.decide(&set);
        event_of(mail, outcome)
    };
    assert_eq!(replay(&set, &aborted(Outcome::Aborted(Reason::ClientDropped))), Replayed::Same);
    let limited = Decision::new(Reason::RecipientsLimited, CheckName::Protocol);
    assert_eq!(replay(&set, &aborted(Outcome::Deferred(limited))), Replayed::Same);
}

#[test]
fn a_follow_up_is_no_attempt() {
    let mut event = event("", ANN);
    let what = FollowUp::GreylistExpired { attempts: 1 };
    event.kind = EventKind::FollowUp { of: event.id, what };
    assert_eq!(replay(&compile(objects("")), &event), Replayed::NotAnAttempt);
}

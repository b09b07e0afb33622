//! Events, replies and messages as lines that stay the same from run to run.

use std::collections::HashMap;

use types::event::{BounceSuppression, DeliveryStep, QueueAction, RelayAnswer};
use types::finding::NoPool;
use types::policy::ClientIdentity;
use types::{
    CheckName, Decision, Event, EventKind, FollowUp, Lesson, LifeLineId, Observed, Outcome,
    PolicyRef, Timestamp,
};

/// Gives life-lines short names in the order in which they appear.
#[derive(Default)]
pub(super) struct Names(HashMap<LifeLineId, usize>);

impl Names {
    fn of(&mut self, life_line: LifeLineId) -> usize {
        let next = self.0.len() + 1;
        *self.0.entry(life_line).or_insert(next)
    }

    /// One event as one line; its time only where it is not the present.
    pub(super) fn event(&mut self, event: &Event, now: Timestamp) -> String {
        let mut line = match &event.kind {
            EventKind::Attempt(outcome) => attempt(event, outcome),
            EventKind::FollowUp { what, .. } => follow_up(what),
        };
        let from = event.subject.reverse_path.as_ref();
        put(&mut line, "from", from.map(|path| format!("<{}>", path.as_str())));
        let to = event.subject.recipient.as_ref();
        put(&mut line, "to", to.map(|path| path.as_str().to_owned()));
        put(&mut line, "life", Some(self.of(event.life_line).to_string()));
        put(&mut line, "at", (event.at != now).then(|| event.at.to_string()));
        line
    }
}

fn put(line: &mut String, key: &str, value: Option<String>) {
    if let Some(value) = value {
        line.push_str(&format!(" {key}={value}"));
    }
}

fn attempt(event: &Event, outcome: &Outcome) -> String {
    let mut line = format!("event {} reason={}", outcome.kind().slug(), outcome.reason());
    put(&mut line, "stage", event.record.stage.map(|stage| stage.slug().to_owned()));
    if let Some(decision) = outcome.decision() {
        decided(&mut line, decision);
    }
    if let Some(Observed::Submission(facts)) = event.record.evidence.latest(CheckName::Submission) {
        put(&mut line, "submitter", facts.by.as_ref().map(ToString::to_string));
        put(&mut line, "wrong", (facts.failed > 0).then(|| facts.failed.to_string()));
    }
    put(&mut line, "client", pool(event));
    if let Some(Observed::History(facts)) = event.record.evidence.latest(CheckName::History) {
        put(&mut line, "pairs", Some(facts.pairs.to_string()));
    }
    if let Some(Observed::ShowsOwnName { own, .. }) =
        event.record.evidence.latest(CheckName::DisplayName)
    {
        put(&mut line, "shows", Some(own.clone()));
    }
    put(&mut line, "teaches", lesson(event));
    put(&mut line, "host", host(event));
    put(&mut line, "degraded", degraded(event));
    let would = event.record.would.as_ref();
    put(&mut line, "would", would.map(|decision| decision.reason.to_string()));
    line
}

/// What a mail that left us teaches auto allow, or why it teaches nothing.
fn lesson(event: &Event) -> Option<String> {
    match event.record.evidence.latest(CheckName::AutoAllow)? {
        Observed::Lesson(Lesson::Taught(pair)) => Some(pair.other.to_string()),
        Observed::Lesson(Lesson::Nothing(why)) => Some(format!("nothing ({})", why.words())),
        _ => None,
    }
}

/// The checks that could not find out what they look for.
fn degraded(event: &Event) -> Option<String> {
    let findings = event.record.findings().iter();
    let degraded = findings.filter(|finding| finding.observed.is_degraded());
    let names: Vec<&str> = degraded.map(|finding| finding.check.slug()).collect();
    (!names.is_empty()).then(|| names.join(","))
}

/// What was found of the client's name, unless its address has none.
fn host(event: &Event) -> Option<String> {
    match event.record.evidence.latest(CheckName::HostName)? {
        Observed::Reverse(facts) if facts.claimed.is_empty() => None,
        Observed::Reverse(facts) => Some(match &facts.confirmed {
            Some(name) => name.clone(),
            None => format!("not-{}", facts.claimed.join(",not-")),
        }),
        _ => Some("no-answer".to_owned()),
    }
}

/// How the triplet's client was identified, where pools were asked for.
fn pool(event: &Event) -> Option<String> {
    let Some(Observed::Triplet(facts)) = event.record.evidence.latest(CheckName::Greylist) else {
        return None;
    };
    let why_not = match facts.no_pool {
        None => return (facts.identity == ClientIdentity::Pool).then(|| facts.client.to_string()),
        Some(NoPool::Spf(result)) => format!("spf-{}", result.slug()),
        Some(NoPool::NullReversePath) => "null-reverse-path".to_owned(),
        Some(NoPool::SeenBefore) => "seen-before".to_owned(),
    };
    Some(format!("{} because={why_not}", facts.client))
}

fn decided(line: &mut String, decision: &Decision) {
    put(line, "check", Some(decision.check.slug().to_owned()));
    put(line, "policy", decision.policy.map(policy));
    put(line, "next", decision.next.map(|reason| reason.to_string()));
}

fn policy(reference: PolicyRef) -> String {
    match reference {
        PolicyRef::Policy { id, .. } => id.to_string(),
        PolicyRef::ManagedSender { id } => format!("sender{id}"),
        PolicyRef::Base(_) => "settings".to_owned(),
    }
}

fn follow_up(what: &FollowUp) -> String {
    let relay = |name: &str, attempt: &types::RelayAttempt| {
        let answer = match &attempt.answer {
            RelayAnswer::Reply(quoted) => without_references(&quoted.to_string()),
            RelayAnswer::NoReply(why) => why.clone(),
        };
        format!("event {name} try={} answer=\"{answer}\"", attempt.number)
    };
    let mut line = match what {
        FollowUp::GreylistExpired { attempts } => format!("event expired attempts={attempts}"),
        FollowUp::Delivered(attempt) => relay("delivered", attempt),
        FollowUp::DeliveryDeferred { attempt, .. } => relay("put-off", attempt),
        FollowUp::DeliveryRejected(attempt) => relay("refused", attempt),
        FollowUp::DeliveryExpired(attempt) => relay("given-up", attempt),
        FollowUp::Notice { step, attempt } => relay(
            match step {
                DeliveryStep::Delivered => "notice-delivered",
                DeliveryStep::Deferred => "notice-put-off",
                DeliveryStep::Rejected => "notice-refused",
                DeliveryStep::Expired => "notice-given-up",
            },
            attempt,
        ),
        FollowUp::DelayWarned => "event warned".to_owned(),
        FollowUp::Bounced { .. } => "event bounced".to_owned(),
        FollowUp::BounceSuppressed { why: BounceSuppression::NullReversePath } => {
            "event not-bounced why=null-reverse-path".to_owned()
        }
        FollowUp::BounceSuppressed { why: BounceSuppression::RateLimited } => {
            "event not-bounced why=rate".to_owned()
        }
        FollowUp::Queue { action, by, .. } => format!("event {} by={by}", done(*action)),
    };
    put(&mut line, "reason", what.reason().map(|reason| reason.to_string()));
    line
}

fn done(action: QueueAction) -> &'static str {
    match action {
        QueueAction::Hold => "held",
        QueueAction::Release => "released",
        QueueAction::Retry => "retried",
        QueueAction::Delete => "deleted",
    }
}

/// The text with every reference starred out: `[ref ************]`, and the
/// queue's own after ` id ` in trace fields.
pub(super) fn without_references(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let marks = ["[ref ", " id ", "/r/"];
        let found = marks.iter().filter_map(|mark| rest.find(mark).map(|at| at + mark.len())).min();
        let Some(end) = found else { break };
        let (before, after) = rest.split_at(end);
        out.push_str(before);
        rest = match after.split_at_checked(REFERENCE_CHARS) {
            Some((reference, tail)) if is_reference(reference) => {
                out.push_str("************");
                tail
            }
            _ => after,
        };
    }
    out.push_str(rest);
    without_ids(&out)
}

const REFERENCE_CHARS: usize = 12;
const ID_CHARS: usize = 36;

fn is_reference(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
}

/// Every UUID as `<id>`.
fn without_ids(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        match rest.split_at_checked(ID_CHARS) {
            Some((id, tail)) if is_id(id) => {
                out.push_str("************************************");
                rest = tail;
            }
            _ => {
                out.push(first);
                rest = rest.split_at(first.len_utf8()).1;
            }
        }
    }
    out
}

fn is_id(text: &str) -> bool {
    text.bytes().enumerate().all(|(place, byte)| match place {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_run_to_run_is_starred_out() {
        let text = "451 4.7.1 Later [ref 0123456789AB] https://x/r/0123456789AB id 0123456789AB;";
        let plain = "451 4.7.1 Later [ref ************] https://x/r/************ id ************;";
        assert_eq!(without_references(text), plain);
        assert_eq!(without_references("an id card"), "an id card");
        let id = "<019a8f3c-0000-7abc-8def-0123456789ab@x>";
        assert_eq!(without_references(id), "<************************************@x>");
    }
}

//! The decision on a stored attempt under another policy set: what makes
//! previews ("what would this change have done?") honest.
//!
//! It works because events keep what the checks saw, and because
//! [`PolicySet::decide`] is given the same instant then and now:
//! [`Event::started`]. Whoever decides must therefore pass the start of the
//! attempt and store it.

use types::evidence::{Evidence, Need, Parties};
use types::{CheckName, Event, Observed, Outcome, Stage, Verdict};

use crate::ruling::Step;
use crate::set::PolicySet;

/// What another policy set makes of an attempt.
#[derive(Clone, Debug, PartialEq)]
pub enum Replayed {
    /// It would have ended the same way, for the same reason.
    Same,
    /// It would have ended like this; [`Verdict::Proceed`] means that nothing
    /// recorded speaks against it.
    Differs(Verdict),
    /// The record lacks this evidence, so nobody can know.
    Unknown(Need),
    /// The event is no attempt.
    NotAnAttempt,
}

/// Decides again on the stored evidence of an attempt, stage by stage up to
/// the one at which it ended.
pub fn replay(set: &PolicySet, event: &Event) -> Replayed {
    let Some(outcome) = event.outcome() else { return Replayed::NotAnAttempt };
    let ended = event.record.stage.unwrap_or(Stage::Content);
    let mut held = Verdict::Proceed;
    for stage in Stage::ALL.into_iter().filter(|stage| *stage <= ended) {
        // The bare connection has no recipient to decide on.
        if stage >= Stage::Rcpt && event.subject.recipient.is_none() {
            break;
        }
        match decide_again(set, stage, event) {
            Step::Ask(need) => return Replayed::Unknown(need),
            Step::Decided(Verdict::Proceed) => {}
            // As at a session: the first hold stands unless a later stage
            // refuses.
            Step::Decided(hold @ Verdict::Hold(_)) if held == Verdict::Proceed => held = hold,
            Step::Decided(Verdict::Hold(_)) => {}
            Step::Decided(verdict) => return compare(outcome, verdict),
        }
    }
    compare(outcome, held)
}

fn decide_again(set: &PolicySet, stage: Stage, event: &Event) -> Step {
    let subject = &event.subject;
    let findings = event.record.findings().iter();
    let known: Evidence = findings.filter(|finding| finding.stage <= stage).cloned().collect();
    let header_from: &[String] = match known.latest(CheckName::HeaderFrom) {
        Some(Observed::HeaderFrom { addresses }) => addresses,
        _ => &[],
    };
    let who = Parties {
        ip: subject.client.client.ip,
        host_name: subject.client.host_name.as_deref(),
        reverse_path: subject.reverse_path.as_deref(),
        recipient: subject.recipient.as_ref().filter(|_| stage >= Stage::Rcpt),
        header_from,
    };
    set.decide(stage, event.started, &who, &known).step
}

/// The waits and versions may differ; what counts is the reason.
fn compare(then: &Outcome, now: Verdict) -> Replayed {
    let reason_now = now.decision().map(|decision| decision.reason);
    let same = match then {
        Outcome::Accepted { .. } | Outcome::Passed { .. } | Outcome::Aborted(_) => {
            reason_now.is_none()
        }
        Outcome::Held { decision, .. }
        | Outcome::Deferred(decision)
        | Outcome::Rejected(decision) => match reason_now {
            Some(reason) => reason == decision.reason,
            None => !is_policys(decision.check),
        },
    };
    if same { Replayed::Same } else { Replayed::Differs(now) }
}

/// Whether policy decides on what this check sees; what the session or the
/// next hop ended by itself, no policy set changes.
fn is_policys(check: CheckName) -> bool {
    !matches!(check, CheckName::Protocol | CheckName::Tls | CheckName::Delivery)
}

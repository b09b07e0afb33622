//! Whether a policy that nobody has stored yet would have been the one of its
//! type that applied to a stored attempt: an exception that loses is no offer.

use types::evidence::Parties;
use types::{
    CheckName, Event, Evidence, Observed, Outcome, Policy, PolicyId, PolicyRef, Stage, Timestamp,
};

use crate::index::PolicyIndex;
use crate::objects::{PolicyObjects, StoredPolicy};
use crate::select::select;
use crate::set::PolicySet;

/// No stored policy gets as far as this number.
const NOT_STORED: PolicyId = PolicyId(u64::MAX);

/// Whether `policy`, added to `set` as the newest of all, would be the one of
/// its type that applies to a stored attempt, as far as it was known where the
/// attempt was decided.
///
/// The policy is taken as it is, valid or not, and names no group: those of the
/// set are not looked up. Of a follow-up, such as the end of a greylist window,
/// the stage of its reason counts; false for an event that has no reason.
pub fn would_apply(set: &PolicySet, event: &Event, policy: &Policy) -> bool {
    let stage = match (event.outcome(), event.reason()) {
        (Some(outcome), _) => decided_at(outcome, event),
        (None, Some(reason)) => reason.stage(),
        (None, None) => return false,
    };
    let who = parties(event, stage, &event.record.evidence);
    let (at, header_known) = (event.started, stage >= Stage::Data);
    let alone = PolicyIndex::compile(newest(policy), set.base());
    let mut matches = set.policies().matches(at, &who, header_known);
    matches.extend(alone.matches(at, &who, header_known));
    let winner = select(&matches, policy.kind(), false).winner;
    winner.is_some_and(|found| is_not_stored(found.compiled.reference))
}

fn newest(policy: &Policy) -> PolicyObjects {
    let policy = Policy { id: Some(NOT_STORED), ..policy.clone() };
    let created = Timestamp::from_millis(i64::MAX);
    let policies = vec![StoredPolicy { policy, version: 0, created }];
    PolicyObjects { policies, ..PolicyObjects::default() }
}

fn is_not_stored(reference: PolicyRef) -> bool {
    matches!(reference, PolicyRef::Policy { id: NOT_STORED, .. })
}

/// The stage at which an attempt ended. A message that was taken was seen to
/// its end, wherever it was decided to keep it back.
pub(super) fn decided_at(outcome: &Outcome, event: &Event) -> Stage {
    match outcome {
        Outcome::Accepted { .. } | Outcome::Held { .. } => Stage::Content,
        _ => event.record.stage.unwrap_or(Stage::Content),
    }
}

/// The parties of a stored attempt, as far as they were named at `stage`;
/// its authors as `known` has them.
pub(super) fn parties<'a>(event: &'a Event, stage: Stage, known: &'a Evidence) -> Parties<'a> {
    let subject = &event.subject;
    let header_from: &[String] = match known.latest(CheckName::HeaderFrom) {
        Some(Observed::HeaderFrom { addresses }) => addresses,
        _ => &[],
    };
    Parties {
        ip: subject.client.client.ip,
        host_name: subject.client.host_name.as_deref(),
        tls: subject.client.tls.as_ref(),
        reverse_path: subject.reverse_path.as_deref(),
        recipient: subject.recipient.as_ref().filter(|_| stage >= Stage::Rcpt),
        header_from,
    }
}

//! Precision per policy: how often people took back what a policy, entry or
//! setting refused, counted against how often it refused.
//!
//! Three things take a refusal back: a permit made from its row, a release of
//! what it held, and a row that was let in. Who did so is in the audit log
//! with the row; releases are steps on the life-line. What was undone again
//! does not count. Rows that are no longer kept cannot be asked who refused
//! them, so the report reaches as far back as attempts are kept.

mod recent;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::state::audit::{AuditEntry, AuditQuery};
use store::state::{Difference, Object};
use types::event::QueueAction;
use types::lists::SenderAction;
use types::policy::{PermitOption, PolicyOption};
use types::{
    AuditAction, Caller, CheckName, Event, EventId, FollowUp, Permission, PolicyRef, Reason,
    Reference, Timestamp,
};

use crate::explain::{check_title, short};
use crate::search::SearchRequest;
use crate::sight::{Seen, SeenEvents};
use crate::views::View;
use crate::{Center, CenterError, PAGE_ROWS_MAX, permit};

pub(crate) use recent::RecentPrecision;

/// Entries of the audit log read at once.
const ENTRIES_AT_ONCE: usize = 1_000;
/// Most entries of the audit log looked through.
const ENTRIES_MAX: usize = 50_000;
/// Most releases looked through.
const RELEASES_MAX: usize = 10_000;
/// How an entry says that a version was undone.
const UNDONE: (&str, &str) = ("version ", " undone");

/// What was taken back of what one policy, entry or setting refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PrecisionRow {
    /// The check.
    pub check: CheckName,
    /// What people call it.
    pub title: String,
    /// The policy, entry or setting, where one decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyRef>,
    /// The same in words: `policy #30`, `the settings`.
    pub by: String,
    /// Attempts it refused, put off or held.
    pub refused: u64,
    /// Permits made from their rows.
    pub permits: u64,
    /// Rows that were let in.
    pub let_in: u64,
    /// Messages it held that were released.
    pub releases: u64,
    /// All that was taken back, of a thousand that were refused.
    pub regret_per_mille: u64,
    /// The list of what it refused.
    pub query: String,
    /// Rows of which it was taken back, newest first, at most ten.
    pub rows: Vec<Reference>,
}

/// The report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Precision {
    /// From when on.
    pub from: Timestamp,
    /// Until when.
    pub to: Timestamp,
    /// Those of which something was taken back, most regretted first.
    pub rows: Vec<PrecisionRow>,
    /// Acts whose row is not kept any more, so that nobody knows who refused.
    pub unknown: u64,
}

/// Who refused: the check and what decided, without its version; the reason
/// where no policy did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Refuser {
    check: CheckName,
    policy: Option<PolicyRef>,
    reason: Option<Reason>,
}

/// How a refusal was taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TakenBack {
    Permit,
    LetIn,
    Release,
}

/// One refusal that was taken back.
pub(crate) struct Act {
    pub(crate) row: ActRow,
    pub(crate) how: TakenBack,
    pub(crate) at: Timestamp,
}

/// What was counted of one.
#[derive(Default)]
struct Counted {
    permits: u64,
    let_in: u64,
    releases: u64,
    rows: Vec<Reference>,
}

impl Center {
    /// What was taken back in the last `days`, as far back as attempts are
    /// kept.
    ///
    /// # Errors
    ///
    /// See [`CenterError`].
    pub fn precision(&self, caller: &Caller, days: u32) -> Result<Precision, CenterError> {
        permit(caller, Permission::SeeMetadata)?;
        permit(caller, Permission::SeePolicies)?;
        let to = self.parts.clock.now();
        let wanted = std::time::Duration::from_secs(u64::from(days.max(1)) * 86_400);
        let from = to.before(wanted.min(self.parts.metadata_kept));
        let times = from..to;
        let seen = self.seen_by(caller);
        let mut acts = self.acts(&times)?;
        acts.extend(releases(&seen, &times)?);
        let mut counted: BTreeMap<Refuser, Counted> = BTreeMap::new();
        let mut unknown = 0;
        for Act { row, how, .. } in acts {
            let Some(event) = row.event(&seen.events)? else {
                unknown += 1;
                continue;
            };
            // What nobody refused was not taken back either.
            let Some(refuser) = refuser(&event) else { continue };
            let counted = counted.entry(refuser).or_default();
            match how {
                TakenBack::Permit => counted.permits += 1,
                TakenBack::LetIn => counted.let_in += 1,
                TakenBack::Release => counted.releases += 1,
            }
            if counted.rows.len() < 10 && !counted.rows.contains(&event.reference()) {
                counted.rows.push(event.reference());
            }
        }
        let rows =
            counted.into_iter().map(|(refuser, sum)| precision_row(&seen, refuser, sum, &times));
        let mut rows = rows.collect::<Result<Vec<_>, CenterError>>()?;
        rows.sort_by_key(|row| std::cmp::Reverse((row.regret_per_mille, row.refused)));
        Ok(Precision { from, to, rows, unknown })
    }

    /// Permits and rows let in, from the audit log, newest first.
    pub(crate) fn acts(&self, times: &Range<Timestamp>) -> Result<Vec<Act>, CenterError> {
        let query = AuditQuery {
            actions: vec![
                AuditAction::SendersChanged,
                AuditAction::PoliciesChanged,
                AuditAction::GreylistPassed,
            ],
            times: Some(times.clone()),
            ..AuditQuery::default()
        };
        let (mut acts, mut undone) = (Vec::new(), BTreeSet::new());
        let (mut before, mut seen) = (None, 0);
        while seen < ENTRIES_MAX {
            let entries = self.parts.audit.entries(&query, before, ENTRIES_AT_ONCE)?;
            let Some(last) = entries.last() else { break };
            (before, seen) = (Some(last.number), seen + entries.len());
            for entry in &entries {
                // Newest first, so an undoing is met before what it undoes.
                undone.extend(undone_by(&entry.note.note));
                if entry.note.version.is_none_or(|version| !undone.contains(&version)) {
                    acts.extend(self.taken_back(entry)?);
                }
            }
        }
        Ok(acts)
    }

    /// What one entry took back.
    fn taken_back(&self, entry: &AuditEntry) -> Result<Vec<Act>, CenterError> {
        let note = &entry.note;
        let act = |row, how| Act { row, how, at: note.at };
        if note.action == AuditAction::GreylistPassed {
            let details: Value = serde_json::from_str(&note.details).unwrap_or_default();
            let many = details.get("rows").and_then(Value::as_array).into_iter().flatten();
            let many = many.filter_map(|row| row.as_str()?.parse().ok());
            let rows = note.actor.row.into_iter().chain(many);
            return Ok(rows.map(|row| act(ActRow::Named(row), TakenBack::LetIn)).collect());
        }
        let Some(version) = note.version.filter(|_| !note.note.ends_with(UNDONE.1)) else {
            return Ok(Vec::new());
        };
        let made = self.parts.policies.differences(version.saturating_sub(1), version)?;
        let row = |made: &Difference| match (&made.before, &made.after) {
            (_, Some(Object::Sender(entry))) if entry.action == SenderAction::Permit => {
                entry.created_from.map(ActRow::Event)
            }
            (None, Some(Object::Policy(policy))) => {
                let permits = PolicyOption::PermittedSenders(PermitOption::Permit);
                note.actor.row.filter(|_| policy.option == permits).map(ActRow::Named)
            }
            _ => None,
        };
        Ok(made.iter().filter_map(row).map(|row| act(row, TakenBack::Permit)).collect())
    }
}

fn precision_row(
    seen: &Seen<'_>,
    refuser: Refuser,
    sum: Counted,
    times: &Range<Timestamp>,
) -> Result<PrecisionRow, CenterError> {
    let query = query_of(refuser);
    let request = SearchRequest {
        query: query.clone(),
        view: View::All,
        from: times.start.to_string(),
        to: times.end.to_string(),
        ..SearchRequest::default()
    };
    let refused = seen.counted(&seen.scope(&request)?, u64::MAX)?.count;
    let Counted { permits, let_in, releases, rows } = sum;
    let back = permits + let_in + releases;
    Ok(PrecisionRow {
        check: refuser.check,
        title: check_title(refuser.check).to_owned(),
        policy: refuser.policy,
        by: match (refuser.policy, refuser.reason) {
            (Some(policy), _) => short(policy),
            (None, Some(reason)) => reason.label().to_owned(),
            (None, None) => String::new(),
        },
        refused,
        permits,
        let_in,
        releases,
        regret_per_mille: (back * 1_000).checked_div(refused.max(back)).unwrap_or(0),
        query,
        rows,
    })
}

/// Released messages, from their life-lines.
fn releases(seen: &Seen<'_>, times: &Range<Timestamp>) -> Result<Vec<Act>, CenterError> {
    let mut page = SearchRequest {
        query: "is:released".to_owned(),
        view: View::All,
        from: times.start.to_string(),
        to: times.end.to_string(),
        rows_max: PAGE_ROWS_MAX,
        ..SearchRequest::default()
    };
    let mut found: BTreeSet<EventId> = BTreeSet::new();
    let mut looked_at = 0;
    while looked_at < RELEASES_MAX {
        let (events, next) = seen.events_of(&page)?;
        looked_at += events.len();
        for event in &events {
            let line = seen.events.life_line(event.life_line)?;
            found.extend(line.iter().filter_map(released));
        }
        match next {
            Some(next) => page.cursor = Some(next),
            None => break,
        }
    }
    let released = |id| Act { row: ActRow::Event(id), how: TakenBack::Release, at: times.end };
    Ok(found.into_iter().map(released).collect())
}

/// The row an act was done from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ActRow {
    Event(EventId),
    Named(Reference),
}

impl ActRow {
    /// Its event, if it is kept and may be seen.
    pub(crate) fn event(self, seen: &SeenEvents) -> Result<Option<Event>, CenterError> {
        Ok(match self {
            ActRow::Event(id) => seen.event(id)?,
            ActRow::Named(reference) => {
                let found = seen.by_reference(reference)?;
                found.into_iter().find(|event| event.reference() == reference)
            }
        })
    }
}

/// The attempt that a step on its life-line released.
fn released(event: &Event) -> Option<EventId> {
    match &event.kind {
        types::EventKind::FollowUp {
            of,
            what: FollowUp::Queue { action: QueueAction::Release, of_notice: false, .. },
        } => Some(*of),
        _ => None,
    }
}

/// The version that an entry undid.
fn undone_by(note: &str) -> Option<u64> {
    note.strip_prefix(UNDONE.0)?.strip_suffix(UNDONE.1)?.parse().ok()
}

fn refuser(event: &Event) -> Option<Refuser> {
    let decision = event.outcome()?.decision()?;
    let policy = decision.policy.map(|policy| match policy {
        PolicyRef::Policy { id, .. } => PolicyRef::Policy { id, version: 0 },
        other => other,
    });
    let reason = policy.is_none().then_some(decision.reason);
    Some(Refuser { check: decision.check, policy, reason })
}

/// The search that finds what one refused.
fn query_of(refuser: Refuser) -> String {
    match (refuser.policy, refuser.reason) {
        (Some(PolicyRef::Policy { id, .. }), _) => format!("policy:{} -is:accepted", id.0),
        (Some(PolicyRef::ManagedSender { id }), _) => {
            format!("policy:\"sender {}\" -is:accepted", id.0)
        }
        (Some(PolicyRef::Base(kind)), _) => {
            format!("policy:\"settings {}\" -is:accepted", kind.slug())
        }
        (None, Some(reason)) => format!("type:{}", reason.slug()),
        (None, None) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use types::{Decision, EventKind, Outcome, PolicyId, PolicyType};

    use super::*;
    use crate::letting::{SenderDecision, SenderVerdict, Whom};
    use crate::tests::{Gateway, at, sample};

    fn root() -> Caller {
        Caller::with_all("root")
    }

    /// Attempt `number`, refused by policy 30.
    fn refused(gateway: &Gateway, number: u64) -> Event {
        let mut event = sample(number, Reason::BlockedPolicyEnvelope);
        let policy = PolicyRef::Policy { id: PolicyId(30), version: 4 };
        let decision = Decision::new(Reason::BlockedPolicyEnvelope, CheckName::Senders).by(policy);
        event.kind = EventKind::Attempt(Outcome::Rejected(decision));
        gateway.center.memory.of_house().record(vec![event.clone()]).unwrap();
        event
    }

    fn decided(gateway: &Gateway, event: &Event, verdict: SenderVerdict, whom: Whom) -> u64 {
        let sender = format!("s{}.example", event.reference().to_string().to_lowercase());
        let decision = SenderDecision {
            verdict,
            sender: sender.parse().unwrap(),
            whom,
            authenticated_only: false,
            until: None,
            note: String::new(),
        };
        let name = event.id.to_string();
        gateway.center.decide_sender(&root(), &name, &decision).unwrap().change.version
    }

    #[test]
    fn what_was_taken_back_counts_against_who_refused_unless_it_was_undone() {
        let gateway = Gateway::new(at(60));
        let center = &gateway.center;
        let events: Vec<Event> = (1..=8).map(|number| refused(&gateway, number)).collect();
        decided(&gateway, &events[0], SenderVerdict::Permit, Whom::Recipient);
        decided(&gateway, &events[1], SenderVerdict::Permit, Whom::Everyone);
        // A block takes nothing back, and what was undone was not meant.
        decided(&gateway, &events[2], SenderVerdict::Block, Whom::Recipient);
        let undone = decided(&gateway, &events[3], SenderVerdict::Permit, Whom::Recipient);
        center.undo(&root(), undone).unwrap();
        gateway.advance(std::time::Duration::from_secs(5));
        let report = center.precision(&root(), 7).unwrap();
        let [row] = &report.rows[..] else { panic!("{report:?}") };
        assert_eq!((row.refused, row.permits, row.let_in, row.releases), (8, 2, 0, 0));
        assert_eq!((row.by.as_str(), row.regret_per_mille), ("policy #30", 250));
        assert_eq!(row.query, "policy:30 -is:accepted");
        assert!(row.rows.contains(&events[0].reference()) && report.unknown == 0, "{report:?}");
    }

    #[tokio::test]
    async fn releases_and_rows_let_in_count_against_what_held_and_greylisted() {
        let gateway = Gateway::new(at(60));
        let center = &gateway.center;
        let refused = crate::letting::tests::greylisted(&gateway, "ann@sender.example");
        crate::letting::tests::waits(&gateway, &refused);
        center.let_in(&root(), &refused.id.to_string()).unwrap();
        // One of two recipients of a message was held, and is released.
        crate::sight_tests::queued(&gateway).await;
        let id = crate::tests::queue_id(7);
        let released = center
            .queue_command(&root(), &crate::QueueOrder::of(crate::QueueCommand::Release, &[id]))
            .unwrap();
        assert_eq!(released.recipients, 1);
        gateway.advance(std::time::Duration::from_secs(5));
        let report = center.precision(&root(), 7).unwrap();
        let of = |query: &str| {
            let row = report.rows.iter().find(|row| row.query == query);
            let row = row.unwrap_or_else(|| panic!("{query}: {report:?}"));
            (row.refused, row.permits, row.let_in, row.releases, row.rows.clone())
        };
        let greylisted = vec![refused.reference()];
        assert_eq!(of("type:greylist.first_seen"), (1, 0, 1, 0, greylisted));
        let held = vec![crate::tests::event_id(8).reference()];
        let reason = Reason::HoldAuthentication.slug();
        assert_eq!(of(&format!("type:{reason}")), (1, 0, 0, 1, held));
        assert_eq!((report.rows.len(), report.unknown), (2, 0), "{report:?}");
    }

    #[test]
    fn without_a_policy_the_reason_is_what_refused() {
        let refuser =
            Refuser { check: CheckName::Relay, policy: None, reason: Some(Reason::RelayDenied) };
        assert_eq!(query_of(refuser), "type:relay.denied");
        let base = Some(PolicyRef::Base(PolicyType::Greylisting));
        let refuser = Refuser { check: CheckName::Greylist, policy: base, reason: None };
        assert_eq!(query_of(refuser), "policy:\"settings greylisting\" -is:accepted");
        assert_eq!(undone_by("version 12 undone"), Some(12));
        assert_eq!(undone_by("version twelve undone"), None);
    }
}

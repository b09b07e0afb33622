//! Who let that in, or kept it out: what people did that made an attempt end
//! as it did, and what they did from the rows of its life-line.
//!
//! All of it is in the audit log; here are the entries that belong to one
//! attempt, found by the version that made the policy, by the member that was
//! added to its group, and by the rows that were acted on.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use store::state::audit::{AuditEntry, AuditQuery};
use types::{AccountId, AuditAction, Caller, Event, EventKind, Reference, Timestamp};

use super::Explanation;
use super::decider::{GroupMember, PolicyView};
use crate::audit::own_only;
use crate::sight::Seen;
use crate::{CenterError, presentable};

/// Most attempts of a life-line whose rows are looked up.
const ROWS_MAX: usize = 12;
/// Most entries shown beside one attempt.
const DEEDS_MAX: usize = 8;
/// Most changes of groups looked through for the one that added a member.
const CHANGES_MAX: usize = 50;

/// An entry of the audit log in a line. Texts are presentable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Deed {
    /// The number of the entry.
    pub number: u64,
    /// When it was done.
    pub at: Timestamp,
    /// Who did it.
    pub who: String,
    /// What was done, as a sentence.
    pub did: String,
    /// To what.
    pub subject: String,
    /// The attempt from whose row it was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<Reference>,
}

impl Seen<'_> {
    /// The entries of the audit log that belong to an attempt. Whoever may
    /// not see the log sees what they did themselves.
    pub(crate) fn deeds(
        &self,
        caller: &Caller,
        event: &Event,
        why: &Explanation,
    ) -> Result<Vec<Deed>, CenterError> {
        let Ok(account) = own_only(caller) else { return Ok(Vec::new()) };
        let decided = why.decision.as_ref().and_then(|decision| decision.policy.as_ref());
        let mut found = BTreeMap::new();
        for view in decided.into_iter().chain(&why.permit) {
            self.made(account, view, event.started, &mut found)?;
        }
        let made_from = decided.into_iter().chain(&why.permit).filter_map(|view| view.made_from);
        let line = self.events.life_line(event.life_line)?;
        let attempts = line.iter().rev().filter(|one| matches!(one.kind, EventKind::Attempt(_)));
        let own = std::iter::once(event.reference());
        let rows = own.chain(made_from).chain(attempts.map(Event::reference)).take(ROWS_MAX);
        for row in rows.collect::<BTreeSet<_>>() {
            let query = AuditQuery { account, row: Some(row), ..AuditQuery::default() };
            self.note_deeds(&query, DEEDS_MAX, &mut found)?;
        }
        Ok(found.into_values().rev().take(DEEDS_MAX).collect())
    }

    /// The entries that made what decided.
    fn made(
        &self,
        account: Option<AccountId>,
        view: &PolicyView,
        before: Timestamp,
        found: &mut BTreeMap<u64, Deed>,
    ) -> Result<(), CenterError> {
        let all = AuditQuery { account, ..AuditQuery::default() };
        if let Some(version) = view.version.filter(|version| *version > 0) {
            let query = AuditQuery { version: Some(version), ..all.clone() };
            self.note_deeds(&query, 1, found)?;
        }
        if let Some(member) = &view.member {
            let query = AuditQuery {
                actions: vec![AuditAction::GroupsChanged],
                text: Some(member.member.clone()),
                times: Some(Timestamp::EPOCH..before),
                ..all
            };
            let entries = self.parts.audit.entries(&query, None, CHANGES_MAX)?;
            let added = entries.iter().find(|entry| adds(entry, member));
            found.extend(added.map(|entry| (entry.number, deed(entry))));
        }
        Ok(())
    }

    fn note_deeds(
        &self,
        query: &AuditQuery,
        max: usize,
        found: &mut BTreeMap<u64, Deed>,
    ) -> Result<(), CenterError> {
        let entries = self.parts.audit.entries(query, None, max)?;
        found.extend(entries.iter().map(|entry| (entry.number, deed(entry))));
        Ok(())
    }
}

fn deed(entry: &AuditEntry) -> Deed {
    let AuditEntry { number, note, .. } = entry;
    let shown = |text: &str| presentable(text).into_owned();
    Deed {
        number: *number,
        at: note.at,
        who: shown(&note.actor.name),
        did: note.action.doc().trim_end_matches('.').to_owned(),
        subject: shown(&note.subject),
        row: note.actor.row,
    }
}

/// Whether a change of groups put this member into its group.
fn adds(entry: &AuditEntry, member: &GroupMember) -> bool {
    let details = serde_json::from_str::<serde_json::Value>(&entry.note.details);
    let changes = details.as_ref().ok().and_then(|details| details.get("changes")?.as_array());
    let has = |side: &serde_json::Value| {
        let group = side.get("group").unwrap_or(side);
        let is_it = group.get("name").and_then(serde_json::Value::as_str) == Some(&member.group);
        let members = group.get("members").and_then(serde_json::Value::as_array);
        is_it && members.is_some_and(|all| all.iter().any(|one| *one == *member.member))
    };
    let side = |change: &serde_json::Value, name: &str| change.get(name).is_some_and(has);
    changes.is_some_and(|all| all.iter().any(|one| side(one, "after") && !side(one, "before")))
}

//! With which effect since: what became of what an entry of the audit log did.

use serde::{Deserialize, Serialize};
use store::state::{Hits, ObjectKey};
use types::{AuditAction, Caller, EventKind, OutcomeKind, Permission, Timestamp};

use crate::audit::AuditRow;
use crate::views::View;
use crate::{Center, CenterError, SearchRequest, presentable};

/// What became of one thing that an entry of the audit log did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AuditEffect {
    /// Which object or triplet.
    pub object: String,
    /// Whether it is as the entry left it, was changed again, or is gone; of
    /// a triplet, whether its sender came back.
    pub standing: String,
    /// How many attempts it has decided since the entry, of those that are
    /// still kept; absent if the caller may not see them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
    /// Whether `since` is exact; it is up to 10,000.
    #[serde(default)]
    pub since_is_exact: bool,
    /// How many attempts it has decided since it was made.
    pub hits: u64,
    /// The last of them.
    pub last: Option<Timestamp>,
    /// The search that finds those since the entry.
    pub query: Option<String>,
}

impl Center {
    /// What became of what an entry did: of the objects that it changed, how
    /// they stand now and how often they have decided since; of a triplet
    /// that it let in, whether its sender came back. Empty where the entry
    /// did neither, or where the caller may not see it.
    ///
    /// # Errors
    ///
    /// The store fails.
    pub fn audit_effects(
        &self,
        caller: &Caller,
        entry: &AuditRow,
    ) -> Result<Vec<AuditEffect>, CenterError> {
        if entry.action == AuditAction::GreylistPassed.slug() {
            return Ok(self.let_in_effect(caller, entry)?.into_iter().collect());
        }
        let (Some(made), Some(details)) = (entry.version, &entry.details) else {
            return Ok(Vec::new());
        };
        let changes = details.get("changes").and_then(|changes| changes.as_array());
        let keys = changes.into_iter().flatten().filter_map(|change| change.get("key").cloned());
        let keys = keys.filter_map(|key| serde_json::from_value::<ObjectKey>(key).ok());
        let mut effects = Vec::new();
        for key in keys {
            let (needs, found, query) = match &key {
                ObjectKey::Policy(id) => {
                    let stored = self.parts.policies.policy(*id)?;
                    let found = stored.map(|stored| (stored.provenance.version, stored.hits));
                    (Permission::SeePolicies, found, format!("policy:{}", id.0))
                }
                ObjectKey::Sender(id) => {
                    let stored = self.parts.policies.sender(*id)?;
                    let found = stored.map(|stored| (stored.provenance.version, stored.hits));
                    (Permission::SeeSenders, found, format!("policy:\"sender {}\"", id.0))
                }
                // These decide nothing themselves.
                ObjectKey::Group(_) | ObjectKey::Definition(_) => continue,
            };
            if caller.may(needs) {
                let effect = effect(&key, made, found);
                effects.push(self.with_since(caller, entry.at, query, effect)?);
            }
        }
        Ok(effects)
    }

    /// The same, with the attempts since the entry.
    fn with_since(
        &self,
        caller: &Caller,
        from: Timestamp,
        query: String,
        effect: AuditEffect,
    ) -> Result<AuditEffect, CenterError> {
        if !caller.may(Permission::SeeMetadata) {
            return Ok(effect);
        }
        let request = SearchRequest {
            query: query.clone(),
            view: View::All,
            from: from.to_string(),
            ..SearchRequest::default()
        };
        let count = self.count(caller, &request)?;
        let query = (count.count > 0).then_some(query);
        Ok(AuditEffect { since: Some(count.count), since_is_exact: count.exact, query, ..effect })
    }

    /// What became of a triplet that was let in from a row.
    fn let_in_effect(
        &self,
        caller: &Caller,
        entry: &AuditRow,
    ) -> Result<Option<AuditEffect>, CenterError> {
        let Some(row) = entry.row.filter(|_| caller.may(Permission::SeeMetadata)) else {
            return Ok(None);
        };
        let seen = self.seen_by(caller);
        let mut events = seen.events.by_reference(row)?;
        events.retain(|event| event.reference() == row);
        let Some(event) = events.pop() else { return Ok(None) };
        let line = seen.events.life_line(event.life_line)?;
        let attempts: Vec<_> = line
            .iter()
            .filter(|one| matches!(one.kind, EventKind::Attempt(_)) && one.started >= entry.at)
            .collect();
        let is_accepted = |kind| kind == Some(OutcomeKind::Accepted);
        let came_in = attempts.iter().find(|one| is_accepted(one.outcome_kind()));
        let standing = match (came_in, attempts.is_empty()) {
            (Some(accepted), _) => format!("accepted as {}", accepted.reference()),
            (None, false) => "it came back and was not accepted".to_owned(),
            (None, true) => "nobody has come back yet".to_owned(),
        };
        let hits = attempts.len() as u64;
        Ok(Some(AuditEffect {
            object: presentable(&format!("triplet {}", entry.subject)).into_owned(),
            standing,
            since: Some(hits),
            since_is_exact: true,
            hits,
            last: attempts.last().map(|one| one.at),
            query: (hits > 0).then(|| format!("life:{}", event.life_line)),
        }))
    }
}

fn effect(key: &ObjectKey, made: u64, found: Option<(u64, Hits)>) -> AuditEffect {
    let standing = match &found {
        None => "it is gone".to_owned(),
        Some((version, _)) if *version == made => "as it was left".to_owned(),
        Some((version, _)) => format!("changed again in version {version}"),
    };
    let hits = found.map(|(_, hits)| hits).unwrap_or_default();
    AuditEffect {
        object: presentable(&key.to_string()).into_owned(),
        standing,
        since: None,
        since_is_exact: false,
        hits: hits.count,
        last: hits.last,
        query: None,
    }
}

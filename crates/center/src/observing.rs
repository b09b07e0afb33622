//! A policy in observe mode: what it would have done since, against what
//! happened, and the step from there to enforcing it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use types::policy::PolicyMode;
use types::{Caller, Permission, Policy, PolicyId, Timestamp};

use crate::policies::{ChangeResult, PolicyRow};
use crate::races::until_settled;
use crate::replay::{ReplayChange, ReplayReport, ReplayRequest};
use crate::{Center, CenterError, permit};

/// What a policy would have done while it was observed.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ObservedPolicy {
    /// The policy, as it is.
    pub policy: PolicyRow,
    /// Since when it is as it is: from then on is compared, as far back as
    /// attempts are kept.
    pub since: Timestamp,
    /// What happened, against what would have happened had it been enforced.
    pub report: ReplayReport,
}

impl Center {
    /// What a policy in observe mode would have done since it was put there,
    /// against what happened.
    ///
    /// # Errors
    ///
    /// [`CenterError::Invalid`] for a policy in another mode; as
    /// [`Center::replay`].
    pub fn observed_policy(
        &self,
        caller: &Caller,
        id: PolicyId,
    ) -> Result<ObservedPolicy, CenterError> {
        let policy = self.policy(caller, id)?;
        let enforced = enforced(&policy)?;
        let now = self.parts.clock.now();
        let since = policy.provenance.changed;
        // A span needs a length, also in the moment it was stored.
        let latest = now.before(Duration::from_millis(1));
        let from = since.max(now.before(self.parts.metadata_kept)).min(latest);
        let change = ReplayChange::Policy(Box::new(enforced));
        let request = ReplayRequest { from: Some(from), to: Some(now), change };
        let report = self.replay(caller, &request)?;
        Ok(ObservedPolicy { policy, since, report })
    }

    /// Enforces a policy in observe mode as it was looked at: in its version
    /// `looked_at`.
    ///
    /// # Errors
    ///
    /// [`CenterError::Invalid`] for a policy in another mode,
    /// [`CenterError::Conflict`] if it was changed since; as
    /// [`Center::put_policy`].
    pub fn enforce_policy(
        &self,
        caller: &Caller,
        id: PolicyId,
        looked_at: u64,
        note: &str,
    ) -> Result<ChangeResult, CenterError> {
        permit(caller, Permission::EditPolicies)?;
        // What happens to other objects meanwhile is no conflict.
        until_settled(|| {
            let version = self.parts.policies.version()?;
            let row = self.policy(caller, id)?;
            let found = row.provenance.version;
            if found != looked_at {
                let text = format!(
                    "policy {id} was changed in version {found}, after this comparison was made; \
                     look at it again"
                );
                return Err(CenterError::invalid(text));
            }
            self.put_policy(caller, enforced(&row)?, Some(version), note)
        })
    }
}

/// The policy as it would be enforced.
fn enforced(row: &PolicyRow) -> Result<Policy, CenterError> {
    match row.policy.mode {
        PolicyMode::Observe => Ok(Policy { mode: PolicyMode::On, ..row.policy.clone() }),
        PolicyMode::On | PolicyMode::Off => {
            let text = format!("the policy is not in observe mode: it is {}", row.standing);
            Err(CenterError::invalid(text))
        }
    }
}

#[cfg(test)]
mod tests {
    use types::policy::{BlockOption, PolicyOption};

    use super::*;
    use crate::tests::{Gateway, at, block};

    fn root() -> Caller {
        Caller::with_all("root")
    }

    #[test]
    fn what_is_observed_is_compared_and_enforced_as_it_was_looked_at() {
        let gateway = Gateway::new(at(60));
        let center = &gateway.center;
        let policy = Policy { mode: PolicyMode::Observe, ..block("No more", "sender.example") };
        center.put_policy(&root(), policy, None, "").unwrap();
        let id = center.policies(&root()).unwrap().policies[0].policy.id.unwrap();
        let seen = center.observed_policy(&root(), id).unwrap();
        assert_eq!((seen.since, seen.report.attempts), (at(60), 0));
        assert!(seen.report.differences[0].after.as_ref().unwrap().contains("on"));
        // Other objects may change; this one may not.
        center.put_policy(&root(), block("Another", "other.example"), None, "").unwrap();
        let looked_at = seen.policy.provenance.version;
        let narrative = "No more, since yesterday".to_owned();
        let changed = Policy { narrative, ..seen.policy.policy.clone() };
        center.put_policy(&root(), changed, None, "").unwrap();
        let error = center.enforce_policy(&root(), id, looked_at, "").unwrap_err();
        assert!(error.to_string().contains("look at it again"), "{error}");
        let now = center.policy(&root(), id).unwrap().provenance.version;
        let done = center.enforce_policy(&root(), id, now, "observed long enough").unwrap();
        assert_eq!(done.differences.len(), 1);
        let row = center.policy(&root(), id).unwrap();
        assert_eq!(
            (row.standing.as_str(), row.policy.narrative.as_str()),
            ("on", "No more, since yesterday")
        );
        assert_eq!(row.policy.option, PolicyOption::BlockedSenders(BlockOption::Block));
        // There is nothing more to compare or to enforce.
        assert!(center.observed_policy(&root(), id).is_err());
        assert!(center.enforce_policy(&root(), id, row.provenance.version, "").is_err());
        let reader = Caller::read_only("reader");
        let denied = center.enforce_policy(&reader, id, now, "");
        assert!(matches!(denied, Err(CenterError::Denied { .. })), "{denied:?}");
    }
}

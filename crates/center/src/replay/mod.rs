//! What a change of the policy set would have done to the mail of the last
//! days, decided again from what was recorded then.
//!
//! Three steps: [`change`] makes the policy set that is asked about;
//! [`look`] decides on every attempt under it and under the set in force, on
//! several threads; [`comparison`] goes through the answers in the order of
//! time, simulates greylisting and counts. [`report`] says what came of it.
//! Nothing that is not recorded is ever said to be known: see
//! [`policy::replay`].

pub(crate) mod change;
mod comparison;
mod look;
mod report;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::PoisonError;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use types::lists::ManagedSender;
use types::{Caller, Definition, Permission, Policy, PolicyId, Timestamp};

use crate::{Center, CenterError, permit};
use comparison::Comparison;
use look::Looker;

pub use report::{Counted, EndCounts, Group, ReplayCell, ReplayReport, ReplayRow, SelfCheck};

/// Without a time of its own, a replay goes back this far.
const REPLAYED: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// After this time a replay ends with what it has, and says so.
const TIME_MAX: Duration = Duration::from_secs(60);

/// What is replayed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ReplayRequest {
    /// From this instant on; seven days ago if absent.
    pub from: Option<Timestamp>,
    /// Up to and not including this instant; now if absent.
    pub to: Option<Timestamp>,
    /// What is changed; nothing is the self-check alone.
    pub change: ReplayChange,
}

/// A change of the policy set that is only asked about.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReplayChange {
    /// None: the set in force must decide as was recorded.
    #[default]
    Nothing,
    /// A policy is added (without a number) or changed (with its number).
    Policy(Box<Policy>),
    /// A policy is removed.
    RemovePolicy(PolicyId),
    /// A managed sender is added, or replaces the one of its pair.
    Sender(Box<ManagedSender>),
    /// A definition is added, or replaces the one of its name.
    Definition(Box<Definition>),
    /// A whole document is imported.
    Document(String),
    /// The set goes back to an older version.
    Version(u64),
}

impl Center {
    /// Replays a range of time under a changed policy set.
    ///
    /// One replay runs at a time; others wait. It ends after a minute with what
    /// it has, and says so; `examples/replay_cost` measures it.
    ///
    /// # Errors
    ///
    /// [`CenterError::Invalid`] for a change that would be refused, or a range
    /// that ends before it begins.
    pub fn replay(
        &self,
        caller: &Caller,
        request: &ReplayRequest,
    ) -> Result<ReplayReport, CenterError> {
        permit(caller, Permission::EditPolicies)?;
        permit(caller, Permission::SeeMetadata)?;
        let now = self.parts.clock.now();
        let (times, clipped) = self.replayed_times(request, now)?;
        let live = self.parts.activator.in_force();
        let change = self.changed_set(caller, &live, &request.change)?;
        let _one_at_a_time = self.replaying.lock().unwrap_or_else(PoisonError::into_inner);
        let seed = self.parts.chance.number();
        let looker = Looker::new(&live, change.set.as_ref(), seed);
        let mut comparison = Comparison::new(&live, change.set.as_ref());
        let found = self.memory.search_of_house().parts(&times)?;
        let started = self.parts.clock.elapsed();
        let over = || self.parts.clock.elapsed().saturating_sub(started) >= TIME_MAX;
        let looked = look::look_at_all(&found.parts, &looker, &over, &mut |part, before| {
            comparison.take(part, before);
        });
        let took = self.parts.clock.elapsed().saturating_sub(started);
        let (version, missing) = (live.version(), found.missing);
        let ran = report::Ran { version, times, clipped, took, looked, missing };
        self.report(&self.seen_by(caller).events, comparison, ran, change)
    }

    /// The range that can be replayed, and what was cut off.
    fn replayed_times(
        &self,
        request: &ReplayRequest,
        now: Timestamp,
    ) -> Result<(Range<Timestamp>, Option<String>), CenterError> {
        let to = request.to.unwrap_or(now).min(now);
        let from = request.from.unwrap_or_else(|| to.before(REPLAYED));
        if from >= to {
            return Err(CenterError::invalid("the time to replay ends before it begins"));
        }
        let kept_from = now.before(self.parts.metadata_kept);
        let oldest = self.memory.search_of_house().oldest().unwrap_or(now).max(kept_from);
        if from >= oldest || request.from.is_none() {
            return Ok((from..to, None));
        }
        let clipped = format!(
            "There is nothing to replay before {oldest}: attempts are kept {}, and the oldest is of then.",
            types::spoken(self.parts.metadata_kept)
        );
        Ok((from..to, Some(clipped)))
    }
}

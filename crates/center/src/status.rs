//! How the gateway is doing, for people and for probes.

use serde::{Deserialize, Serialize};
use types::{Caller, Permission, Timestamp};

use crate::{Center, CenterError, Conservation, GreylistSize, permit};

/// Knows whether mail can be taken. The binary implements it over the parts
/// it wired: store writable, disk above its reserve, resolver, next hops.
pub trait Readiness: Send + Sync {
    /// Each thing that should be well, and whether it is.
    fn checks(&self) -> Vec<ReadyCheck>;
}

/// One thing that should be well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ReadyCheck {
    /// Its name: `store`, `next_hops`, `resolver`.
    pub name: String,
    /// Whether it is well.
    pub ok: bool,
    /// Whether mail is taken only while it is well; of everything else people
    /// are told, and mail goes on.
    pub needed: bool,
    /// A sentence for the operator.
    pub text: String,
}

/// How the gateway is doing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Status {
    /// The version of the program.
    pub program_version: String,
    /// This machine, as events name it.
    pub node: String,
    /// When the process started.
    pub started: Timestamp,
    /// The present.
    pub now: Timestamp,
    /// Whether mail is taken.
    pub ready: bool,
    /// Each thing that should be well.
    pub checks: Vec<ReadyCheck>,
    /// The version of the policy set.
    pub policy_version: Option<u64>,
    /// Messages that wait for the next hop.
    pub queue_messages: usize,
    /// How long the oldest of them has been there, in seconds; nothing where
    /// none waits.
    pub queue_oldest_age_s: Option<u64>,
    /// Messages that are held back until somebody releases them.
    pub queue_held: usize,
    /// The triplet table.
    pub greylist: GreylistSize,
    /// The conservation sum.
    pub conservation: Conservation,
    /// Up to when the daily logs are closed.
    pub daily_log_until: Option<Timestamp>,
}

impl ReadyCheck {
    /// Whether this keeps mail from being taken.
    pub fn keeps_mail_out(&self) -> bool {
        self.needed && !self.ok
    }
}

impl Center {
    /// How the gateway is doing.
    ///
    /// # Errors
    ///
    /// [`CenterError::Denied`]. What does not work is in the answer.
    pub fn status(&self, caller: &Caller) -> Result<Status, CenterError> {
        permit(caller, Permission::SystemStatus)?;
        let now = self.parts.clock.now();
        let checks = self.readiness();
        let queue = self.parts.queue.depth();
        Ok(Status {
            program_version: self.parts.program_version.to_owned(),
            node: self.parts.node.to_string(),
            started: self.started,
            now,
            ready: !checks.iter().any(ReadyCheck::keeps_mail_out),
            checks,
            policy_version: self.parts.policies.version().ok(),
            queue_messages: queue.waiting,
            queue_oldest_age_s: queue.oldest_waiting.map(|oldest| now.since(oldest).as_secs()),
            queue_held: queue.held,
            greylist: self.greylist_size(),
            conservation: self.conservation_sum(),
            daily_log_until: self.daily_log.written_until(),
        })
    }

    /// Each thing that should be well; mail is taken unless one of them
    /// [keeps it out](ReadyCheck::keeps_mail_out). For probes, which have no
    /// name and need no permission.
    pub fn readiness(&self) -> Vec<ReadyCheck> {
        self.parts.readiness.checks()
    }
}

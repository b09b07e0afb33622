//! Where a queued recipient stands, what a command makes of that, and who may
//! give it.

use serde::{Deserialize, Serialize};
use store::{QueuedRecipient, RecipientState};
use types::event::QueueAction;
use types::{Caller, Permission, Reason, ReasonKind, Timestamp};

use super::acting::QueueCommand;
use crate::CenterError;
use crate::sight::Seen;

/// Something that can be done to one recipient of a queued message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct QueueOffer {
    /// What.
    pub action: QueueCommand,
    /// The permission that the reader lacks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lacks: Option<Permission>,
}

/// Why nothing is done to a recipient.
pub(super) enum WhyNot {
    /// It has left.
    Left,
    /// The command makes no sense for where it stands.
    Standing(&'static str),
    /// The caller lacks this permission.
    Lacks(Permission),
}

impl WhyNot {
    /// In words; nothing for one that has left.
    pub(super) fn words(&self) -> Option<String> {
        match self {
            WhyNot::Left => None,
            WhyNot::Standing(why) => Some((*why).to_owned()),
            WhyNot::Lacks(needs) => {
                Some(format!("releasing it needs the permission {}", needs.slug()))
            }
        }
    }
}

impl Seen<'_> {
    /// For what reason the attempt of a recipient ended as it did.
    pub(super) fn held_for(
        &self,
        recipient: &QueuedRecipient,
    ) -> Result<Option<Reason>, CenterError> {
        Ok(self.events.event(recipient.event)?.and_then(|event| event.reason()))
    }

    /// Where a recipient stands after a command of this caller, or why it
    /// changes nothing.
    pub(super) fn next(
        &self,
        caller: &Caller,
        command: QueueCommand,
        recipient: &QueuedRecipient,
        now: Timestamp,
    ) -> Result<Result<RecipientState, WhyNot>, CenterError> {
        let state = match next_state(command, recipient.state, now) {
            Ok(state) => state,
            Err(why) => return Ok(Err(why)),
        };
        let needs = match command {
            // Where its event is lost nobody knows how harmless it is.
            QueueAction::Release => {
                let reason = self.held_for(recipient)?;
                reason.map_or(Permission::ReleaseDangerous, needed_to_release)
            }
            QueueAction::Hold | QueueAction::Retry | QueueAction::Delete => {
                Permission::QueueActions
            }
        };
        Ok(if caller.may(needs) { Ok(state) } else { Err(WhyNot::Lacks(needs)) })
    }

    /// What can be done to a recipient, what the caller may not included, in
    /// the order of the buttons.
    pub(crate) fn offers(
        &self,
        caller: &Caller,
        recipient: &QueuedRecipient,
    ) -> Result<Vec<QueueOffer>, CenterError> {
        let now = self.parts.clock.now();
        let mut offers = Vec::new();
        for action in
            [QueueAction::Release, QueueAction::Retry, QueueAction::Hold, QueueAction::Delete]
        {
            let lacks = match self.next(caller, action, recipient, now)? {
                Ok(_) => None,
                Err(WhyNot::Lacks(permission)) => Some(permission),
                Err(WhyNot::Left | WhyNot::Standing(_)) => continue,
            };
            offers.push(QueueOffer { action, lacks });
        }
        Ok(offers)
    }
}

/// What it takes to let a message go that was accepted for this reason: what
/// a person held is the business of whoever works on the queue.
fn needed_to_release(reason: Reason) -> Permission {
    match reason.kind() {
        ReasonKind::Hold if is_dangerous(reason) => Permission::ReleaseDangerous,
        ReasonKind::Hold => Permission::ReleaseHarmless,
        _ => Permission::QueueActions,
    }
}

/// Whether it was held for what can do harm when it is opened or believed.
pub(crate) fn is_dangerous(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::HoldDmarcQuarantine
            | Reason::HoldAuthentication
            | Reason::HoldAttachment
            | Reason::HoldUrl
            | Reason::HoldVirusUnscannable
            | Reason::HoldImpersonation
    )
}

/// Where a recipient stands after a command, or why it changes nothing.
fn next_state(
    command: QueueCommand,
    state: RecipientState,
    now: Timestamp,
) -> Result<RecipientState, WhyNot> {
    match (command, state) {
        (_, RecipientState::Done) => Err(WhyNot::Left),
        (QueueAction::Hold, RecipientState::Waiting { attempts, .. }) => {
            Ok(RecipientState::Held { attempts })
        }
        (QueueAction::Release, RecipientState::Held { attempts }) => {
            Ok(RecipientState::Waiting { attempts, due: now, warned: false })
        }
        (QueueAction::Retry, RecipientState::Waiting { attempts, warned, .. }) => {
            Ok(RecipientState::Waiting { attempts, due: now, warned })
        }
        (QueueAction::Delete, _) => Ok(RecipientState::Done),
        (QueueAction::Hold, RecipientState::Held { .. }) => {
            Err(WhyNot::Standing("it is held already"))
        }
        (QueueAction::Retry, RecipientState::Held { .. }) => Err(WhyNot::Standing(
            "it is held back, so it is not tried; a release lets it go at once",
        )),
        (QueueAction::Release, RecipientState::Waiting { .. }) => {
            Err(WhyNot::Standing("it is not held; a retry tries its next hop at once"))
        }
    }
}

//! From a row to the repair: permitting or blocking its sender, and letting
//! its triplet pass.
//!
//! Before anything is stored, the recorded attempt is decided again with the
//! entry in place ([`preview`]), so that the page can say what the repair
//! will and will not do. What can be meant by "this sender" is the
//! [`adviser`]'s business. Nothing here brings a refused message back: it was
//! refused while the sender was connected, and only the sender has it.

mod adviser;
mod preview;
mod saving;
#[cfg(test)]
pub(crate) mod tests;
mod triplet;
mod words;

use serde::{Deserialize, Serialize};
use types::lists::{SenderAction, SenderPattern};
use types::{Caller, Permission, Timestamp};

use crate::{Center, CenterError, ChangeResult, Row, permit};
use adviser::Advice;

pub use adviser::OfferedScope;
pub(crate) use adviser::advised;
pub use preview::SenderPreview;
pub use saving::Undone;
pub(crate) use saving::recipient_of;
pub use triplet::LetIn;
pub use words::{NEVER_SKIPPED, NO_PERMIT_HELPS, NOT_FROM_THE_WORLD, SKIPPED};
pub(crate) use words::{beyond_lists, known_late};

/// What a person can decide about the sender of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SenderVerdict {
    /// Let it past greylisting, reputation and spam scanning.
    Permit,
    /// Refuse it.
    Block,
}

impl SenderVerdict {
    /// The name in addresses and on the command line.
    pub const fn slug(self) -> &'static str {
        match self {
            SenderVerdict::Permit => "permit",
            SenderVerdict::Block => "block",
        }
    }

    pub(crate) fn action(self) -> SenderAction {
        match self {
            SenderVerdict::Permit => SenderAction::Permit,
            SenderVerdict::Block => SenderAction::Block,
        }
    }
}

/// For whom it is decided.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Whom {
    /// The recipient of the attempt: an entry in their list.
    #[default]
    Recipient,
    /// Everyone: a policy, which needs the permission to edit policies.
    Everyone,
}

/// What is decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SenderDecision {
    /// Permit or block.
    pub verdict: SenderVerdict,
    /// The address or domain that is meant, or the domain of a signature.
    pub sender: SenderPattern,
    /// For whom.
    #[serde(default)]
    pub whom: Whom,
    /// Whether a permit counts only for mail that is authenticated as its sender.
    #[serde(default)]
    pub authenticated_only: bool,
    /// Until when; for ever if absent.
    #[serde(default)]
    pub until: Option<Timestamp>,
    /// The remark beside it.
    #[serde(default)]
    pub note: String,
}

/// What can be decided about the sender of an attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SenderOffer {
    /// The attempt.
    pub attempt: Row,
    /// The recipient; nothing if the attempt never named one of ours.
    pub recipient: Option<String>,
    /// What can be meant by "this sender", the advised one first.
    pub scopes: Vec<OfferedScope>,
    /// What is remarkable about the sender.
    pub notices: Vec<String>,
    /// Whether the caller may decide for everyone.
    pub everyone: bool,
    /// Why nothing of the attempt itself can be brought back; nothing where
    /// it was accepted.
    pub gone: Option<String>,
}

/// What was stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SenderDecided {
    /// In words.
    pub text: String,
    /// What it does to the attempt it was made from.
    pub preview: SenderPreview,
    /// What differs; its version can be undone.
    pub change: ChangeResult,
}

impl Center {
    /// What can be decided about the sender of an attempt.
    ///
    /// # Errors
    ///
    /// [`CenterError::NotFound`] if there is no such attempt (any more),
    /// [`CenterError::Invalid`] if it is mail of our own servers.
    pub fn sender_offer(
        &self,
        caller: &Caller,
        named: &str,
        verdict: SenderVerdict,
    ) -> Result<SenderOffer, CenterError> {
        permit(caller, Permission::SeeMetadata)?;
        permit(caller, Permission::EditSenders)?;
        let event = self.seen_by(caller).named(named)?;
        if let Some(why) = beyond_lists(&event) {
            return Err(CenterError::invalid(why));
        }
        let base = self.parts.activator.base();
        let Advice { scopes, notices } = adviser::advise(&event, verdict, &base);
        let recipient = saving::recipient_of(&event, &base);
        Ok(SenderOffer {
            attempt: Row::of(&event),
            recipient: recipient.map(|recipient| recipient.to_string()),
            scopes,
            notices,
            everyone: caller.may(Permission::EditPolicies),
            gone: words::gone(&event),
        })
    }
}
